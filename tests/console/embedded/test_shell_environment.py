"""`petstream env`, and the ports that embedded servers take."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
from pathlib import Path

import pytest

from console.cli import parser
from console.embedded import process, servers
from console.embedded.endpoints import address_of
from console.embedded.servers import Servers
from petstream.settings import KafkaAccess

KAFKA = KafkaAccess(
    "127.0.0.1:9092", "SASL_PLAINTEXT", "SCRAM-SHA-512", "petstream", "canary-of-kafka"
)


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PETSTREAM_DATA_DIR", "it's data")


def test_without_a_server_it_is_one_line_and_status_1(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert parser.run(["env"]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("petstream: no embedded server of it's data runs")
    assert printed.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_shell_evaluates_it_and_the_files_are_their_owners_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    url = "postgresql://petstream:canary@127.0.0.1:5432/petstream"
    monkeypatch.setattr(servers, "running", lambda _home: Servers(KAFKA, url))
    monkeypatch.setenv("PETSTREAM_TOPIC_PREFIX", "simulated.")
    (tmp_path / "it's data").mkdir()
    before = os.umask(0)
    try:
        assert parser.run(["env"]) == 0
    finally:
        os.umask(before)
    shown = capsys.readouterr().out
    asked = """eval "$SHOWN"; echo "$PETSTREAM_KAFKA $PETSTREAM_DATABASE_URL"
        echo "$PETSTREAM_TOPIC_PREFIX //$PGHOST:$PGPORT/$PGDATABASE $PGUSER $PGPASSWORD"
        echo $PETSTREAM_KAFKA_SECURITY_PROTOCOL $PETSTREAM_KAFKA_SASL_MECHANISM
        echo $PETSTREAM_KAFKA_SASL_USERNAME $PETSTREAM_KAFKA_SASL_PASSWORD
        cat "$KAFKA_CLIENT_PROPERTIES" "$KCAT_CONFIG" """
    done = subprocess.run(  # noqa: S603  ours
        ["/bin/sh", "-c", asked], capture_output=True, text=True, check=True, env={"SHOWN": shown}
    )
    module = "org.apache.kafka.common.security.scram.ScramLoginModule"
    assert done.stdout.splitlines() == [
        f"127.0.0.1:9092 {url}",
        "simulated. //127.0.0.1:5432/petstream petstream canary",
        "SASL_PLAINTEXT SCRAM-SHA-512",
        "petstream canary-of-kafka",
        "bootstrap.servers=127.0.0.1:9092",
        "security.protocol=SASL_PLAINTEXT",
        "sasl.mechanism=SCRAM-SHA-512",
        f'sasl.jaas.config={module} required username="petstream" password="canary-of-kafka";',
        "bootstrap.servers=127.0.0.1:9092",
        "security.protocol=SASL_PLAINTEXT",
        "sasl.mechanism=SCRAM-SHA-512",
        "sasl.username=petstream",
        "sasl.password=canary-of-kafka",
    ]
    modes = {
        file.name: stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "it's data").iterdir()
    }
    assert modes == {"kafka-client.properties": 0o600, "kcat.conf": 0o600}
    assert parser.run(["env", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["PETSTREAM_KAFKA"] == "127.0.0.1:9092"


def test_a_new_server_takes_the_usual_port_if_it_is_free_and_keeps_what_it_had(
    tmp_path: Path,
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        usual = taken.getsockname()[1]
        assert process.port_for(tmp_path, "kafka", at_first=usual) != usual
    assert process.port_for(tmp_path, "kafka", at_first=usual) == usual
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        kept = other.getsockname()[1]
    (tmp_path / "kafka.json").write_text(json.dumps({"pid": 0, "started": "", "port": kept}))
    assert process.port_for(tmp_path, "kafka", at_first=usual) == kept
    assert process.wanted_port(tmp_path, "kafka", usual) == kept


def test_an_address_holds_no_user_and_no_password() -> None:
    assert address_of("postgresql://me:canary@db.example/pets?password=canary") == (
        "db.example:5432"
    )
