"""Whole runs past the removal gate: bad petlists, plans, closures, and a feed that blanks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from days_of_a_feed import Days, org, pet, picture, put, served_days, write

from ingest.publish import lifecycle
from ingest.publish.publisher import Publisher
from ingest.removals import held_plans
from ingest.state.restore import fold_exports
from lab.simulator import expected, export_files, history, write_export
from petstream import topics
from petstream.errors import UsageError
from petstream.events import ExportEvent, PlanEvent

pytestmark = pytest.mark.servers

START = datetime(2026, 11, 2, 8, 12, 4, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def days(tmp_path: Path, kafka: str, prefix: str) -> Iterator[Days]:
    with served_days(tmp_path, kafka, prefix) as days:
        yield days


async def test_f8_a_pet_that_no_file_holds_asks_for_pets_n_once(days: Days) -> None:
    """F8: not again each day; but one more unknown pet does, and so does the next scrub."""
    pets = {key: pet(key) for key in range(1, 31)}
    whole: dict[str, Any] = {"orgs": [org(701)], "pets": pets.values(), "newpets": []}
    write(days.home, START, pets, updatedpets=[], **whole)
    await days.ingest()
    read = []
    for day, unknown in enumerate(([], [98], [98], [98, 99], [98, 99]), 1):
        write(days.home, START + day * DAY, [*pets, *unknown], updatedpets=[], **whole)
        await days.ingest()
        read.append("pets_1.json" in {file.name for file in (await days.completed()).files})
    assert read == [False, True, False, True, False]
    assert (await days.completed()).lacking == (98, 99)


async def test_t6_no_bad_petlist_removes_anybody_and_the_updates_flow(days: Days) -> None:
    """T6, T7: missing, empty, header only, half, cut, HTML, yesterday's: held, status 4."""
    feed = history(seed=12, pets=150, days=2)
    write_export(days.home, feed, 0)
    await days.ingest()
    yesterdays = (days.home / "petlist.csv").read_bytes()
    todays = export_files(feed, 1)["petlist.csv"]
    listed = {*expected(feed, 1).pets, *expected(feed, 1).removed}
    ids = todays.replace(b"\n", b",").rstrip(b",").split(b",")
    lists: dict[str, bytes | None] = {
        "missing": None, "empty": b"", "header": b"animalID\n", "half": todays[: len(todays) // 2],
        "cut in an id": todays[:-4], "html": b"<html>503 Service Unavailable</html>\n",
        "yesterday's": yesterdays, "another size": b",".join(ids[:80]) + b"\n",
        "right size": b",".join([*ids[:-9], *(b"%d" % n for n in range(1, 10))]) + b"\n",
    }  # fmt: skip
    reasons = {}
    for number, (name, content) in enumerate(lists.items()):
        write_export(days.home, feed, 1)
        petlist = days.home / "petlist.csv"
        at = petlist.stat().st_mtime + number
        petlist.unlink()
        if content is not None:
            put(petlist, content, at)
        result = await days.ingest()
        assert result.exit_status == 4, name
        assert await days.listed() == listed, name
        reasons[name] = (await days.exports())[-1].reason or ""
        last = [e for e in await days.exports() if isinstance(e, ExportEvent) and e.plan][-1]
        reasons[name] = last.reason or ""
    assert reasons["missing"] == "petlist.csv is missing"
    assert "holds no id" in reasons["empty"]
    assert "holds no id" in reasons["header"]
    assert "are no ids" in reasons["html"]
    assert "it ends in the middle of a line" in reasons["cut in an id"]
    assert "is the one that came with export 2026-11-02" in reasons["yesterday's"]
    assert "PETSTREAM_REMOVAL_MAX_SHARE" in reasons["another size"]
    assert "missing from its petlist" in reasons["right size"]
    write_export(days.home, feed, 1)
    assert (await days.ingest()).exit_status == 0
    assert await days.listed() == set(expected(feed, 1).pets)
    plans = await held_plans.plans(days.settings, days.kafka)
    assert {plan.state for plan in plans} == {"superseded"}
    assert len(plans) == len(lists)


async def test_t6_a_list_that_was_there_before_the_rows_removes_nobody(days: Days) -> None:
    """T6: older than the files it judges: held; the rows are read."""
    pets = {key: pet(key) for key in range(1, 101)}
    families: dict[str, Any] = {"orgs": [org(701)], "pets": pets.values(), "newpets": []}
    write(days.home, START, pets, updatedpets=[], **families)
    await days.ingest()
    write(days.home, START + DAY, [*pets][:-2], updatedpets=[pet(1, name="Rex")], **families)
    for name in ("updatedpets_1.json", "newpets_1.json"):
        path = days.home / name
        put(path, path.read_bytes(), START + DAY + timedelta(hours=3))
    result = await days.ingest()
    assert (result.exit_status, len(await days.listed())) == (4, 100)
    assert (await days.names())[1] == "Rex"
    (plan,) = await held_plans.plans(days.settings, days.kafka)
    assert plan.plan.removals == (99, 100)
    assert "is older than newpets_1.json" in str(plan.plan.event.reason)


async def test_parts_that_a_crash_left_undecided_are_made_good_by_the_next_run(
    days: Days, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "IDS_A_PART", 10)
    feed = history(seed=13, pets=120, days=2)
    write_export(days.home, feed, 0)
    await days.ingest()
    write_export(days.home, feed, 1, faults=["short-petlist"])
    await days.ingest()
    prefix = days.settings.topic_prefix
    memory = await fold_exports(days.kafka, prefix)
    (plan,) = memory.held()
    assert len(plan.parts) > 2
    rejected = lifecycle.plan_decision(plan, "rejected", datetime.now(UTC), by="me")
    first, *_ = lifecycle.decision_records(plan, rejected, memory.take_sequence)
    async with Publisher(days.kafka) as publisher:  # and then it was killed
        name = topics.EXPORTS.full_name(prefix)
        await publisher.send(name, first.key, first.value, first.headers)
    half = (await fold_exports(days.kafka, prefix)).half_decided()
    assert [left.plan.parts for left in half] == [plan.parts[1:]]
    assert (await days.ingest()).held == ()
    assert (await fold_exports(days.kafka, prefix)).half_decided() == []
    decisions = [event for event in await days.exports() if isinstance(event, PlanEvent)]
    assert decisions == [rejected] * len(plan.parts)


async def test_a_plan_expires_aloud_and_can_not_be_approved_any_more(days: Days) -> None:
    feed = history(seed=13, pets=120, days=2)
    write_export(days.home, feed, 0)
    await days.ingest()
    write_export(days.home, feed, 1, faults=["short-petlist"])
    (plan_id,) = (await days.ingest()).held
    assert (await days.ingest()).held == (plan_id,)
    late = datetime.now(UTC) + 14 * DAY + timedelta(minutes=1)
    lines: list[str] = []
    result = await days.ingest(clock=lambda: late, say=lines.append)
    assert (result.held, result.exit_status) == ((), 0)
    assert lines == [f"{plan_id} has expired: nobody decided about it"]
    decision = (await days.exports())[-1]
    assert isinstance(decision, PlanEvent)
    assert (decision.plan_id, decision.decision) == (plan_id, "expired")
    assert decision.reason == "nobody decided within 14 days"
    with pytest.raises(UsageError, match="expired already"):
        await held_plans.approve(days.settings, days.kafka, plan_id, by=None, reason=None)
    said = await days.said()
    await days.ingest(clock=lambda: late)
    assert await days.said() == said, "it is said once"


async def test_a_shelter_closes_contradictions_stay_and_organisations_pass_the_same_gate(
    days: Days,
) -> None:
    """The gate, 3 to 5: 300 pets of one organisation go; half the organisations don't."""
    pets = {key: pet(key, orgID="702" if key <= 300 else "701") for key in range(1, 3_301)}
    orgs = [org(key) for key in range(700, 740)]
    write(days.home, START, pets, orgs=orgs, pets=pets.values(), updatedpets=[], newpets=[])
    assert (await days.ingest()).exit_status == 0
    fresh = {key: pet(key) for key in range(4_001, 4_101)}
    changed = {key: pets[key] | {"name": "Rex"} for key in range(301, 401)}
    staying = [key for key in (*pets, *fresh) if key > 300 and key != 350]
    families: dict[str, Any] = {"updatedpets": changed.values(), "newpets": fresh.values()}
    write(days.home, START + DAY, staying, orgs=orgs[:20], pets=[], **families)
    result = await days.ingest()
    assert result.outcome is not None
    assert result.outcome.counts.pets.removed == 300
    assert await days.listed() == {*staying, 350}, "350 is in the files: it stays"
    notes = "\n".join(result.outcome.notes)
    assert "organization 702 loses 300 of its 300 pets" in notes
    assert "in the files but not in the petlist, so they stay: 1 pets" in notes
    assert (result.exit_status, len(result.held)) == (4, 1)
    assert result.held[0].endswith(".orgs")
    assert await days.listed(topics.ORGS) == set(range(700, 740))
    gone = await held_plans.approve(
        days.settings, days.kafka, result.held[0], by="me", reason="they told us"
    )
    assert gone == 20
    assert await days.listed(topics.ORGS) == set(range(700, 720))
    removed = [entry for _, entry in (await days.ledger(topics.ORGS)).items() if not entry.listed]
    assert {entry.event()["source"]["file"] for entry in removed} == {"orgs"}
    length = await days.length(topics.ORGS)
    with pytest.raises(UsageError, match="approved already"):
        await held_plans.approve(days.settings, days.kafka, result.held[0], by=None, reason=None)
    assert await days.length(topics.ORGS) == length, "exactly once"
    decision = (await days.exports())[-1]
    assert isinstance(decision, PlanEvent)
    assert (decision.by, decision.reason) == ("me", "they told us")


async def test_t53_a_feed_that_blanks_is_warned_of_and_removes_nobody(days: Days) -> None:
    """T53: more than 40 % changed, or 5 % without pictures: published, but nobody is removed."""
    pets = {key: pet(key, pictures=[picture(key)]) for key in range(1, 201)}
    families: dict[str, Any] = {"orgs": [org(701)], "newpets": []}
    write(days.home, START, pets, pets=pets.values(), updatedpets=[], **families)
    first = await days.ingest()
    assert first.exit_status == 0, "a first import changes nobody"
    pets = {key: row | {"pictures": []} if key <= 11 else row for key, row in pets.items()}
    changed = [*pets.values()][:11]
    write(days.home, START + DAY, [*pets][:-1], pets=[], updatedpets=changed, **families)
    result = await days.ingest()
    assert (result.exit_status, len(result.held)) == (4, 1)
    assert result.outcome is not None
    assert result.outcome.counts.pets.updated == 11
    warning = "11 of 200 known pets lost all their pictures in one export, more than 5%"
    assert f"warning: {warning}" in (await days.completed()).notes
    assert len(await days.listed()) == 200
    (plan,) = await held_plans.plans(days.settings, days.kafka)
    assert plan.plan.event.reason == warning
    assert plan.plan.removals == (200,)
    blank = [{**row, "name": "", "age": ""} for row in pets.values()]
    write(days.home, START + 2 * DAY, [*pets][:-1], pets=blank, updatedpets=blank, **families)
    result = await days.ingest()
    assert result.exit_status == 4
    assert result.outcome is not None
    assert "200 of 200 known pets changed in one export" in "; ".join(result.outcome.notes)
    write(days.home, START + 3 * DAY, [*pets][:-1], pets=blank, updatedpets=[], **families)
    assert (await days.ingest()).exit_status == 0, "the next day is an ordinary one"
    assert len(await days.listed()) == 199
