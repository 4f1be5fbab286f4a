"""What is wrong, most urgent first: each alert's condition, seen in how everything stands. Pure.

Rule 1: a condition has the name of an alert of docs/ops, whose page says what it means and what to
        do (`console.inspect.trouble.runbooks`); `what` says what is the case here, with figures.
Rule 2: it needs no waiting time as an alert does: whoever looks wants to know now.
Rule 3: what only counters over hours tell stays Prometheus's: `ONLY_PROMETHEUS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from console.inspect import formatting
from console.inspect.trouble import times
from console.inspect.trouble.runbooks import runbook

ONLY_PROMETHEUS: Final = {
    "PetstreamLogRewritten": "a counter; the log's line and the audit tell of it",
    "PetstreamProcessGone": "whether Prometheus reaches a process; Kafka tells which parts run",
    "PetstreamPartRestarts": "a counter of `up`; a part that doesn't run is told of",
}
"""Alerts without a condition here, and why."""

_LEVELS: Final = {"critical": "bad", "warning": "warn", "info": "info"}
_UNPAID_AFTER: Final = timedelta(hours=36)
_WAITS_LONG: Final = timedelta(minutes=10)
_MANY_DUE: Final = 1_000
_REFUSED_SHARE: Final = 0.2
_FEWEST_REFUSED: Final = 5


_NOBODY_READS: Final = "Nobody reads:"
_NOBODY_TO_REMOVE: Final = (
    "Mostly nothing: the next good export settles it by itself.",
    "To wait for it no more: `petstream removals reject ID`. Nothing is removed by that.",
)


class RepeatedLooks(NamedTuple):
    """What only repeated looks tell; a single look knows nothing of it.

    Attributes:
        stalled_s: consumers with work before them, and for how long it hasn't become less.
        due_before: pictures that were due some hours ago; None: not known.
    """

    stalled_s: Mapping[str, float] = {}
    due_before: int | None = None


class Condition(NamedTuple):
    """Something that is wrong: the alert it is that of, what is the case, and where to look."""

    alert: str
    what: str
    href: str | None = None
    """The page of the console where more is told or decided."""
    label: str | None = None
    ident: str | None = None
    """What the page's commands are to name, where it says ID."""
    mend: tuple[str, ...] | None = None
    """What to do, where it isn't what the page says."""

    @property
    def level(self) -> str:
        """How bad it is: ``bad``, ``warn`` or ``info``."""
        return _LEVELS[runbook(self.alert).severity]


def conditions(
    status: Mapping[str, Any],
    trend: RepeatedLooks = RepeatedLooks(),  # noqa: B008  frozen
) -> list[Condition]:
    """Return what is wrong, of a document as `petstream status --json` prints it."""
    every = [condition for look in _LOOKS for condition in look(status)]
    every += [*_behind(trend), *_pictures(status, trend)]
    order = list(_LEVELS.values())
    return sorted(every, key=lambda condition: order.index(condition.level))


def document(condition: Condition) -> dict[str, Any]:
    """Return a condition with its remedy, as plain JSON types; texts are Markdown."""
    page = runbook(condition.alert)
    ident, steps = condition.ident, condition.mend or page.mend
    mend = [step if ident is None else step.replace(" ID`", f" {ident}`") for step in steps]
    return {
        "alert": condition.alert,
        "level": condition.level,
        "what": condition.what,
        "means": page.means,
        "look": list(page.look),
        "mend": mend,
        "over": page.over,
        "page": page.page,
        "href": condition.href,
        "label": condition.label,
    }


def kafka_away(reason: str) -> Condition:
    """Return the condition that Kafka can't be asked, and nothing else is known now."""
    return Condition("PetstreamServerAway", f"Kafka can't be read: {reason}")


def _servers(status: Mapping[str, Any]) -> Iterator[Condition]:
    if not status["postgres"]["reachable"]:
        detail = status["postgres"]["detail"].removeprefix("Postgres ")
        yield Condition("PetstreamServerAway", f"Postgres can't be asked: {detail}")


def _parts(status: Mapping[str, Any]) -> Iterator[Condition]:
    parts = status.get("parts", [])
    missing = [part["part"] for part in parts if part["state"] == "missing"]
    is_by_timer = any(part["part"] == "watch" and part["state"] == "absent" for part in parts)
    if not missing or (is_by_timer and not any(entry["lag"] for entry in status["lag"])):
        return  # a timer runs them, and they have done all there is
    names = ", ".join(missing)
    if any(part["state"] == "running" for part in parts):
        doesnt = "doesn't run" if len(missing) == 1 else "don't run"
        what = f"{names} {doesnt}: nobody does that work"
        yield Condition("PetstreamNotReady", what, "/#parts", mend=_start(missing))
    else:
        yield Condition("PetstreamDown", f"No part runs: {names} are gone", "/#parts")


def _start(parts: Sequence[str]) -> tuple[str, ...]:
    """Return what to do about parts that are gone."""
    commands = ", ".join(
        f"`petstream {'ingest --watch' if part == 'watch' else f'consume {part}'}`"
        for part in parts
    )
    return (
        "Under `up` it begins again by itself: its last lines in the log of `up` say why it ended.",
        "One that hangs: end its process (`kill -9`), and `up` begins it anew.",
        f"Where each part is started for itself: {commands}.",
    )


def _stale(status: Mapping[str, Any]) -> Iterator[Condition]:
    feed = status["feed"]
    newest = feed["newestExportId"]
    if feed["late"]:
        old = times.lasting(feed["ageHours"] * 3600)
        yield Condition(
            "PetstreamFeedStale",
            f"The newest completed export began {old} ago{_said_by_the_watch(status)}",
            f"/exports/{newest}",
            "that export",
            mend=_mend_what_is_stale(status),
        )
    elif feed["lateToday"]:
        yield Condition(
            "PetstreamExportLate",
            f"Today's export isn't completed, and PETSTREAM_WINDOW ended at {feed['windowEnds']} "
            f"in New York{_said_by_the_watch(status)}",
        )


def _said_by_the_watch(status: Mapping[str, Any]) -> str:
    report = _watch_report(status)
    return f": {report['why']}" if report and report.get("why") else ""


def _mend_what_is_stale(status: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what to do about an old feed; whoever reads it needn't be started."""
    steps = runbook("PetstreamFeedStale").mend
    is_read = any(
        part["part"] == "watch" and part["state"] == "running" for part in status.get("parts", [])
    )
    return tuple(step for step in steps if not (is_read and step.startswith(_NOBODY_READS)))


def _watch_report(status: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return what a watch that runs says it does."""
    for part in status.get("parts", []):
        if part["part"] == "watch" and part["state"] == "running":
            report: Mapping[str, Any] | None = part["report"]
            return report
    return None


def _unreadable(status: Mapping[str, Any]) -> Iterator[Condition]:
    newest = status["exports"][0] if status["exports"] else None
    if newest is not None and newest["state"] == "failed":
        yield Condition(
            "PetstreamFeedUnreadable",
            f"Export {newest['exportId']} couldn't be read: {newest['reason']}",
            f"/exports/{newest['exportId']}",
            "the attempt",
        )
        return
    report = _watch_report(status)
    if report is None or report["doing"] != "waiting" or report.get("since") is None:
        return
    since = times.parsed(report["since"])
    if times.parsed(status["at"]) - since >= _WAITS_LONG and not status["feed"]["lateToday"]:
        waited = times.ago(since, times.parsed(status["at"])).removesuffix(" ago")
        yield Condition(
            "PetstreamFeedUnreadable", f"The watch has waited {waited}: {report['why']}"
        )


def _held(status: Mapping[str, Any]) -> Iterator[Condition]:
    for plan in status["heldPlans"]:
        sweep = ".sweep" in plan["planId"]
        removals = formatting.counted(plan["removals"], f"removals of {plan['entity']}")
        what = f"{removals} {'waits' if plan['removals'] == 1 else 'wait'} for a decision"
        if not plan["removals"]:
            what = f"Who left of the {plan['entity']} can't be told"
        yield Condition(
            "PetstreamSweepHeld" if sweep else "PetstreamRemovalsHeld",
            f"{what}: {plan['reason'] or 'no reason is given'}",
            f"/plans/{plan['planId']}",
            "look and decide",
            plan["planId"],
            None if plan["removals"] else _NOBODY_TO_REMOVE,
        )


def _debts(status: Mapping[str, Any]) -> Iterator[Condition]:
    now = times.parsed(status["at"])
    if status["snapshots"]["inLastDay"] > 1:
        number = status["snapshots"]["inLastDay"]
        yield Condition("PetstreamSnapshotsRepeat", f"{number} snapshots within a day")
    for debt in status["debts"]["owed"]:
        since: datetime | None = None if debt["since"] is None else times.parsed(debt["since"])
        what = "A snapshot" if debt["owes"] == "snapshot" else "A whole read"
        owed = f"{what} is owed{'' if since is None else f' since {times.since(since, now)}'}"
        unpaid = since is not None and now - since > _UNPAID_AFTER
        if unpaid:
            yield Condition("PetstreamDebtUnpaid", f"{owed}: {debt['reason']}", "/exports")
        elif debt["owes"] == "snapshot":
            asked = "asked for" in debt["reason"]
            alert = "PetstreamSnapshotAsked" if asked else "PetstreamLogLost"
            yield Condition(alert, f"{owed}: {debt['reason']}", "/exports")


def _upheaval(status: Mapping[str, Any]) -> Iterator[Condition]:
    newest = next((e for e in status["exports"] if e["state"] == "completed"), None)
    warnings = [note for note in newest["notes"] if note.startswith("warning:")] if newest else []
    if newest and warnings:
        said = "; ".join(warning.removeprefix("warning:").strip() for warning in warnings)
        href = f"/exports/{newest['exportId']}"
        yield Condition("PetstreamFeedUpheaval", said, href, "what it changed")


def _letters(status: Mapping[str, Any]) -> Iterator[Condition]:
    for kind, alert, what in (
        ("event", "PetstreamEventsParked", "event that couldn't be applied was"),
        ("row", "PetstreamRowsRefused", "row of the feed that can't be read was"),
    ):
        number = status["deadLetters"].get("lastDay", {}).get(kind, 0)
        if number:
            words = what if number == 1 else _plural(what)
            href = f"/dead-letters?class={kind}"
            yield Condition(alert, f"{number:,} {words} set aside within a day", href, "which")


def _plural(what: str) -> str:
    noun, _, rest = what.partition(" ")
    return f"{noun}s {rest.removesuffix('was')}were"


def _behind(trend: RepeatedLooks) -> Iterator[Condition]:
    for consumer, seconds in trend.stalled_s.items():
        lasts = times.lasting(seconds)
        what = f"{consumer} has work before it, and no less of it for {lasts}"
        yield Condition("PetstreamConsumerBehind", what, "/#parts")


def _pictures(status: Mapping[str, Any], trend: RepeatedLooks) -> Iterator[Condition]:
    pictures = status["pictures"]
    if pictures is None:
        return
    due, failed = pictures["due"], pictures["failed"]
    if trend.due_before is not None and due > _MANY_DUE and due > trend.due_before:
        what = f"{due:,} pictures are due, {due - trend.due_before:,} more than some hours ago"
        yield Condition("PetstreamPicturesWaiting", what, "/#pictures")
    tried = pictures["stored"] + failed + pictures["gone"]
    if failed >= _FEWEST_REFUSED and failed > _REFUSED_SHARE * tried:
        what = f"{failed:,} of the {tried:,} pictures that were tried failed"
        yield Condition("PetstreamPicturesRefused", what, "/#pictures")


_LOOKS: Final[tuple[Callable[[Mapping[str, Any]], Iterator[Condition]], ...]] = (
    _parts, _servers, _stale, _unreadable, _debts, _held, _upheaval, _letters,
)  # fmt: skip
"""In the order of urgency, among those that are equally bad."""
