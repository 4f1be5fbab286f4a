"""A subscriber put to the test: hostile streams of events, and what it shows at the end.

    report = await check(MySubscriber)
    assert report.ok, report

    report = await check(MySubscriber, topics=("orgs", "exports"))  # what is shown: by subject
    report = await check(MySubscriber, log_loss=True)               # rule 5 is tested, too

Rule 1: each trial has a subscriber of its own, with nothing stored; `restarted` makes one anew from
        what is stored, as if its process had ended and begun again.
Rule 2: logs that lose records are tried always, but count only with `log_loss`: else what went
        wrong is advice, and what was `ok` with the first four rules stays so.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, Final, Generic, NamedTuple, Protocol, TypeVar

from petstream.testkit import subjects
from petstream.testkit.log_loss import LossTrial, Reading, loss_trials
from petstream.testkit.lossy_log import EXPORTS, Place, ReadableLog
from petstream.testkit.trials import Record, Trial, trials

__all__ = ["Finding", "ReadableLog", "Record", "Report", "Subscriber", "check"]

_SHOWN: Final = 3

T = TypeVar("T")


class Subscriber(Protocol):
    """What is tested; both may be coroutines.

    Where the log loses records, one that looks after its positions may have a third method,
    ``begin(log)``, called before anything is read, and whenever the client connected anew. It
    returns from which offset to go on, by ``(topic, partition)``; others are read from the
    beginning. Without it, reading goes on where it was, or where the log ends before that, from the
    beginning.
    """

    def handle(self, record: Record) -> Awaitable[None] | None:
        """Apply a record to what is stored."""

    def shown(self) -> Awaitable[Mapping[Any, str | None]] | Mapping[Any, str | None]:
        """Return what is shown now; without `topics`, the pets that are listed: animal id → name.

        With `topics`, by `ce_subject`: ``pet/7`` and ``organization/7`` → name, while listed;
        ``export/<id>`` → state; ``removal-plan/<planId>/<part>`` → ``held`` or what was decided;
        ``picture/7`` → `storedAs`, while it is stored.
        """


S = TypeVar("S", bound=Subscriber)


Shown = Mapping[Any, str | None]
Judge = Callable[[Iterable[Record], Shown], str]
"""Says where what is shown differs from what the records say; an empty text: nowhere."""


class Finding(NamedTuple):
    """A trial that went wrong: what was found, and what to look at."""

    trial: str
    found: str
    advice: str


class Report(NamedTuple):
    """What came of the trials."""

    trials: int
    findings: tuple[Finding, ...]
    of: str = "the right pets"
    advice: tuple[Finding, ...] = ()
    """What went wrong where the log lost records, and doesn't count."""

    @property
    def ok(self) -> bool:
        """Return whether every trial ended right."""
        return not self.findings

    def __str__(self) -> str:
        """Return it in words, a line for each trial that went wrong."""
        right = self.trials - len(self.findings)
        lines = [f"{right} of {self.trials} trials ended with {self.of}."]
        lines += [_line(finding) for finding in self.findings]
        if self.advice:
            lines.append("Where Kafka loses records (doesn't count without log_loss=True):")
            lines += [_line(finding) for finding in self.advice]
        return "\n".join(lines)


def _line(finding: Finding) -> str:
    return f"{finding.trial}: {finding.found}. {finding.advice}."


async def check(
    subscriber: Callable[[], S],
    *,
    restarted: Callable[[S], S] = lambda same: same,
    topics: Collection[str] | None = None,
    log_loss: bool = False,
) -> Report:
    """Put a subscriber to every trial.

    Args:
        subscriber: makes one that has stored nothing.
        restarted: makes one from what another has stored; by default it just goes on.
        topics: which it reads, of ``pets``, ``orgs``, ``exports`` and ``pictures``; what is shown
            is by subject then. None: the pets, by their ids.
        log_loss: logs that lose records count. Records of exports.v1 come with the pets' then.
    """
    if topics is None:
        every = [(trial, _pets) for trial in trials()]
    else:
        every = [(trial, _subjects) for trial in subjects.subject_trials(topics)]
    findings = [await _tried(trial, subscriber, restarted, judge) for trial, judge in every]
    reader = _Reader(subscriber, restarted, topics, strict=log_loss)
    lossy = [await reader.tried(trial) for trial in loss_trials() if reader.reads_what_is_lost]
    wrong = tuple(finding for finding in findings if finding is not None)
    lost = tuple(finding for finding in lossy if finding is not None)
    of = "the right pets" if topics is None else "what the events say"
    if log_loss:
        return Report(len(findings) + len(lossy), wrong + lost, of)
    return Report(len(findings), wrong, of, lost)


def _pets(records: Iterable[Record], shown: Shown) -> str:
    return _differ(shown, _expected(records), "pet ")


def _subjects(records: Iterable[Record], shown: Shown) -> str:
    return _differ(shown, subjects.expected(records), "")


async def _tried(
    trial: Trial, subscriber: Callable[[], S], restarted: Callable[[S], S], judge: Judge
) -> Finding | None:
    tried = subscriber()
    for step in trial.steps:
        if step == "restart":
            tried = restarted(tried)
            continue
        try:
            await _awaited(tried.handle(step))
        except Exception as error:  # noqa: BLE001  it's somebody else's, and is reported
            what = f"it raised {error!r} at offset {step.offset}"
            return Finding(trial.name, what, trial.advice)
    shown = dict(await _awaited(tried.shown()))
    differences = judge((step for step in trial.steps if step != "restart"), shown)
    return Finding(trial.name, differences, trial.advice) if differences else None


class _Reader(Generic[S]):
    """Reads logs that lose records into a subscriber, as a client would."""

    def __init__(
        self,
        subscriber: Callable[[], S],
        restarted: Callable[[S], S],
        topics: Collection[str] | None,
        *,
        strict: bool,
    ) -> None:
        self._subscriber, self._restarted, self._strict = subscriber, restarted, strict
        self._by_id: Final = topics is None
        self._families: Final = ("pets", "exports") if topics is None else topics
        self.reads_what_is_lost: Final = not {"pets", "orgs"}.isdisjoint(self._families)

    async def tried(self, trial: LossTrial) -> Finding | None:
        """Put a new subscriber to a trial."""
        tried, offsets = self._subscriber(), dict[Place, int]()
        handled: list[Record] = []
        log = ReadableLog({})
        for number, reading in enumerate(trial.readings):
            log.turn_into(reading.log)
            if not reading.silent:
                tried = self._restarted(tried) if number else tried
                offsets = await _begun(tried, log, offsets)
            for step in self._records(reading, offsets):
                try:
                    await _awaited(tried.handle(step))
                except Exception as error:  # noqa: BLE001  it's somebody else's, and is reported
                    if step.topic == EXPORTS and not self._strict:
                        continue  # it may not read this topic
                    what = f"it raised {error!r} at offset {step.offset} of {step.topic}"
                    return Finding(trial.name, what, trial.advice)
                handled.append(step)
        differences = self._judged(trial, handled, dict(await _awaited(tried.shown())))
        return Finding(trial.name, differences, trial.advice) if differences else None

    def _records(self, reading: Reading, offsets: dict[Place, int]) -> Iterator[Record]:
        for place in reading.reads:
            if place[0].removeprefix("petstream.").partition(".")[0] not in self._families:
                continue
            if offsets.get(place, 0) > reading.log.ends[place]:
                offsets[place] = 0
            while (step := reading.log.record_at(*place, offsets.get(place, 0))) is not None:
                offsets[place] = step.offset + 1
                yield step

    def _judged(self, trial: LossTrial, handled: Iterable[Record], shown: Shown) -> str:
        if self._by_id:
            pets = {
                int(subject.removeprefix("pet/")): name
                for subject, name in trial.wanted.items()
                if subject.startswith("pet/")
            }
            return _differ(shown, pets, "pet ")
        families = {"pets": "pet/", "orgs": "organization/"}
        kept = tuple(begins for name, begins in families.items() if name in self._families)
        wanted: dict[str, str | None] = {
            subject: name for subject, name in trial.wanted.items() if subject.startswith(kept)
        }
        wanted |= subjects.expected(step for step in handled if step.topic == EXPORTS)
        states = {subject: shown[subject] for subject in shown if not subject.startswith("debt/")}
        return _differ(
            states, {name: wanted[name] for name in wanted if not name.startswith("debt/")}, ""
        )


async def _begun(
    tried: Subscriber, log: ReadableLog, offsets: dict[Place, int]
) -> dict[Place, int]:
    """Return where a subscriber wants to go on, or where its client does if it says nothing."""
    begin = getattr(tried, "begin", None)
    return offsets if begin is None else dict(await _awaited(begin(log)))


async def _awaited(result: Awaitable[T] | T) -> T:
    return await result if inspect.isawaitable(result) else result


def _expected(records: Iterable[Record]) -> dict[int, str | None]:
    """Return who is listed: of each key the highest (sequence, digest) decides."""
    newest: dict[int, tuple[tuple[int, bytes], dict[str, Any]]] = {}
    for record in records:
        event, headers = json.loads(record.value), dict(record.headers)
        rank = event["sequence"], headers["ce_digest"]
        held = newest.get(event["animalId"])
        if "pet" in event and (held is None or rank > held[0]):
            newest[event["animalId"]] = rank, event
    return {
        key: event["pet"]["name"] for key, (_, event) in newest.items() if event["op"] != "removed"
    }


def _differ(shown: Shown, wanted: Shown, what: str) -> str:
    differences = []
    for key in sorted(shown.keys() | wanted.keys()):
        if key not in wanted:
            differences.append(f"{what}{key} is shown and was removed, or never was")
        elif key not in shown:
            differences.append(f"{what}{key} is listed and isn't shown")
        elif shown[key] != wanted[key]:
            differences.append(f"{what}{key} is shown as {shown[key]!r} and is {wanted[key]!r}")
    more = "" if len(differences) <= _SHOWN else f", and {len(differences) - _SHOWN} more"
    return "; ".join(differences[:_SHOWN]) + more
