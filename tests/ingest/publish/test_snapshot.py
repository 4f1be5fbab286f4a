"""What a run states again, and what its `completed` says of a snapshot."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from compared_rows import facts, refolded
from msgspec import UNSET
from rows_of_the_feed import framed, org_row, pet_row

from ingest.changes.comparison import Batch, Comparison
from ingest.changes.event import ORGS, PETS, Publication
from ingest.parse.rows import BadRow
from ingest.publish.snapshot import AnnouncedSnapshot, Snapshots
from ingest.state.debts import Choice
from ingest.state.export_history import ExportHistory
from ingest.state.ledger import Ledger
from petstream import codec
from petstream.events import Counts, ExportCounts, ExportEvent, PetEvent, Unstated
from petstream.sequence import PER_SECOND, removal_sequence

START = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)
DAILY, SNAPSHOT = Choice("daily"), Choice("scrub", restating=True)
PETS_AT_FIRST = (pet_row(1), pet_row(2), pet_row(3))


def base(day: int) -> int:
    """Return the base of a day's export."""
    return facts(day).base


def completed(day: int, announced: AnnouncedSnapshot) -> ExportEvent:
    """Return the *completed* of a day."""
    start = START + timedelta(days=day)
    return ExportEvent(
        export_id=facts(day).export_id, mode="scrub", state="completed", at=start,
        counts=ExportCounts(Counts(), Counts()), base=base(day), restated=announced.restated,
        snapshot=announced.snapshot, unstated=announced.unstated,
    )  # fmt: skip


class Log:
    """Days of a feed of pets and organisations, each read by a run that knows the log only."""

    def __init__(self) -> None:
        """Import three pets and one organisation."""
        self.pets: list[Publication] = []
        self.orgs: list[Publication] = []
        self.history = ExportHistory()
        self.read(0, *PETS_AT_FIRST, choice=Choice("initial"))

    def read(
        self,
        day: int,
        *rows: Any,
        choice: Choice = DAILY,
        petlist: tuple[int, ...] = (1, 2, 3),
        believed: bool = True,
    ) -> AnnouncedSnapshot:
        """Read a day's pets_n, remove who isn't in its petlist if that is believed, complete it."""
        snapshots = Snapshots(self.history, base(day), choice)
        pets = Comparison(PETS, refolded(self.pets), facts(day), restate_below=snapshots.below)
        orgs = Comparison(ORGS, refolded(self.orgs), facts(day), restate_below=snapshots.below)
        good = iter(framed(*(row for row in rows if not isinstance(row, BadRow))))
        in_order = [row if isinstance(row, BadRow) else next(good) for row in rows]
        self.batch = pets.compare(in_order, "pets", "pets_1.json")
        self.pets += self.batch.publications
        self.orgs += orgs.compare(framed(org_row()), "orgs", "orgs_1.json").publications
        for key in sorted(set(pets.ledger.listed()) - set(petlist)) if believed else ():
            removal = pets.removal(key, removal_sequence(base(day)))
            self.pets += [] if removal is None else [removal]
        self.counts = pets.counts
        announced = snapshots.announced(pets, orgs, petlist, believed=believed)
        self.history.fold(completed(day, announced))
        return announced

    def lose(self, *keys: int) -> None:
        """Lose all records of pets."""
        self.pets = [record for record in self.pets if int(record.key) not in keys]


def described(batch: Batch) -> list[tuple[int, str, int, bool]]:
    """Return key, op, sequence and whether it is stated again, of each record."""
    events = [codec.decode(record.headers, record.value) for record in batch.publications]
    return [
        (event.event.animal_id, event.event.op, event.sequence, event.restated)
        for event in events
        if isinstance(event.event, PetEvent)
    ]


def test_a_snapshot_states_every_key_again_at_its_rows_place() -> None:
    log = Log()
    announced = log.read(1, *PETS_AT_FIRST, choice=SNAPSHOT)
    first = base(1) * PER_SECOND
    assert described(log.batch) == [
        (key, "updated", first + 2_000_000 + key - 1, True) for key in (1, 2, 3)
    ]
    assert (log.counts.unchanged, log.counts.updated) == (3, 0)
    assert announced == AnnouncedSnapshot(first, first, Unstated())


def test_what_changed_is_said_as_a_change_and_what_was_lost_as_new() -> None:
    log = Log()
    log.lose(2)
    log.read(1, pet_row(1, name="Max"), pet_row(2), pet_row(3), choice=SNAPSHOT)
    assert [line[1::2] for line in described(log.batch)] == [
        ("updated", False), ("added", False), ("updated", True),
    ]  # fmt: skip


def test_read_again_a_snapshot_says_nothing_twice() -> None:
    """It was killed before its end; what it said has its base."""
    log = Log()
    log.read(1, pet_row(1), choice=SNAPSHOT, believed=False)
    log.history = ExportHistory()
    log.read(1, *PETS_AT_FIRST, choice=SNAPSHOT)
    assert [line[0] for line in described(log.batch)] == [2, 3]


def test_a_row_that_is_equal_once_normalised_is_stated_again_too() -> None:
    log = Log()
    turned = dict(reversed(pet_row(1).items()))
    log.read(1, turned, pet_row(2), pet_row(3), choice=SNAPSHOT)
    assert [line[3] for line in described(log.batch)] == [True, True, True]


def test_a_key_without_a_good_row_keeps_what_is_held_and_is_stated_at_its_next_one() -> None:
    log = Log()
    bad = BadRow(9, 100, "not-json", "no colon", b"{")
    announced = log.read(1, pet_row(1), bad, pet_row(3), choice=SNAPSHOT)
    first = base(1) * PER_SECOND
    assert announced == AnnouncedSnapshot(first, first, Unstated((2,), ()))
    assert [line[0] for line in described(log.batch)] == [1, 3]
    announced = log.read(2, bad)
    assert announced == AnnouncedSnapshot(UNSET, first, Unstated((2,), ()))
    announced = log.read(3, *PETS_AT_FIRST)
    assert [line[0] for line in described(log.batch)] == [2]
    assert announced == AnnouncedSnapshot(UNSET, first, Unstated())
    log.read(4, *PETS_AT_FIRST)
    assert described(log.batch) == []


def test_a_pet_that_only_the_petlist_names_is_unstated() -> None:
    """It is listed, and nobody may unlist it: it has no row that could state it."""
    log = Log()
    log.lose(2)
    announced = log.read(1, pet_row(1), pet_row(3), choice=SNAPSHOT)
    assert announced.unstated == Unstated((2,), ())


def test_an_event_that_comes_late_does_not_take_its_key_out_of_unstated() -> None:
    """A dead leader's record lists the key again, below the snapshot."""
    log = Log()
    late = next(record for record in log.pets if record.key == "2")
    log.lose(2)
    log.read(1, pet_row(1), pet_row(3), choice=SNAPSHOT)
    log.pets.append(late)
    assert log.read(2).unstated == Unstated((2,), ())


def test_a_pet_that_was_removed_and_is_on_the_petlist_again_is_unstated() -> None:
    """It has no row yet that lists it again: who still has it may keep it."""
    log = Log()
    log.read(1, *PETS_AT_FIRST, choice=SNAPSHOT)
    log.read(2, petlist=(1, 3))
    assert log.read(3).unstated == Unstated((2,), ())


def test_who_left_is_removed_and_not_unstated() -> None:
    log = Log()
    announced = log.read(1, pet_row(1), pet_row(3), choice=SNAPSHOT, petlist=(1, 3))
    assert announced.unstated == Unstated()
    assert not refolded(log.pets).came_from(2, b"")
    assert set(refolded(log.pets).listed()) == {1, 3}


def test_while_the_petlist_is_not_believed_nothing_is_announced_and_then_it_is() -> None:
    """Without restating again: the next run whose removals are published announces it."""
    log = Log()
    first = base(1) * PER_SECOND
    announced = log.read(1, *PETS_AT_FIRST, choice=SNAPSHOT, believed=False)
    assert announced == AnnouncedSnapshot(restated=first)
    assert log.read(2, believed=False) == AnnouncedSnapshot(restated=first)
    announced = log.read(3, *PETS_AT_FIRST)
    assert described(log.batch) == []
    assert announced == AnnouncedSnapshot(snapshot=first, unstated=Unstated())


def test_while_a_later_petlist_is_not_believed_the_last_unstated_is_carried_on() -> None:
    log = Log()
    first = base(1) * PER_SECOND
    log.read(1, pet_row(1), pet_row(3), choice=SNAPSHOT)
    announced = log.read(2, petlist=(1,), believed=False)
    assert announced == AnnouncedSnapshot(snapshot=first, unstated=Unstated((2,), ()))


def test_an_organisation_without_a_row_is_neither_stated_nor_unstated() -> None:
    """Its list are its rows: who has none has left, and is removed where that is believed."""
    log = Log()
    announced = log.read(1, *PETS_AT_FIRST, choice=SNAPSHOT)
    assert isinstance(announced.unstated, Unstated)
    assert announced.unstated.orgs == ()
    assert [codec.decode(record.headers, record.value).restated for record in log.orgs] == [
        False, True,
    ]  # fmt: skip


def test_while_a_snapshot_is_owed_and_impossible_none_is_carried_on() -> None:
    """The log isn't what the last one says any more."""
    log = Log()
    log.read(1, *PETS_AT_FIRST, choice=SNAPSHOT)
    assert log.read(2, choice=Choice("daily", unpaid="snapshot")) == AnnouncedSnapshot()
    assert log.read(3).snapshot == base(1) * PER_SECOND


def test_before_the_first_snapshot_nothing_is_said_of_one() -> None:
    log = Log()
    assert log.read(1, *PETS_AT_FIRST) == AnnouncedSnapshot()
    assert Comparison(PETS, Ledger(), facts()).restated == 0
