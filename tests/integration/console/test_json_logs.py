"""What real commands write with PETSTREAM_LOG=json: one object a line, and no secret."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from lab.simulator import history, serve_ftp, write_export

pytestmark = pytest.mark.servers

KEY, PASSWORD = "Canary7K", "canary-of-the-account"


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_every_line_of_a_run_and_of_the_daemon_is_json_without_secrets(
    tmp_path: Path, kafka: str, prefix: str, databases: Callable[[], str]
) -> None:
    """Ingest, consume, and `up`, which passes on the lines of its parts under their names."""
    database, home = databases(), tmp_path / "ftp"
    write_export(home, history(pets=40, days=1, key=KEY), 0, key_prefix=True)
    with serve_ftp(home, user=f"apikey-{KEY}", password=PASSWORD) as server:
        environment = os.environ | {
            "PETSTREAM_LOG": "json",
            "PETSTREAM_FTP_URL": f"ftp://apikey-{KEY}:{PASSWORD}@127.0.0.1:{server.port}/",
            "PETSTREAM_KAFKA": kafka,
            "PETSTREAM_DATABASE_URL": database,
            "PETSTREAM_TOPIC_PREFIX": prefix,
            "PETSTREAM_DATA_DIR": str(tmp_path / "data"),
            "PETSTREAM_SETTLE_S": "0",
            "PETSTREAM_PICTURES": "off",
            "PETSTREAM_CONSOLE": "off",
        }
        command = [sys.executable, "-m", "console"]
        said = ""
        for words in (["ingest"], ["consume", "all", "--drain"]):
            done = subprocess.run(  # noqa: S603  our own command
                [*command, *words], env=environment, check=True, capture_output=True, text=True
            )
            said += done.stdout + done.stderr
        with subprocess.Popen(  # noqa: S603  our own command
            [*command, "up"], env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        ) as daemon:  # fmt: skip
            assert daemon.stdout is not None
            heard = ""
            while '"part": "watch"' not in heard or "petstream is up" not in heard:
                heard += daemon.stdout.readline()
                assert daemon.poll() is None, heard
            daemon.send_signal(signal.SIGTERM)
            heard += daemon.stdout.read()
        assert daemon.returncode == 0
    records = lines(said + heard)
    assert {"ingest", "up", "watch"} <= {record["part"] for record in records}
    assert all({"at", "level", "message"} <= record.keys() for record in records)
    assert lines(heard)[-1]["message"] == "stopped"
    secrets = {KEY, PASSWORD, urlsplit(database).password or PASSWORD}
    assert not [secret for secret in secrets if secret in said + heard]
