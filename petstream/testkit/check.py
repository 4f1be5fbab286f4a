"""A subscriber put to the test: hostile streams of events, and what it shows at the end.

    report = await check(MySubscriber)
    assert report.ok, report

    report = await check(MySubscriber, topics=("orgs", "exports"))  # what is shown: by subject

Rule 1: each trial has a subscriber of its own, with nothing stored; `restarted` makes one anew from
        what is stored, as if its process had ended and begun again.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from petstream.testkit import subjects
from petstream.testkit.trials import Record, Trial, trials

__all__ = ["Finding", "Record", "Report", "Subscriber", "check"]

_SHOWN: Final = 3

T = TypeVar("T")


class Subscriber(Protocol):
    """What is tested; both may be coroutines."""

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

    @property
    def ok(self) -> bool:
        """Return whether every trial ended right."""
        return not self.findings

    def __str__(self) -> str:
        """Return it in words, a line for each trial that went wrong."""
        lines = [
            f"{finding.trial}: {finding.found}. {finding.advice}." for finding in self.findings
        ]
        right = self.trials - len(self.findings)
        return "\n".join([f"{right} of {self.trials} trials ended with {self.of}.", *lines])


async def check(
    subscriber: Callable[[], S],
    *,
    restarted: Callable[[S], S] = lambda same: same,
    topics: Collection[str] | None = None,
) -> Report:
    """Put a subscriber to every trial.

    Args:
        subscriber: makes one that has stored nothing.
        restarted: makes one from what another has stored; by default it just goes on.
        topics: which it reads, of ``pets``, ``orgs``, ``exports`` and ``pictures``; what is shown
            is by subject then. None: the pets, by their ids.
    """
    if topics is None:
        every = [(trial, _pets) for trial in trials()]
    else:
        every = [(trial, _subjects) for trial in subjects.subject_trials(topics)]
    findings = [await _tried(trial, subscriber, restarted, judge) for trial, judge in every]
    wrong = tuple(finding for finding in findings if finding is not None)
    if topics is None:
        return Report(len(findings), wrong)
    return Report(len(findings), wrong, "what the events say")


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
