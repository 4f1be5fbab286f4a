"""Ordinary trouble: one clear line, the right exit status, no traceback and no secret."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.source.ftp import listing
from lab.simulator import FtpAddress, history, serve_ftp, write_export
from petstream.errors import PetstreamError, UnreachableError
from petstream.kafka.client import ensure_topics
from petstream.settings import FtpUrl, KafkaAccess

pytestmark = pytest.mark.servers

USER, PASSWORD = "apikey-Ab3dEf9h", "canary-password"
SECRETS = (USER, "Ab3dEf9h", PASSWORD)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FtpAddress]:
    home = tmp_path / "ftp"
    home.mkdir()
    with serve_ftp(home, user=USER, password=PASSWORD) as address:
        yield address


def petstream(tmp_path: Path, *args: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a user would."""
    plain = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    given = {f"PETSTREAM_{name}": value for name, value in settings.items()}
    return subprocess.run(  # noqa: S603  our own command
        [sys.executable, "-m", "console", *args],
        capture_output=True, text=True, check=False, timeout=120, cwd=tmp_path,
        env=plain | {"PYTHONPATH": str(Path(__file__).parents[3])} | given
        | {"PETSTREAM_DATA_DIR": str(tmp_path / "data"), "PETSTREAM_SETTLE_S": "0"},
    )  # fmt: skip


def assert_one_line(done: subprocess.CompletedProcess[str], status: int, said: str) -> None:
    """See that a person is told what is wrong, and nobody a secret."""
    assert done.returncode == status, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert not [secret for secret in SECRETS if secret in done.stderr + done.stdout]


@pytest.mark.parametrize(
    ("password", "directory", "status", "said"),
    [
        ("wrong-canary", "", 1, "refuses the login"),
        (PASSWORD, "nowhere", 1, "no such directory"),
        (PASSWORD, "", 3, "6 AM Eastern"),
    ],
)
def test_ftp_trouble_is_said_in_one_line(  # noqa: PLR0913, PLR0917  a table of cases
    tmp_path: Path,
    server: FtpAddress,
    kafka: str,
    password: str,
    directory: str,
    status: int,
    said: str,
) -> None:
    url = f"ftp://{USER}:{password}@127.0.0.1:{server.port}/{directory}"
    done = petstream(tmp_path, "ingest", FTP_URL=url, KAFKA=kafka)
    assert_one_line(done, status, said)
    assert password not in done.stderr


def test_no_ftp_url_is_a_wrong_setting(tmp_path: Path, kafka: str) -> None:
    done = petstream(tmp_path, "ingest", KAFKA=kafka)
    assert_one_line(done, 2, "PETSTREAM_FTP_URL")


def test_all_wrong_settings_are_said_at_once_and_no_secret_among_them(tmp_path: Path) -> None:
    url = f"http://{USER}:{PASSWORD}@example.org/"
    done = petstream(tmp_path, "ingest", FTP_URL=url, SCRUB="daily", SETTEL_S="1")
    assert done.returncode == 2
    lines = [line.removeprefix("petstream: ") for line in done.stderr.strip().splitlines()]
    assert [line.partition(":")[0] for line in lines] == [
        "PETSTREAM_FTP_URL", "PETSTREAM_SCRUB", "PETSTREAM_SETTEL_S",
    ]  # fmt: skip
    assert not [secret for secret in SECRETS if secret in done.stderr]


def test_a_missing_part_is_not_ready(tmp_path: Path, kafka: str, server: FtpAddress) -> None:
    write_export(
        tmp_path / "ftp", history(pets=40, days=1), 0, part_rows=10, faults=["missing-part"]
    )
    url = f"ftp://{USER}:{PASSWORD}@127.0.0.1:{server.port}/"
    done = petstream(tmp_path, "ingest", FTP_URL=url, KAFKA=kafka)
    assert_one_line(done, 3, "is missing")


def test_a_wrong_database_is_said_in_one_line(tmp_path: Path) -> None:
    nobody = f"postgresql://someone:canary@127.0.0.1:{free_port()}/pets"
    done = petstream(tmp_path, "migrate", DATABASE_URL=nobody)
    assert done.returncode == 1
    assert "can't be reached (ConnectionRefusedError)" in done.stderr
    assert "canary" not in done.stderr
    assert "Traceback" not in done.stderr


async def test_a_host_that_is_down_is_said_after_a_while() -> None:
    ftp = FtpUrl(USER, PASSWORD, "127.0.0.1", free_port(), "", tls=False)
    with pytest.raises(UnreachableError, match="can't be reached") as caught:
        await listing(ftp, give_up_after_s=0.1)
    assert not [secret for secret in SECRETS if secret in str(caught.value)]


async def test_a_kafka_that_is_down_is_said_after_a_while() -> None:
    with pytest.raises(UnreachableError, match="PETSTREAM_KAFKA"):
        await ensure_topics(KafkaAccess(f"127.0.0.1:{free_port()}"), "t.", give_up_after_s=0.1)


async def test_ftps_is_never_answered_without_tls(server: FtpAddress) -> None:
    ftp = FtpUrl(USER, PASSWORD, "127.0.0.1", server.port, "", tls=True)
    with pytest.raises(PetstreamError):
        await listing(ftp, give_up_after_s=0.1)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
