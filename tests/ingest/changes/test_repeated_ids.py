"""An id that stands in an export several times: which row wins (T20, T29)."""

from __future__ import annotations

from typing import Any

import pytest
from compared_rows import Feed
from hypothesis import given
from hypothesis import strategies as st
from rows_of_the_feed import pet_row

from petstream.sequence import Family

ORDER: tuple[Family, ...] = ("updatedpets", "newpets", "pets")


def name_after(rows: list[tuple[Family, str, str]]) -> str | None:
    """Return the name a pet ends with, of rows (family, lastUpdated, name) in the files' order."""
    feed = Feed()
    files: list[tuple[Family, list[Any]]] = [
        (
            family,
            [
                pet_row(7, lastUpdated=at and f"1755230{at}", name=name)
                for row_family, at, name in rows
                if row_family == family
            ],
        )
        for family in ORDER
    ]
    events = feed.read(0, files)
    return max(events, key=lambda event: event.sequence).pet.name


@pytest.mark.parametrize(
    ("rows", "winner"),
    [
        ([("updatedpets", "100", "old"), ("newpets", "200", "new")], "new"),
        ([("updatedpets", "200", "new"), ("newpets", "100", "old")], "new"),
        ([("updatedpets", "100", "updated"), ("newpets", "100", "new"), ("pets", "100", "full")],
         "updated"),
        ([("newpets", "100", "new"), ("pets", "100", "full")], "new"),
        ([("newpets", "100", "new"), ("pets", "101", "full")], "full"),
        ([("pets", "100", "first"), ("pets", "100", "later")], "later"),
        ([("pets", "101", "first"), ("pets", "100", "later")], "first"),
        ([("updatedpets", "", "no time"), ("pets", "100", "full")], "full"),
    ],
)  # fmt: skip
def test_t20_the_newest_last_updated_wins_and_ties_go_to_updated_new_full_later_row(
    rows: list[tuple[Family, str, str]], winner: str
) -> None:
    """T20: new, updated and full files, and twice within one."""
    assert name_after(rows) == winner


@given(
    st.lists(
        st.tuples(st.sampled_from(ORDER), st.sampled_from(["", "100", "200", "300"])),
        min_size=1, max_size=8,
    )
)  # fmt: skip
def test_t20_whatever_the_rows_the_end_is_that_of_the_rule(rows: list[tuple[Family, str]]) -> None:
    """T20: any rows of one id in any files."""
    named = [(family, at, f"{number}") for number, (family, at) in enumerate(rows)]
    ranked = [
        (int(at or 0), -ORDER.index(family), number)
        for number, (family, at) in enumerate(rows)
    ]  # fmt: skip
    assert name_after(named) == str(max(ranked)[2])


def test_t29_an_older_row_of_a_newer_export_wins_and_of_an_older_one_does_not() -> None:
    """T29: `lastUpdated` is compared within an export; between exports the newer one wins."""
    feed = Feed()
    feed.read(1, [("pets", [pet_row(7, lastUpdated="1755230200", name="second")])])
    assert not feed.read(0, [("pets", [pet_row(7, lastUpdated="1755230300", name="first")])])
    (event,) = feed.read(2, [("pets", [pet_row(7, lastUpdated="1755230100", name="third")])])
    assert event.pet.name == "third"


def test_t28_a_missing_key_keeps_what_is_held_and_an_empty_one_clears_it() -> None:
    """T28: unknown isn't nothing."""
    feed = Feed()
    feed.read(0, [("pets", [pet_row(7, name="Rex", color="Black")])])
    row = pet_row(7, name="")
    del row["color"]
    (event,) = feed.read(1, [("pets", [row])])
    assert (event.pet.name, event.pet.color, event.changed) == (None, "Black", ("name",))
