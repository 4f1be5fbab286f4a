"""`petstream console` as a person runs it, and the pages of daemons: processes, real servers."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

pytestmark = pytest.mark.servers

ROOT = Path(__file__).parents[2]


def _begin(
    tmp_path: Path, *command: str, ftp_url: str = "", **settings: str
) -> subprocess.Popen[str]:
    settings |= {"ftp_url": ftp_url} if ftp_url else {}
    ours = {name: text for name, text in os.environ.items() if "PETSTREAM_" not in name}
    given = {f"PETSTREAM_{name.upper()}": text for name, text in settings.items()}
    return subprocess.Popen(  # noqa: S603  our own command
        [sys.executable, "-m", "console", *(command or ("console",))], cwd=tmp_path, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env=ours | {"PYTHONPATH": str(ROOT)} | given,
    )  # fmt: skip


def test_it_serves_the_page_until_a_signal_and_needs_no_feed(
    tmp_path: Path, kafka: str, database_url: str, prefix: str
) -> None:
    with _begin(
        tmp_path, kafka=kafka, database_url=database_url, topic_prefix=prefix,
        console="127.0.0.1:0",
    ) as process:  # fmt: skip
        try:
            assert process.stdout
            line = process.stdout.readline()
            assert line.startswith("status and metrics: http://127.0.0.1:")
            with urllib.request.urlopen(line.split()[-1], timeout=60) as answer:  # noqa: S310  our own server
                text = str(answer.read(), "utf-8")
            process.terminate()
            assert process.wait(20) == 0
        finally:
            process.kill()
    assert "No export yet" in text
    assert "<li>stored: 0</li>" in text


@pytest.mark.parametrize("command", [("consume", "pets"), ("ingest", "--watch")], ids=" ".join)
def test_a_daemon_alone_serves_the_page_too(
    tmp_path: Path, kafka: str, database_url: str, prefix: str, command: tuple[str, ...]
) -> None:
    nowhere = "ftp://apikey-Canary7K:canary@127.0.0.1:1/"
    with _begin(
        tmp_path, *command, kafka=kafka, database_url=database_url, topic_prefix=prefix,
        console="127.0.0.1:0", ftp_url=nowhere,
    ) as process:  # fmt: skip
        try:
            assert process.stdout
            lines = iter(process.stdout.readline, "")
            line = next(line for line in lines if line.startswith("status and metrics: "))
            with urllib.request.urlopen(line.split()[-1], timeout=60) as answer:  # noqa: S310  our own server
                text = str(answer.read(), "utf-8")
            process.terminate()
            assert process.wait(20) == 0
        finally:
            process.kill()
    assert "No export yet" in text
    assert "<li>stored: 0</li>" in text
    assert "anary" not in text


def test_without_an_address_it_says_so_and_starts_nothing(tmp_path: Path) -> None:
    with _begin(tmp_path, console="off") as process:
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert said.startswith("petstream: PETSTREAM_CONSOLE is off: set an address")
    assert len(said.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
