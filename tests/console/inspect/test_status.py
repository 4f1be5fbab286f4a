"""How everything stands, as `status` says it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, time, timedelta
from typing import Any

from records_of_topics import dead_letter, record

from console.act.dead_letters import by_reason, listing, whole
from console.inspect.database_reader import Away
from console.inspect.export_history import tell
from console.inspect.schedule import Schedule
from console.inspect.status import account, render
from consumers.admin.lag import GroupLag

START = datetime(2026, 11, 23, 8, 12, 4, tzinfo=UTC)
AWAY = Away("not reachable (ConnectionRefusedError)")
DONE = (record("export.started"), record("export.completed", at="2026-11-23T09:31:40Z"))


def found(*records: Any, **changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "past": tell(records),
        "dead": [],
        "lags": [],
        "tables": AWAY,
        "now": START + timedelta(hours=2),
    }
    return account(**{**given, **changes})


def test_nothing_yet_is_said_without_fuss() -> None:
    said = render(found())
    assert "Feed: no export was completed yet" in said
    assert "Exports: none yet" in said
    assert "Dead letters: none" in said


def test_exports_are_told_newest_first_with_counts_and_duration() -> None:
    later = record("export.started", exportId="2026-11-24T08:12:31Z")
    (second, first) = found(*DONE, later)["exports"]
    assert (second["exportId"], second["state"]) == ("2026-11-24T08:12:31Z", "started")
    assert (first["state"], first["durationS"]) == ("completed", 60)
    assert first["counts"]["pets"]["added"] == 1980
    assert "pets: 6,026 read, 1,980 added, 3,641 updated" in render(found(*DONE))


def test_a_failed_export_says_why() -> None:
    said = render(found(DONE[0], record("export.failed")))
    assert "failed" in said
    assert "why: newpets_1.json is broken: its last row is cut" in said


def test_a_feed_older_than_30_hours_is_warned_of() -> None:
    fresh = found(*DONE, now=START + timedelta(hours=30))
    late = found(*DONE, now=START + timedelta(hours=31))
    assert (fresh["feed"]["late"], late["feed"]["late"]) == (False, True)
    assert late["feed"]["ageHours"] == 31
    assert "WARNING" not in render(fresh)
    assert "WARNING: older than 30 h" in render(late)


def test_todays_export_is_late_after_the_window_and_is_said_to_be() -> None:
    noon = datetime(2026, 11, 24, 17, 0, tzinfo=UTC)
    yesterdays = record("export.completed", exportId="2026-11-23T15:00:00Z")
    intime = found(yesterdays, now=noon)
    late = found(yesterdays, now=noon + timedelta(minutes=1))
    assert (intime["feed"]["lateToday"], late["feed"]["lateToday"]) == (False, True)
    assert "today's is late: PETSTREAM_WINDOW ended at 12:00 in New York" in render(late)
    other = found(yesterdays, now=noon + timedelta(minutes=1), due=Schedule(time(4), time(13)))
    assert "late" not in render(other).splitlines()[1]


def test_when_exports_usually_land_is_said_once_three_are_known() -> None:
    records = [
        record("export.completed", exportId=f"2026-11-{day}T08:12:04Z", base=day,
               files=[{"name": "pets_1.json", "bytes": 1, "rows": 1,
                       "modifiedAt": f"2026-11-{day}T08:{day}:00Z"}])
        for day in (20, 21, 22)
    ]  # fmt: skip
    assert found(*records[:2])["feed"]["usuallyLands"] is None
    feed = found(*records)["feed"]
    assert (feed["usuallyLands"], feed["latestLanded"], feed["landingsKnown"]) == (
        "03:21", "03:22", 3,
    )  # fmt: skip
    said = render(found(*records))
    assert "exports usually land at 03:21 in New York (latest 03:22, of the last 3)" in said


def test_a_held_plan_is_shown_with_its_reason_and_how_to_decide() -> None:
    (plan,) = found(record("export.held"))["heldPlans"]
    assert (plan["planId"], plan["removals"]) == ("2026-11-23T08:12:04Z.pets", 2)
    said = render(found(record("export.held")))
    assert "why: 7,120 of 64,120 pets are missing from the petlist" in said
    assert "petstream removals show 2026-11-23T08:12:04Z.pets" in said


def test_a_plan_that_was_decided_or_expired_is_not_shown() -> None:
    assert not found(record("export.held"), record("removals.rejected"))["heldPlans"]
    late = found(record("export.held"), now=START + timedelta(days=15))
    assert not late["heldPlans"]
    assert [one["planId"] for one in late["expiredPlans"]] == ["2026-11-23T08:12:04Z.pets"]
    assert "Expired undecided: 2026-11-23T08:12:04Z.pets: 2 pets" in render(late)
    told = found(record("export.held"), record("removals.expired"))
    assert [one["decide"] for one in told["expiredPlans"]] == [None]


def test_t28_the_notes_of_an_export_are_shown_escaped() -> None:
    """T28, T53: drift and warnings are in `status`."""
    noted = record("export.completed", notes=["warning: half of it", "drift: a\x1b[31mb"])
    assert found(noted)["exports"][0]["notes"] == ["warning: half of it", "drift: a\x1b[31mb"]
    assert "    note: warning: half of it" in render(found(noted))
    assert r"    note: drift: a\x1b[31mb" in render(found(noted))


def test_lag_is_summed_over_the_partitions_of_each_topic() -> None:
    lags = [
        GroupLag("pets", "petstream.pets.v1", 0, 4, 10, 6),
        GroupLag("pets", "petstream.pets.v1", 1, 3, 1_003, 1_000),
        GroupLag("images", "petstream.pets.v1", 0, None, 5, 5),
        GroupLag("deletions", "petstream.pets.v1", 0, 5, 5, 0),
    ]
    status = found(lags=lags)
    assert (status["lag"][0]["position"], status["lag"][0]["end"]) == (7, 1_013)
    assert [(one["consumer"], one["lag"]) for one in status["lag"]] == [
        ("pets", 1_006),
        ("images", 5),
        ("deletions", 0),
    ]
    said = render(status)
    assert "pets on petstream.pets.v1: 1,006 records behind" in said
    assert "images on petstream.pets.v1: 5 records behind, not begun yet" in said
    assert "deletions on petstream.pets.v1: up to date" in said


def test_dead_letters_are_counted_by_reason() -> None:
    dead = [dead_letter(0, "json"), dead_letter(1, "no-id"), dead_letter(2, "json")]
    assert by_reason(dead) == {"json": 2, "no-id": 1}
    assert "Dead letters: 3 (2 json, 1 no-id)" in render(found(dead=dead))


def test_without_postgres_the_rest_is_told() -> None:
    status = found(*DONE)
    assert status["pictures"] is None
    assert status["postgres"] == {"reachable": False, "detail": AWAY.why}
    assert "Postgres: not reachable" in render(status)


def test_pictures_are_counted_by_state() -> None:
    rows = [{"status": "stored", "pictures": 1200}, {"status": "due", "pictures": 3}]
    status = found(tables={"pictures": rows})
    assert status["pictures"] == {"due": 3, "stored": 1200, "failed": 0, "gone": 0, "off": 0}
    assert "Pictures: 3 due, 1,200 stored" in render(status)


def test_the_json_has_the_same_names_whatever_there_is() -> None:
    full = found(*DONE, record("export.held"), dead=[dead_letter(0, "json")])
    assert list(found()) == list(full)
    assert json.loads(json.dumps(full)) == full


def test_events_of_another_version_are_counted() -> None:
    assert found(DONE[0]._replace(value=b"?"))["undecodableExportEvents"] == 1


def test_a_list_of_dead_letters_has_a_line_each() -> None:
    lines = listing([dead_letter(0, "json"), dead_letter(1, "no-id")]).splitlines()
    assert len(lines) == 4
    assert "no-id" in lines[2]
    assert listing([]) == "No dead letters."


def test_a_whole_dead_letter_shows_its_bytes_escaped() -> None:
    said = whole(dead_letter(0, "json", b"\xff\x1b[2J{"))
    assert "reason: json" in said
    assert "\\xff\\x1b[2J{" in said
    assert said.replace("\n", "").isprintable()
    assert "no value" in whole(dead_letter(0, "json", None))
