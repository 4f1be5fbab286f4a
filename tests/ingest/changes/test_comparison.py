"""What rows mean against the ledger: the heart of the ingester, in pure form."""

from __future__ import annotations

from typing import Any

import pytest
from compared_rows import START, Feed, event_of, facts, refolded
from hypothesis import given, settings
from hypothesis import strategies as st
from rows_of_the_feed import framed, org_row, pet_row, picture

from ingest.changes.comparison import Comparison
from ingest.changes.event import ORGS, PETS, Publication
from ingest.state.ledger import Ledger
from petstream.codec import ROW_DIGEST
from petstream.sequence import Family


def unmarked(log: list[Publication]) -> list[Publication]:
    """Return a log whose records don't say what bytes they came from."""
    return [
        record._replace(headers=tuple(pair for pair in record.headers if pair[0] != ROW_DIGEST))
        for record in log
    ]


_PETS_OF_A_DAY = st.lists(
    st.tuples(
        st.integers(1, 6),
        st.sampled_from(["", "Rex", "Rex ", "R\u00e9x", "\U0001f600"]),
        st.sampled_from(["1755230411", "1755230412", ""]),
        st.sampled_from(["0", "", "45.5", "big"]),
        st.integers(0, 2),
    ),
    max_size=12,
)


@given(_PETS_OF_A_DAY, _PETS_OF_A_DAY)
def test_rows_whose_bytes_are_known_mean_what_they_mean_when_they_are_parsed(
    first: list[Any], second: list[Any]
) -> None:
    def rows(day: list[Any]) -> list[dict[str, Any]]:
        return [
            pet_row(
                key, name=name, lastUpdated=stamp, sizePotential=size,
                pictures=[picture(102900001 + number, 1 + number) for number in range(pictures)],
            )
            for key, name, stamp, size, pictures in day
        ]  # fmt: skip

    before = Comparison(PETS, Ledger(), facts(0))
    log = before.compare(framed(*rows(first)), "pets", "pets_1.json").publications
    runs = []
    for ledger in (refolded(log), refolded(unmarked(log))):
        run = Comparison(PETS, ledger, facts(1))
        made = [run.compare([row], "pets", "pets_1.json") for row in framed(*rows(first + second))]
        runs.append((made, run.counts, set(run.present())))
    assert runs[0] == runs[1]


@settings(max_examples=60)
@given(_PETS_OF_A_DAY, _PETS_OF_A_DAY, st.integers(2, 12), st.sampled_from([0, 2**53]))
def test_however_many_rows_are_compared_at_once_they_come_to_the_same(
    first: list[Any], second: list[Any], at_once: int, below: int
) -> None:
    """A batch of rows that are all known goes a shorter way."""

    def rows(day: list[Any]) -> list[Any]:
        return framed(*(pet_row(key, name=name, lastUpdated=at) for key, name, at, _, _ in day))

    held = list({pet[0]: pet for pet in first}.values())
    before = Comparison(PETS, Ledger(), facts(0))
    log = before.compare(rows(held), "pets", "pets_1.json").publications
    runs = []
    for size in (1, at_once):
        run = Comparison(PETS, refolded(log), facts(1), restate_below=below)
        made = []
        for family, day in read_in_order(held * 2, held + second + held):
            read = rows(day)
            for begin in range(0, len(read), size):
                made += run.compare(read[begin : begin + size], family, "x_1.json").publications
        runs.append((made, run.counts, dict(run.odd), run.restated, set(run.present())))
    assert runs[0] == runs[1]


@pytest.mark.parametrize(
    "damage",
    [
        lambda record: record._replace(value=b"{"),
        lambda record: record._replace(value=b""),
        lambda record: record._replace(value=record.value.replace(b'"sequence":', b'"sequence":1')),
        lambda record: record._replace(headers=()),
        lambda record: record._replace(headers=(*record.headers, ("ce_source", b"/somebody/else"))),
        lambda record: record._replace(headers=(*record.headers, ("ce_sequence", b"many"))),
    ],
)
def test_t44_a_damaged_record_is_not_believed_and_its_pet_is_published_again(damage: Any) -> None:
    feed = Feed()
    feed.read(0, [("pets", [pet_row(1), pet_row(2)])])
    feed.log[1] = damage(feed.log[1])
    ledger = Ledger()
    believed = [
        ledger.fold(record.key.encode(), record.headers, record.value) for record in feed.log
    ]
    assert (believed, ledger.stale, len(ledger)) == ([True, False], set(), 1)
    run = Comparison(PETS, ledger, facts(1))
    (again,) = run.compare(framed(pet_row(1), pet_row(2)), "pets", "pets_1.json").publications
    assert (event_of(again).op, event_of(again).animal_id) == ("added", 2)


def test_t44_a_damaged_record_behind_a_good_one_makes_its_key_stale() -> None:
    feed = Feed()
    feed.read(0, [("pets", [pet_row(1)])])
    ledger = refolded(feed.log)
    assert not ledger.fold(b"1", feed.log[0].headers, b"{")
    assert ledger.stale == {1}
    assert Comparison(PETS, ledger, facts(1)).again(1) == feed.log[0]


@pytest.mark.parametrize("key", [b"", b"one", b"-1", b"1" * 19])
def test_a_record_under_a_key_that_is_no_id_is_passed_over(key: bytes) -> None:
    feed = Feed()
    feed.read(0, [("pets", [pet_row(1)])])
    ledger = Ledger()
    assert not ledger.fold(key, feed.log[0].headers, feed.log[0].value)
    assert (len(ledger), ledger.stale) == (0, set())


def test_a_new_pet_is_added_with_its_whole_record() -> None:
    (event,) = Feed().read(0, [("pets", [pet_row()])])
    assert (event.op, event.animal_id, event.changed, event.old) == ("added", 22611034, (), {})
    assert event.pet.name == "Biscuit &amp; Jam "
    assert event.first_seen_at == START
    assert (event.source.file, event.source.row) == ("pets_1.json", 1)


def test_reading_the_same_export_again_publishes_nothing() -> None:
    feed = Feed()
    files: list[tuple[Family, list[Any]]] = [("pets", [pet_row(1), pet_row(2), pet_row(3)])]
    feed.read(0, files)
    assert feed.read(0, files) == []
    assert feed.counts["unchanged"] == 3


def test_the_same_export_into_nothing_makes_the_same_events_with_the_same_ids() -> None:
    first, second = Feed(), Feed()
    for feed in (first, second):
        feed.read(0, [("pets", [pet_row(1), pet_row(2)])])
    assert first.log == second.log


def test_a_change_says_what_changed_and_what_it_was() -> None:
    feed = Feed()
    feed.read(0, [("pets", [pet_row(adoptionFee="250")])])
    (event,) = feed.read(
        1, [("updatedpets", [pet_row(adoptionFee="200", lastUpdated="1755240000")])]
    )
    assert event.op == "updated"
    assert set(event.changed) == {"adoptionFee", "updatedAt"}
    assert event.old["adoptionFee"] == "250"
    assert event.first_seen_at == START


def test_other_bytes_of_the_same_meaning_publish_nothing() -> None:
    feed = Feed()
    feed.read(0, [("pets", [pet_row()])])
    reordered = dict(reversed(pet_row().items()))
    assert feed.read(1, [("updatedpets", [reordered])]) == []


def test_the_newest_row_of_an_export_wins_and_ties_go_to_the_update() -> None:
    feed = Feed()
    old, same, new = (
        pet_row(name=n, lastUpdated=t)
        for n, t in (("old", "1755230000"), ("same", "1755230411"), ("new", "1755239999"))
    )
    update = pet_row(name="update", lastUpdated="1755230411")
    feed.read(0, [("updatedpets", [update]), ("newpets", [same]), ("pets", [old])])
    assert [event_of(record).pet.name for record in feed.log] == ["update"]
    feed.read(0, [("updatedpets", [update]), ("newpets", [same]), ("pets", [new])])
    assert [event_of(record).pet.name for record in feed.log] == ["update", "new"]


def test_within_a_file_the_later_row_wins_a_tie() -> None:
    feed = Feed()
    rows = [pet_row(name="first"), pet_row(name="second")]
    feed.read(0, [("pets", rows)])
    assert event_of(feed.log[-1]).pet.name == "second"
    assert feed.read(0, [("pets", rows)]) == []


def test_between_exports_the_newer_export_wins_whatever_last_updated_says() -> None:
    feed = Feed()
    feed.read(0, [("pets", [pet_row(name="before", lastUpdated="1755239999")])])
    (event,) = feed.read(1, [("pets", [pet_row(name="after", lastUpdated="1755230000")])])
    assert event.pet.name == "after"
    assert feed.read(0, [("pets", [pet_row(name="long ago", lastUpdated="1999999999")])]) == []


def test_a_pet_that_left_and_came_back_the_same_is_relisted() -> None:
    feed = Feed()
    feed.read(0, [("pets", [pet_row()])])
    removed = feed.remove(1, 22611034)
    assert removed is not None
    assert (removed.op, removed.changed, removed.pet.name) == (
        "removed", ("listed",), "Biscuit &amp; Jam ",
    )  # fmt: skip
    (event,) = feed.read(2, [("newpets", [pet_row()])])
    assert (event.op, event.changed, event.first_seen_at) == ("relisted", (), START)


def test_a_row_of_the_export_that_removed_it_does_not_bring_a_pet_back() -> None:
    feed = Feed()
    feed.read(0, [("pets", [pet_row()])])
    feed.remove(1, 22611034)
    assert feed.read(1, [("pets", [pet_row(name="other")])]) == []
    assert feed.read(1, [("pets", [pet_row()])]) == []


def test_a_removal_is_never_published_over_something_newer() -> None:
    feed = Feed()
    feed.read(2, [("pets", [pet_row()])])
    assert feed.remove(1, 22611034) is None
    assert feed.remove(2, 22611034) is not None
    assert feed.remove(2, 22611034) is None


def test_a_removal_says_that_the_pet_was_listed_and_what_it_was() -> None:
    feed = Feed()
    feed.read(0, [("pets", [pet_row()])])
    event = feed.remove(1, 22611034)
    assert event is not None
    assert (event.op, event.changed, event.old) == ("removed", ("listed",), {"listed": True})
    assert event.pet == event_of(feed.log[0]).pet


def test_an_older_event_appended_late_makes_the_key_stale_until_it_is_said_again() -> None:
    feed = Feed()
    feed.read(0, [("pets", [pet_row(name="old")])])
    late = feed.log[0]
    feed.read(1, [("pets", [pet_row(name="new")])])
    newest = feed.log[-1]
    ledger = refolded([*feed.log, late])
    assert ledger.stale == {22611034}
    run = Comparison(PETS, ledger, facts(2))
    assert run.again(22611034) == newest
    assert refolded([*feed.log, late, newest]).stale == set()


def test_bad_rows_are_refused_one_by_one() -> None:
    run = Comparison(PETS, Ledger(), facts())
    rows = framed(pet_row(1), b"false", b'{"animalID":"x"}', b'{"cut', pet_row(2))
    batch = run.compare(rows, "pets", "pets_1.json")
    assert [record.key for record in batch.publications] == ["1", "2"]
    assert [(refused.row.number, refused.row.offset) for refused in batch.refused] == [
        (row.number, row.offset) for row in rows[1:4]
    ]
    assert (run.counts.read, run.counts.refused, run.counts.added) == (5, 3, 2)


def test_the_time_stamp_row_is_no_organisation_and_no_refusal() -> None:
    run = Comparison(ORGS, Ledger(), facts())
    rows = framed(b'{"exportStarted":"2026-11-02 03:04:05"}', org_row())
    batch = run.compare(rows, "orgs", "orgs_1.json")
    assert [record.key for record in batch.publications] == ["701"]
    assert batch.refused == []
    assert run.present() == {701}


@pytest.mark.parametrize("family", ["updatedpets", "newpets", "pets"])
def test_every_sequence_is_a_safe_integer_and_its_base_the_start(family: Family) -> None:
    (event,) = Feed().read(0, [(family, [pet_row()])])
    assert event.sequence < 2**53
    assert event.sequence // 4_000_000 == int(START.timestamp())


pets_of_a_day = st.lists(
    st.tuples(
        st.integers(1, 4), st.sampled_from(["a", "b", "c"]), st.integers(1755230000, 1755230003)
    ),
    max_size=6,
)
days = st.lists(st.tuples(pets_of_a_day, pets_of_a_day, st.integers(0, 12)), max_size=5)


def read_in_order(updated: Any, full: Any) -> list[tuple[Family, Any]]:
    """Name the families of a day's rows in the order they are read."""
    return [("updatedpets", updated), ("pets", full)]


@settings(max_examples=60)
@given(days)
def test_a_crash_anywhere_and_a_second_reading_end_in_the_undisturbed_state(
    history: list[tuple[Any, Any, int]],
) -> None:
    smooth, crashed = Feed(), Feed()
    for day, (updated, full, cut) in enumerate(history):
        files: list[tuple[Family, list[Any]]] = [
            (family, [pet_row(key, name=name, lastUpdated=str(at)) for key, name, at in rows])
            for family, rows in read_in_order(updated, full)
        ]
        smooth.read(day, files)
        before = len(crashed.log)
        crashed.read(day, files)
        del crashed.log[before + cut :]
        crashed.read(day, files)
        for key in range(1, 5):
            undisturbed, second = refolded(smooth.log).get(key), refolded(crashed.log).get(key)
            assert (undisturbed and undisturbed.event()["pet"]) == (
                second and second.event()["pet"]
            )
    by_key: dict[str, int] = {}
    for record in crashed.log:
        sequence = event_of(record).sequence
        assert sequence > by_key.get(record.key, 0)
        by_key[record.key] = sequence


@pytest.mark.parametrize(
    "stamp",
    [
        b'{"exportDate":"20261120"}', b'{"count":6200,"at":"Fri, 20 Nov 2026 03:00:01 -0500"}',
        b'["2026-11-20 03:00:01"]', b'"2026-11-20 03:00:01"', b'{"export":{"at":"11/20/2026"}}',
    ],
)  # fmt: skip
def test_f4_a_stamp_row_of_whatever_shape_is_no_refusal(stamp: bytes) -> None:
    """F4: a refused row among the organisations would hold every removal of them."""
    run = Comparison(ORGS, Ledger(), facts())
    batch = run.compare(framed(stamp, b'{"orgID":"7","name":"Paws"}'), "orgs", "orgs_1.json")
    assert (batch.refused, run.counts.read, run.counts.added) == ([], 1, 1)


@pytest.mark.parametrize(
    "row", [b"false", b"null", b'["Paws"]', b'{"name":"Paws"}', b'{"at":"soon"}']
)
def test_f4_what_says_no_time_is_no_stamp_row(row: bytes) -> None:
    """F4: it is refused, and so it's seen."""
    run = Comparison(ORGS, Ledger(), facts())
    assert len(run.compare(framed(row), "orgs", "orgs_1.json").refused) == 1


def test_a_newer_row_of_the_export_that_removed_it_does_not_bring_a_pet_back() -> None:
    """The petlist, or a person, has decided about this very export."""
    feed = Feed()
    feed.read(0, [("pets", [pet_row()])])
    feed.remove(1, 22611034)
    assert feed.read(1, [("pets", [pet_row(name="newer", lastUpdated="1755239999")])]) == []


def test_a_row_that_wins_behind_a_higher_place_has_a_higher_sequence_all_the_same() -> None:
    feed = Feed()
    full, update = pet_row(name="full"), pet_row(name="update", lastUpdated="1755239999")
    (first,) = feed.read(0, [("pets", [full])])
    (second,) = feed.read(0, [("updatedpets", [update])])
    assert second.sequence == first.sequence + 1


def test_contacts_that_are_not_published_any_more_have_changed() -> None:
    """Whoever keeps them by what changed has to learn that they are gone."""
    with_contacts = Comparison(PETS, Ledger(), facts(0)._replace(publish_contacts=True))
    log = with_contacts.compare(framed(pet_row()), "pets", "pets_1.json").publications
    without = Comparison(PETS, refolded(log), facts(1))
    (record,) = without.compare(framed(pet_row()), "pets", "pets_1.json").publications
    event = event_of(record)
    assert {"contactName", "contactEmail"} <= set(event.changed)
    assert event.old["contactName"] == "Jo"
