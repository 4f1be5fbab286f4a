"""The log that petstream 0.1 wrote: read on by this version, to the same state and tables."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from days_of_a_feed import Days, served_days
from kept_log import (
    FIRST_DAY,
    LAST_DAY,
    KeptLog,
    as_kept,
    expectation,
    fingerprint,
    kept_log,
    load,
    put_export,
)

from consumers.app import consume
from consumers.audit import folded_log
from consumers.registry import NAMES
from ingest.state.debts import Offer, choose, debts_of_fold
from ingest.state.ledger import Ledger, MemoryStore
from ingest.state.restore import fold_exports, fold_ledgers
from petstream.kafka.reader import read_topic
from petstream.settings import KafkaAccess, Settings
from petstream.topics import ORGS, PETS

pytestmark = pytest.mark.servers

FIRST_EXPORT, LAST_EXPORT = "2026-11-02T08:05:48Z", "2026-11-07T08:08:37Z"
NEXT_DAY = datetime(2026, 11, 8, 8, tzinfo=UTC)
CONSUMER_ROWS = "SELECT to_jsonb(kept)::text FROM (SELECT {columns} FROM petstream.{table}) AS kept"


@pytest.fixture
def days(tmp_path: Path, kafka: str, prefix: str) -> Iterator[Days]:
    with served_days(
        tmp_path, kafka, prefix, pictures="off", removed_days=None, scrub="off"
    ) as days:
        yield days


async def test_the_ingester_restores_what_it_knew(kafka: str, prefix: str) -> None:
    access, expected = KafkaAccess(kafka), expectation("restored")
    await load(access, prefix, kept_log().records)
    damaged: list[str] = []
    history = await fold_exports(access, prefix)
    ledgers = await fold_ledgers(access, prefix, history, MemoryStore(), damaged.append)
    pets, orgs = ledgers.pets, ledgers.orgs
    assert len(damaged) == 1
    assert not debts_of_fold(history, ledgers.late, ledgers.highest_base, "next")
    assert {"pets": described(pets), "orgs": described(orgs)} == {
        "pets": expected["pets"], "orgs": expected["orgs"],
    }  # fmt: skip
    newest = history.newest
    assert newest is not None
    plans = {plan_id: history.plan(plan_id) for plan_id in history.plan_ids()}
    restored = {
        "completed": sorted(history.completed),
        "started": sorted(history.started),
        "failed": sorted(map(list, history.failed)),
        "unread": history.unread,
        "decided": {plan_id: event.decision for plan_id, event in history.decided.items()},
        "plans": {
            plan_id: [len(plan.removals), plan.entity]
            for plan_id, plan in plans.items()
            if plan is not None
        },
        "held": [plan.plan_id for plan in history.held()],
        "newest": newest.export_id,
        "vocabulary_sha256": fingerprint(
            {name: sorted(values) for name, values in history.vocabulary.items()}
        ),
        "next": [str(part) for part in history.identify(NEXT_DAY, "f")],
        "next_mode": choose(history, "auto", Offer(NEXT_DAY, "f", whole=True), "weekly").mode,
    }
    assert restored == expected["exports"]


async def test_the_audit_folds_the_same(kafka: str, prefix: str) -> None:
    access, expected = KafkaAccess(kafka), expectation("restored")["audit"]
    await load(access, prefix, kept_log().records)
    log = await folded_log.folded(access, prefix)
    for topic in (PETS, ORGS):
        folded = {
            str(key): [
                event.sequence, event.digest, event.listed,
                event.topic_partition.partition, event.offset,
            ]
            for key, event in log.newest[topic.full_name(prefix)].items()
        }  # fmt: skip
        assert {"keys": len(folded), "sha256": fingerprint(folded)} == expected[topic.name]
    assert log.completed is not None
    letters = sorted([*origin, reason] for origin, reason in log.letters.items())
    ends = {str(partition): end.offset for partition, end in log.completed.ends.items()}
    completed = [log.completed.export_id, ends]
    assert as_kept(letters, prefix) == expected["letters"]
    assert as_kept(completed, prefix) == expected["completed"]
    assert (log.passed_over, log.lost) == (expected["passed_over"], expected["lost"])


async def test_the_consumers_make_the_same_tables(
    kafka: str, prefix: str, database_url: str
) -> None:
    access = KafkaAccess(kafka)
    await load(access, prefix, kept_log().records)
    await consume(
        NAMES, Settings(topic_prefix=prefix, pictures="off", removed_days=None), kafka=access,
        database_url=database_url, drain=True, stopping=asyncio.Event(),
    )  # fmt: skip
    expected = expectation("tables")
    made = {
        name: await table_of(database_url, prefix, name, table["columns"])
        for name, table in expected.items()
    }
    assert made == expected


async def test_the_next_export_brings_the_same_events(days: Days) -> None:
    """Every row is looked at again, as the normaliser is a new one; only what changed is said."""
    log = kept_log()
    await load(days.kafka, days.settings.topic_prefix, log.before_last_export())
    put_export(days.home, LAST_DAY)
    await days.ingest()
    await assert_events(days, log, LAST_EXPORT)


async def test_the_same_rows_bring_the_same_events_with_the_same_ids(days: Days) -> None:
    put_export(days.home, FIRST_DAY)
    await days.ingest()
    await assert_events(days, kept_log(), FIRST_EXPORT)


async def assert_events(days: Days, log: KeptLog, export_id: str) -> None:
    for topic in (PETS, ORGS):
        records = await read_topic(days.kafka, topic.full_name(days.settings.topic_prefix))
        published = sorted(
            (record.key, dict(record.headers)["ce_id"], record.value)
            for record in records
            if dict(record.headers).get("ce_exportid") == export_id.encode()
        )
        assert published == log.events(topic.name, export_id)
        assert published


def described(ledger: Ledger) -> dict[str, Any]:
    entries = {
        str(key): [
            entry.sequence, entry.digest, entry.raw_digest.hex(), entry.listed,
            hashlib.sha256(entry.value()).hexdigest(),
        ]
        for key, entry in ledger.items()
    }  # fmt: skip
    return {
        "keys": len(ledger), "listed": len(list(ledger.listed())), "stale": sorted(ledger.stale),
        "sha256": fingerprint(entries),
    }  # fmt: skip


async def table_of(database_url: str, prefix: str, name: str, columns: list[str]) -> dict[str, Any]:
    """Describe a table as 0.1 did."""
    connection = await asyncpg.connect(database_url)
    try:
        query = CONSUMER_ROWS.format(columns=", ".join(columns), table=name)
        texts = [text for (text,) in await connection.fetch(query)]
    finally:
        await connection.close()
    rows = [as_kept(json.loads(text), prefix) for text in texts]
    lines = sorted({json.dumps(row, sort_keys=True) for row in map(_settled, rows) if row})
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    return {"columns": columns, "rows": len(lines), "sha256": digest}


def _that_say_something(row: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes without those that say nothing: 0.1 kept them, later versions don't."""
    if "attributes" not in row:
        return {}
    said = {name: value for name, value in row["attributes"].items() if value not in (None, [], {})}
    return {"attributes": said}


def _settled(row: dict[str, Any]) -> dict[str, Any] | None:
    """Return what of a row doesn't depend on which consumer was first.

    How far dead letters are read does, and what is known of a pet that was gone by then.
    """
    if "dead-letters" in row.get("topic", ""):
        return None
    if row.get("listed") is not False:
        return row | _that_say_something(row)
    key = "animal_id" if "animal_id" in row else "org_id"
    return {name: row[name] for name in (key, "sequence", "digest", "listed", "removed_at")}
