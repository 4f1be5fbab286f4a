"""The feed's bytes arrive whole or not at all, from a real server and from one that misbehaves."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import pytest
from scripted_ftp import (
    AT,
    DATA,
    KEY,
    NAME,
    PASSWORD,
    USER,
    Script,
    assert_no_secret,
    received,
    remote,
    scripted,
)

from ingest.source import connection, download
from ingest.source import ftp as door
from ingest.source.download import stream
from ingest.source.ftp import FileChangedError, listing
from ingest.source.listing import export_set
from lab.simulator import FtpAddress, serve_ftp
from petstream.errors import PetstreamError, UnreachableError
from petstream.settings import FtpUrl

pytestmark = pytest.mark.servers


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up in tenths of a second: the same code, with its settings scaled down."""
    for module in (door, connection):
        monkeypatch.setattr(module, "SOCKET_TIMEOUT_S", 0.5)
    monkeypatch.setattr(door, "_QUIT_S", 0.3)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FtpAddress]:
    with serve_ftp(tmp_path, user=USER, password=PASSWORD) as address:
        yield address


def url(server: FtpAddress) -> FtpUrl:
    """Return where a real server is."""
    return FtpUrl(USER, PASSWORD, server.host, server.port, "", tls=False)


async def test_a_real_server_is_listed_with_sizes_and_times_in_utc_and_read(
    tmp_path: Path, server: FtpAddress
) -> None:
    (tmp_path / "readme.txt").write_bytes(b"hi")
    (tmp_path / f"{KEY}_petlist.csv").write_bytes(b"")
    (tmp_path / NAME).write_bytes(DATA)
    os.utime(tmp_path / NAME, (AT.timestamp(), AT.timestamp()))
    files = export_set(await listing(url(server)))
    assert [part.name for part in files.parts] == ["petlist.csv", "pets_1.json"]
    assert files.of("pets")[0].remote == remote()
    assert await received(url(server), files.of("pets")[0].remote) == DATA
    assert files.petlist is not None
    assert await received(url(server), files.petlist.remote) == b""


async def test_an_empty_directory_is_an_empty_listing(server: FtpAddress) -> None:
    assert await listing(url(server)) == []


async def test_t2_a_file_that_was_written_anew_since_is_not_read(
    tmp_path: Path, server: FtpAddress
) -> None:
    (tmp_path / NAME).write_bytes(DATA)
    with pytest.raises(FileChangedError) as caught:
        await received(url(server), remote())
    assert_no_secret(caught.value)


ENDS = ["226 done", "426 cut", "close", "reset", "stall", "no reply"]


@pytest.mark.parametrize("end", ENDS)
async def test_t1_a_cut_transfer_is_read_on_from_where_it_was_cut(end: str) -> None:
    script = Script(cuts=[(len(DATA) // 3, end), (len(DATA) // 4, end)])
    async with scripted(script) as ftp:
        assert await received(ftp, remote()) == DATA
    assert script.offsets == sorted(script.offsets)
    assert script.offsets[-1] > len(DATA) // 2, "it was resumed, not begun again"


@pytest.mark.parametrize("end", ["226 done", "426 cut", "close", "reset", "stall"])
async def test_t1_a_cut_at_any_sixteenth_loses_and_doubles_nothing(end: str) -> None:
    """T1: cut at every 1/16 with each ending; then success."""

    async def cut(sixteenth: int) -> Script:
        script = Script(cuts=[(len(DATA) * sixteenth // 16, end)])
        async with scripted(script) as ftp:
            assert await received(ftp, remote()) == DATA
        return script

    scripts = await asyncio.gather(*(cut(sixteenth) for sixteenth in range(16)))
    assert max(script.most_open for script in scripts) <= 2, "at most two connections at once"


@pytest.mark.parametrize("end", ["426 odd", "close", "no reply"])
async def test_t15_a_late_or_missing_226_after_all_bytes_costs_nothing(end: str) -> None:
    script = Script(cuts=[(len(DATA), end)])
    async with scripted(script) as ftp:
        assert await received(ftp, remote()) == DATA
    assert script.transfers == 1


@pytest.mark.parametrize("rest", ["ignored", "refused"])
async def test_t1_where_rest_is_ignored_or_refused_the_file_is_read_again_and_passed_over(
    rest: str,
) -> None:
    """T1: a server that ignores REST is caught, one without it is no obstacle."""
    cuts = [(len(DATA) // 2, "426 cut")]
    script = Script(cuts=cuts, ignores_rest=rest == "ignored", refuses_rest=rest == "refused")
    async with scripted(script) as ftp:
        assert await received(ftp, remote()) == DATA
    assert script.most_open <= 2


async def test_t2_other_bytes_of_the_same_size_are_not_taken_for_the_rest() -> None:
    """T2: swapped mid-transfer under the same size and time: what was read is compared."""
    script = Script(cuts=[(len(DATA) // 2, "426 cut")])
    async with scripted(script) as ftp, aclosing(stream(ftp, remote())) as blocks:
        await anext(blocks)
        script.data = bytes(len(DATA))
        with pytest.raises(FileChangedError, match="otherwise"):
            async for _ in blocks:
                pass


async def test_t15_a_drip_is_cut_and_a_file_that_takes_too_long_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """T15: below the least rate the transfer is cut; the deadline counts all tries together."""
    monkeypatch.setattr(download, "_RATE_WINDOW_S", 0.1)
    monkeypatch.setattr(download, "DEADLINE_S", 0.5)
    script = Script(drips=True)
    async with scripted(script) as ftp:
        with pytest.raises(UnreachableError, match="breaks off"):
            await received(ftp, remote())
    assert script.transfers > 1, "the least rate cut it before the deadline did"
    assert script.most_open <= 2


@pytest.mark.parametrize("code", [b"500 no", b"522 no", b"425 no"])
async def test_t14_where_epsv_is_refused_pasv_is_asked_and_its_address_not_followed(
    code: bytes,
) -> None:
    """T14: a PASV reply that points elsewhere gives the port only."""
    async with scripted(Script(epsv=code)) as ftp:
        assert [file.path for file in await listing(ftp)] == [NAME]
        assert await received(ftp, remote()) == DATA


@pytest.mark.parametrize("lacking", ["SIZE", "MDTM"])
async def test_t1_a_server_without_size_or_mdtm_is_named(lacking: str) -> None:
    """T1: without them nobody can know whether a file is whole."""
    async with scripted(Script(lacks=lacking)) as ftp:
        with pytest.raises(PetstreamError, match="SIZE, MDTM") as caught:
            await listing(ftp, give_up_after_s=0.1)
    assert_no_secret(caught.value)


async def test_t15_a_goodbye_that_never_comes_holds_nobody() -> None:
    """T15: QUIT is answered by silence; we're out in bounded time."""
    async with scripted(Script(lacks="QUIT-reply")) as ftp, asyncio.timeout(3):
        assert [file.path for file in await listing(ftp)] == [NAME]


async def test_t13_a_password_is_not_sent_where_tls_is_refused() -> None:
    """T13: AUTH TLS is refused: nothing follows."""
    script = Script()
    async with scripted(script) as ftp:
        secure = FtpUrl(USER, PASSWORD, ftp.host, ftp.port, "", tls=True)
        with pytest.raises(PetstreamError, match="offers no TLS"):
            await listing(secure, give_up_after_s=0.1)
    assert "PASS" not in script.commands
    assert "USER" not in script.commands


async def test_t2_a_file_swapped_while_it_is_read_is_noticed() -> None:
    async with scripted(Script(swapped_after=1)) as ftp:
        with pytest.raises(FileChangedError):
            await received(ftp, remote())


async def test_a_file_longer_than_it_was_listed_is_noticed() -> None:
    async with scripted(Script(data=DATA * 2, size=b"%d" % len(DATA))) as ftp:
        with pytest.raises(FileChangedError, match="longer"):
            await received(ftp, remote())


async def test_t15_a_server_that_only_ever_stalls_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(download, "_TRIES_WITHOUT_PROGRESS", 2)
    async with scripted(Script(cuts=[(0, "stall")] * 9)) as ftp:
        with pytest.raises(UnreachableError, match="breaks off") as caught:
            await received(ftp, remote())
    assert_no_secret(caught.value)


async def test_t15_a_reader_that_stops_early_is_out_at_once() -> None:
    async with (
        scripted(Script(cuts=[(100_000, "stall")])) as ftp,
        asyncio.timeout(3),
        aclosing(stream(ftp, remote())) as blocks,
    ):
        assert await anext(blocks)


async def test_421_is_waited_out() -> None:
    async with scripted(Script(greetings=[b"421 too many", b"220 ready"])) as ftp:
        assert [file.size_bytes for file in await listing(ftp)] == [len(DATA)]


async def test_a_refused_login_is_said_at_once_in_one_line() -> None:
    async with scripted(Script(login=f"530 no, {USER}".encode())) as ftp:
        with pytest.raises(PetstreamError, match="refuses the login") as caught:
            await listing(ftp)
    assert_no_secret(caught.value)
    assert caught.value.exit_status == 1
    assert "\n" not in str(caught.value)


async def test_a_name_in_latin_1_costs_no_other_name() -> None:
    async with scripted(Script(names=b"caf\xe9.txt\r\n" + NAME.encode() + b"\r\n")) as ftp:
        assert [file.path for file in await listing(ftp)] == [NAME]


async def test_a_server_that_speaks_latin_1_is_understood_in_every_reply() -> None:
    french = Script(greetings=[b"220 pr\xeat"], login=b"230 entr\xe9", goodbye=b"226 termin\xe9")
    async with scripted(french) as ftp:
        assert [file.path for file in await listing(ftp)] == [NAME]
        assert await received(ftp, remote()) == DATA


async def test_t14_names_that_climb_are_passed_over() -> None:
    names = b"../pets_2.json\r\npets_3.json\0\r\n./" + NAME.encode() + b"\r\n"
    async with scripted(Script(names=names)) as ftp:
        assert [file.path for file in await listing(ftp)] == [f"./{NAME}"]


async def test_t14_an_endless_listing_is_cut() -> None:
    async with scripted(Script(endless_names=True)) as ftp, asyncio.timeout(10):
        with pytest.raises(PetstreamError, match="longer than") as caught:
            await listing(ftp, give_up_after_s=0.1)
    assert_no_secret(caught.value)


@pytest.mark.parametrize("size", [b"many", b"-1", b"", b"9" * 5_000])
async def test_t14_a_size_that_is_none_is_one_clear_line(size: bytes) -> None:
    async with scripted(Script(size=size or b" ")) as ftp:
        with pytest.raises(PetstreamError) as caught:
            await listing(ftp, give_up_after_s=0.1)
    assert_no_secret(caught.value)


@pytest.mark.parametrize(
    "greeting",
    [b"220-on\r\n" * 5_000 + b"220 in", b"220 " + b"x" * 200_000, b"\xff\xfe what?", b"<html>"],
)
async def test_t14_a_greeting_that_is_no_ftp_is_one_clear_line(greeting: bytes) -> None:
    async with scripted(Script(greetings=[greeting])) as ftp, asyncio.timeout(10):
        with pytest.raises(PetstreamError) as caught:
            await listing(ftp, give_up_after_s=0.1)
    assert_no_secret(caught.value)


async def test_t50_one_cancellation_ends_a_transfer_at_whatever_moment_it_comes() -> None:
    """T50: SIGTERM is heard also where it comes in the same moment as the next bytes."""
    for moment in range(60):
        script = Script(drips=True, drip_s=0.0005)
        async with scripted(script) as ftp:
            reading = asyncio.create_task(received(ftp, remote()))
            await asyncio.sleep(0.015 + moment / 20_000)
            reading.cancel()
            done, _ = await asyncio.wait({reading}, timeout=3)
            assert done, f"cancelled at moment {moment}, and it goes on reading"
            assert reading.cancelled()
