"""How everything stands in words, for a terminal: what is wrong and what to do come first. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from console.inspect import formatting
from console.inspect.schedule import usually
from console.inspect.trouble import times
from console.runtime.output import Level

_PAYING: Final = {"whole": "a whole read", "snapshot": "a snapshot"}
_MARKS: Final[dict[str, str]] = {"bad": "!!", "warn": "! ", "info": "- "}
_MOST_NOTES: Final = 3
_LINK: Final = re.compile(r"\[([^\]]*)\]\([^)]*\)")


class StatusLine(NamedTuple):
    """A line, and how bad or good what it says is; None: neither."""

    text: str
    level: Level | None = None


def status_lines(status: Mapping[str, Any]) -> Iterator[StatusLine]:
    """Return how everything stands, of a document as `petstream status --json` prints it."""
    yield from _problem_lines(status)
    yield from _feed_lines(status)
    yield from _part_lines(status)
    yield from _export_lines(status)
    yield from _debt_lines(status)
    yield from _plan_lines(status)
    yield from _lag_lines(status["lag"])
    yield _dead_letter_line(status["deadLetters"])
    yield from _picture_lines(status)
    yield from _server_lines(status.get("servers", {}))


def _problem_lines(status: Mapping[str, Any]) -> Iterator[StatusLine]:
    problems = status["problems"]
    if not problems:
        yield StatusLine("Nothing is wrong.", "good")
    for problem in problems:
        level = problem["level"]
        yield StatusLine(f"{_MARKS[level]} {formatting.shortened(problem['what'], 500)}", level)
        if level == "info":
            continue
        for number, step in enumerate(problem["mend"]):
            yield StatusLine(f"   {'    ' if number else 'do: '}{_plain(step)}")
        yield StatusLine(f"   see: docs/ops/{problem['page']}.md")


def _plain(markdown: str) -> str:
    return _LINK.sub(r"\1", markdown).replace("`", "'")


def _feed_lines(status: Mapping[str, Any]) -> Iterator[StatusLine]:
    feed = status["feed"]
    if feed["newestExportId"] is None:
        yield StatusLine("Feed: no export was completed yet")
        return
    newest = formatting.escaped(feed["newestExportId"])
    age = age_in_words(feed["ageHours"])
    level: Level = "bad" if feed["late"] else "warn" if feed["lateToday"] else "good"
    yield StatusLine(f"Feed: newest completed export {newest}, {age}", level)
    if feed["late"]:
        late = f"older than {feed['lateAfterHours']} h: a day was missed, or nobody reads the feed"
        yield StatusLine(f"  {late}", "bad")
    elif feed["lateToday"]:
        ended = f"PETSTREAM_WINDOW ended at {feed['windowEnds']} in New York"
        yield StatusLine(f"  today's is late: {ended}", "warn")
    if feed["usuallyLands"] is not None:
        lands = usually(feed["usuallyLands"], feed["latestLanded"], feed["landingsKnown"])
        yield StatusLine(f"  {lands}")


def age_in_words(hours: float) -> str:
    """Return the age of an export.

    >>> age_in_words(3.96), age_in_words(-0.01), age_in_words(-2.5)
    ('begun 3 h 57 min ago', 'begun just now', "begun 2 h 30 min ahead of this machine's clock")
    """
    seconds = round(hours * 3600)
    if abs(seconds) < _JUST_NOW_S:
        return "begun just now"
    words = times.lasting(abs(seconds))
    return f"begun {words} ago" if seconds > 0 else f"begun {words} ahead of this machine's clock"


_JUST_NOW_S: Final = 180  # hours come rounded to a tenth


def _part_lines(status: Mapping[str, Any]) -> Iterator[StatusLine]:
    now = times.parsed(status["at"])
    shown = [part for part in status.get("parts", []) if part["state"] != "absent"]
    if not shown:
        return
    yield StatusLine("Parts:")
    for part in shown:
        if part["state"] == "missing":
            report = part["report"]
            seen = "" if report is None else f", seen {times.both(report['at'], now)}"
            yield StatusLine(f"  {part['part']}: doesn't run{seen}", "bad")
            continue
        for member in part["members"]:
            host = formatting.shortened(member["host"], 80)
            process = "" if member["process"] is None else f", process {member['process']}"
            since = (
                "" if member["since"] is None else f", since {times.since(member['since'], now)}"
            )
            doing = "" if part["report"] is None else f": {doing_in_words(part['report'])}"
            yield StatusLine(f"  {part['part']} on {host}{process}{since}{doing}")


def doing_in_words(report: Mapping[str, Any]) -> str:
    """Return what the watch of the feed does.

    >>> doing_in_words({"doing": "reading", "rows": {"pets_1.json": 1200, "pets_2.json": 5}})
    'reads: 1,205 rows so far, now of pets_2.json'
    """
    if report["doing"] == "reading" and report.get("rows"):
        rows = report["rows"]
        file = formatting.escaped([*rows][-1])
        return f"reads: {formatting.counted(sum(rows.values()), 'rows')} so far, now of {file}"
    if report["doing"] == "waiting":
        return f"waits: {formatting.shortened(report.get('why') or '', 300)}"
    return "looks at the feed" if report["doing"] == "looking" else "rests until its next look"


def _export_lines(status: Mapping[str, Any]) -> Iterator[StatusLine]:
    exports, now = status["exports"], times.parsed(status["at"])
    yield StatusLine("Exports, newest first:" if exports else "Exports: none yet")
    for export in exports:
        seconds = export["durationS"]
        took = "" if seconds is None else f" in {times.lasting(seconds, tenths=False)}"
        when = export["endedAt"] or export["startedAt"]
        at = "" if when is None else f" {times.both(when, now)}"
        name = formatting.escaped(export["exportId"])
        level: Level | None = "bad" if export["state"] == "failed" else None
        yield StatusLine(f"  {name}  {export['mode']:<7} {export['state']:<9}{at}{took}", level)
        yield StatusLine(f"    pets: {formatting.counts(export['counts']['pets'])}")
        yield StatusLine(f"    orgs: {formatting.counts(export['counts']['orgs'])}")
        if export["reason"]:
            yield StatusLine(f"    why: {formatting.shortened(export['reason'], 300)}", level)
        yield from _notes(export["notes"])


def _notes(notes: list[str]) -> Iterator[StatusLine]:
    """Return the first of many, warnings before all."""
    ordered = sorted(notes, key=lambda note: not note.startswith("warning:"))
    for note in ordered[:_MOST_NOTES]:
        level: Level | None = "warn" if note.startswith("warning:") else None
        yield StatusLine(f"    note: {formatting.shortened(note, 300)}", level)
    if len(notes) > _MOST_NOTES:
        more = len(notes) - _MOST_NOTES
        yield StatusLine(f"    and {more} more {'note' if more == 1 else 'notes'} (--json has all)")


def _debt_lines(status: Mapping[str, Any]) -> Iterator[StatusLine]:
    known, snapshots, now = status["debts"], status["snapshots"], times.parsed(status["at"])
    for debt in known["owed"]:
        why = formatting.shortened(debt["reason"], 500)
        since = "just now" if debt["since"] is None else times.since(debt["since"], now)
        yield StatusLine(f"Owed: {_PAYING[debt['owes']]}, since {since}", "warn")
        yield StatusLine(f"  why: {why}")
    for debt in known["paid"]:
        paid = f"{times.both(debt['paidAt'], now)} by {formatting.escaped(debt['paidBy'])}"
        since = times.since(debt["since"], now)
        yield StatusLine(f"Paid: {_PAYING[debt['owes']]}, owed since {since}, {paid}")
        yield StatusLine(f"  why: {formatting.shortened(debt['reason'], 500)}")
    if snapshots["inLastDay"] > 1:
        yield StatusLine(f"{snapshots['inLastDay']} snapshots within a day", "bad")


def _plan_lines(status: Mapping[str, Any]) -> Iterator[StatusLine]:
    held, now = status["heldPlans"], times.parsed(status["at"])
    yield StatusLine("Held removals:" if held else "Held removals: none")
    for plan in held:
        why = formatting.shortened(plan["reason"] or "no reason given", 300)
        what = formatting.counted(plan["removals"], plan["entity"])
        at = times.both(plan["heldAt"], now)
        yield StatusLine(f"  {formatting.escaped(plan['planId'])}: {what}, held {at}", "warn")
        yield StatusLine(f"    why: {why}")
        yield StatusLine(f"    decide: {formatting.escaped(plan['decide'])}")
    for plan in status["expiredPlans"]:
        removals = formatting.counted(plan["removals"], plan["entity"])
        what = f"{formatting.escaped(plan['planId'])}: {removals}"
        at = times.both(plan["heldAt"], now)
        yield StatusLine(f"Expired undecided: {what}, held {at}; they stay")


def _lag_lines(lags: list[dict[str, Any]]) -> Iterator[StatusLine]:
    yield StatusLine("Lag of consumers:" if lags else "Lag of consumers: there is none")
    for entry in lags:
        behind = entry["lag"]
        state = f"{formatting.counted(behind, 'records')} behind" if behind else "up to date"
        never = "" if entry["begun"] or not behind else ", not begun yet"
        consumer = formatting.escaped(entry["consumer"])
        topic = formatting.escaped(entry["topic"])
        level: Level = "warn" if behind else "good"
        yield StatusLine(f"  {consumer} on {topic}: {state}{never}", level)


def _dead_letter_line(letters: dict[str, Any]) -> StatusLine:
    if not letters["total"]:
        return StatusLine("Dead letters: none")
    reasons = ", ".join(
        f"{number:,} {formatting.escaped(name)}" for name, number in letters["byReason"].items()
    )
    see = "see 'petstream dead-letters list'"
    return StatusLine(f"Dead letters: {letters['total']:,} ({reasons}); {see}", "warn")


def _picture_lines(status: Mapping[str, Any]) -> Iterator[StatusLine]:
    if status["pictures"] is None:
        detail = status["postgres"]["detail"].removeprefix("Postgres ")
        yield StatusLine(f"Postgres: {detail}", "bad")
        yield StatusLine("Pictures: unknown without Postgres")
        return
    pictures = formatting.counts(status["pictures"]).replace("nothing read", "none")
    yield StatusLine(f"Pictures: {pictures}")
    yield StatusLine("Postgres: reachable")


def _server_lines(servers: Mapping[str, str | None]) -> Iterator[StatusLine]:
    """Say where the servers listen; `petstream env` prints it for a shell."""
    where = [f"{name} at {address}" for name, address in servers.items() if address is not None]
    if where:
        yield StatusLine(f"Servers: {', '.join(where)}")
