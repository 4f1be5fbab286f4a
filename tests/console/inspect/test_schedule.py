"""When an export is due, late and usual: New York's days, its two odd nights, any host."""

from __future__ import annotations

import os
import time as clocks
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

import pytest
from msgspec import structs

from console.inspect.schedule import NEW_YORK, Landing, Schedule, landing, schedule, today
from petstream.events import Counts, ExportCounts, ExportEvent, FileRead

USUAL = Schedule()


@pytest.fixture(autouse=True, params=["UTC", "Asia/Tokyo", "America/Los_Angeles"])
def _host_zone(request: pytest.FixtureRequest) -> Iterator[None]:
    """T38: the host may be in any zone."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = request.param
    clocks.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    clocks.tzset()


def in_new_york(text: str, fold: int = 0) -> datetime:
    """Return a moment by New York's clock, as UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK, fold=fold).astimezone(UTC)


@pytest.mark.parametrize(
    ("began", "day"),
    [
        ("2026-06-01 17:59", date(2026, 6, 1)),  # the first's, republished
        ("2026-06-01 23:40", date(2026, 6, 2)),
        ("2026-06-02 00:10", date(2026, 6, 2)),
        ("2026-06-02 03:30", date(2026, 6, 2)),
        ("2026-06-02 15:00", date(2026, 6, 2)),
        ("2026-12-31 22:00", date(2027, 1, 1)),
    ],
)
def test_an_export_begun_in_the_evening_is_the_next_days(began: str, day: date) -> None:
    assert USUAL.day_of(in_new_york(began)) == day


def test_an_export_begun_in_an_evening_window_is_that_days() -> None:
    evening = schedule(("19:00", "23:00"))
    assert evening.day_of(in_new_york("2026-06-01 20:00")) == date(2026, 6, 1)
    assert evening.day_of(in_new_york("2026-06-01 23:30")) == date(2026, 6, 2)
    assert not evening.late(in_new_york("2026-06-01 23:10"), in_new_york("2026-06-01 20:00"))


def test_it_rests_until_the_window_and_after_the_days_export() -> None:
    yesterdays, todays = in_new_york("2026-06-01 02:30"), in_new_york("2026-06-01 23:40")
    early, due, late = (in_new_york(f"2026-06-02 {at}") for at in ("03:59", "04:00", "12:01"))
    assert USUAL.resting(early, yesterdays)
    assert not USUAL.resting(due, yesterdays)
    assert USUAL.resting(due, todays)
    assert not USUAL.late(due, yesterdays)
    assert USUAL.late(late, yesterdays)
    assert USUAL.late(late, None)
    assert not USUAL.late(late, todays)


def night(
    due: Schedule, newest: datetime, day: date, hours: int
) -> tuple[list[datetime], list[bool], list[bool]]:
    """Return the minutes of a day of so many hours, when it looks for exports, and when late."""
    begin = in_new_york(f"{day} 00:00")
    minutes = [begin + timedelta(minutes=number) for number in range(hours * 60)]
    assert {today(now) for now in minutes} == {day}
    looked = [not due.resting(now, newest) for now in minutes]
    return minutes, looked, [due.late(now, newest) for now in minutes]


@pytest.mark.parametrize("window", [("02:00", "02:30"), ("02:30", "03:00"), ("01:00", "02:59")])
def test_t38_the_short_night_has_its_window_too(window: tuple[str, str]) -> None:
    """T38: on 8 March 2026 New York's clock skips from 02:00 to 03:00."""
    due, yesterdays = schedule(window), in_new_york("2026-03-07 01:30")
    _, looked, late = night(due, yesterdays, date(2026, 3, 8), 23)
    assert looked == sorted(looked), "once it looks, it looks until the export is there"
    assert late == sorted(late), "once it is late, it is late until the export is there"
    assert any(looked)
    assert any(late)
    assert looked.index(True) < late.index(True)
    assert not due.resting(in_new_york("2026-03-08 03:00"), yesterdays)


@pytest.mark.parametrize("window", [("01:00", "01:30"), ("01:30", "04:00"), ("00:30", "01:15")])
def test_t38_the_long_night_is_warned_of_once(window: tuple[str, str]) -> None:
    """T38: on 1 November 2026 New York's clock shows 01:00 to 02:00 twice."""
    due, yesterdays = schedule(window), in_new_york("2026-10-31 00:20")
    minutes, looked, late = night(due, yesterdays, date(2026, 11, 1), 25)
    assert looked == sorted(looked)
    assert late == sorted(late)
    assert minutes[looked.index(True)] == in_new_york(f"2026-11-01 {window[0]}", fold=0)
    assert minutes[late.index(True) - 1] == in_new_york(f"2026-11-01 {window[1]}", fold=1)


def export(day: int, at: str, name: str = "") -> ExportEvent:
    """Return a completed export whose newest file is of this time in New York."""
    newest = in_new_york(f"2026-06-{day:02} {at}")
    files = (
        FileRead("petlist.csv", 1, newest - timedelta(hours=1), 1),
        FileRead("pets_1.json", 1, newest, 1),
    )
    return ExportEvent(
        export_id=name or f"2026-06-{day:02}T06:00:00Z", mode="daily", state="completed",
        at=newest + timedelta(hours=9), counts=ExportCounts(Counts(), Counts()), files=files,
        base=day,
    )  # fmt: skip


def test_when_exports_land_is_learned_from_their_newest_files() -> None:
    few = [export(2, "02:40"), export(3, "02:50")]
    assert landing(few) is None
    assert landing([*few, export(4, "03:20")]) == Landing(time(2, 50), time(3, 20), 3)
    again = export(4, "16:00", name="2026-06-04T06:00:00Z.2")
    assert landing([*few, export(4, "03:20"), again]) == Landing(time(2, 50), time(3, 20), 3)


def test_exports_around_midnight_have_a_usual_time_too() -> None:
    landed = landing([export(2, "23:50"), export(4, "00:10"), export(5, "00:20")])
    assert landed == Landing(time(0, 10), time(0, 20), 3)


def test_only_the_last_thirty_are_learned_from() -> None:
    late = structs.replace(export(1, "09:00"), base=0)
    landed = landing([*(export(1 + number % 28, "02:00") for number in range(30)), late])
    assert landed == Landing(time(2), time(2), 30)
