"""`simulate`: a RescueGroups to practise on, day by day, over FTP; its pictures over HTTP.

Rule 1: the same arguments serve the same bytes: the ports are fixed unless they are taken.
"""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from console.runtime import arguments, signals
from lab.simulator import FtpAddress, History, history, serve_ftp, serve_pictures, write_export
from lab.simulator.faults import FAULTS, check
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

    def write(self, made: History, day: int, *, zipped: bool, faults: Sequence[str] = ()) -> None:
        """Put the export of a day (from 0) on the server."""
        write_export(self.home, made, day, zipped=zipped, faults=faults)


@contextmanager
def served(
    home: Path, *, port: int | None = None, pictures_port: int = PICTURES_PORT
) -> Iterator[ServedFeed]:
    """Serve `home` over FTP and pictures over HTTP; without a port, the usual one if it is free."""
    ftp_port = _free_or_any(FTP_PORT) if port is None else port
    home.mkdir(parents=True, exist_ok=True)
    with (
        serve_pictures(_free_or_any(pictures_port)) as pictures,
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
) -> int:
    """Serve the first day, and a further one at every Enter or interval, until `stopping`."""
    check(faults)
    with (
        tempfile.TemporaryDirectory(prefix="petstream-simulated-") as folder,
        served(Path(folder) / "feed", port=port) as feed,
    ):
        made = history(pets=pets, days=days, pictures_url=feed.pictures_url, key=KEY)
        enter = _enter_key() if every_s is None and days > 1 else None
        for day in range(days):
            feed.write(made, day, zipped=zipped, faults=faults)
            _print(f"day {day + 1} of {days} is on the server: export of {made.start(day)}")
            if day == 0:
                _print(f"PETSTREAM_FTP_URL={feed.address.url}")
                _print(_next_step(days, every_s, enter))
            if day + 1 < days:
                await _next(stopping, every_s, enter)
            if stopping.is_set():
                return 0
        _print("that was the last day; it stays until Ctrl-C")
        await stopping.wait()
    return 0


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
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return 0
    return port


def _print(line: str) -> None:
    print(line, flush=True)  # noqa: T201  the command's output
