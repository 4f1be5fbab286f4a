"""Where servers are configured, nobody waits for what would start embedded ones."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
UNUSED = {
    "console.embedded.kafka": "the embedded Kafka",
    "asyncpg": "Postgres' client",
    "rich": "bars",
    "stream_unzip": "the reader of zips",
    "Crypto": "what that brings along",
    "aiohttp": "the pages",
    "PIL": "pictures",
}


@pytest.mark.parametrize("modules", ["console.cli.parser", "console.cli.parser, ingest.run"])
def test_an_ingest_at_configured_servers_loads_nothing_of_other_parts(modules: str) -> None:
    program = (
        "import sys, petstream.settings, console.embedded.endpoints as endpoints\n"
        f"import {modules}\n"
        "settings = petstream.settings.load({'PETSTREAM_KAFKA': 'kafka:9092'})\n"
        "endpoints.kafka_of(settings, print)\n"
        "print(*sys.modules)"
    )
    run = subprocess.run(  # noqa: S603  our own program
        [sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True
    )
    loaded = run.stdout.split()
    assert "console.cli.parser" in loaded
    assert [what for name, what in UNUSED.items() if name in loaded] == []
