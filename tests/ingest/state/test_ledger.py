"""The ledger over several partitions: which keys are to be published again, and which aren't.

A key moves to another partition when partitions are added; what lies in the old one stays there.
"""

from __future__ import annotations

from random import Random

import pytest
from compared_rows import START, Feed, facts, refolded
from rows_of_the_feed import framed, pet_row

from ingest.changes.comparison import Comparison
from ingest.changes.event import PETS, Publication
from ingest.state.ledger import Ledger
from petstream.sequence import base_of


@pytest.fixture(scope="module")
def versions() -> list[Publication]:
    """Return three events of one pet, oldest first."""
    feed = Feed()
    for day, name in enumerate(("Rex", "Max", "Bo")):
        feed.read(day, [("pets", [pet_row(1, name=name)])])
    return feed.log


def folded(*placed: tuple[Publication, int]) -> Ledger:
    """Fold records, each in a partition, in the order in which they are read."""
    ledger = Ledger()
    for record, partition in placed:
        assert ledger.fold(record.key.encode(), record.headers, record.value, partition)
    return ledger


def test_a_key_whose_last_record_is_an_older_one_is_stale(versions: list[Publication]) -> None:
    older, newer, _ = versions
    assert folded((newer, 0), (older, 0)).stale == {1}
    assert folded((newer, 0), (older, 0), (newer, 0)).stale == set()


@pytest.mark.parametrize("order", ["old partition first", "new partition first"])
def test_a_key_that_moved_is_not_stale_for_what_it_left_behind(
    versions: list[Publication], order: str
) -> None:
    """More partitions than before: else every run would publish all keys that moved, for ever."""
    older, newer, _ = versions
    placed = [(older, 0), (newer, 7)]
    ledger = folded(*(placed if order.startswith("old") else placed[::-1]))
    assert ledger.stale == set()
    assert ledger.rank(1) == folded((newer, 0)).rank(1)


def test_a_key_that_moved_is_stale_once_and_not_again(versions: list[Publication]) -> None:
    """Its newest is overlaid in the old partition; published again, it lies in the new one."""
    older, newer, _ = versions
    overlaid = [(newer, 0), (older, 0)]
    assert folded(*overlaid).stale == {1}
    again = (newer, 7)
    assert folded(*overlaid, again).stale == set()
    assert folded(again, *overlaid).stale == set()
    assert folded(overlaid[0], again, overlaid[1]).stale == set()


def test_a_damaged_record_in_another_partition_makes_nothing_stale(
    versions: list[Publication],
) -> None:
    _, newer, _ = versions
    ledger = folded((newer, 7))
    assert not ledger.fold(b"1", newer.headers, b"{", 0)
    assert ledger.stale == set()
    assert not ledger.fold(b"1", newer.headers, b"{", 7)
    assert ledger.stale == {1}


@pytest.mark.parametrize("seed", range(200))
def test_a_key_is_stale_if_its_newest_is_the_last_in_no_partition(
    versions: list[Publication], seed: int
) -> None:
    """However the records lie, and in whatever order partitions are read."""
    random = Random(seed)  # noqa: S311  a schedule
    partitions = {
        number: [random.choice(versions) for _ in range(random.randrange(4))] for number in range(3)
    }
    placed: list[tuple[Publication, int]] = []
    queues = {number: list(records) for number, records in partitions.items()}
    while any(queues.values()):
        number = random.choice([number for number, queue in queues.items() if queue])
        placed.append((queues[number].pop(0), number))
    newest = max((versions.index(record) for record, _ in placed), default=None)
    lasts = [versions.index(records[-1]) for records in partitions.values() if records]
    stale = {1} if newest is not None and newest not in lasts else set()
    assert folded(*placed).stale == stale


def test_the_ledger_knows_the_newest_start_and_the_highest_sequence(
    versions: list[Publication],
) -> None:
    oldest, _, newest = versions
    ledger = folded((newest, 0), (oldest, 0))
    assert ledger.newest_start == b"2026-11-04T08:00:00Z"
    assert base_of(ledger.highest_sequence) == int(START.timestamp()) + 2 * 86_400
    assert (ledger.sequence(1), ledger.sequence(2)) == (ledger.highest_sequence, -1)
    feed = Feed()
    feed.read(3, [("pets", [pet_row(2)])])
    later = (feed.log[0], 0)
    for ledger in (folded(later, (newest, 0)), folded((newest, 0), later)):
        assert ledger.newest_start == b"2026-11-05T08:00:00Z", "of any key, whatever came last"
        assert base_of(ledger.highest_sequence) == int(START.timestamp()) + 3 * 86_400
    assert (Ledger().highest_sequence, Ledger().newest_start) == (-1, b"")


def test_a_key_that_left_is_held_and_not_listed() -> None:
    feed = Feed()
    feed.read(0, [("pets", [pet_row(1), pet_row(2)])])
    feed.remove(1, 1)
    ledger = folded(*((record, 0) for record in feed.log))
    assert list(ledger.listed()) == [2]
    assert len(ledger) == 2


def test_the_updates_of_an_export_are_known_without_their_values() -> None:
    """Of those that were just published as of those that are read from the log."""
    feed = Feed()
    feed.read(0, [("pets", [pet_row(key) for key in (1, 2, 3)])])
    feed.read(1, [("updatedpets", [pet_row(1, name="Rex"), pet_row(2, name="Max")])])
    feed.remove(1, 3)
    run = Comparison(PETS, refolded(feed.log), facts(2))
    rows = framed(pet_row(2, name="Bo"), pet_row(3, name="Tom"), pet_row(4))
    feed.log += run.compare(rows, "updatedpets", "updatedpets_1.json").publications
    for ledger in (run.ledger, refolded(feed.log)):
        updates = [
            [entry.event() for entry in ledger.updates_of(facts(day).base)] for day in (0, 1, 2)
        ]
        assert [[event["animalId"] for event in events] for events in updates] == [[], [1], [2]]
        assert {event["op"] for events in updates for event in events} == {"updated"}
