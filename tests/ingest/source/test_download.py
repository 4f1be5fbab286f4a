"""A file arrives whole or not at all, wherever its transfers are cut: a server that is scripted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from ingest.source import download
from ingest.source.download import stream
from ingest.source.ftp import FileChangedError, RestRefusedError
from ingest.source.listing import RemoteFile
from petstream.errors import UnreachableError
from petstream.settings import FtpUrl
from petstream.waiting import Delays

FTP = FtpUrl("apikey-Ab3dEf9h", "secret", "localhost", 21, "", tls=False)
DATA = bytes(number * 7 % 251 for number in range(20_000))
FILE = RemoteFile("pets_1.json", len(DATA), datetime(2026, 11, 2, tzinfo=UTC))


class Server:
    """Sends a file in blocks of a thousand bytes, and breaks off where it is told to."""

    def __init__(self) -> None:
        """Send all of it."""
        self.data = DATA
        self.cuts: list[int] = []
        """After how many bytes each transfer breaks off; those behind them don't."""
        self.ignores_rest = self.refuses_rest = False
        self.began_at: list[int] = []
        self.sent_bytes = 0
        self.at_the_end: Callable[[], None] = lambda: None
        self.swapped = False

    @asynccontextmanager
    async def connect(self, _ftp: FtpUrl) -> AsyncIterator[None]:
        """Let in."""
        yield

    async def blocks(self, _client: object, _file: RemoteFile, offset: int) -> AsyncIterator[bytes]:
        """Send from an offset, as far as this server knows how."""
        self.began_at.append(offset)
        if offset and self.refuses_rest:
            raise RestRefusedError("502 REST isn't implemented")
        rest = self.data[0 if self.ignores_rest else offset :]
        cut = self.cuts.pop(0) if self.cuts else len(rest)
        for at in range(0, cut, 1_000):
            block = rest[at : min(at + 1_000, cut)]
            self.sent_bytes += len(block)
            yield block
        if cut < len(rest):
            raise ConnectionResetError
        self.at_the_end()

    async def verify_unchanged(self, _client: object, _file: RemoteFile) -> None:
        """Tell size and time."""
        if self.swapped:
            raise FileChangedError("another file by now")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    server = Server()
    for name in ("connect", "blocks", "verify_unchanged"):
        monkeypatch.setattr(download, name, getattr(server, name))
    monkeypatch.setattr(download, "_DELAYS", Delays(0.0))
    return server


async def received(file: RemoteFile = FILE, *, reader_s: float = 0.0) -> bytes:
    """Read a file, as slowly as that."""
    kept = b""
    async for chunk in stream(FTP, file):
        kept += chunk
        await asyncio.sleep(reader_s)
    return kept


@pytest.mark.parametrize("cuts", [[], [1], [7_300], [100, 5_000, 9_999], [4_096, 4_096, 4_097]])
async def test_t1_a_file_is_read_on_from_where_it_was_cut(server: Server, cuts: list[int]) -> None:
    """T1: whole, nothing twice, and with 4 KiB of each cut once more."""
    server.cuts = list(cuts)
    assert await received() == DATA
    assert len(server.began_at) >= len(cuts) + 1
    assert server.sent_bytes <= len(DATA) + 4_096 * len(cuts)


@pytest.mark.parametrize("how", ["ignores_rest", "refuses_rest"])
async def test_t1_where_rest_is_no_use_the_file_is_read_again_and_passed_over(
    server: Server, how: str
) -> None:
    """T1."""
    setattr(server, how, True)
    server.cuts = [9_500]
    assert await received() == DATA
    assert server.began_at[-1] == 0


@pytest.mark.parametrize("how", ["ignores_rest", "refuses_rest", "neither"])
async def test_t2_other_bytes_of_the_same_size_are_not_taken_for_the_rest(
    server: Server, how: str
) -> None:
    """T2: written anew between two transfers, with the size and the second it had."""
    server.cuts = [9_500]
    iterator = stream(FTP, FILE)
    kept = await anext(iterator)
    server.data = bytes(reversed(DATA))
    if how != "neither":
        setattr(server, how, True)
    with pytest.raises((FileChangedError, UnreachableError)):
        kept += b"".join([chunk async for chunk in iterator])
    assert DATA.startswith(kept)


async def test_t2_a_file_that_was_swapped_while_it_was_read_is_noticed(server: Server) -> None:
    """T2: at the end size and time are asked once more."""

    def swap() -> None:
        server.swapped = True

    server.at_the_end = swap
    with pytest.raises(FileChangedError):
        await received()


async def test_t2_a_file_longer_than_it_was_listed_is_noticed(server: Server) -> None:
    """T2."""
    server.data = DATA + b"more"
    with pytest.raises(FileChangedError):
        await received()


async def test_t15_five_tries_that_bring_nothing_are_enough(server: Server) -> None:
    """T15: after some that did bring something."""
    server.cuts = [5_000, 4_096, *[0] * 50]
    with pytest.raises(UnreachableError, match="breaks off transfers"):
        await received()
    assert len(server.began_at) == 1 + 5


async def test_t15_a_network_slower_than_the_least_rate_is_cut(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T15: and read on, by another connection."""
    clock = _Clock(monkeypatch)
    slow = [True]
    blocks = server.blocks

    async def drips(client: object, file: RemoteFile, offset: int) -> AsyncIterator[bytes]:
        async for block in blocks(client, file, offset):
            clock.now_s += 2.0 if slow[0] else 0.001
            yield block
            slow[0] = slow[0] and len(server.began_at) < 2

    monkeypatch.setattr(download, "blocks", drips)
    assert await received() == DATA
    assert len(server.began_at) == 1, "a thousand bytes in two seconds: within a window of 60 s"
    monkeypatch.setattr(download, "_RATE_WINDOW_S", 5.0)
    server.began_at.clear()
    slow[0] = True
    assert await received() == DATA
    assert len(server.began_at) == 2


async def test_t15_a_slow_reader_is_not_taken_for_a_slow_network(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T15: a database that is slow for hours costs no transfer."""
    clock = _Clock(monkeypatch)
    kept = b""
    async for chunk in stream(FTP, FILE):
        kept += chunk
        clock.now_s += 3_600.0
    assert kept == DATA
    assert server.began_at == [0]


class _Clock:
    """A clock of the event loop that only a test moves, as downloads see it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 0.0
        monkeypatch.setattr(download, "asyncio", self)

    def get_running_loop(self) -> Any:
        return self

    def time(self) -> float:
        return self.now_s

    async def sleep(self, _seconds: float) -> None:
        pass
