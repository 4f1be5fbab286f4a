"""`simulate`: a RescueGroups to practise on, day by day, over FTP; its pictures over HTTP.

Rule 1: the same arguments on the same day serve the same bytes: the ports are fixed unless they
        are taken.
Rule 2: what it prints is all that is needed: every setting, and its days end today.
"""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from console.runtime import arguments, signals
from lab.simulator import (
    FtpAddress,
    History,
    first_day_until,
    history,
    serve_ftp,
    serve_pictures,
    write_export,
)
from lab.simulator.faults import FAULTS, check
from lab.simulator.picture_server import HOST
from petstream.errors import UsageError
from petstream.waiting import pause

KEY: Final = "Ab3dEf9h"
USER: Final = f"apikey-{KEY}"
PASSWORD: Final = "practice"  # noqa: S105  of a simulated feed, on loopback
FTP_PORT: Final = 2121
PICTURES_PORT: Final = 8643


class ServedFeed(NamedTuple):
    """A simulated feed that is being served."""

    address: FtpAddress
    pictures_url: str
    home: Path

    def write(
        self,
        made: History,
        day: int,
        *,
        zipped: bool,
        faults: Sequence[str] = (),
        written_at: datetime | None = None,
    ) -> None:
        """Put the export of a day (from 0) on the server; as if it was written just at a time."""
        write_export(self.home, made, day, zipped=zipped, faults=faults, written_at=written_at)


@contextmanager
def served(
    home: Path,
    *,
    port: int | None = None,
    pictures_port: int = PICTURES_PORT,
    pictures_at: tuple[str, int] | None = None,
) -> Iterator[ServedFeed]:
    """Serve `home` over FTP and pictures over HTTP; without a port, the usual one if it is free.

    Raises:
        UsageError: a port that was asked for can't be listened on.
    """
    ftp_port = _free_or_any(FTP_PORT) if port is None else _free("--port", port)
    if pictures_at is None:
        pictures_at = HOST, _free_or_any(pictures_port)
    else:
        _free("--pictures-at", pictures_at[1])
    home.mkdir(parents=True, exist_ok=True)
    with (
        serve_pictures(pictures_at[1], known_as=pictures_at[0]) as pictures,
        serve_ftp(home, user=USER, password=PASSWORD, port=ftp_port) as address,
    ):
        yield ServedFeed(address, pictures.url, home)


def add_arguments(parser: ArgumentParser) -> None:
    """Add what `petstream simulate` takes, and what it runs (an entry point of the command)."""
    parser.add_argument("--pets", type=arguments.positive, default=2000, metavar="N")
    parser.add_argument("--days", type=arguments.positive, default=3, metavar="N")
    parser.add_argument(
        "--fault", action="extend", nargs="+", default=[], choices=tuple(FAULTS), metavar="NAME",
        help="what is wrong with every export: " + ", ".join(FAULTS),
    )  # fmt: skip
    parser.add_argument("--zip", action="store_true", help="the files are zipped")
    parser.add_argument(
        "--port", type=arguments.port, metavar="P", help="of the FTP server (2121 if free)"
    )
    parser.add_argument(
        "--pictures-at", type=_address, metavar="HOST:PORT",
        help="under which name other machines reach the pictures "
        f"({HOST}:{PICTURES_PORT}, for this one, if free)",
    )  # fmt: skip
    parser.add_argument(
        "--every", type=float, metavar="SECONDS", help="the next day comes by itself, not by Enter"
    )
    parser.set_defaults(command=_run)


def _run(options: Namespace) -> int:
    def work(stopping: asyncio.Event) -> Coroutine[Any, Any, int]:
        return simulate(
            pets=options.pets,
            days=options.days,
            faults=options.fault,
            zipped=options.zip,
            port=options.port,
            pictures_at=options.pictures_at,
            every_s=options.every,
            stopping=stopping,
        )

    return signals.run(work, stopped_status=0, patient=True)


async def simulate(  # noqa: PLR0913  the command's options, each by name
    *,
    pets: int,
    days: int,
    faults: Sequence[str],
    zipped: bool,
    port: int | None,
    every_s: float | None,
    stopping: asyncio.Event,
    pictures_at: tuple[str, int] | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> int:
    """Serve the first day, and a further one at every Enter or interval, until `stopping`."""
    check(faults)
    with (
        tempfile.TemporaryDirectory(prefix="petstream-simulated-") as folder,
        served(Path(folder) / "feed", port=port, pictures_at=pictures_at) as feed,
    ):
        made = history(
            pets=pets, days=days, first_day=first_day_until(clock(), days),
            pictures_url=feed.pictures_url, key=KEY,
        )  # fmt: skip
        enter = _enter_key() if every_s is None and days > 1 else None
        for day in range(days):
            feed.write(made, day, zipped=zipped, faults=faults)
            _print(f"day {day + 1} of {days} is on the server: export of {made.start(day)}")
            if day == 0:
                for setting in settings_of(feed):
                    _print(setting)
                _print(_next_step(days, every_s, enter))
            if day + 1 < days:
                await _next(stopping, every_s, enter)
            if stopping.is_set():
                return 0
        _print("that was the last day; it stays until Ctrl-C")
        await stopping.wait()
    return 0


def settings_of(feed: ServedFeed) -> tuple[str, ...]:
    """Return all that is needed to read a served feed and its pictures, as lines of ``.env``."""
    return (
        f"PETSTREAM_FTP_URL={feed.address.url}",
        f"PETSTREAM_PICTURE_TRUSTED_HOSTS={urlsplit(feed.pictures_url).netloc}",
        "PETSTREAM_WINDOW=00:00-23:59",
        "PETSTREAM_SETTLE_S=0",
    )


def _next_step(days: int, every_s: float | None, enter: asyncio.Event | None) -> str:
    if days == 1:
        return "Ctrl-C ends it"
    if every_s is not None:
        return f"the next day comes every {every_s:g} s; Ctrl-C ends it"
    if enter is not None:
        return "Enter brings the next day; Ctrl-C ends it"
    return "without a terminal the next day needs --every SECONDS; SIGTERM ends it"


async def _next(
    stopping: asyncio.Event, every_s: float | None, enter: asyncio.Event | None
) -> None:
    if every_s is not None:
        await pause(stopping, every_s)
        return
    if enter is None:
        await stopping.wait()
        return
    waits = {asyncio.create_task(stopping.wait()), asyncio.create_task(enter.wait())}
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for task in waits:
        task.cancel()
    enter.clear()


def _enter_key() -> asyncio.Event | None:
    """Return an event that every line on stdin sets; None if stdin is nothing to wait for."""
    pressed, loop = asyncio.Event(), asyncio.get_running_loop()

    def read() -> None:
        if os.read(0, 4096):
            pressed.set()
        else:
            loop.remove_reader(0)

    try:
        loop.add_reader(0, read)
    except (OSError, ValueError):
        return None  # a file, or closed
    return pressed


def _free_or_any(port: int) -> int:
    return port if _trouble(port) is None else 0


def _free(option: str, port: int) -> int:
    trouble = _trouble(port)
    if trouble is not None:
        raise UsageError(
            f"{option}: port {port} can't be listened on ({trouble}): choose another, or leave the "
            "option out"
        )
    return port


def _trouble(port: int) -> str | None:
    """Return why a port can't be listened on; None: it can."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            return error.strerror or "it is taken"
    return None


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host:
        raise ArgumentTypeError("it must be HOST:PORT")
    return host, arguments.port(port)


def _print(line: str) -> None:
    print(line, flush=True)  # noqa: T201  the command's output
