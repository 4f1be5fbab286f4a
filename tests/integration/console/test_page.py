"""`petstream console` as a person runs it, and the pages of daemons: processes, real servers."""

from __future__ import annotations

import time
import urllib.request
from pathlib import Path

import pytest
from console_process import begun, serving

pytestmark = pytest.mark.servers


def _front(url: str) -> str:
    """Return the front page, once its first look is back: topics are made first."""
    ends_at = time.monotonic() + 120
    while True:
        with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310  our own server
            text = str(answer.read(), "utf-8")
        if 'id="parts"' in text or time.monotonic() > ends_at:
            return text
        time.sleep(0.2)


def test_it_serves_the_page_until_a_signal_and_needs_no_feed(
    tmp_path: Path, kafka: str, database_url: str, prefix: str
) -> None:
    with serving(
        tmp_path, kafka=kafka, database_url=database_url, topic_prefix=prefix
    ) as (url, said):  # fmt: skip
        assert url.startswith("http://127.0.0.1:")
        assert said == []
        text = _front(url)
    assert "No export yet" in text
    assert "<dt>stored</dt><dd>0</dd>" in text


@pytest.mark.parametrize("command", [("consume", "pets"), ("ingest", "--watch")], ids=" ".join)
def test_a_daemon_alone_serves_the_page_too(
    tmp_path: Path, kafka: str, database_url: str, prefix: str, command: tuple[str, ...]
) -> None:
    with serving(
        tmp_path, *command, kafka=kafka, database_url=database_url, topic_prefix=prefix,
        ftp_url="ftp://apikey-Canary7K:canary@127.0.0.1:1/",
    ) as (url, said):  # fmt: skip
        text = _front(url)
    assert "No export yet" in text
    assert "<dt>stored</dt><dd>0</dd>" in text
    assert "anary" not in text + "".join(said)


def test_without_an_address_it_says_so_and_starts_nothing(tmp_path: Path) -> None:
    with begun(tmp_path, console="off") as process:
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert said.startswith("petstream: PETSTREAM_CONSOLE is off: set an address")
    assert len(said.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
