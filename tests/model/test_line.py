"""However a schedule of accidents goes, log and tables end in the truth of the feed: the real code.

Runs of the ingester with publisher, lead and lease, decisions about plans, the consumers with their
audit and its sweeps, replays: all of it is the product's. A list is the log, a dict the database,
and hours take no time (`simulated`). `test_pure_sql` has a real Postgres answer the same.

A seed that fails tells its story. Other seeds: ``PETSTREAM_TEST_SEED=N``; 10,000 of them:
``scripts/test --long tests/model/test_line.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from profiles import chosen_seed, rounds
from simulated import clock, queries, schedule
from simulated.schedule import Kind
from simulated.world import World

from consumers.engine import offsets, runner
from ingest.changes import change, comparison
from ingest.publish.publisher import Publisher
from ingest.state.ledger import Ledger
from petstream import codec
from petstream.codec import decode, row_digest

SEEDS: Final = rounds(40, long=2_500)
"""Schedules of each kind."""

SEEDS_OF_A_MUTANT: Final = 100

FIRST: Final = 1_000_000 * chosen_seed(0)

KINDS: Final[Mapping[str, Kind]] = {
    "any": Kind(),
    "no losses": Kind(losses=False),
    "losses alone": Kind(accidents=False),
    "made anew": Kind(accidents=False, made_anew=True),
}


def run(seed: int, kind: Kind, data_dir: Path) -> World:
    """Run a schedule; say what it was, if it fails."""
    with pytest.MonkeyPatch.context() as patch:
        world = World(seed, data_dir, patch)
        try:
            clock.run(world.clock, schedule.run(world, kind), seed)
        except BaseException as error:
            error.add_note("\n  ".join([f"{kind}, seed {seed}:", *world.happened]))
            raise
    return world


def run_many(data_dir: Path) -> None:
    """Run the schedules of the first seeds, one kind after the other."""
    for seed in range(SEEDS_OF_A_MUTANT):
        run(seed, KINDS["no losses" if seed % 2 else "any"], data_dir)


@pytest.mark.parametrize("part", range(4))
@pytest.mark.parametrize("kind", KINDS)
def test_every_schedule_ends_in_the_truth_of_the_feed(kind: str, part: int, tmp_path: Path) -> None:
    kept = 0
    for seed in range(FIRST + part, FIRST + SEEDS, 4):
        kept += run(seed, KINDS[kind], tmp_path).kept
    assert kept >= SEEDS // 4, "checkpoints were there to be compared with the log"


def test_without_accidents_nothing_is_asked_stated_again_or_swept(tmp_path: Path) -> None:
    for seed in range(FIRST, FIRST + SEEDS // 4):
        world = run(seed, Kind(losses=False, accidents=False), tmp_path)
        history, tables = world.history(), world.database.tables
        assert not history.restated_from, f"seed {seed}: something was stated again"
        assert not tables["sweep_plan"], f"seed {seed}: a sweep was held"
        assert not tables["rewritten_position"], f"seed {seed}: a position was dropped"


Mutant = Callable[[pytest.MonkeyPatch], None]


def a_shorter_log_is_drained_at_once(patch: pytest.MonkeyPatch) -> None:
    async def others_drained(self: Any, connection: Any, ends: Mapping[Any, int]) -> bool:
        held = await offsets.stored(connection, self._consumer.name)
        return all(not end or (at in held and held[at].offset >= end) for at, end in ends.items())

    patch.setattr(f"{runner.__name__}._ConsumerSession._others_drained", others_drained)


KEPT: Final[tuple[tuple[str, int, Mutant], ...]] = (
    ("made anew", 2, a_shorter_log_is_drained_at_once),
)
"""Each violation that was ever found: its kind, its seed, and the fault that it showed."""


@pytest.mark.parametrize(("kind", "seed", "fault"), KEPT)
def test_what_was_found_once_stays_mended(
    kind: str, seed: int, fault: Mutant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(seed, KINDS[kind], tmp_path)
    fault(monkeypatch)
    with pytest.raises(AssertionError):  # else schedules have changed: find a seed that shows it
        run(seed, KINDS[kind], tmp_path)


def no_guard(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(queries, "_rank", lambda _row: (0, ""))


def removals_and_completed_before_the_flush(patch: pytest.MonkeyPatch) -> None:
    async def flush(_self: Publisher) -> None:
        return

    patch.setattr(Publisher, "flush", flush)


def a_position_is_the_groups(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(offsets, "begins_at", lambda _stored, committed, begin, _end: committed or begin)


def fold_by_last_offset(patch: pytest.MonkeyPatch) -> None:
    def fold(self: Ledger, key: bytes, headers: Any, value: bytes, partition: int = 0) -> bool:
        envelope = decode(headers, value)
        self._take(
            int(key), envelope.sequence, envelope.digest, row_digest(dict(headers)), value,
            listed=not envelope.type.endswith("removed"),
            is_update=envelope.type.endswith("updated"), partition=partition,
        )  # fmt: skip
        return True

    patch.setattr(Ledger, "fold", fold)


def a_removed_key_equals_its_old_row(patch: pytest.MonkeyPatch) -> None:
    whole = change.change_of

    def change_of(name: str, record: bytes, sequence: int, held: Any) -> Any:
        same = held is not None and held.digest == codec.digest(record)
        return None if same else whole(name, record, sequence, held)

    patch.setattr(comparison, "change_of", change_of)


def last_updated_decides_between_exports(patch: pytest.MonkeyPatch) -> None:
    whole = change.outdated

    def outdated(row: Any, sequence: int, held: Any) -> bool:
        before = change.updated_at(held) if "pet" in held.event() else None
        older = before is not None and row.updated_at is not None and row.updated_at < before
        return whole(row, sequence, held) or (held.listed and older)

    patch.setattr(comparison, "outdated", outdated)


MUTANTS: Final = (
    no_guard,
    a_position_is_the_groups,
    removals_and_completed_before_the_flush,
    fold_by_last_offset,
    a_removed_key_equals_its_old_row,
    last_updated_decides_between_exports,
)
"""Rules taken out: one of the first schedules breaks then."""


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_rule_taken_out_is_noticed(
    mutant: Mutant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mutant(monkeypatch)
    with pytest.raises(AssertionError):
        run_many(tmp_path)
