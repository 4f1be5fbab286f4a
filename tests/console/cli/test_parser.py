"""The command line: how commands end, and what a person is told."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import time
from argparse import Namespace
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NoReturn

import pytest

from console.cli import parser
from console.daemon import feed_watch
from console.inspect import summary
from console.runtime import signals
from console.runtime.exit import ended_well
from ingest.run import Result
from ingest.run_types import Outcome
from ingest.state.export_history import Memory
from petstream import telemetry
from petstream.errors import (
    BrokenFileError,
    NotReadyError,
    PetstreamError,
    UnreachableError,
    UsageError,
)
from petstream.events import Counts, ExportCounts, ExportEvent, FileRead
from petstream.settings import KafkaAccess, Settings

KAFKA = KafkaAccess("127.0.0.1:1")
OUTCOME = Outcome(
    "2026-11-02T08:23:43Z",
    "daily",
    ExportCounts(pets=Counts(read=47, added=15, removed=2), orgs=Counts(read=49)),
    (),
    ("something was found",),
)


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in tuple(os.environ):
        if name.startswith("PETSTREAM_"):
            monkeypatch.delenv(name)


def failing(error: BaseException) -> Callable[[], NoReturn]:
    def command() -> NoReturn:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (PetstreamError("it failed"), 1),
        (UsageError("it failed"), 2),
        (NotReadyError("it failed"), 3),
        (UnreachableError("it failed"), 1),
        (ExceptionGroup("parts", [ExceptionGroup("inner", [NotReadyError("it failed")])]), 3),
    ],
)
def test_an_error_is_one_line_and_its_exit_status(
    error: BaseException, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended_well(failing(error), daemon=False) == status
    assert capsys.readouterr().err == "petstream: it failed\n"


def test_an_interrupted_daemon_ends_with_0_and_any_other_command_with_1() -> None:
    assert ended_well(failing(KeyboardInterrupt()), daemon=True) == 0
    assert ended_well(failing(KeyboardInterrupt()), daemon=False) == 1


def test_a_bug_is_told_without_a_traceback_and_without_its_values(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert ended_well(failing(ValueError("ftp://apikey-x:secret@host")), daemon=False) == 1
    told = capsys.readouterr().err
    assert "ValueError at test_parser.py" in told
    assert "secret" not in told
    assert "Traceback" not in told


@pytest.mark.parametrize("command", ["ingest", "up"])
def test_a_missing_feed_is_told_before_any_server_is_started(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert parser.run([command]) == 2
    assert capsys.readouterr().err.startswith("petstream: PETSTREAM_FTP_URL: it isn't set")
    assert not list(tmp_path.iterdir())


def test_every_wrong_setting_is_told_in_a_line_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PETSTREAM_FTP_URL", "ftp://apikey-x:secret@host:port")
    monkeypatch.setenv("PETSTREAM_SCRUB", "hourly")
    assert parser.run(["status"]) == 2
    told = capsys.readouterr().err.splitlines()
    assert [line.split(":")[1].strip() for line in told] == ["PETSTREAM_FTP_URL", "PETSTREAM_SCRUB"]
    assert "secret" not in "".join(told)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["consume", "dogs"],
        ["explain", "-1"],
        ["explain", "Rex"],
        ["removals"],
        ["removals", "approve"],
        ["simulate", "--pets", "0"],
        ["simulate", "--fault", "none-such"],
    ],
)
def test_wrong_use_exits_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parser.run(arguments)
    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "daemon"),
    [
        (["up"], True),
        (["ingest"], False),
        (["ingest", "--watch"], True),
        (["consume", "all"], True),
        (["consume", "pets", "--drain"], False),
        (["status", "--json"], False),
        (["tail", "pets"], True),
        (["simulate", "--fault", "missing-petlist", "bad-row", "--fault", "crlf"], True),
    ],
)
def test_the_commands_know_which_of_them_are_daemons(arguments: list[str], *, daemon: bool) -> None:
    assert parser.is_daemon(parser.parser().parse_args(arguments)) is daemon


def test_faults_may_be_named_together_or_one_by_one() -> None:
    options: Namespace = parser.parser().parse_args(
        ["simulate", "--fault", "bad-row", "crlf", "--fault", "no-stamp"]
    )
    assert options.fault == ["bad-row", "crlf", "no-stamp"]


def test_stopping_what_is_stopped_already_is_fine(capsys: pytest.CaptureFixture[str]) -> None:
    assert parser.run(["down"]) == 0
    assert capsys.readouterr().out == "nothing was running\n"


@pytest.mark.parametrize("which", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_cancels_what_doesnt_look_at_the_event(which: signal.Signals) -> None:
    async def work(_stopping: asyncio.Event) -> int:
        os.kill(os.getpid(), which)
        await asyncio.sleep(60)
        return 0

    assert signals.run(work, stopped_status=1) == 1


def test_a_patient_command_ends_by_itself_and_a_second_signal_cancels_it() -> None:
    seen = []

    async def gentle(stopping: asyncio.Event) -> int:
        os.kill(os.getpid(), signal.SIGTERM)
        await stopping.wait()
        seen.append("finished the batch")
        return 5

    async def stubborn(stopping: asyncio.Event) -> int:
        os.kill(os.getpid(), signal.SIGTERM)
        await stopping.wait()
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(60)
        return 5

    assert signals.run(gentle, stopped_status=0, patient=True) == 0
    assert seen == ["finished the batch"]
    assert signals.run(stubborn, stopped_status=0, patient=True) == 0


def test_the_summary_names_counts_findings_and_what_is_held() -> None:
    lines = list(summary.lines(Result(OUTCOME.export_id, OUTCOME, ("plan-1",))))
    assert lines == [
        "something was found",
        "export 2026-11-02T08:23:43Z (daily) is completed",
        "  pets: 47 rows read, 15 added, 2 removed",
        "  organizations: 49 rows read",
        "removals are held: petstream removals show plan-1",
    ]
    assert list(summary.lines(Result("2026-11-02T08:23:43Z", None, ()))) == [
        "export 2026-11-02T08:23:43Z was completed before: nothing new"
    ]


class Feed:
    """Plays the ingester: a list of what each look comes to."""

    def __init__(self, looks: list[Result | Exception], stopping: asyncio.Event) -> None:
        """Play these looks, then stop."""
        self.looks, self.stopping, self.modes = looks, stopping, list[str]()
        self.memory = Memory()

    async def nothing(self, *_: object) -> None:
        """Make no topics."""

    async def remember(self, *_: object) -> Memory:
        """Return what exports.v1 says."""
        return self.memory

    async def ingest(self, *_: object, wanted: str, **__: object) -> Result:
        """Play the next look."""
        self.modes.append(wanted)
        if not self.looks:
            self.stopping.set()
            await asyncio.sleep(60)
        look = self.looks.pop(0)
        if isinstance(look, Exception):
            raise look
        return look


async def watched(
    monkeypatch: pytest.MonkeyPatch,
    looks: list[Result | Exception],
    now: datetime | Callable[[], datetime],
    *past: ExportEvent,
    steady: Callable[[], float] = time.monotonic,
    feed_of: type[Feed] = Feed,
) -> tuple[list[str], list[str]]:
    stopping = asyncio.Event()
    feed = feed_of(looks, stopping)
    for event in past:
        feed.memory.fold(event)
    said: list[str] = []
    monkeypatch.setattr(feed_watch, "ingest", feed.ingest)
    monkeypatch.setattr(feed_watch, "ensure_topics", feed.nothing)
    monkeypatch.setattr(feed_watch, "fold_exports", feed.remember)
    await feed_watch.watch(
        Settings(),
        KAFKA,
        stopping=stopping,
        say=said.append,
        progress=lambda _name, _total: None,
        wanted="scrub",
        pace=feed_watch.Pace(0, 0, 0, 0),
        clock=now if callable(now) else lambda: now,
        steady=steady,
    )
    return said, feed.modes


async def test_the_watch_says_once_what_it_waits_for(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[Result | Exception] = [NotReadyError("nothing there")] * 3
    looks += [UnreachableError("FTP is away")] * 2 + [BrokenFileError("cut")]
    said, _ = await watched(monkeypatch, looks, datetime(2026, 11, 2, 10, tzinfo=UTC))
    assert said[:2] == ["nothing there", "FTP is away"]
    assert len(said) == 3
    assert said[2].startswith("cut; nothing was completed or removed, and it is read again every")


async def test_a_late_export_is_told_once_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    said, _ = await watched(
        monkeypatch, [NotReadyError("nothing there")] * 3, datetime(2026, 11, 2, 17, 1, tzinfo=UTC)
    )
    assert [line.partition(":")[0] for line in said] == ["nothing there", "today's export is late"]


@pytest.mark.parametrize(("hours", "told"), [(30, False), (31, True)])
async def test_t4_no_export_for_30_hours_is_told_once_a_day(
    monkeypatch: pytest.MonkeyPatch, hours: int, *, told: bool
) -> None:
    """T4: also by a process that never completed one itself."""
    start = datetime(2026, 11, 2, 2, 0, tzinfo=UTC)
    past = ExportEvent(
        export_id="2026-11-02T02:00:00Z", mode="daily", state="completed", at=start,
        counts=ExportCounts(Counts(), Counts()), base=int(start.timestamp()),
    )  # fmt: skip
    looks: list[Result | Exception] = [NotReadyError("nothing there")] * 3
    said, _ = await watched(monkeypatch, looks, start + timedelta(hours=hours), past)
    lines = [line for line in said if line.startswith("no export for 31 h: the newest completed")]
    assert len(lines) == told
    alert = re.search(r"^petstream_export_started_timestamp_seconds (\S+)$",
                      telemetry.exposition().decode(), re.MULTILINE)  # fmt: skip
    assert alert is not None
    assert float(alert[1]) == start.timestamp(), "what an alert compares with the clock"


async def test_t38_whatever_the_clock_does_a_day_is_warned_of_once_and_an_export_told_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """T38: the clock steps back two hours, over midnight, ahead two days, and back again."""
    late = datetime(2026, 11, 3, 4, 30, tzinfo=UTC)  # 23:30 in New York, on the 2nd
    steps = [
        late, late - timedelta(hours=2), late + timedelta(days=2), late,
        late + timedelta(hours=1), late, late + timedelta(days=2),
    ]  # fmt: skip
    looks: list[Result | Exception] = [NotReadyError("nothing there")] * len(steps)
    now = iter(steps)
    moment = late

    def clock() -> datetime:
        return moment

    class Stepping(Feed):
        async def ingest(self, *_: object, wanted: str, **__: object) -> Result:
            nonlocal moment
            moment = next(now, moment)
            return await super().ingest(wanted=wanted)

    said, _ = await watched(monkeypatch, looks, clock, feed_of=Stepping)
    warned = [line for line in said if line.startswith("today's export is late")]
    assert len(warned) == 2, "the 2nd and the 4th; on the 3rd it was never late"
    assert len(said) == 3


async def test_t38_a_step_of_the_clock_makes_nothing_last_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """T38: an export that isn't ready is given its half hour by a steady clock."""
    told: list[str] = []

    async def tell(_settings: Settings, _kafka: object, error: NotReadyError) -> None:
        told.append(str(error))
        await asyncio.sleep(0)

    monkeypatch.setattr(feed_watch, "tell_unread", tell)
    begun = datetime(2026, 11, 2, 9, tzinfo=UTC)
    days = iter(begun + timedelta(days=number) for number in range(1_000))
    looks: list[Result | Exception] = [NotReadyError("half an export")] * 4
    await watched(monkeypatch, [*looks], lambda: next(days))
    assert told == []
    passed = iter(range(0, 100_000, 700))
    await watched(monkeypatch, [*looks], begun, steady=lambda: next(passed))
    assert told == ["half an export"], "after 2,100 s, and once"


async def test_how_late_it_is_is_said_with_when_it_usually_lands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    past = [
        ExportEvent(
            export_id=f"2026-10-{day}T07:00:00Z", mode="daily", state="completed",
            at=datetime(2026, 10, day, 9, tzinfo=UTC), base=day,
            files=(FileRead("pets_1.json", 1, datetime(2026, 10, day, 6, day, tzinfo=UTC), 1),),
            counts=ExportCounts(Counts(), Counts()),
        )
        for day in (20, 21, 25)
    ]  # fmt: skip
    now = datetime(2026, 11, 2, 17, 1, tzinfo=UTC)
    said, _ = await watched(monkeypatch, [NotReadyError("nothing there")], now, *past)
    (line,) = (one for one in said if one.startswith("today's export is late"))
    assert line.endswith("usually land at 02:21 in New York (latest 02:25, of the last 3)")


async def test_a_completed_export_is_told_once_and_isnt_late(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    again = Result(OUTCOME.export_id, None, ())
    looks: list[Result | Exception] = [Result(OUTCOME.export_id, OUTCOME, ()), again, again]
    said, modes = await watched(monkeypatch, looks, datetime(2026, 11, 2, 20, tzinfo=UTC))
    assert said == list(summary.lines(Result(OUTCOME.export_id, OUTCOME, ())))
    assert modes == ["scrub", "auto", "auto", "auto"]


def test_a_decision_about_removals_may_have_a_reason() -> None:
    read = parser.parser().parse_args
    assert read(["removals", "approve", "plan-1", "--reason", "they told us"]).reason == (
        "they told us"
    )
    assert read(["removals", "reject", "plan-1"]).reason is None


async def test_wrong_settings_end_the_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError):
        await watched(monkeypatch, [UsageError("wrong")], datetime(2026, 11, 2, 9, tzinfo=UTC))
