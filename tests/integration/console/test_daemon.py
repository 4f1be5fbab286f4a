"""`petstream up` as a person runs it: real processes, servers and signals."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from small_up import alive

from console.inspect.database_reader import Unavailable, fetch_rows
from consumers.engine.migrate import migrate
from lab.expectations import QUERIES, judge
from lab.simulator import expected, history, serve_ftp, write_export

pytestmark = pytest.mark.servers

ROOT = Path(__file__).parents[3]
FEED = history(pets=800, days=3)
KEY, PASSWORD = "Ab3dEf9h", "canary-password"
PARTS = {"ingest --watch", "consume pets", "consume images", "consume deletions"}


class UpProcess:
    """A `petstream up` that runs, or has run."""

    def __init__(self, home: Path, **settings: str) -> None:
        """Start it in a directory of its own, with these settings in its ``.env``."""
        self.home, self.lines = home, list[str]()
        home.mkdir(exist_ok=True)
        self.set(**settings)
        self.notify = home / f"notify-{secrets.token_hex(4)}"
        self.ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.ear.bind(str(self.notify))
        self.notifications: list[str] = []
        ours = {name: text for name, text in os.environ.items() if "PETSTREAM_" not in name}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "console", "up"], cwd=home, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=ours | {"PYTHONPATH": str(ROOT), "NOTIFY_SOCKET": str(self.notify),
                        "WATCHDOG_USEC": "1000000"},
        )  # fmt: skip
        self.reading = threading.Thread(target=self._read, daemon=True)
        self.reading.start()
        self.listening = threading.Thread(target=self._listen, daemon=True)
        self.listening.start()

    def set(self, **settings: str) -> None:
        """Write the ``.env``."""
        lines = [f"PETSTREAM_{name.upper()}={text}\n" for name, text in settings.items()]
        (self.home / ".env").write_text("".join(lines))

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def _listen(self) -> None:
        while message := self.ear.recv(4096).decode():
            self.notifications += message.splitlines()

    def said(self, what: str) -> bool:
        """Return whether a line has this in it."""
        return any(what in line for line in self.lines)

    def notified(self, what: str) -> bool:
        """Return whether the service manager was sent this."""
        return what in self.notifications

    def parts(self) -> dict[str, int]:
        """Return the process id of each part that runs."""
        pids = {}
        for path in Path("/proc").glob("[0-9]*"):
            try:
                parent = (path / "stat").read_text().rpartition(")")[2].split()[1]
                words = (path / "cmdline").read_bytes().split(b"\0")
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(parent) == self.process.pid and b"console" in words:
                at = words.index(b"console") + 1
                pids[b" ".join(words[at:]).decode().strip()] = int(path.name)
        return pids

    def end(self, *, limit_s: float = 20.0) -> int:
        """Ask it to end; return its status."""
        self.process.terminate()
        status = self.process.wait(limit_s)
        self.reading.join(10)
        return status


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., UpProcess]]:
    """Starts `petstream up`, and sees to its end."""
    runs: list[UpProcess] = []

    def start(name: str = "first", **settings: str) -> UpProcess:
        runs.append(UpProcess(tmp_path / name, **settings))
        return runs[-1]

    yield start
    for run in runs:
        run.process.kill()
        run.process.wait()
        run.reading.join(30)
        assert run.process.stdout
        run.process.stdout.close()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as way:
            way.sendto(b"", str(run.notify))  # its listener ends
        run.listening.join(30)
        run.ear.close()
        assert PASSWORD not in "".join(run.lines)
        assert KEY not in "".join(run.lines)


@contextmanager
def feed(home: Path) -> Iterator[str]:
    """Serve a directory; give the URL."""
    home.mkdir()
    with serve_ftp(home, user=f"apikey-{KEY}", password=PASSWORD) as server:
        yield f"ftp://{server.user}:{PASSWORD}@{server.host}:{server.port}/"


async def until(happened: Callable[[], object | Awaitable[object]]) -> None:
    async with asyncio.timeout(90):
        while True:
            result = happened()
            if isinstance(result, Awaitable):
                result = await result
            if result:
                return
            await asyncio.sleep(0.05)


async def test_a_run_of_some_days_with_everything_that_happens_to_a_daemon(  # noqa: PLR0915  a story
    kafka: str, empty_database: str, prefix: str, tmp_path: Path, started: Callable[..., UpProcess]
) -> None:
    """T50: told to end in the middle of a day's events, it ends soon, and goes on afterwards."""
    with feed(tmp_path / "feed") as url:
        settings = {
            "ftp_url": url, "kafka": kafka, "database_url": empty_database, "topic_prefix": prefix,
            "settle_s": "0", "window": "00:00-23:59", "pictures": "off",
            "console": "127.0.0.1:0",
        }  # fmt: skip

        async def begun() -> bool:
            views = await fetch_rows(empty_database, QUERIES)
            return not isinstance(views, Unavailable) and len(views["pets"]) > 0

        async def as_of(day: int) -> bool:
            views = await fetch_rows(empty_database, QUERIES)
            assert not isinstance(views, Unavailable)
            return judge(expected(FEED, day), views).differences == ()

        # two at once on an empty database: one lock, no collision
        first, second = started("first", **settings), started("second", **settings)
        await until(lambda: first.said("petstream is up") and second.said("petstream is up"))
        await until(lambda: first.notified("READY=1"))
        assert set(first.parts()) == PARTS

        # killed, it takes its parts along
        pids = second.parts().values()
        assert len(pids) == 4
        second.process.kill()
        await until(lambda: not any(map(alive, pids)))

        # asked to end under load
        await until(lambda: len(first.parts()) == 4)
        write_export(tmp_path / "feed", FEED, 0, part_rows=300)
        os.kill(first.parts()["ingest --watch"], signal.SIGKILL)  # begins again, and looks at once
        await until(begun)
        assert first.end() == 0
        await until(lambda: first.notified("STOPPING=1"))
        assert not first.said("is killed")
        assert first.lines[-1] == "stopped"

        # goes on where it was
        third = started("first", **settings)
        await until(lambda: as_of(0))
        await until(lambda: third.notified("WATCHDOG=1"))

        # all parts die
        write_export(tmp_path / "feed", FEED, 1, part_rows=300)
        await until(lambda: set(third.parts()) == PARTS)
        before = third.parts()
        for pid in before.values():
            os.kill(pid, signal.SIGKILL)
        await until(lambda: as_of(1))
        assert third.said("pets was killed by SIGKILL; it begins again in")
        assert "The newest completed export is" in await asyncio.to_thread(page, third)
        await until(lambda: set(third.parts()) == PARTS)
        assert not set(third.parts().values()) & set(before.values())

        # settings are read again
        before = third.parts()
        third.set(**settings, scrub="hourly")
        third.process.send_signal(signal.SIGHUP)
        await until(lambda: third.said("going on with the settings there were: PETSTREAM_SCRUB"))
        assert third.parts() == before
        ups = third.notifications.count("STATUS=up")
        os.kill(before["ingest --watch"], signal.SIGKILL)  # isn't given the wrong one either
        await until(lambda: third.notifications.count("STATUS=up") > ups)
        write_export(tmp_path / "feed", FEED, 2, part_rows=300)
        third.set(**settings, scrub="monthly")
        third.process.send_signal(signal.SIGHUP)
        await until(lambda: third.said("reloaded"))
        await until(lambda: third.notifications.count("READY=1") == 3)  # also after the refused one
        assert third.notifications.count("RELOADING=1") == 2
        for pid in third.parts().values():
            assert b"PETSTREAM_SCRUB=monthly\0" in Path(f"/proc/{pid}/environ").read_bytes()
        await until(lambda: as_of(2))
        assert third.end() == 0
        assert not third.said("bug")
        assert not third.said("Traceback")


async def test_many_migrations_at_once_are_one(empty_database: str) -> None:
    done = await asyncio.gather(*(migrate(empty_database) for _ in range(8)))
    assert sorted(map(bool, done)) == [False] * 7 + [True]


async def test_a_server_that_is_away_is_waited_for_and_a_signal_ends_that(
    postgres: str, prefix: str, started: Callable[..., UpProcess]
) -> None:
    run = started(
        ftp_url=f"ftp://apikey-{KEY}:{PASSWORD}@127.0.0.1:1/", kafka="127.0.0.1:1",
        database_url=postgres, topic_prefix=prefix, console="127.0.0.1:0",
    )  # fmt: skip
    await until(lambda: run.said("waiting: Kafka at 127.0.0.1:1 can't be reached"))
    at = address(run)
    assert "being waited for" in page(run)
    assert ask(f"{at}healthz") == 200
    assert ask(f"{at}readyz") == 503
    assert run.end(limit_s=10) == 0
    assert not run.notified("READY=1")
    assert run.parts() == {}


def address(run: UpProcess) -> str:
    return next(line for line in run.lines if line.startswith("status and metrics: ")).split()[-1]


def page(run: UpProcess) -> str:
    with urllib.request.urlopen(address(run), timeout=60) as answer:  # noqa: S310  our own server
        return str(answer.read(), "utf-8")


def ask(url: str) -> int:
    """Return the status of an answer."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310  ours
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
