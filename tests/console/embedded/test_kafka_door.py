"""Who the embedded Kafka lets in, decided without starting one."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from console.embedded import kafka_door
from console.embedded.kafka_door import Passwords, listeners
from console.embedded.process import write_private
from petstream.settings import KafkaAccess

ROOT = Path(__file__).parents[3]
KNOWN = Passwords("users", "keepers", "visitors")


def test_s1_every_listener_asks_for_a_password() -> None:
    values = listeners(9000, 9001, KNOWN)
    protocols = dict(
        entry.split(":") for entry in values["listener.security.protocol.map"].split(",")
    )
    names = [entry.partition(":")[0] for entry in values["listeners"].split(",")]
    assert {name: protocols[name] for name in names} == dict.fromkeys(names, "SASL_PLAINTEXT")


def test_s1_the_password_that_stays_is_never_sent() -> None:
    """Whoever listens at the port while Kafka is away would have it."""
    values = listeners(9000, 9001, KNOWN)
    sent = {name: value for name, value in values.items() if "PlainLoginModule" in value}
    assert {name.split(".")[2] for name in sent} == {"clients", "controller"}
    assert not any(KNOWN.user in value for value in sent.values())


def test_s1_nothing_of_the_product_asks_for_a_kafka_that_lets_in_everybody() -> None:
    """Tests may, with clients of all kinds."""
    handing_on = {"console/embedded/kafka.py", "console/embedded/servers.py"}
    asking = {
        str(path.relative_to(ROOT))
        for folder in ("console", "consumers", "ingest", "lab", "petstream")
        for path in (ROOT / folder).rglob("*.py")
        if "authenticated=" in path.read_text("utf-8")
    }
    assert asking - handing_on == set()


def test_s1_the_password_that_is_proved_stays_and_those_that_are_sent_do_not(
    tmp_path: Path,
) -> None:
    before = os.umask(0)
    try:
        first, second = kafka_door.passwords(tmp_path), kafka_door.passwords(tmp_path)
    finally:
        os.umask(before)
    assert first.user == second.user
    assert len({first.keeper, second.keeper, first.visitor, second.visitor, first.user}) == 5
    assert min(map(len, (first.user, first.keeper, first.visitor))) >= 32
    assert stat.S_IMODE((tmp_path / "kafka.password").stat().st_mode) == 0o600
    assert first.user not in repr(first)


def test_s1_a_file_that_was_open_to_others_is_closed_before_a_secret_is_in_it(
    tmp_path: Path,
) -> None:
    for name in ("secret", "secret.part"):  # the second of a command that was killed
        (tmp_path / name).touch(mode=0o666)
    write_private(tmp_path / "secret", "canary")
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600


@pytest.mark.parametrize("text", ["", "listeners=PLAINTEXT://127.0.0.1:9000\n"])
def test_a_kafka_that_was_started_without_passwords_is_reached_without(
    tmp_path: Path, text: str
) -> None:
    """Status and doctor look at one of an earlier version, which runs still, and leave it."""
    (tmp_path / "kafka").mkdir()
    (tmp_path / "kafka" / "server.properties").write_text(text)
    (tmp_path / "kafka.password").write_text("of a start that was killed")
    assert kafka_door.access(tmp_path, 9000) == KafkaAccess("127.0.0.1:9000")
