"""How everything stands: exports, held plans, lag, dead letters, pictures, age of the feed.

Rule 1: it works without Postgres, and starts no server: it only looks.
Rule 2: ``--json`` is one object whose names stay; fields are only ever added.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from console.act import dead_letters
from console.inspect import freshness, wording
from console.inspect.database_reader import Away, Rows, look
from console.inspect.export_history import Export, Past, tell
from console.inspect.kafka_reader import Record, read_topic
from console.inspect.schedule import Schedule, schedule
from consumers.admin.lag import GroupLag, lag
from consumers.engine.queries import query
from consumers.pictures.wanted import STATUSES
from petstream import topics
from petstream.kafka.client import ensure_topics
from petstream.settings import KafkaAccess, Settings

_LAST: Final = 7
_LAST_EXPIRED: Final = 3
_DECIDE: Final = "petstream removals show {0}; then: petstream removals approve|reject {0}"


async def status(
    settings: Settings, *, kafka: KafkaAccess, database_url: str | None, as_json: bool
) -> int:
    """Print how everything stands; return the exit status."""
    found = await gather(settings, kafka=kafka, database_url=database_url)
    print(json.dumps(found, indent=2) if as_json else render(found))  # noqa: T201  the command's output
    return 0


async def gather(
    settings: Settings, *, kafka: KafkaAccess, database_url: str | None, last: int = _LAST
) -> dict[str, Any]:
    """Look everywhere, and return how everything stands."""
    prefix = settings.topic_prefix
    await ensure_topics(kafka, prefix)
    return account(
        past=tell(await read_topic(kafka, topics.EXPORTS.full_name(prefix))),
        dead=await read_topic(kafka, topics.DEAD_LETTERS.full_name(prefix)),
        lags=await lag(kafka, prefix),
        tables=await look(database_url, {"pictures": (query("pictures_by_status"), ())}),
        now=datetime.now(UTC),
        last=last,
        due=schedule(settings.window),
    )


def account(  # noqa: PLR0913  what was found, each by name
    *,
    past: Past,
    dead: Sequence[Record],
    lags: Sequence[GroupLag],
    tables: Rows | Away,
    now: datetime,
    last: int = _LAST,
    due: Schedule = Schedule(),  # noqa: B008  frozen
) -> dict[str, Any]:
    """Return how everything stands as plain JSON types: what ``--json`` prints."""
    pictures = None if isinstance(tables, Away) else dict.fromkeys(STATUSES, 0) | {
        row["status"]: row["pictures"] for row in tables["pictures"]
    }  # fmt: skip
    return {
        "at": _stamp(now),
        "feed": freshness.figures(past, now, due),
        "exports": [_export(one) for one in reversed(past.exports[-last:])],
        "heldPlans": list(_plans(past, now, "held")),
        "expiredPlans": list(_plans(past, now, "expired"))[-_LAST_EXPIRED:],
        "lag": list(_lags(lags)),
        "deadLetters": {"total": len(dead), "byReason": dead_letters.by_reason(dead)},
        "pictures": pictures,
        "postgres": {"reachable": False, "detail": tables.why}
        if isinstance(tables, Away)
        else {"reachable": True, "detail": "reachable"},
        "undecodableExportEvents": past.undecodable,
    }


def render(found: dict[str, Any]) -> str:
    """Return how everything stands, in words."""
    return "\n".join([
        *freshness.said(found["feed"]),
        *_said_of_exports(found["exports"]),
        *_said_of_plans(found["heldPlans"], found["expiredPlans"]),
        *_said_of_lag(found["lag"]),
        *_said_of_dead_letters(found["deadLetters"]),
        *_said_of_pictures(found),
    ])  # fmt: skip


def _export(one: Export) -> dict[str, Any]:
    duration = one.duration
    return {
        "exportId": one.export_id,
        "mode": one.mode,
        "state": one.state,
        "startedAt": None if one.started_at is None else _stamp(one.started_at),
        "endedAt": None if one.ended_at is None else _stamp(one.ended_at),
        "durationS": None if duration is None else duration.total_seconds(),
        "counts": msgspec.to_builtins(one.counts),
        "reason": one.reason,
        "notes": list(one.notes),
    }


def _plans(past: Past, now: datetime, state: str) -> Iterator[dict[str, Any]]:
    for plan in past.plans():
        if past.state_of(plan, now) == state:
            yield {
                "planId": plan.plan_id,
                "exportId": plan.event.export_id,
                "entity": plan.entity,
                "removals": len(plan.removals),
                "reason": plan.event.reason,
                "heldAt": _stamp(plan.at),
                "decide": _DECIDE.format(plan.plan_id) if state == "held" else None,
            }


def _lags(lags: Sequence[GroupLag]) -> Iterator[dict[str, Any]]:
    """Return the lag of each consumer on each topic, summed over the partitions."""
    for consumer, topic in dict.fromkeys((one.consumer, one.topic) for one in lags):
        of_topic = [one for one in lags if (one.consumer, one.topic) == (consumer, topic)]
        yield {
            "consumer": consumer,
            "topic": topic,
            "lag": sum(one.lag for one in of_topic),
            "position": sum(one.committed or 0 for one in of_topic),
            "end": sum(one.end for one in of_topic),
            "begun": any(one.committed is not None for one in of_topic),
        }


def _said_of_exports(exports: list[dict[str, Any]]) -> Iterator[str]:
    yield "Exports, newest first:" if exports else "Exports: none yet"
    for one in exports:
        took = "" if one["durationS"] is None else f" in {one['durationS']:,.0f} s"
        when = one["endedAt"] or one["startedAt"]
        name = wording.plain(one["exportId"])
        yield f"  {name}  {one['mode']:<7} {one['state']:<9} at {when}{took}"
        yield f"    pets: {wording.counts(one['counts']['pets'])}"
        yield f"    orgs: {wording.counts(one['counts']['orgs'])}"
        if one["reason"]:
            yield f"    why: {wording.cut(one['reason'], 300)}"
        for note in one["notes"]:
            yield f"    note: {wording.cut(note, 300)}"


def _said_of_plans(plans: list[dict[str, Any]], expired: list[dict[str, Any]]) -> Iterator[str]:
    yield "Held removals:" if plans else "Held removals: none"
    for one in plans:
        why = wording.cut(one["reason"] or "no reason given", 300)
        what = f"{one['removals']:,} {one['entity']}"
        yield f"  {wording.plain(one['planId'])}: {what}, held {one['heldAt']}"
        yield f"    why: {why}"
        yield f"    decide: {wording.plain(one['decide'])}"
    for one in expired:
        what = f"{wording.plain(one['planId'])}: {one['removals']:,} {one['entity']}"
        yield f"Expired undecided: {what}, held {one['heldAt']}; they stay"


def _said_of_lag(lags: list[dict[str, Any]]) -> Iterator[str]:
    yield "Lag of consumers:" if lags else "Lag of consumers: there is none"
    for one in lags:
        state = "up to date" if one["lag"] == 0 else f"{one['lag']:,} records behind"
        never = "" if one["begun"] or not one["lag"] else ", not begun yet"
        yield f"  {wording.plain(one['consumer'])} on {wording.plain(one['topic'])}: {state}{never}"


def _said_of_dead_letters(dead: dict[str, Any]) -> Iterator[str]:
    if not dead["total"]:
        yield "Dead letters: none"
        return
    said = ", ".join(
        f"{number:,} {wording.plain(name)}" for name, number in dead["byReason"].items()
    )
    yield f"Dead letters: {dead['total']:,} ({said}); see 'petstream dead-letters list'"


def _said_of_pictures(found: dict[str, Any]) -> Iterator[str]:
    if found["pictures"] is None:
        yield f"Postgres: {found['postgres']['detail']}"
        yield "Pictures: unknown without Postgres"
        return
    yield f"Pictures: {wording.counts(found['pictures']).replace('nothing read', 'none')}"
    yield "Postgres: reachable"


def _stamp(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
