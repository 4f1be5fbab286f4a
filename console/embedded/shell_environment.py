"""Where the embedded servers are, as environment variables, and in a file for Kafka's tools.

Rule 1: nothing is started: what doesn't run isn't named.
Rule 2: the only secret is in the database's URL, since nobody gets in without it; the file is its
        owner's alone, for the day when it holds one.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from console.embedded import servers
from console.embedded.postgres import USER
from petstream.errors import PetstreamError

PROPERTIES: Final = "kafka-client.properties"


def variables(data_dir: Path) -> dict[str, str]:
    """Return the variables by name; write the file that one of them names.

    Raises:
        PetstreamError: no server runs.
    """
    running = servers.running(data_dir)
    values = {}
    if running.kafka is not None:
        values["PETSTREAM_KAFKA"] = running.kafka
        values["KAFKA_CLIENT_PROPERTIES"] = str(_write_properties(data_dir, running.kafka))
    if running.database_url is not None:
        values["PETSTREAM_DATABASE_URL"] = running.database_url
        values["PGUSER"] = USER
    if not values:
        raise PetstreamError(
            f"no embedded server of {data_dir} runs: 'petstream up' or 'petstream ingest' starts it"
        )
    return values


def _write_properties(data_dir: Path, bootstrap: str) -> Path:
    """Write what Kafka's own tools and clients take as their configuration."""
    path = data_dir.absolute() / PROPERTIES
    part = path.with_suffix(f".{os.getpid()}")
    part.touch(mode=0o600)
    part.write_text(f"bootstrap.servers={bootstrap}\nsecurity.protocol=PLAINTEXT\n")
    return part.replace(path)
