"""How everything stands, as `status` prints it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, time, timedelta
from typing import Any

from msgspec import structs
from records_of_topics import dead_letter, record

from console.inspect.database_reader import Unavailable
from console.inspect.dead_letters import listing, reason_of, whole
from console.inspect.export_history import published_exports
from console.inspect.schedule import Schedule
from console.inspect.status import document, render
from consumers.admin.lag import GroupLag
from petstream.kafka.records import ConsumerRecord, TopicPartition
from petstream.sequence import PER_SECOND

START = datetime(2026, 11, 23, 8, 12, 4, tzinfo=UTC)
AWAY = Unavailable("not reachable (ConnectionRefusedError)")
DONE = (record("export.started"), record("export.completed", at="2026-11-23T09:31:40Z"))


def gathered(*records: Any, **changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "published": published_exports(records),
        "letters": {},
        "lags": [],
        "tables": AWAY,
        "now": START + timedelta(hours=2),
    }
    return document(**{**given, **changes})


def test_nothing_yet_is_said_without_fuss() -> None:
    text = render(gathered())
    assert "Feed: no export was completed yet" in text
    assert "Exports: none yet" in text
    assert "Dead letters: none" in text


def test_exports_are_shown_newest_first_with_counts_and_duration() -> None:
    later = record("export.started", exportId="2026-11-24T08:12:31Z")
    (second, first) = gathered(*DONE, later)["exports"]
    assert (second["exportId"], second["state"]) == ("2026-11-24T08:12:31Z", "started")
    assert (first["state"], first["durationS"]) == ("completed", 60)
    assert first["counts"]["pets"]["added"] == 1980
    assert "pets: 6,026 read, 1,980 added, 3,641 updated" in render(gathered(*DONE))


def test_a_failed_export_says_why() -> None:
    text = render(gathered(DONE[0], record("export.failed")))
    assert "failed" in text
    assert "why: newpets_1.json is broken: its last row is cut" in text


def test_a_feed_older_than_30_hours_is_warned_of() -> None:
    fresh = gathered(*DONE, now=START + timedelta(hours=30))
    late = gathered(*DONE, now=START + timedelta(hours=31))
    assert (fresh["feed"]["late"], late["feed"]["late"]) == (False, True)
    assert late["feed"]["ageHours"] == 31
    assert "older than" not in render(fresh)
    assert "  older than 30 h: a day was missed" in render(late)


def test_todays_export_is_late_after_the_window_and_is_said_to_be() -> None:
    noon = datetime(2026, 11, 24, 17, 0, tzinfo=UTC)
    yesterdays = record(
        "export.completed", exportId="2026-11-23T15:00:00Z", at="2026-11-23T15:40:00Z"
    )
    intime = gathered(yesterdays, now=noon)
    late = gathered(yesterdays, now=noon + timedelta(minutes=1))
    assert (intime["feed"]["lateToday"], late["feed"]["lateToday"]) == (False, True)
    assert "today's is late: PETSTREAM_WINDOW ended at 12:00 in New York" in render(late)
    other = gathered(yesterdays, now=noon + timedelta(minutes=1), due=Schedule(time(4), time(13)))
    assert "late" not in render(other).splitlines()[1]


def test_when_exports_usually_land_is_said_once_three_are_known() -> None:
    records = [
        record("export.completed", exportId=f"2026-11-{day}T08:12:04Z", base=day,
               files=[{"name": "pets_1.json", "bytes": 1, "rows": 1,
                       "modifiedAt": f"2026-11-{day}T08:{day}:00Z"}])
        for day in (20, 21, 22)
    ]  # fmt: skip
    assert gathered(*records[:2])["feed"]["usuallyLands"] is None
    feed = gathered(*records)["feed"]
    assert (feed["usuallyLands"], feed["latestLanded"], feed["landingsKnown"]) == (
        "03:21", "03:22", 3,
    )  # fmt: skip
    text = render(gathered(*records))
    assert "exports usually land at 03:21 in New York (latest 03:22, of the last 3)" in text


def test_a_held_plan_is_shown_with_its_reason_and_how_to_decide() -> None:
    (plan,) = gathered(record("export.held"))["heldPlans"]
    assert (plan["planId"], plan["removals"]) == ("2026-11-23T08:12:04Z.pets", 2)
    text = render(gathered(record("export.held")))
    assert "why: 7,120 of 64,120 pets are missing from the petlist" in text
    assert "petstream removals show 2026-11-23T08:12:04Z.pets" in text


def test_a_held_snapshot_sweep_is_shown_among_the_plans() -> None:
    sweep = {
        "plan_id": "2026-11-23T08:12:04Z.sweep", "export_id": "2026-11-23T08:12:04Z",
        "entity": "pets", "removals": 7, "created_at": START,
        "reason": "snapshot sweep: 7 of 30 pets would go",
    }  # fmt: skip
    status = gathered(*DONE, record("export.held"), tables={"pictures": [], "sweeps": [sweep]})
    ids = [plan["planId"] for plan in status["heldPlans"]]
    assert ids == ["2026-11-23T08:12:04Z.pets", "2026-11-23T08:12:04Z.sweep"]
    text = render(status)
    assert "2026-11-23T08:12:04Z.sweep: 7 pets, held" in text
    assert "petstream removals show 2026-11-23T08:12:04Z.sweep" in text
    assert json.loads(json.dumps(status)) == status


def test_a_plan_that_was_decided_or_expired_is_not_shown() -> None:
    assert not gathered(record("export.held"), record("removals.rejected"))["heldPlans"]
    late = gathered(record("export.held"), now=START + timedelta(days=15))
    assert not late["heldPlans"]
    assert [plan["planId"] for plan in late["expiredPlans"]] == ["2026-11-23T08:12:04Z.pets"]
    assert "Expired undecided: 2026-11-23T08:12:04Z.pets: 2 pets" in render(late)
    expired = gathered(record("export.held"), record("removals.expired"))
    assert [plan["decide"] for plan in expired["expiredPlans"]] == [None]


def test_t28_the_notes_of_an_export_are_shown_escaped() -> None:
    """T28, T53: drift and warnings are in `status`."""
    noted = record("export.completed", notes=["warning: half of it", "drift: a\x1b[31mb"])
    assert gathered(noted)["exports"][0]["notes"] == ["warning: half of it", "drift: a\x1b[31mb"]
    assert "    note: warning: half of it" in render(gathered(noted))
    assert r"    note: drift: a\x1b[31mb" in render(gathered(noted))


def test_lag_is_summed_over_the_partitions_of_each_topic() -> None:
    lags = [
        GroupLag("pets", "petstream.pets.v1", 0, 4, 10, 6),
        GroupLag("pets", "petstream.pets.v1", 1, 3, 1_003, 1_000),
        GroupLag("images", "petstream.pets.v1", 0, None, 5, 5),
        GroupLag("deletions", "petstream.pets.v1", 0, 5, 5, 0),
    ]
    status = gathered(lags=lags)
    assert (status["lag"][0]["position"], status["lag"][0]["end"]) == (7, 1_013)
    assert [(entry["consumer"], entry["lag"]) for entry in status["lag"]] == [
        ("pets", 1_006),
        ("images", 5),
        ("deletions", 0),
    ]
    text = render(status)
    assert "pets on petstream.pets.v1: 1,006 records behind" in text
    assert "images on petstream.pets.v1: 5 records behind, not begun yet" in text
    assert "deletions on petstream.pets.v1: up to date" in text


def test_dead_letters_are_counted_by_reason() -> None:
    assert reason_of(dead_letter(1, "no-id")) == "no-id"
    counts = {"json": 2, "no-id": 1}
    assert "Dead letters: 3 (2 json, 1 no-id)" in render(gathered(letters=counts))


def test_without_postgres_the_rest_is_shown() -> None:
    status = gathered(*DONE)
    assert status["pictures"] is None
    assert status["postgres"] == {"reachable": False, "detail": AWAY.reason}
    assert "Postgres: not reachable" in render(status)


def test_pictures_are_counted_by_state() -> None:
    rows = [{"status": "stored", "pictures": 1200}, {"status": "due", "pictures": 3}]
    status = gathered(tables={"pictures": rows})
    assert status["pictures"] == {"due": 3, "stored": 1200, "failed": 0, "gone": 0, "off": 0}
    assert "Pictures: 3 due, 1,200 stored" in render(status)


LOST = record("debt.found")
BASE = 1795421600


def snapshot(base: int, at: str) -> Any:
    """Return the completed record of a run that stated every key again."""
    return record(
        "export.completed", exportId=f"{at[:11]}08:12:31Z", mode="scrub", at=at, base=base,
        restated=base * PER_SECOND, snapshot=base * PER_SECOND,
    )  # fmt: skip


def asking(asker: bytes, sequence: int, at: datetime) -> ConsumerRecord:
    value = json.dumps({"sequence": sequence}).encode()
    topic = TopicPartition("petstream.requests.v1", 0)
    return ConsumerRecord(topic, 0, asker, value, (), int(at.timestamp() * 1000))


def test_what_the_log_lost_is_said_with_where_and_since_when() -> None:
    status = gathered(*DONE, LOST)
    (owed,) = status["debts"]["owed"]
    assert (owed["owes"], owed["partitions"]) == ("snapshot", ["petstream.pets.v1/0"])
    text = render(status)
    assert "Owed: a snapshot, since 2026-11-24 08:20 UTC (in 22 h)" in text
    assert "why: petstream.pets.v1/0 ends at 21,950 and had ended at 22,417" in text
    assert "Owed" not in render(gathered(*DONE))


def test_what_was_owed_is_said_to_be_paid_by_what_and_when() -> None:
    status = gathered(*DONE, LOST, snapshot(BASE, "2026-11-24T09:31:00Z"))
    assert status["debts"]["owed"] == []
    (paid,) = status["debts"]["paid"]
    assert (paid["paidBy"], paid["paidAt"]) == ("2026-11-24T08:12:31Z", "2026-11-24T09:31:00Z")
    assert status["snapshots"]["newest"] == "2026-11-24T08:12:31Z"
    text = render(status)
    assert (
        "Paid: a snapshot, owed since 2026-11-24 08:20 UTC (in 22 h), in 23 h (2026-11-24 09:31 "
        "UTC) by 2026-11-24T08:12:31Z" in text
    )
    assert "Owed" not in text


def test_a_daily_export_pays_no_loss() -> None:
    daily = record("export.completed", exportId="2026-11-24T08:12:31Z", mode="daily", base=BASE)
    status = gathered(*DONE, LOST, daily)
    assert [debt["owes"] for debt in status["debts"]["owed"]] == ["snapshot"]
    assert status["debts"]["paid"] == []


def test_two_snapshots_within_a_day_are_warned_of() -> None:
    both = (snapshot(BASE, "2026-11-24T09:31:00Z"), snapshot(BASE + 9, "2026-11-25T09:30:00Z"))
    soon = gathered(*DONE, *both, now=datetime(2026, 11, 25, 9, 30, 59, tzinfo=UTC))
    later = gathered(*DONE, *both, now=datetime(2026, 11, 25, 9, 31, tzinfo=UTC))
    assert (soon["snapshots"]["inLastDay"], later["snapshots"]["inLastDay"]) == (2, 1)
    assert "!! 2 snapshots within a day" in render(soon)
    assert "snapshots within a day" not in render(later)


def test_who_asks_for_a_snapshot_is_named_until_there_is_one_above() -> None:
    asked_at = START + timedelta(hours=1)
    requests = [
        asking(b"content", (BASE - 200) * PER_SECOND, asked_at - timedelta(minutes=5)),
        asking(b"stranger", BASE * PER_SECOND, asked_at),
        asking(b"stranger", BASE * PER_SECOND, asked_at + timedelta(hours=2)),
        asking(b"mistaken", (BASE + 90 * 24 * 60 * 60) * PER_SECOND, asked_at),
        asking(b"not a request", 0, asked_at),
    ]
    now = START + timedelta(hours=26)
    before = snapshot(BASE - 100, "2026-11-22T09:31:00Z")
    (owed,) = gathered(*DONE, before, requests=requests, now=now)["debts"]["owed"]
    assert (owed["owes"], owed["since"]) == ("snapshot", "2026-11-23T09:12:04Z")
    assert owed["reason"].endswith("is asked for on requests.v1 (by stranger)")
    paid = snapshot(BASE + 1, "2026-11-24T09:31:00Z")
    assert gathered(*DONE, paid, requests=requests, now=now)["debts"]["owed"] == []


def test_the_json_has_the_same_names_whatever_there_is() -> None:
    full = gathered(*DONE, record("export.held"), letters={"json": 1})
    assert list(gathered()) == list(full)
    assert json.loads(json.dumps(full)) == full


def test_events_of_another_version_are_counted() -> None:
    assert gathered(structs.replace(DONE[0], value=b"?"))["undecodableExportEvents"] == 1


def test_a_list_of_dead_letters_has_a_line_each() -> None:
    lines = listing([dead_letter(0, "json"), dead_letter(1, "no-id")]).splitlines()
    assert len(lines) == 4
    assert "no-id" in lines[2]
    assert listing([]) == "No dead letters."


def test_a_whole_dead_letter_shows_its_bytes_escaped() -> None:
    text = whole(dead_letter(0, "json", b"\xff\x1b[2J{"))
    assert "reason: json" in text
    assert "\\xff\\x1b[2J{" in text
    assert text.replace("\n", "").isprintable()
    assert "no value" in whole(dead_letter(0, "json", None))
