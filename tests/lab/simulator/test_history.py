"""The simulated history: what happens on which day, and whether the two accounts of it agree."""

from __future__ import annotations

from datetime import date

import pytest

from lab.simulator import expected, history
from lab.simulator.shapes import encode

SUMMER = date(2026, 7, 1)
SMALL = history(pets=200, days=5)


@pytest.mark.parametrize("pets", [10, 13, 40, 200])
@pytest.mark.parametrize("seed", range(6))
def test_every_day_holds_every_kind_of_change(pets: int, seed: int) -> None:
    known = expected(history(seed, pets, 6), 5)
    for day in range(1, 6):
        of_pets, of_orgs = known.days[day], known.org_days[day]
        assert of_pets.added
        assert of_pets.updated
        assert of_pets.removed
        assert of_orgs.added
        assert of_orgs.updated
        assert bool(of_pets.relisted) == (day > 1)
        assert bool(of_orgs.removed) == (day > 1)


def test_what_is_expected_follows_from_comparing_the_days_row_by_row() -> None:
    known = expected(SMALL, 4)
    seen_before: set[int] = set()
    before: dict[int, dict[str, object]] = {}
    for day, changes in enumerate(known.days):
        now = dict(SMALL.truth(day).pets)
        assert now.keys() - seen_before == changes.added
        assert before.keys() - now.keys() == changes.removed
        assert (now.keys() & seen_before) - before.keys() == changes.relisted
        both = now.keys() & before.keys()
        assert {key for key in both if now[key] != before[key]} == changes.updated
        assert len(both) - len(changes.updated) == changes.unchanged
        seen_before |= now.keys()
        before = now
    assert known.pets == before
    assert known.removed.keys() == seen_before - before.keys()


def test_what_is_expected_of_organisations_follows_from_comparing_the_days() -> None:
    known = expected(SMALL, 4)
    before = dict(SMALL.truth(0).orgs)
    for day in range(1, 5):
        now, changes = dict(SMALL.truth(day).orgs), known.org_days[day]
        assert now.keys() - before.keys() == changes.added
        assert before.keys() - now.keys() == changes.removed
        both = now.keys() & before.keys()
        assert {key for key in both if now[key] != before[key]} == changes.updated
        before = now
    assert known.orgs == before


def test_the_history_of_a_pet_tells_when_it_went() -> None:
    known = expected(SMALL, 4)
    for key, day in known.removed.items():
        assert known.pet_history[key][-1] == (day, "removed")
        assert key not in known.pets


def test_a_pet_that_left_with_its_organisation_stays_away() -> None:
    known = expected(SMALL, 4)
    assert known.removed_orgs
    for row in known.pets.values():
        assert int(row["orgID"]) not in known.removed_orgs


def test_some_pets_belong_to_an_organisation_that_nobody_knows() -> None:
    truth = SMALL.truth(0)
    assert [row for row in truth.pets.values() if int(row["orgID"]) not in truth.orgs]


def test_an_update_moves_the_time_and_something_else() -> None:
    for day in range(1, 5):
        for key in expected(SMALL, day).days[day].updated:
            old, new = SMALL.pet_row(key, day - 1), SMALL.pet_row(key, day)
            changed = {name for name in new if new[name] != old[name]}
            assert int(new["lastUpdated"]) > int(old["lastUpdated"])
            assert changed > {"lastUpdated"}
            assert int(new["lastUpdated"]) < SMALL.start(day).timestamp()
            assert int(new["lastUpdated"]) > SMALL.start(day - 1).timestamp()


def test_a_fifth_of_the_updates_bring_a_picture_and_a_few_only_another_order() -> None:
    feed = history(pets=2000, days=3)
    updated = expected(feed, 2).days[2].updated
    pairs = [(feed.pet_row(key, 1), feed.pet_row(key, 2)) for key in updated]
    moved = [new for old, new in pairs if old["mediaLastUpdated"] != new["mediaLastUpdated"]]
    assert len(moved) == len(updated) // 5
    reordered = [
        1
        for old, new in pairs
        if old["pictures"] != new["pictures"]
        and {picture["mediaID"] for picture in old["pictures"]}
        == {picture["mediaID"] for picture in new["pictures"]}
    ]
    assert 1 <= len(reordered) <= len(updated) // 20


def test_media_ids_are_never_shared() -> None:
    ids = [
        picture["mediaID"]
        for row in history(pets=1500, days=2).truth(1).pets.values()
        for picture in row["pictures"]
    ]
    assert len(ids) == len(set(ids))


def test_the_same_seed_gives_the_same_rows_and_another_seed_others() -> None:
    again, other = history(pets=200, days=5), history(8, 200, 5)
    assert [*SMALL.truth(4).pets.items()] == [*again.truth(4).pets.items()]
    assert [*SMALL.truth(4).pets] != [*other.truth(4).pets]


def test_a_longer_history_begins_like_a_shorter_one() -> None:
    shorter = history(pets=200, days=3)
    assert SMALL.truth(2).pets == shorter.truth(2).pets
    assert expected(SMALL, 2).days == expected(shorter, 2).days


def test_exports_start_about_three_in_new_york_whatever_the_season() -> None:
    winter, summer = history(pets=10, days=3), history(pets=10, first_day=SUMMER)
    assert {winter.start(day).hour for day in range(3)} == {8}
    assert summer.start(0).hour == 7
    assert len({winter.start(day).minute for day in range(3)}) > 1


def test_the_texts_and_fill_rates_are_those_of_the_feed() -> None:
    rows = [*history(pets=1500, days=1).truth(0).pets.values()]
    sizes = sorted(len(encode(row)) for row in rows)

    def share(key: str) -> float:
        return sum(bool(row[key]) for row in rows) / len(rows)

    assert 5_000 < sizes[len(sizes) // 2] < 9_000
    assert sizes[-1] > 900_000
    assert sizes[-2] < 100_000
    assert share("pictures") == pytest.approx(0.97, abs=0.02)
    assert share("descriptionPlain") == pytest.approx(0.70, abs=0.05)
    assert share("contactEmail") == pytest.approx(0.10, abs=0.03)
    assert share("goofy") == pytest.approx(0.12, abs=0.08)
    pictures = sum(len(row["pictures"]) for row in rows) / len(rows)
    assert 2.5 < pictures < 4.0


def test_a_feed_of_full_size_can_be_planned() -> None:
    feed = history(pets=64_000, days=3)
    assert len(feed.truth(2).pets) > 60_000


def test_a_history_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="needs 10 pets"):
        history(pets=9)
    with pytest.raises(IndexError):
        SMALL.truth(5)
