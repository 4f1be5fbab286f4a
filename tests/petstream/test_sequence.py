"""Sequences: below 2^53, growing with exports, the same in whatever mode a row is read."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from petstream.sequence import (
    LIMIT,
    PER_SECOND,
    Family,
    base_of,
    family_of,
    removal_sequence,
    row_sequence,
)

PET_FAMILIES: tuple[Family, ...] = ("updatedpets", "newpets", "pets")
YEAR_2030 = int(datetime(2030, 1, 1, tzinfo=UTC).timestamp())


@given(
    base=st.integers(0, YEAR_2030),
    family=st.sampled_from(PET_FAMILIES),
    index=st.integers(0, 999_999),
)
def test_a_sequence_tells_its_base_and_family(base: int, family: Family, index: int) -> None:
    sequence = row_sequence(base, family, index)
    assert base_of(sequence) == base
    assert family_of(sequence) == family


@given(base=st.integers(0, YEAR_2030), index=st.integers(0, 999_999))
def test_removals_come_after_every_row_and_before_the_next_export(base: int, index: int) -> None:
    rows = [row_sequence(base, family, index) for family in ("orgs", *PET_FAMILIES)]
    assert max(rows) < removal_sequence(base) < row_sequence(base + 1, "updatedpets", 0)


@pytest.mark.parametrize("family", PET_FAMILIES)
def test_the_first_and_the_last_row_of_a_family_tell_it(family: Family) -> None:
    assert family_of(row_sequence(7, family, 0)) == family
    assert family_of(row_sequence(7, family, 999_999)) == family


def test_the_place_of_removals_is_part_of_the_contract() -> None:
    assert removal_sequence(0) == 3_999_000
    assert removal_sequence(2) == 11_999_000


def test_sequences_fit_a_double_for_a_long_time() -> None:
    assert removal_sequence(YEAR_2030) < 2**53
    assert PER_SECOND * YEAR_2030 < 2**53


@pytest.mark.parametrize("family", ["orgs", *PET_FAMILIES])
def test_a_family_without_room_says_so(family: Family) -> None:
    with pytest.raises(OverflowError, match=family):
        row_sequence(1, family, 3_900_000)


def test_all_sequences_are_such_as_a_double_holds_exactly_and_no_fewer() -> None:
    assert int(float(LIMIT - 1)) == LIMIT - 1
    assert float(LIMIT) + 1 == float(LIMIT), "the next one would be rounded"


def test_rows_of_a_family_follow_each_other_from_its_first_place_to_its_last() -> None:
    rooms: dict[Family, int] = {"updatedpets": 1_000_000, "newpets": 1_000_000, "pets": 1_900_000}
    places = [
        row_sequence(0, family, index) for family, room in rooms.items() for index in (0, room - 1)
    ]
    assert places == [0, 999_999, 1_000_000, 1_999_999, 2_000_000, 3_899_999]
    for family, room in [*rooms.items(), ("orgs", 3_900_000)]:
        with pytest.raises(OverflowError):
            row_sequence(0, family, room)
    assert (row_sequence(0, "orgs", 0), row_sequence(0, "orgs", 3_899_999)) == (0, 3_899_999)
