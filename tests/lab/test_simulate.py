"""F16. `petstream simulate` as a person's practice ground: what it prints is all that is needed."""

from __future__ import annotations

import asyncio
import io
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from PIL import Image

from consumers.pictures.url_policy import checked_url
from ingest.source.arrival import list_export, start_stamp
from lab import simulate
from lab.simulator import first_day_until, history
from lab.simulator.history import EASTERN
from petstream.errors import UsageError
from petstream.settings import Settings, load

pytestmark = pytest.mark.servers


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


@asynccontextmanager
async def simulated(
    capsys: pytest.CaptureFixture[str], *, days: int = 1, pictures_at: tuple[str, int] | None = None
) -> AsyncIterator[Settings]:
    """Run it, and return the settings that it prints, as `.env` has them."""
    stopping = asyncio.Event()
    work = simulate.simulate(
        pets=20,
        days=days,
        faults=(),
        zipped=False,
        port=0,
        every_s=600,
        stopping=stopping,
        pictures_at=pictures_at,
    )
    running = asyncio.create_task(work)
    output = ""
    while "Ctrl-C" not in output and not running.done():
        await asyncio.sleep(0.01)
        output += capsys.readouterr().out
    lines = [line for line in output.splitlines() if line.startswith("PETSTREAM_")]
    try:
        yield load(dict(line.split("=", 1) for line in lines))
    finally:
        stopping.set()
        await running


async def test_f16_with_the_settings_as_printed_the_export_is_there_and_is_todays(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """F16: it isn't late, and no archive prunes it at once."""
    async with simulated(capsys) as settings:
        assert settings.ftp is not None
        listed = await list_export(settings.ftp, settings.settle_s, lambda _line: None)
        assert listed.unready is None
        assert listed.files.doubts() == ()
        start = await start_stamp(settings.ftp, listed.files)
    assert start is not None
    assert timedelta(0) < datetime.now(UTC) - start < timedelta(hours=30)


async def test_f16_with_the_settings_as_printed_its_pictures_may_be_fetched(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """F16: all of them failed with `port`."""
    async with simulated(capsys) as settings:
        (host,) = settings.picture_trusted_hosts
        made = history(pets=20, days=1, pictures_url=f"http://{host}")
        pets = made.truth(0).pets.values()
        url = next(pet["pictures"][0]["largeUrl"] for pet in pets if pet["pictures"])
        checked = checked_url(url, settings.picture_hosts, settings.picture_trusted_hosts)
        async with aiohttp.ClientSession() as session, session.get(checked) as answer:
            picture = Image.open(io.BytesIO(await answer.read()))
    assert picture.format == "JPEG"


async def test_f16_pictures_are_served_under_the_name_that_other_machines_know(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """F16: in compose, who fetches them is another container."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with simulated(capsys, pictures_at=("localhost", port)) as settings:
        assert settings.picture_trusted_hosts == {f"localhost:{port}"}
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("option", ["--port", "--pictures-at"])
async def test_f16_a_port_that_is_taken_is_one_line(option: str, taken: int) -> None:
    """F16: wrong use, not a bug."""
    pictures_at = ("127.0.0.1", taken) if option == "--pictures-at" else None
    with pytest.raises(UsageError, match=f"{option}: port {taken} can't be listened on") as caught:
        await simulate.simulate(
            pets=20, days=1, faults=(), zipped=False, port=0 if pictures_at else taken,
            every_s=None, stopping=asyncio.Event(), pictures_at=pictures_at,
        )  # fmt: skip
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("hour", range(24))
@pytest.mark.parametrize("day", [2, 15])  # and the nights of the clock change
def test_f16_the_last_day_is_the_newest_whose_files_are_all_written(hour: int, day: int) -> None:
    """F16: at whatever hour one begins; a file of the future would name no export."""
    month = 3 if day == 15 else 11
    now = datetime(2026, month, day, hour, 30, tzinfo=EASTERN).astimezone(UTC)
    made = history(pets=10, days=3, first_day=first_day_until(now, 3))
    assert timedelta(hours=0) < now - made.start(2) < timedelta(hours=29)
    assert made.start(0) == history(pets=10, days=1, first_day=first_day_until(now, 3)).start(0)
