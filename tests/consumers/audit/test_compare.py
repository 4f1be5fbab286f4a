"""What of a comparison is repaired, asked for, or left alone; and the line about it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from consumers.audit.compare import Audit, Difference
from consumers.audit.folded_log import Newest
from consumers.audit.losses import Losses, SweepPlan
from consumers.audit.settlement import difference_line
from petstream.kafka.records import TopicPartition

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
