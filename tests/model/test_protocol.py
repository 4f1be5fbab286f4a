"""However a schedule of accidents goes, it ends in the truth of the last whole export.

A seed that fails prints its schedule. More seeds: ``scripts/test --long tests/model``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from profiles import rounds
from protocol import Rules, Table, World

from ingest.changes import change, comparison
from ingest.export import ExportRun
from ingest.state.ledger import Ledger
from petstream import codec
from petstream.codec import decode, row_digest

SEEDS = rounds(200, long=5_000)
SEEDS_OF_A_MUTANT = 400
DAYS = 7


async def schedule(world: World) -> None:
    """Let days with accidents pass, then one without; check what is left."""
    random = world.random
    for _ in range(random.randrange(2, DAYS)):
        if random.random() < 0.85 or world.number == 0:
            for _ in range(random.randrange(1, 4)):
                completed = await world.ingest()
                accidents(world)
                if completed and random.random() < 0.7:
                    break
        else:
            world.say("nobody looked that day")
        if random.random() < 0.5:
            await world.wake_sleepers()
        world.next_day()
    await world.wake_sleepers()
    world.deliver_late()
    world.next_day(healthy=True)
    for _ in range(3):
        if await world.ingest(calm=True):
            break
    world.approve()
    check(world)


def accidents(world: World) -> None:
    """Some of all that may happen beside an ingester."""
    actions: list[Callable[[], None]] = [
        lambda: world.consume("pets", most=world.random.randrange(1, 40)),
        lambda: world.consume("deletions", most=world.random.randrange(1, 40)),
        lambda: world.consume("pets"),
        lambda: world.consume("deletions"),
        lambda: caught_up(world),
        world.deliver_late,
        world.compact,
        world.approve,
        world.back_up,
        world.restore,
        lambda: world.rewind(world.random.choice(["pets", "deletions"])),
    ]
    if world.random.random() < 0.1:
        actions.append(world.empty)
    for action in world.random.choices(actions, k=world.random.randrange(5)):
        action()


def caught_up(world: World) -> None:
    """A consumer that has read all there is holds nothing older than the folded log."""
    for consumer in ("pets", "deletions"):
        world.consume(consumer, calm=True)
    for key, entry in world.ledger().items():
        assert world.table.rows[key][0] >= (entry.sequence, entry.digest), key


def check(world: World) -> None:
    """The tables are the truth; the log ends with each key's newest; a rebuild equals them."""
    for consumer in ("pets", "deletions"):
        world.consume(consumer, calm=True)
    truth = {key: row["name"] for key, row in world.pets.items()}
    assert world.table.listed() == truth
    live = world.table
    world.table, world.committed = Table(), {"pets": {}, "deletions": {}}
    for consumer in ("deletions", "pets"):
        world.consume(consumer, calm=True)
    rebuilt = world.table
    assert rebuilt.rows == live.rows
    assert rebuilt.history.items() <= live.history.items()
    ranks: dict[str, list[tuple[int, str]]] = {}
    for log, records in world.logs.items():
        for _, record in records if log != "exports" else ():
            envelope = decode(record.headers, record.value)
            ranks.setdefault(record.key, []).append((envelope.sequence, envelope.digest))
    for key, ranks_of_key in ranks.items():
        assert ranks_of_key[-1] == max(ranks_of_key), f"the last record of {key} isn't its newest"
    completed = [event.base for event in world.export_history().completed.values()]
    assert len(set(completed)) == len(completed)


def run(seed: int, rules: Rules | None = None) -> None:
    """Run a schedule; say what it was, if it fails."""
    world = World(Random(seed), rules or Rules())  # noqa: S311  seeded on purpose
    try:
        asyncio.run(schedule(world))
    except AssertionError as error:
        error.add_note("\n  ".join([f"seed {seed}:", *world.happened]))
        raise


def run_many(seeds: int, rules: Rules | None) -> None:
    """Run the schedules of the first seeds."""
    for seed in range(seeds):
        run(seed, rules)


@pytest.mark.parametrize("part", range(4))
def test_every_schedule_ends_in_the_truth_of_the_last_whole_export(part: int) -> None:
    for seed in range(part, SEEDS, 4):
        run(seed)


def fold_by_last_offset(patch: pytest.MonkeyPatch) -> None:
    def fold(self: Ledger, key: bytes, headers: Any, value: bytes) -> bool:
        envelope = decode(headers, value)
        raw = row_digest(dict(headers))
        listed = not envelope.type.endswith("removed")
        self.hold(int(key), envelope.sequence, envelope.digest, raw, value, listed=listed)
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
        before = change.updated_at(held)
        older = before is not None and row.updated_at is not None and row.updated_at < before
        return whole(row, sequence, held) or (held.listed and older)

    patch.setattr(comparison, "outdated", outdated)


def stale_keys_stay(patch: pytest.MonkeyPatch) -> None:
    async def mend(_self: ExportRun) -> None:
        return

    patch.setattr(ExportRun, "_republish_stale", mend)


MUTANTS: dict[str, Rules | Callable[[pytest.MonkeyPatch], None]] = {
    "no guard": Rules(guard=False),
    "the batch's last by offset": Rules(newest_of_batch=False),
    "hard delete": Rules(tombstones=False),
    "offset before effect": Rules(effect_before_offset=False),
    "removals and completed before the flush": Rules(flush_waits=False),
    "fold by last offset": fold_by_last_offset,
    "a removed key equals its old row": a_removed_key_equals_its_old_row,
    "lastUpdated decides between exports": last_updated_decides_between_exports,
    "stale keys stay": stale_keys_stay,
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_rule_taken_out_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant = MUTANTS[name]
    if callable(mutant):
        mutant(monkeypatch)
    with pytest.raises(AssertionError):
        run_many(SEEDS_OF_A_MUTANT, mutant if isinstance(mutant, Rules) else None)
