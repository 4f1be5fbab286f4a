"""Parts kept alive: real processes that do nothing (`small_up`), no servers."""

from __future__ import annotations

import asyncio
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest
import small_up
from small_up import alive

from console.daemon import server_watch, supervisor
from console.daemon.daemon import programs
from console.daemon.supervisor import RestartLimits, RestartPolicy, Supervisor, exit_in_words
from console.embedded import process
from console.runtime import metrics_dir, signals
from console.runtime.child import Program, spawn
from console.runtime.systemd import Notifier
from consumers.registry import NAMES
from petstream.errors import PetstreamError
from petstream.settings import KafkaAccess, Settings

ROOT = Path(__file__).parents[3]


# --- when a part begins again ---------------------------------------------------------------------


def test_each_death_in_a_row_doubles_the_wait_up_to_a_minute() -> None:
    policy = RestartPolicy(RestartLimits(deaths=100), chance=lambda: 1.0)
    waits = [policy.wait_s(1, lived_s=5, now=1000.0 * n) for n in range(8)]
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]


def test_the_wait_is_shortened_by_chance_to_half_at_the_least() -> None:
    assert RestartPolicy(chance=lambda: 0.0).wait_s(1, lived_s=5, now=0) == 0.5


def test_ten_healthy_minutes_forget_the_deaths_before() -> None:
    policy = RestartPolicy(chance=lambda: 1.0)
    assert [policy.wait_s(1, lived_s=5, now=1000.0 * n) for n in range(3)] == [1, 2, 4]
    assert policy.wait_s(1, lived_s=600, now=9000) == 1


def test_five_deaths_within_five_minutes_are_a_crash_loop() -> None:
    policy = RestartPolicy()
    assert all(policy.wait_s(1, lived_s=5, now=60.0 * n) for n in range(4))
    assert policy.wait_s(1, lived_s=5, now=300) is None


def test_five_deaths_in_a_longer_time_are_none() -> None:
    policy = RestartPolicy()
    assert all(policy.wait_s(1, lived_s=5, now=76.0 * n) for n in range(50))


def test_wrong_settings_are_no_reason_to_try_again() -> None:
    assert RestartPolicy().wait_s(2, lived_s=5, now=0) is None


@pytest.mark.parametrize(
    ("status", "words"),
    [(0, "ended with status 0"), (-9, "was killed by SIGKILL"), (-63, "was killed by signal 63")],
)
def test_how_a_process_ended_is_told_in_words(status: int, words: str) -> None:
    assert exit_in_words(status) == words


# --- parts, kept by this process ------------------------------------------------------------------


class SupervisedParts:
    """Some parts that are kept going, and what was said."""

    def __init__(
        self, *names: str, limits: RestartLimits = small_up.QUICK, **environment: str
    ) -> None:
        """Prepare these parts."""
        self.said: list[str] = []
        self.ended: list[tuple[str, bool]] = []
        self.ending = asyncio.Event()
        self.ups = 0
        self.tree = Supervisor(
            [small_up.program(name) for name in names], os.environ | environment,
            stopping=self.ending, say=self.said.append, sink_of=self.lines_of, on_ready=self.up,
            on_exit=self.end, limits=limits,
        )  # fmt: skip

    def lines_of(self, name: str) -> Callable[[int, str], None]:
        """Take the lines of a part."""
        return lambda _stream, line: self.said.append(f"{name} | {line}")

    def up(self) -> None:
        """Take note."""
        self.ups += 1

    def end(self, name: str, pid: int, *, by_itself: bool) -> None:
        """Take note."""
        assert pid
        self.ended.append((name, by_itself))

    def pids(self, name: str = "") -> list[int]:
        """Return the process ids that parts have printed."""
        return [int(line.split()[3]) for line in self.said if line.startswith(f"{name or ''}")
                and " | pid " in line]  # fmt: skip


async def until(happened: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not happened():  # noqa: ASYNC110  another process does it
            await asyncio.sleep(0.01)


async def test_a_part_that_is_killed_begins_again_and_the_others_dont_notice() -> None:
    kept = SupervisedParts("good", "slow", BATCH_S="0")
    running = asyncio.create_task(kept.tree.run())
    await until(lambda: kept.ups == 1)
    await until(lambda: kept.pids("good"))
    (first,) = kept.pids("good")
    os.kill(first, signal.SIGKILL)
    await until(lambda: kept.ups == 2 and len(kept.pids("good")) == 2)
    assert len(kept.pids("slow")) == 1
    assert any(re.match(r"good was killed by SIGKILL; it begins again in", s) for s in kept.said)
    kept.ending.set()
    await running
    assert kept.ended[0] == ("good", True)
    assert sorted(kept.ended[1:]) == [("good", False), ("slow", False)]
    assert kept.said.count("good | finished") == 1


async def test_a_part_that_ends_well_by_itself_begins_again_too() -> None:
    kept = SupervisedParts("good")
    running = asyncio.create_task(kept.tree.run())
    await until(kept.pids)
    os.kill(kept.pids()[0], signal.SIGTERM)
    await until(lambda: kept.ups >= 1 and len(kept.pids()) == 2)
    assert any(s.startswith("good ended with status 0; it begins again") for s in kept.said)
    kept.ending.set()
    await running


async def test_a_crash_loop_ends_everything_and_says_why() -> None:
    kept = SupervisedParts("good", "crashing")
    with pytest.raises(PetstreamError) as ended:
        await kept.tree.run()
    assert str(ended.value) == (
        "crashing ended with status 7 again and again, and everything was stopped; "
        "its last line: here is why"
    )
    assert ended.value.exit_status == 1
    assert len(str(ended.value).splitlines()) == 1
    assert kept.said.count("good | finished") == 1


async def test_wrong_settings_end_everything_at_once() -> None:
    kept = SupervisedParts("good", "wrong")
    with pytest.raises(
        PetstreamError, match=r"wrong ended with status 2, and everything .*: there"
    ):
        await kept.tree.run()
    assert kept.ended.count(("wrong", True)) == 1


async def test_new_settings_are_given_to_one_part_after_another() -> None:
    kept = SupervisedParts("good", "slow", BATCH_S="0.3", COLOUR="red")
    running = asyncio.create_task(kept.tree.run())
    await until(lambda: kept.ups == 1 and len(kept.pids()) == 2)
    kept.said.clear()
    await kept.tree.restart(os.environ | {"BATCH_S": "0", "COLOUR": "blue"})
    await until(lambda: len(kept.said) == 4)
    assert [re.sub(r"\d+", "N", line) for line in kept.said] == [
        "good | finished", "good | pid N blue", "slow | finished", "slow | pid N",
    ]  # fmt: skip
    assert kept.ended == [("good", False), ("slow", False)]
    assert kept.tree.not_running() == []
    kept.ending.set()
    await running


async def test_a_part_that_waits_to_begin_again_takes_new_settings_at_once() -> None:
    kept = SupervisedParts("good", limits=RestartLimits(first_s=600, longest_s=600), COLOUR="red")
    running = asyncio.create_task(kept.tree.run())
    await until(lambda: kept.ups == 1 and kept.pids())
    os.kill(kept.pids()[0], signal.SIGKILL)
    await until(lambda: any("begins again" in line for line in kept.said))
    assert kept.tree.not_running() == ["good"]
    async with asyncio.timeout(30):
        await kept.tree.restart(os.environ | {"COLOUR": "blue"})
    await until(lambda: kept.said[-1].endswith("blue"))
    kept.ending.set()
    await running


async def test_to_be_cancelled_kills_all_parts_and_their_children() -> None:
    kept = SupervisedParts("deaf", "good")
    running = asyncio.create_task(kept.tree.run())
    await until(lambda: kept.ups == 1 and len(kept.pids()) == 3)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await until(lambda: not any(map(alive, kept.pids())))


async def test_a_part_that_doesnt_end_is_killed_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(supervisor, "GRACE_S", 0.3)
    kept = SupervisedParts("deaf", "good")
    running = asyncio.create_task(kept.tree.run())
    await until(lambda: kept.ups == 1 and len(kept.pids()) == 3)
    kept.ending.set()
    await running
    assert "deaf doesn't end: it is killed; nothing is lost" in kept.said
    assert "good | finished" in kept.said
    await until(lambda: not any(map(alive, kept.pids())))


async def test_a_part_that_cant_be_started_is_a_dead_one(tmp_path: Path) -> None:
    tree = Supervisor(
        [Program("gone", (str(tmp_path / "none"),))], os.environ, stopping=asyncio.Event(),
        say=lambda _: None, sink_of=lambda _: lambda _number, _line: None, limits=small_up.QUICK,
    )  # fmt: skip
    with pytest.raises(PetstreamError, match=r"gone can't be started .No such file or directory."):
        await tree.run()


def _keep(lines: list[tuple[int, str]], stream: int, line: str) -> None:
    lines.append((stream, line))


async def test_a_part_gets_no_secret_that_it_has_no_use_for() -> None:
    """The ingester knows no database, consumers know no FTP, and the pages decide."""
    secrets = {
        "PETSTREAM_FTP_URL", "PETSTREAM_DATABASE_URL", "PETSTREAM_CONSOLE_DATABASE_URL",
        "PETSTREAM_CONSOLE_TOKEN", "PETSTREAM_KAFKA_SASL_PASSWORD",
    }  # fmt: skip
    given: dict[str, set[str]] = {}
    show = "import os; [print('GIVEN', name) for name in os.environ]"
    for part in programs():
        lines: list[tuple[int, str]] = []
        child = spawn(
            part._replace(command=(sys.executable, "-c", show)), dict.fromkeys(secrets, "canary"),
            partial(_keep, lines),
        )  # fmt: skip
        assert await child.wait() == 0
        given[part.name] = secrets & {line.removeprefix("GIVEN ") for _, line in lines}
    of_consumers = {"PETSTREAM_DATABASE_URL", "PETSTREAM_KAFKA_SASL_PASSWORD"}
    assert given.pop("watch") == {"PETSTREAM_FTP_URL", "PETSTREAM_KAFKA_SASL_PASSWORD"}
    assert given == dict.fromkeys(NAMES, of_consumers)


async def test_what_a_part_said_before_it_died_isnt_lost_whatever_it_was() -> None:
    program = (
        "import os; [os.write(1, b'%d\\n' % n) for n in range(3000)]; "
        "os.write(1, b'\\xff\\xe4\\r\\n\\n' + b'x' * 100_000); os.write(2, b'no line break'); "
        "os.kill(os.getpid(), 9)"
    )
    read: list[tuple[int, str]] = []
    child = spawn(
        Program("talkative", (sys.executable, "-c", program)), os.environ,
        lambda stream, line: read.append((stream, line)),
    )  # fmt: skip
    assert await child.wait() == -signal.SIGKILL
    lines = [line for stream, line in read if stream == 1]
    assert lines[:3000] == [str(n) for n in range(3000)]
    assert lines[3000:3002] == ["\N{REPLACEMENT CHARACTER}" * 2, ""]
    assert "".join(lines[3002:]) == "x" * 100_000
    assert [line for stream, line in read if stream == 2] == ["no line break"]


# --- a supervisor as a process --------------------------------------------------------------------


class SupervisorProcess:
    """A supervisor that runs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        """Look at it."""
        self.process = process
        self.lines: list[str] = []

    def read_until(self, wanted: str, times: int = 1) -> None:
        """Read lines until one of them has been there so often; whoever is mute is killed."""
        assert self.process.stdout
        limit = threading.Timer(60, self.process.kill)
        limit.start()
        try:
            while sum(line.startswith(wanted) for line in self.lines) < times:
                line = self.process.stdout.readline()
                assert line, self.lines
                self.lines.append(line.rstrip("\n"))
        finally:
            limit.cancel()

    def pids(self) -> list[int]:
        """Return the process ids that its parts have printed."""
        return [int(line.split()[3]) for line in self.lines if " | pid " in line]

    def rest(self) -> int:
        """Wait for its end, and return the status."""
        said, _ = self.process.communicate(timeout=40)
        self.lines += said.splitlines()
        return self.process.returncode


@contextmanager
def up(*names: str, **environment: str) -> Iterator[SupervisorProcess]:
    process = subprocess.Popen(  # noqa: S603  ours
        [sys.executable, str(small_up.HERE), *names], cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
    )  # fmt: skip
    tree = SupervisorProcess(process)
    try:
        yield tree
    finally:
        for pid in (process.pid, *tree.pids()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.communicate()


def wait_until(happened: Callable[[], bool], limit_s: float = 30.0) -> None:
    began = time.monotonic()
    while not happened():
        assert time.monotonic() - began < limit_s
        time.sleep(0.01)


@pytest.mark.parametrize("which", [signal.SIGINT, signal.SIGTERM])
def test_t50_a_signal_to_the_whole_group_lets_parts_finish(which: signal.Signals) -> None:
    """T50: Ctrl-C reaches every process of a terminal; the parts must hear of it only once."""
    with up("good", "slow", BATCH_S="0.5") as tree:
        tree.read_until("all up")
        os.killpg(tree.process.pid, which)
        assert tree.rest() == 0
        assert {"good | finished", "slow | finished"} <= set(tree.lines)
        assert not any(map(alive, tree.pids()))


def test_t50_a_second_signal_ends_at_once_with_status_0() -> None:
    """T50: twice."""
    with up("good", "slow", BATCH_S="600") as tree:
        tree.read_until("all up")
        tree.process.terminate()
        tree.read_until("good | finished")
        tree.process.terminate()
        assert tree.rest() == 0
        assert "slow | finished" not in tree.lines
        wait_until(lambda: not any(map(alive, tree.pids())))


def test_when_the_parent_is_killed_its_parts_end_by_themselves() -> None:
    with up("good", "slow", BATCH_S="0") as tree:
        tree.read_until("good | pid")
        tree.read_until("slow | pid")
        tree.process.kill()
        wait_until(lambda: not any(map(alive, tree.pids())))


def test_a_part_whose_parent_died_ends_also_if_it_hears_no_signal() -> None:
    program = (
        "import signal, time\nfrom console.runtime import lifeline\nlifeline._GRACE_S = 0.2\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nlifeline.hold()\ntime.sleep(600)\n"
    )
    ours, theirs = socket.socketpair()
    with ours, theirs:
        part = subprocess.Popen(  # noqa: S603  ours
            [sys.executable, "-c", program], cwd=ROOT, pass_fds=(theirs.fileno(),),
            env=os.environ | {"CONSOLE_LIFELINE": str(theirs.fileno())},
        )  # fmt: skip
    assert part.wait(30) == 1


def test_a_crash_loop_ends_with_status_1_and_the_reason_in_the_last_line() -> None:
    with up("good", "crashing") as tree:
        assert tree.rest() == 1
        assert tree.lines[-1].startswith("petstream: crashing ended with status 7 again")
        assert tree.lines[-1].endswith("its last line: here is why")


def test_lines_of_several_parts_are_never_mixed() -> None:
    with up("noisy", "noisy", "noisy") as tree:
        tree.read_until("noisy | ", times=500)
        tree.process.terminate()
        tree.rest()
    long = [line for line in tree.lines if line.startswith("noisy | ")]
    assert {len(set(line.removeprefix("noisy | "))) for line in long[:-3]} == {1}
    assert {len(line) for line in long[:-3]} <= {len("noisy | ") + 2100}


def test_whoever_doesnt_read_stops_nothing() -> None:
    with up("noisy") as tree:
        tree.read_until("all up")
        time.sleep(0.5)  # the pipe is full soon after
        tree.process.terminate()
        assert tree.process.wait(30) == 0


def test_a_terminal_that_hangs_up_ends_it_and_any_other_hangup_doesnt() -> None:
    ours, theirs = pty.openpty()
    name = os.ttyname(theirs)
    program = f"import os, runpy, sys\nos.open({name!r}, os.O_RDWR)\nsys.argv[:] = sys.argv[1:]\n"
    program += "runpy.run_path(sys.argv[0], run_name='__main__')\n"
    process = subprocess.Popen(  # noqa: S603  ours
        [sys.executable, "-c", program, str(small_up.HERE), "good"], cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    os.close(theirs)
    tree = SupervisorProcess(process)
    try:
        tree.read_until("all up")
        process.send_signal(signal.SIGHUP)
        tree.read_until("asked to reload")
        os.close(ours)
        assert tree.rest() == 0
        assert tree.lines.count("asked to reload") == 1
        assert "good | finished" in tree.lines
    finally:
        process.kill()


# --- signals of any command -----------------------------------------------------------------------


def test_t50_what_hangs_although_it_was_cancelled_ends_with_the_process() -> None:
    """T50: a client that waits for a server that is silent mustn't hold up the end."""
    program = (
        "import asyncio, os, signal, sys\nfrom console.runtime import signals\n"
        "async def hang():\n    while True:\n        try:\n            await asyncio.sleep(600)\n"
        "        except asyncio.CancelledError:\n            pass\n"
        "async def work(stopping):\n    os.kill(os.getpid(), signal.SIGTERM)\n    await hang()\n"
        "signals._TO_TIDY_UP_S = 0.2\n"
        "sys.exit(signals.run(work, stopped_status=0, patient=True, within_s=0.5))\n"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, check=False, timeout=30)  # noqa: S603  ours
    assert done.returncode == 0


def test_what_was_patient_for_long_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "_TO_TIDY_UP_S", 13.8)
    went_on = []

    async def stubborn(_stopping: asyncio.Event) -> int:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(3)
        went_on.append(True)
        return 5

    assert signals.run(stubborn, stopped_status=0, patient=True) == 0
    assert went_on == []


def test_the_handlers_of_before_are_back_afterwards() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]

    async def work(_stopping: asyncio.Event) -> int:
        return 5

    assert signals.run(work, stopped_status=0, patient=True) == 5
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


# --- figures --------------------------------------------------------------------------------------


def test_a_run_begins_without_figures_of_dead_ones_and_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(metrics_dir.VARIABLE, "before")
    done = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], check=True,
                          capture_output=True, text=True)  # fmt: skip
    for name in (done.stdout.strip(), str(os.getpid()), "1"):
        (tmp_path / "metrics" / name).mkdir(parents=True)
        (tmp_path / "metrics" / name / "counter_5.db").touch()
    with metrics_dir.shared(tmp_path) as ours:
        assert os.environ[metrics_dir.VARIABLE] == str(ours)
        assert not (ours / "counter_5.db").exists()
        assert {path.name for path in (tmp_path / "metrics").iterdir()} == {ours.name, "1"}
    assert not ours.exists()


def test_the_command_knows_where_figures_go_before_it_loads_what_asks_for_it() -> None:
    program = (
        "import sys, console.cli.parser, console.daemon.daemon; "
        "sys.exit('prometheus_client' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False)  # noqa: S603  ours
    assert done.returncode == 0


# --- embedded servers -----------------------------------------------------------------------------


async def test_embedded_servers_that_died_are_started_again_and_less_and_less_often() -> None:
    said: list[str] = []
    tries: list[float] = []
    clock = asyncio.get_running_loop().time

    async def start() -> bool:
        tries.append(clock())
        return len(tries) == 4

    def dead() -> list[str]:
        return ["kafka"] if len(tries) < 4 else []

    reviving = asyncio.create_task(server_watch.revive(dead, start, say=said.append, every_s=0.02))
    await until(lambda: len(tries) == 4)
    reviving.cancel()
    assert said == ["the embedded kafka died: starting again"] * 4
    assert tries[3] - tries[2] >= 0.15


def test_a_server_that_was_stopped_didnt_die(tmp_path: Path) -> None:
    program = ("import time; time.sleep(600)",)
    for end in (process.stop, kill):
        process.spawn(tmp_path, "kafka", (sys.executable, "-c", *program), port=1)
        assert server_watch.lost(Settings(data_dir=tmp_path)) == []
        end(tmp_path, "kafka")
        wait_until(lambda: process.recorded(tmp_path, "kafka") is None)
        dead = ["kafka"] if end is kill else []
        assert server_watch.lost(Settings(data_dir=tmp_path)) == dead
        assert server_watch.lost(Settings(data_dir=tmp_path, kafka=KafkaAccess("host:9092"))) == []


def kill(data_dir: Path, name: str) -> None:
    server = process.recorded(data_dir, name)
    assert server
    os.kill(server.pid, signal.SIGKILL)


# --- how a service manager is notified ------------------------------------------------------------


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """Listen as a service manager does; give NOTIFY_SOCKET and the socket."""
    if request.param == "path":
        address = name = str(tmp_path / "notify")
    else:
        name = f"@petstream-{os.getpid()}"
        address = "\0" + name[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        try:
            ear.bind(address)
        except OSError:
            pytest.skip("there are no abstract sockets here")
        ear.settimeout(10)
        yield name, ear


async def test_the_manager_is_told_in_its_own_words(manager: tuple[str, socket.socket]) -> None:
    name, ear = manager
    notifier = Notifier({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "20000"})
    notifier.status("waiting")
    notifier.ready("up")
    notifier.reloading()
    notifier.stopping()
    feeding = asyncio.create_task(notifier.feed_the_watchdog())
    await asyncio.sleep(0.1)
    feeding.cancel()
    heard = [ear.recv(1024).decode() for _ in range(6)]
    assert heard[:2] == ["STATUS=waiting", "READY=1\nSTATUS=up"]
    assert re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=\d+", heard[2])
    assert heard[3:] == ["STOPPING=1\nSTATUS=stopping", "WATCHDOG=1", "WATCHDOG=1"]


@pytest.mark.parametrize(
    ("environment", "every_s"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "60000000"}, 30.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "often"}, None),
    ],
)
def test_the_watchdog_is_fed_at_half_of_its_time_if_it_is_ours(
    environment: Mapping[str, str], every_s: float | None
) -> None:
    assert Notifier(environment).feed_every_s == every_s


@pytest.mark.parametrize("where", ["", "/nowhere/at/all"])
def test_a_manager_that_isnt_there_is_no_trouble(where: str) -> None:
    Notifier({"NOTIFY_SOCKET": where}).ready("up")


def test_the_unit_is_one_that_systemd_takes(tmp_path: Path) -> None:
    verify = Path("/usr/bin/systemd-analyze")
    if not verify.exists():
        pytest.skip("there is no systemd-analyze here")
    unit = (ROOT / "docs/ops/petstream.service").read_text("utf-8")
    copy = tmp_path / "petstream.service"
    copy.write_text(re.sub(r"/opt/petstream/.venv/bin/petstream", "/bin/true", unit))
    done = subprocess.run([verify, "verify", copy], capture_output=True, text=True, check=False)  # noqa: S603  ours
    assert (done.returncode, done.stderr) == (0, "")


def test_the_unit_is_as_closed_as_the_docs_say(tmp_path: Path) -> None:
    """What is exposed is counted by systemd; docs/running.md says how much is left, and why."""
    analyze = Path("/usr/bin/systemd-analyze")
    if not analyze.exists():
        pytest.skip("there is no systemd-analyze here")
    unit = ROOT / "docs/ops/petstream.service"
    done = subprocess.run(  # noqa: S603  ours
        [analyze, "security", "--offline=true", "--no-pager", unit],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    counted = re.search(r"exposure level for \S+: ([\d.]+)", done.stdout)
    stated = re.search(r"exposure of ([\d.]+)", (ROOT / "docs/running.md").read_text("utf-8"))
    assert counted is not None
    assert stated is not None
    assert float(counted[1]) <= float(stated[1])
