"""F4, F5. What is plausible of a number, a time and a day, and at which borders."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from ingest.parse import plausible

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize("unit", [1, 10**3, 10**6, 10**9])
def test_f4_an_epoch_of_any_unit_is_the_same_time(unit: int) -> None:
    """F4."""
    assert plausible.instant_of(str(1_755_230_411 * unit)) == datetime(
        2025, 8, 15, 4, 0, 11, tzinfo=UTC
    )


@pytest.mark.parametrize(
    "digits",
    ["20261120", "20261120030001", "202611200300", "64000", "6200", "0", "1", "631151999",
     "4102444800", "9999999999", "99999999999999", "9" * 19, "9" * 30, "-1755230411",
     "\u0661755230411"],
)  # fmt: skip
def test_f4_a_number_that_is_no_plausible_time_is_no_epoch(digits: str) -> None:
    """F4: dates, counts, and what is before 1990 or after 2099."""
    assert plausible.instant_of(digits) is None


def test_f4_the_borders_of_an_epoch_belong_to_it_as_they_should() -> None:
    """F4."""
    assert plausible.instant_of("631152000") == plausible.FIRST_INSTANT
    assert plausible.instant_of("4102444799") == datetime(2099, 12, 31, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("digits", "day"),
    [
        ("20190704", date(2019, 7, 4)), ("19010101", date(1901, 1, 1)), ("19001231", None),
        ("20190230", None), ("20191301", None), ("99991231", None), ("00010101", None),
        ("20190704153000", date(2019, 7, 4)), ("201907041530", date(2019, 7, 4)),
        ("1562198400", date(2019, 7, 4)), ("1562198400000", date(2019, 7, 4)),
        ("315532800", date(1980, 1, 1)), ("64000", None), ("12345678", None), ("99999999", None),
    ],
)  # fmt: skip
def test_f4_eight_digits_are_a_date_or_nothing(digits: str, day: date | None) -> None:
    """F4."""
    assert plausible.day_of(digits) == day


@pytest.mark.parametrize(
    ("day", "is_plausible"),
    [
        (date.min, False), (date(1, 1, 1), False), (date(1899, 12, 30), False),
        (date(1900, 1, 1), False), (date(1901, 1, 1), True), (date(2026, 11, 28), True),
        (date(2099, 12, 31), True), (date(2100, 1, 1), False), (date.max, False),
    ],
)  # fmt: skip
def test_f5_a_day_that_no_client_of_postgres_can_show_is_not_plausible(
    day: date, *, is_plausible: bool
) -> None:
    """F5: the first and the last day there are stand for infinity."""
    assert plausible.is_plausible_day(day) is is_plausible


def test_f3_a_file_may_be_as_late_as_clocks_differ_and_no_later() -> None:
    """F3."""
    late = NOW + timedelta(minutes=10)
    assert plausible.is_plausible_file_time(late, NOW)
    assert not plausible.is_plausible_file_time(late + timedelta(seconds=1), NOW)
    assert not plausible.is_plausible_file_time(NOW + timedelta(days=300), NOW)
    assert not plausible.is_plausible_file_time(datetime(1970, 1, 1, tzinfo=UTC), NOW)


def test_f3_a_stamp_is_not_later_than_its_files_and_not_from_before_there_were_any() -> None:
    """F3."""
    assert plausible.is_plausible_stamp(NOW, NOW)
    assert not plausible.is_plausible_stamp(NOW + timedelta(seconds=1), NOW)
    assert not plausible.is_plausible_stamp(datetime(1970, 8, 22, tzinfo=UTC), NOW)


@pytest.mark.parametrize(
    "text",
    ["1755230411", "0631152000", "0631151999", "4102444799", "4102444800", "9999999999",
     "175523041", "17552304110", "175523041x", "\u0661755230411", "-755230411", "          ", ""],
)  # fmt: skip
def test_the_short_way_says_what_the_long_way_says_or_nothing(text: str) -> None:
    usual = plausible.usual_instant(text)
    if len(text) == 10 and plausible.instant_of(text) is not None:
        assert usual == plausible.instant_of(text)
    else:
        assert usual is None


def test_f4_what_may_be_a_count_is_no_day_before_1973() -> None:
    """F4: of whole seconds; nine digits are a day from 100,000,000 on."""
    assert plausible.day_of("100000000") == date(1973, 3, 3)
    assert plausible.day_of("099999999") is None


def test_f4_the_longest_number_of_nanoseconds_is_a_time_and_none_is_longer() -> None:
    """F4."""
    assert plausible.instant_of("1755230411000000000") is not None
    assert plausible.instant_of("01755230411000000000") is None


def test_f3_the_first_stamp_there_may_be() -> None:
    """F3."""
    first = datetime(2005, 1, 1, tzinfo=UTC)
    before = first - timedelta(seconds=1)
    assert plausible.is_plausible_stamp(first, NOW)
    assert not plausible.is_plausible_stamp(before, NOW)
    assert plausible.is_plausible_file_time(first, NOW)
    assert not plausible.is_plausible_file_time(before, NOW)


def test_f4_the_last_instant_is_in_2099() -> None:
    """F4."""
    assert plausible.is_plausible_instant(datetime(2099, 12, 31, 23, 59, 59, tzinfo=UTC))
    assert not plausible.is_plausible_instant(datetime(2100, 1, 1, tzinfo=UTC))
