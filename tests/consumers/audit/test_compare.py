"""What of a comparison is repaired, asked for, or left alone; and the line about it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from consumers.audit import compare as compare_module
from consumers.audit.compare import Audit, Difference, TableRow, TableSnapshot, compare
from consumers.audit.folded_log import Log, Newest, Snapshot
from consumers.audit.losses import Losses, SweepPlan
from consumers.audit.settlement import difference_line
from petstream.events import LogEnd, Unstated
from petstream.kafka.records import TopicPartition
from petstream.settings import KafkaAccess

HERE, THERE = TopicPartition("pets.v1", 0), TopicPartition("pets.v1", 1)
NOTHING = Losses(rewritten=(), question=None, plans=())


def audit(*differences: Difference, **changes: Any) -> Audit:
    base = Audit(
        keys={}, differences=list(differences), lags={}, completed=None, snapshot=None,
        sweepable=False, lost=[], blocked=frozenset(), unstated=0, losses=NOTHING, passed_over=0,
    )  # fmt: skip
    return base._replace(**changes)


def newest(place: TopicPartition) -> Newest:
    return Newest(sequence=7, digest="d", listed=True, topic_partition=place, offset=3)


def test_trouble_in_one_partition_or_table_keeps_only_that_from_repair() -> None:
    pets_here = Difference("pets", "missing", 1, newest(HERE))
    pets_there = Difference("pets", "behind", 2, newest(THERE))
    pictures_here = Difference("pictures", "missing", 1, newest(HERE))
    result = audit(pets_here, pets_there, pictures_here, blocked=frozenset({("pets", HERE)}))
    assert result.repairable == [pets_there, pictures_here]


@pytest.mark.parametrize("kind", ["ahead", "left"])
def test_what_the_log_cannot_explain_is_not_repaired_by_it(kind: Any) -> None:
    assert audit(Difference("pets", kind, 1, newest(HERE), sequence=9)).repairable == []


def test_a_snapshot_is_asked_for_above_the_highest_row_that_is_ahead_and_only_for_those() -> None:
    rows = [
        Difference("pets", "ahead", 1, None, sequence=50),
        Difference("organizations", "ahead", 2, newest(HERE), sequence=70),
        Difference("pets", "left", 3, None, sequence=90),
        Difference("pets", "behind", 4, newest(HERE), sequence=95),
    ]
    assert audit(*rows).to_ask_above == 70
    assert audit(*rows[2:]).to_ask_above is None


def test_a_person_keeps_pets_on_the_lists_against_one_snapshot_and_not_the_next() -> None:
    def plan(entity: Any, state: str, *keys: int) -> SweepPlan:
        at = datetime(2026, 11, 23, tzinfo=UTC)
        return SweepPlan("x.sweep", "x", 50, entity, "why", keys, at, at, state, None, None)

    known = Losses((), None, (plan("pets", "rejected", 1), plan("pets", "held", 2)))
    assert known.kept("pets", 50) == {1}
    assert known.kept("pets", 60) == known.kept("orgs", 50) == frozenset()
    assert [held.keys for held in known.held] == [(2,)]


def test_the_line_says_what_differed_what_still_does_and_where_to_look() -> None:
    missing = Difference("pets", "missing", 1, newest(HERE))
    assert difference_line("x", audit(missing), audit(), []) == (
        "audit after x: the tables differed from the log (pets missing 1); all was put right"
    )
    lost = audit(missing, lost=["pets.v1/0 lost something"])
    assert difference_line("x", lost, lost, []) == (
        "audit after x: pets.v1/0 lost something: the tables differed from the log "
        "(pets missing 1); 1 still do: see 'petstream audit'"
    )


class _Tables:
    """A comparison of one table's rows with events, without a server."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.log, self.rows = Log("t."), dict[int, TableRow]()
        self.positions: dict[str, dict[TopicPartition, LogEnd]] = {
            name: {TopicPartition("t.pets.v1", 0): LogEnd(100)}
            for name in ("pets", "deletions", "images")
        }
        self.losses = NOTHING

        @asynccontextmanager
        async def connected(_url: str, *, only_reads: bool) -> AsyncIterator[None]:  # noqa: ARG001  as the real one
            yield None

        async def snapshot(_connection: object) -> TableSnapshot:
            rows = {"pets": self.rows, "organizations": {}, "pictures": {}}
            return TableSnapshot(rows, self.positions, self.losses)  # type: ignore[arg-type]  # keys are tables

        async def folded(*_: object) -> Log:
            return self.log

        async def standings(_access: object, positions: Any) -> dict[TopicPartition, str]:
            return dict.fromkeys(positions, "there")

        for name, stub in {
            "connected": connected, "_snapshot": snapshot, "folded": folded,
            "standings": standings,
        }.items():  # fmt: skip
            monkeypatch.setattr(compare_module, name, stub)

    def event(self, key: int, sequence: int, *, listed: bool = True, offset: int = 3) -> None:
        place = TopicPartition("t.pets.v1", 0)
        self.log.newest["t.pets.v1"][key] = Newest(sequence, "d", listed, place, offset)

    def row(self, key: int, sequence: int, *, listed: bool = True, digest: str = "d") -> None:
        self.rows[key] = TableRow(sequence, digest, listed)

    def snapshot(self, sequence: int, *unstated: int) -> None:
        at = datetime(2026, 11, 23, tzinfo=UTC)
        self.log.snapshot = Snapshot(sequence, 1, "x", at, {}, Unstated(pets=unstated))

    async def compared(self) -> Audit:
        return await compare(KafkaAccess("nowhere:1"), "", "t.")

    async def kinds(self, consumer_of: str = "pets") -> dict[int, str]:
        return {
            each.key: each.kind
            for each in (await self.compared()).differences
            if each.table == consumer_of
        }


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> _Tables:
    return _Tables(monkeypatch)


async def test_a_row_is_right_only_as_its_keys_newest_event_says(tables: _Tables) -> None:
    for key in range(1, 8):
        tables.event(key, 50, listed=key != 7)
    tables.row(1, 50)
    tables.row(2, 40)
    tables.row(3, 50, digest="c")
    tables.row(4, 50, listed=False)
    tables.row(6, 60)
    tables.row(7, 50)
    assert await tables.kinds() == {
        2: "behind", 3: "behind", 4: "listing", 5: "missing", 6: "ahead", 7: "listing",
    }  # fmt: skip


async def test_what_a_consumer_still_has_before_it_is_no_difference(tables: _Tables) -> None:
    """An addition is for the consumer pets, a removal for deletions."""
    tables.event(1, 50, offset=99)
    tables.event(2, 50, offset=100)
    tables.event(3, 50, listed=False, offset=20)
    for key in (1, 2, 3):
        tables.row(key, 40)
    tables.positions["deletions"] = {TopicPartition("t.pets.v1", 0): LogEnd(20)}
    assert await tables.kinds() == {1: "behind"}


async def test_below_a_snapshot_what_the_log_does_not_explain_has_left(tables: _Tables) -> None:
    tables.snapshot(100, 3)
    at = datetime(2026, 11, 23, tzinfo=UTC)
    kept = SweepPlan("x.sweep", "x", 100, "pets", "why", (4,), at, at, "rejected", None, None)
    tables.losses = Losses((), None, (kept,))
    tables.row(1, 90)
    tables.row(2, 90, listed=False)
    tables.row(3, 90)  # the snapshot couldn't state it
    tables.row(4, 90)  # a person kept it
    tables.row(5, 90)
    tables.event(5, 80)  # the log lists it, though by an older event
    tables.row(6, 101)
    tables.row(7, 100)
    tables.row(8, 100, listed=False)  # its tombstone is as good as the log's word
    assert await tables.kinds() == {1: "left", 6: "ahead", 7: "ahead"}
    assert (await tables.compared()).unstated == 2
