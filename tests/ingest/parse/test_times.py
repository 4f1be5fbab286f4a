"""F4, F5. Times and dates in every writing that was met, and what isn't read."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from ingest.parse import times

STARTED = datetime(2026, 11, 20, 8, 0, 1, tzinfo=UTC)
SUMMER = datetime(2026, 7, 4, 7, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-20 03:00:01", "2026-11-20T03:00:01", "2026-11-20t03:00:01", "2026-11-20T08:00:01Z",
        "2026-11-20T08:00:01.000Z", "2026-11-20T08:00:01,123+00:00", "2026-11-20T03:00:01-05:00",
        "2026-11-20T03:00:01-0500", "2026-11-20T03:00:01-05", "2026-11-20 03:00:01 EST",
        "2026-11-20 03:00:01 ET", "2026-11-20 03:00:01 America/New_York", "2026-11-20 08:00:01 UTC",
        "2026-11-20 08:00:01 GMT", "2026-11-20 00:00:01 PST", "2026-11-20 02:00:01 US/Central",
        "2026-11-20 10:00:01 UTC+2", "2026/11/20 03:00:01", "2026.11.20 03:00:01",
        "20261120030001", "20261120T030001", "20261120T080001Z", "20261120T030001-0500",
        "11/20/2026 03:00:01", "11/20/2026 3:00:01 AM", "11/20/2026, 3:00:01 am",
        "11/20/2026 3:00:01AM EST", "11/20/2026 03:00:01 a.m.", "Fri 11/20/2026 3:00:01 AM",
        "Fri, 20 Nov 2026 08:00:01 GMT", "Fri, 20 Nov 2026 03:00:01 -0500",
        "Fri, 20 Nov 2026 03:00:01 -0500 (EST)", "20 Nov 2026 03:00:01 EST",
        "Friday, 20-Nov-2026 08:00:01 UTC", "20-Nov-2026 03:00:01", "Nov 20, 2026 3:00:01 AM",
        "November 20, 2026 3:00:01 AM EST", "November 20th, 2026 at 3:00:01 AM Eastern",
        "Fri Nov 20 03:00:01 2026", "Fri Nov 20 08:00:01 UTC 2026", "nov 20 2026 03:00:01am",
        "Sept 20, 2026 03:00:01", " 2026-11-20 03:00:01 ", "1795161601", "1795161601000",
        "1795161601.25", "1795161601000000",
    ],
)  # fmt: skip
def test_f4_a_start_stamp_is_read_in_any_writing(text: str) -> None:
    """F4: what has no zone is Eastern."""
    expected = STARTED.replace(month=9, hour=7) if text.startswith("Sept") else STARTED
    assert times.instant(text) == expected


@pytest.mark.parametrize(
    "text", ["2026-07-04 03:00", "7/4/2026 3:00 AM", "2026-07-04 03:00 EDT", "20260704T0300"]
)
def test_f4_eastern_has_a_summer(text: str) -> None:
    """F4."""
    assert times.instant(text) == SUMMER


@pytest.mark.parametrize(
    ("text", "hour"),
    [("12:00:00 AM", 5), ("12:30 AM", 5), ("12:00 PM", 17), ("11:59 PM", 4), ("1:00 PM", 18)],
)
def test_f4_the_hours_of_half_a_day_are_counted_as_people_do(text: str, hour: int) -> None:
    """F4: noon is 12 PM, and midnight 12 AM."""
    time = times.instant(f"11/20/2026 {text}")
    assert time is not None
    assert time.hour == hour


@pytest.mark.parametrize(
    "text",
    [
        "20261120 ", "2026-11-20", "11/20/2026", "Nov 20, 2026", "20 November 2026",
        "Friday, November 20, 2026",
    ],
)  # fmt: skip
def test_f4_a_day_alone_begins_at_midnight_in_new_york(text: str) -> None:
    """F4: `{"exportDate":"20261120"}` is no second of 1970."""
    assert times.instant(text) == datetime(2026, 11, 20, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "0001-01-01", "0001-01-01T00:00:00Z", "9999-12-31", "9999-12-31T23:59:59Z", "10000-01-01",
        "12026-11-20", "-0044-03-15", "infinity", "-infinity", "Infinity", "NaN", "nan", "now",
        "today", "epoch", "tomorrow", "allballs", "1899-12-30", "1900-01-01", "2100-01-01",
        "2026-02-30", "2026-13-01", "2026-00-10", "13/13/2026", "02/30/2026", "2026-11-20 25:00",
        "2026-11-20 03:60", "2026-11-20 13:00 PM", "2026-11-20 0:30 AM", "2026-11-20 03:00 XYZ",
        "2026-11-20 03:00 +99:00", "11/20/26", "20.11.2026", "Nov 2026", "2026", "2026-11",
        "Friday",
        "03:00:01", "64000", "6200", "1", "12345", "99999999999999999999", "1e9999999", "--", "n/a",
        "20 Nonsense 2026", "2026-11-20" + " " * 80 + "x", "\u0662026-11-20", "\uff12026-11-20",
        "3-Jul-19", "Mayor 4 2019", "Mar-nonsense 4 2019", "1\n2026-11-20",
    ],
)  # fmt: skip
def test_f5_what_is_no_plausible_time_is_neither_a_time_nor_a_date(text: str) -> None:
    """F5: it is refused in one way only, so that its raw value is kept."""
    with pytest.raises(ValueError):  # noqa: PT011  what is said is for nobody
        times.instant(text)
    with pytest.raises(ValueError):  # noqa: PT011  the same
        times.day(text)


@pytest.mark.parametrize(
    "text",
    ["", " ", "0", "00", "0.0", "0000-00-00", "0000-00-00 00:00:00", "0000-00-00T00:00:00Z",
     "00/00/0000", "00000000", "0000/00/00"],
)  # fmt: skip
def test_the_zeros_of_databases_say_that_there_is_none(text: str) -> None:
    assert times.instant(text) is None
    assert times.day(text) is None


@pytest.mark.parametrize(
    "text",
    ["20190704", "2019-07-04", "2019-7-4", "7/4/2019", "07/04/2019", "2019/07/04", "July 4, 2019",
     "4 Jul 2019", "2019-07-04T00:00:00Z", "2019-07-04T23:59:59-10:00", "2019-07-04 23:00",
     "07/04/2019 11:30 PM", "1562198400", "1562198400000", "20190704T000000Z", "20190704000000"],
)  # fmt: skip
def test_f4_a_date_is_read_in_any_writing_and_has_no_zone(text: str) -> None:
    """F4: birthdate `20190704` is in 2019."""
    assert times.day(text) == date(2019, 7, 4)


def test_f5_a_birthday_may_be_older_than_the_feed_but_no_update_is() -> None:
    """F5: plausible is said for each field."""
    assert times.day("1985-01-01") == date(1985, 1, 1)
    with pytest.raises(ValueError, match="plausible"):
        times.instant("1985-01-01 00:00:00")


def test_f3_a_stamp_that_is_not_plausible_is_none_whatever_it_looks_like() -> None:
    """F3, F4."""
    for text in ("2027-09-24 03:00:00", "20270924", "64000", "20040101", "soon", "0", ""):
        assert times.stamp(text, STARTED) is None
    assert times.stamp("20261120", STARTED) == datetime(2026, 11, 20, 5, tzinfo=UTC)
