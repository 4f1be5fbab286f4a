"""How everything stands: exports, debts, held plans, lag, dead letters, pictures, age of the feed.

Rule 1: it works without Postgres, starts no server, and changes nothing.
Rule 2: ``--json`` is one object whose names stay; fields are only ever added.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

import msgspec

from console.embedded.endpoints import address_of
from console.inspect import debts
from console.inspect.database_reader import Rows, Unavailable, fetch_rows
from console.inspect.export_history import ExportStatus, PublishedExports, published_exports
from console.inspect.letter_counts import LetterCounts
from console.inspect.schedule import Schedule, landing, schedule
from console.inspect.trouble import conditions, presence
from console.inspect.trouble.conditions import RepeatedLooks
from console.inspect.trouble.status_text import status_lines
from console.runtime.output import say
from consumers.admin.lag import GroupLag, lag
from consumers.engine.queries import query
from consumers.pictures.wanted import STATUSES
from consumers.registry import names_of
from ingest.state.debts import MISSED_AFTER
from petstream import topics
from petstream.kafka.client import ensure_topics
from petstream.kafka.reader import read_topic
from petstream.kafka.records import ConsumerRecord
from petstream.settings import KafkaAccess, Settings

_LAST: Final = 7
_LAST_EXPIRED: Final = 3
_SWEEPS: Final = """
    SELECT plan_id, export_id, entity, removals, reason, created_at FROM petstream.removal_plans
    WHERE state = 'held' AND plan_id LIKE '%.sweep%' ORDER BY created_at, plan_id"""
_LAST_PAID: Final = 3
_DAY: Final = timedelta(days=1)
_DECIDE: Final = "petstream removals show {0}; then: petstream removals approve|reject {0}"


async def status(
    settings: Settings, *, kafka: KafkaAccess, database_url: str | None, as_json: bool
) -> int:
    """Print how everything stands; return the exit status."""
    gathered = await gather(settings, kafka=kafka, database_url=database_url)
    if as_json:
        say(json.dumps(gathered, indent=2))
    else:
        for line in status_lines(gathered):
            say(line.text, line.level)
    return 0


async def gather(  # noqa: PLR0913  what a look depends on, each by name
    settings: Settings,
    *,
    kafka: KafkaAccess,
    database_url: str | None,
    last: int = _LAST,
    letters: LetterCounts | None = None,
    postgres_within_s: float | None = None,
) -> dict[str, Any]:
    """Read topics, groups and views, and return how everything stands.

    Args:
        settings: where.
        kafka: how to reach Kafka.
        database_url: of Postgres; None: nobody knows.
        last: so many exports.
        letters: what is known of the dead letters since an earlier look.
        postgres_within_s: how long Postgres has to answer, before it counts as away.
    """
    prefix, letters = settings.topic_prefix, letters or LetterCounts()
    names = names_of(table_topics=settings.table_topics)
    await ensure_topics(kafka, prefix)
    gathered = document(
        published=published_exports(await read_topic(kafka, topics.EXPORTS.full_name(prefix))),
        requests=await read_topic(kafka, topics.REQUESTS.full_name(prefix)),
        letters=await letters.updated(kafka, topics.DEAD_LETTERS.full_name(prefix)),
        letters_last_day=letters.last_day(datetime.now(UTC)),
        parts=await presence.parts(kafka, prefix, names),
        lags=await lag(kafka, prefix, names),
        tables=await fetch_rows(
            database_url,
            {"pictures": (query("pictures_by_status"), ()), "sweeps": (_SWEEPS, ())},
            within_s=postgres_within_s,
        ),
        now=datetime.now(UTC),
        last=last,
        due=schedule(settings.window),
    )
    at = None if database_url is None else address_of(database_url)
    return gathered | {"servers": {"kafka": kafka.bootstrap, "postgres": at}}


def document(  # noqa: PLR0913  what was read, each by name
    *,
    published: PublishedExports,
    requests: Sequence[ConsumerRecord] = (),
    letters: Mapping[str, int],
    letters_last_day: Mapping[str, int] = MappingProxyType({}),
    parts: Sequence[Mapping[str, Any]] = (),
    lags: Sequence[GroupLag],
    tables: Rows | Unavailable,
    now: datetime,
    last: int = _LAST,
    due: Schedule = Schedule(),  # noqa: B008  frozen
) -> dict[str, Any]:
    """Return how everything stands as plain JSON types: what ``--json`` prints."""
    pictures = None if isinstance(tables, Unavailable) else dict.fromkeys(STATUSES, 0) | {
        row["status"]: row["pictures"] for row in tables["pictures"]
    }  # fmt: skip
    gathered: dict[str, Any] = {
        "at": _to_second(now),
        "feed": _feed(published, now, due),
        "exports": [_export(export) for export in reversed(published.exports[-last:])],
        "debts": _debts(published, requests, now),
        "snapshots": _snapshots(published, now),
        "heldPlans": [*_plans(published, now, "held"), *_sweeps(tables)],
        "expiredPlans": list(_plans(published, now, "expired"))[-_LAST_EXPIRED:],
        "lag": list(_lags(lags)),
        "deadLetters": {
            "total": sum(letters.values()),
            "byReason": dict(letters),
            "lastDay": dict(letters_last_day),
        },
        "parts": list(parts),
        "pictures": pictures,
        "postgres": {"reachable": False, "detail": tables.reason}
        if isinstance(tables, Unavailable)
        else {"reachable": True, "detail": "reachable"},
        "undecodableExportEvents": published.undecodable,
    }
    return gathered | {"problems": problems(gathered)}


def problems(
    status: Mapping[str, Any],
    trend: RepeatedLooks = RepeatedLooks(),  # noqa: B008  frozen
) -> list[dict[str, Any]]:
    """Return what is wrong and what to do, most urgent first, as plain JSON types."""
    return [conditions.document(condition) for condition in conditions.conditions(status, trend)]


def _feed(published: PublishedExports, now: datetime, due: Schedule) -> dict[str, Any]:
    """Return how fresh the feed is; times of the day are New York's."""
    newest = published.newest_completed
    start = None if newest is None else newest.start
    age = None if start is None else now - start
    lands = landing(published.history.completed.values())
    return {
        "newestExportId": None if newest is None else newest.export_id,
        "ageHours": None if age is None else round(age / timedelta(hours=1), 1),
        "late": age is not None and age > MISSED_AFTER,
        "lateAfterHours": MISSED_AFTER // timedelta(hours=1),
        "lateToday": start is not None and due.late(now, start),
        "windowEnds": f"{due.last:%H:%M}",
        "usuallyLands": None if lands is None else f"{lands.usual:%H:%M}",
        "latestLanded": None if lands is None else f"{lands.latest:%H:%M}",
        "landingsKnown": 0 if lands is None else lands.exports,
    }


def _export(export: ExportStatus) -> dict[str, Any]:
    duration = export.duration
    return {
        "exportId": export.export_id,
        "mode": export.mode,
        "state": export.state,
        "startedAt": None if export.started_at is None else _to_second(export.started_at),
        "endedAt": None if export.ended_at is None else _to_second(export.ended_at),
        "durationS": None if duration is None else duration.total_seconds(),
        "counts": msgspec.to_builtins(export.counts),
        "reason": export.reason,
        "notes": list(export.notes),
        "startAt": _to_second(export.start),
        "files": [
            {
                "name": file.name,
                "bytes": file.bytes,
                "modifiedAt": _to_second(file.modified_at),
                "rows": file.rows,
            }
            for file in export.files
        ],
    }


def _debts(
    published: PublishedExports, requests: Sequence[ConsumerRecord], now: datetime
) -> dict[str, Any]:
    """Return what is owed, and what was paid last, newest first."""
    owed = debts.standing(published.history, requests, now)
    return {
        "owed": [
            {
                "owes": debt.owes,
                "reason": debt.why,
                "since": None if debt.since is None else _to_second(debt.since),
                "partitions": list(debt.partitions),
            }
            for debt in owed
        ],
        "paid": [
            {
                "owes": paid.debt.owes,
                "reason": paid.debt.reason,
                "since": _to_second(paid.debt.at),
                "partitions": list(paid.debt.partitions),
                "paidBy": paid.paid_by,
                "paidAt": _to_second(paid.paid_at),
            }
            for paid in reversed(published.paid[-_LAST_PAID:])
        ],
    }


def _snapshots(published: PublishedExports, now: datetime) -> dict[str, Any]:
    snapshots = published.history.snapshots()
    newest = max(snapshots, key=lambda event: event.at, default=None)
    return {
        "newest": None if newest is None else newest.export_id,
        "completedAt": None if newest is None else _to_second(newest.at),
        "inLastDay": sum(now - _DAY < event.at <= now for event in snapshots),
    }


def _plans(published: PublishedExports, now: datetime, state: str) -> Iterator[dict[str, Any]]:
    for plan in published.plans():
        if published.state_of(plan, now) == state:
            yield {
                "planId": plan.plan_id,
                "exportId": plan.event.export_id,
                "entity": plan.entity,
                "removals": len(plan.removals),
                "reason": plan.event.reason,
                "heldAt": _to_second(plan.at),
                "decide": _DECIDE.format(plan.plan_id) if state == "held" else None,
            }


def _sweeps(tables: Rows | Unavailable) -> Iterator[dict[str, Any]]:
    """Return the snapshot sweeps that wait for a decision: they are in Postgres alone."""
    for row in [] if isinstance(tables, Unavailable) else tables.get("sweeps", []):
        yield {
            "planId": row["plan_id"],
            "exportId": row["export_id"],
            "entity": row["entity"],
            "removals": row["removals"],
            "reason": row["reason"],
            "heldAt": _to_second(row["created_at"]),
            "decide": _DECIDE.format(row["plan_id"]),
        }


def _lags(lags: Sequence[GroupLag]) -> Iterator[dict[str, Any]]:
    """Return the lag of each consumer on each topic, summed over the partitions."""
    for consumer, topic in dict.fromkeys((entry.consumer, entry.topic) for entry in lags):
        partitions = [entry for entry in lags if (entry.consumer, entry.topic) == (consumer, topic)]
        yield {
            "consumer": consumer,
            "topic": topic,
            "lag": sum(partition.lag for partition in partitions),
            "position": sum(partition.committed or 0 for partition in partitions),
            "end": sum(partition.end for partition in partitions),
            "begun": any(partition.committed is not None for partition in partitions),
        }


def render(gathered: Mapping[str, Any]) -> str:
    """Return how everything stands, in words."""
    return "\n".join(line.text for line in status_lines(gathered))


def _to_second(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
