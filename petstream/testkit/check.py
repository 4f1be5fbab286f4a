"""A subscriber put to the test: hostile streams of pets' events, and whom it shows at the end.

    report = await check(MySubscriber)
    assert report.ok, report

Rule 1: each trial has a subscriber of its own, with nothing stored; `restarted` makes one anew from
        what is stored, as if its process had ended and begun again.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from petstream.testkit.trials import Record, Trial, trials

__all__ = ["Finding", "Record", "Report", "Subscriber", "check"]

_SHOWN: Final = 3

T = TypeVar("T")


class Subscriber(Protocol):
    """What is tested; both may be coroutines."""

    def handle(self, record: Record) -> Awaitable[None] | None:
        """Apply a record to what is stored."""

    def shown(self) -> Awaitable[Mapping[int, str | None]] | Mapping[int, str | None]:
        """Return the pets that are listed now: animal id → name."""


S = TypeVar("S", bound=Subscriber)


class Finding(NamedTuple):
    """A trial that went wrong: what was found, and what to look at."""

    trial: str
    found: str
    advice: str


class Report(NamedTuple):
    """What came of the trials."""

    trials: int
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Return whether every trial ended with the right pets."""
        return not self.findings

    def __str__(self) -> str:
        """Return it in words, a line for each trial that went wrong."""
        lines = [
            f"{finding.trial}: {finding.found}. {finding.advice}." for finding in self.findings
        ]
        right = self.trials - len(self.findings)
        return "\n".join([f"{right} of {self.trials} trials ended with the right pets.", *lines])


async def check(
    subscriber: Callable[[], S], *, restarted: Callable[[S], S] = lambda same: same
) -> Report:
    """Put a subscriber to every trial.

    Args:
        subscriber: makes one that has stored nothing.
        restarted: makes one from what another has stored; by default it just goes on.
    """
    findings = [await _tried(trial, subscriber, restarted) for trial in trials()]
    return Report(len(findings), tuple(finding for finding in findings if finding is not None))


async def _tried(
    trial: Trial, subscriber: Callable[[], S], restarted: Callable[[S], S]
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
    wanted = _expected(step for step in trial.steps if step != "restart")
    return None if shown == wanted else Finding(trial.name, _differ(shown, wanted), trial.advice)


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


def _differ(shown: Mapping[int, str | None], wanted: Mapping[int, str | None]) -> str:
    differences = []
    for key in sorted(shown.keys() | wanted.keys()):
        if key not in wanted:
            differences.append(f"pet {key} is shown and was removed, or never was")
        elif key not in shown:
            differences.append(f"pet {key} is listed and isn't shown")
        elif shown[key] != wanted[key]:
            differences.append(f"pet {key} is shown as {shown[key]!r} and is {wanted[key]!r}")
    more = "" if len(differences) <= _SHOWN else f", and {len(differences) - _SHOWN} more"
    return "; ".join(differences[:_SHOWN]) + more
