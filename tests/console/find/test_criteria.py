"""What is searched for, as addresses say it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.find.criteria import (
    Criteria,
    Position,
    criteria_of,
    patterns_of,
    position_of,
    position_text,
    search_text,
)

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


def test_what_isnt_understood_asks_for_nothing() -> None:
    query = {"pictures": "x", "left": "tomorrow", "org": "-1", "after": "?", "colour": "red"}
    assert criteria_of(query) == Criteria()
    assert search_text("\0 ") == ""


def test_an_address_leads_back_to_the_same_criteria() -> None:
    criteria = Criteria("fish & chips", "Dog", "Hold", "TX", "701", "gone", "week")
    assert criteria_of(criteria.parameters()) == criteria
    assert "q=fish+%26+chips" in criteria.address()


@given(st.text())
def test_a_word_is_no_pattern_of_sql(text: str) -> None:
    for pattern in patterns_of(text):
        inner = "" if pattern is None else pattern.strip("%").replace("\\\\", "")
        assert "%" not in inner.replace("\\%", "")
        assert "_" not in inner.replace("\\_", "")


@given(
    st.integers(0, 7),
    st.integers(0, 10**17),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=100),
)
def test_a_position_is_read_as_it_was_written(rank: int, animal_id: int, name: str) -> None:
    position = Position(rank, animal_id, name)
    assert position_of(position_text(position)) == position


@pytest.mark.parametrize("text", ["", "x", "9.1.a", "1.x.a", "1.1", f"1.{'9' * 30}.a", "0.1.a\0"])
def test_no_position_is_the_beginning(text: str) -> None:
    assert position_of(text) is None


@pytest.mark.parametrize(
    ("left", "q", "is_listed", "since", "until"),
    [
        ("", "", True, None, None),
        ("", "biscuit", None, None, None),
        ("listed", "biscuit", True, None, None),
        ("week", "", False, NOW - timedelta(days=7), None),
        ("earlier", "", False, None, NOW - timedelta(days=30)),
        ("any", "", False, None, None),
    ],
)
def test_who_left_is_found_with_words_or_if_asked_for(
    left: str, q: str, *, is_listed: bool | None, since: datetime | None, until: datetime | None
) -> None:
    asked = criteria_of({"left": left, "q": q}).matched(NOW, {})
    assert asked[10:13] == (is_listed, since, until)
