"""The main job: FTP files in, Postgres rows out, compared field by field after every day."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from consumers.app import consume
from consumers.registry import NAMES
from ingest.removals import held_plans
from ingest.run import Result, ingest
from ingest.state.restore import fold_exports
from lab.simulator import Expected, History, Row, expected, history, serve_ftp, write_export
from petstream.errors import NotReadyError, UsageError
from petstream.settings import FtpUrl, KafkaAccess, Settings

pytestmark = pytest.mark.servers

YES = {"Yes": True, "No": False, "": None}
TEXTS = {
    "status": "status", "name": "name", "species": "species", "breed": "breed",
    "primary_breed": "primaryBreed", "secondary_breed": "secondaryBreed", "sex": "sex",
    "age": "age", "size": "size", "color": "color", "adoption_fee": "adoptionFee",
    "postal_code": "animalLocation", "description_html": "description",
    "description_text": "descriptionPlain", "tracker_url": "trackerImageUrl", "pet_url": "petUrl",
}  # fmt: skip
FLAGS = {
    "mixed": "mixed", "altered": "altered", "declawed": "declawed",
    "housetrained": "housetrained", "special_needs": "specialNeeds", "good_with_dogs": "dogs",
    "good_with_cats": "cats", "good_with_kids": "kids",
}  # fmt: skip
ATTRIBUTES = {
    "rescueId": "rescueID", "summary": "summary", "coatLength": "coatLength", "pattern": "pattern",
    "energyLevel": "energyLevel", "sizeUnit": "sizeUOM", "foundZipcode": "foundZipcode",
    "killReason": "killReason", "fence": "fence", "shedding": "shedding", "vocal": "vocal",
}  # fmt: skip
ATTRIBUTE_FLAGS = {
    "upToDate": "uptodate", "courtesy": "courtesy", "okWithAdults": "oKWithAdults",
    "okForSeniors": "oKForSeniors", "leashtrained": "leashtrained", "playful": "playful",
    "goofy": "goofy", "messagePet": "messagePet", "needsFoster": "needsFoster",
}  # fmt: skip
ORG_COLUMNS = {
    "name": "name", "address": "address", "city": "city", "state": "state", "postal_code": "zip",
    "country": "country", "phone": "phone", "email": "email", "url": "orgurl",
    "facebook_url": "facebookUrl", "type": "orgType", "species": "orgSpecies", "about": "about",
}  # fmt: skip


class Practice:
    """One simulated feed, one topic prefix, one database."""

    def __init__(self, home: Path, settings: Settings, kafka: str, database_url: str) -> None:
        """Know where everything is."""
        self.home, self.settings = home, settings
        self.kafka, self.database_url = KafkaAccess(kafka), database_url

    async def ingest(self, **options: Any) -> Result:
        """Read the export that lies on the server now."""
        return await ingest(self.settings, self.kafka, **options)

    async def consume(self, *names: Any) -> None:
        """Run consumers until they have applied all there is."""
        await consume(
            names or NAMES,
            self.settings,
            kafka=self.kafka,
            database_url=self.database_url,
            drain=True,
            stopping=asyncio.Event(),
        )

    async def rows(self, query: str, *args: Any) -> list[dict[str, Any]]:
        """Ask the database."""
        connection = await asyncpg.connect(self.database_url)
        try:
            return [dict(row) for row in await connection.fetch(query, *args)]
        finally:
            await connection.close()


@pytest.fixture
async def practice(
    tmp_path: Path, kafka: str, database_url: str, prefix: str
) -> AsyncIterator[Practice]:
    home = tmp_path / "ftp"
    home.mkdir()
    with serve_ftp(home, user="apikey-Ab3dEf9h", password="canary-password") as server:
        settings = Settings(
            ftp=FtpUrl(
                "apikey-Ab3dEf9h", "canary-password", "127.0.0.1", server.port, "", tls=False
            ),
            data_dir=tmp_path / "data",
            topic_prefix=prefix,
            settle_s=0,
        )
        yield Practice(home, settings, kafka, database_url)


@pytest.mark.parametrize("form", ["plain", "zipped"])
async def test_after_each_day_the_views_equal_what_the_feed_says(
    practice: Practice, form: str
) -> None:
    feed = history(seed=11, pets=150, days=4)
    for day in range(feed.days):
        zipped = form == "zipped"
        write_export(practice.home, feed, day, part_rows=60, zipped=zipped, key_prefix=not zipped)
        result = await practice.ingest()
        assert result.exit_status == 0
        assert result.outcome is not None
        wanted = expected(feed, day)
        counts, changes = result.outcome.counts.pets, wanted.days[day]
        assert result.outcome.mode == ("initial" if day == 0 else "daily")
        assert (counts.added, counts.updated, counts.removed, counts.relisted, counts.refused) == (
            len(changes.added), len(changes.updated), len(changes.removed),
            len(changes.relisted), 0,
        )  # fmt: skip
        await practice.consume()
        await compare(practice, feed, day, wanted)


async def test_reading_the_same_export_again_publishes_and_changes_nothing(
    practice: Practice,
) -> None:
    feed = history(seed=3, pets=60, days=1)
    write_export(practice.home, feed, 0)
    first = await practice.ingest()
    await practice.consume()
    before = await everything(practice)
    again = await practice.ingest()
    assert (again.outcome, again.export_id, again.exit_status) == (None, first.export_id, 0)
    scrubbed = await practice.ingest(wanted="scrub")
    assert scrubbed.outcome is not None
    assert scrubbed.outcome.counts.pets.unchanged == 60
    memory = await fold_exports(practice.kafka, practice.settings.topic_prefix)
    assert len(memory.completed) == 1
    await practice.consume()
    assert await everything(practice) == before


@pytest.mark.parametrize("fault", ["missing-petlist", "truncated-petlist", "empty-petlist"])
async def test_a_bad_petlist_removes_nothing_and_the_updates_flow(
    practice: Practice, fault: str
) -> None:
    feed = history(seed=5, pets=120, days=3)
    write_export(practice.home, feed, 0)
    await practice.ingest()
    write_export(practice.home, feed, 1, faults=[fault])
    held = await practice.ingest()
    assert held.exit_status == 4
    assert (await practice.ingest()).exit_status == 4, "it stays 4 while the plan is held"
    await practice.consume()
    gone = expected(feed, 1).removed
    listed = {
        row["animal_id"] for row in await practice.rows("SELECT animal_id FROM petstream.pets")
    }
    assert listed == set(expected(feed, 1).pets) | set(gone)
    plans = await practice.rows("SELECT plan_id, state, reason FROM petstream.removal_plans")
    assert [plan["state"] for plan in plans] == ["held"]
    write_export(practice.home, feed, 2)
    assert (await practice.ingest()).exit_status == 0
    await practice.consume()
    await compare(practice, feed, 2, expected(feed, 2), history_too=False)
    plans = await practice.rows("SELECT state FROM petstream.removal_plans")
    assert [plan["state"] for plan in plans] == ["superseded"]


async def test_an_approved_plan_removes_just_its_pets_once(practice: Practice) -> None:
    feed = history(seed=5, pets=120, days=2)
    write_export(practice.home, feed, 0)
    await practice.ingest()
    write_export(practice.home, feed, 1, faults=["truncated-petlist"])
    (plan_id, *others) = (await practice.ingest()).held
    assert others == []
    (held,) = await held_plans.plans(practice.settings, practice.kafka)
    assert (held.plan.plan_id, held.state) == (plan_id, "held")
    described = await held_plans.describe(practice.settings, practice.kafka, plan_id)
    assert {pet.key for pet in described} == set(held.plan.removals)
    assert all(pet.name for pet in described)
    count = await held_plans.approve(
        practice.settings, practice.kafka, plan_id, by="me", reason="seen"
    )
    assert count == len(held.plan.removals) > 0
    with pytest.raises(UsageError, match="approved already"):
        await held_plans.approve(practice.settings, practice.kafka, plan_id, by=None, reason=None)
    assert (await practice.ingest()).exit_status == 0, "nothing is held any more"
    await practice.consume()
    gone = await practice.rows("SELECT animal_id FROM petstream.removed_pets")
    assert {row["animal_id"] for row in gone} == set(held.plan.removals)
    plans = await practice.rows("SELECT state, removals FROM petstream.removal_plans")
    assert plans == [{"state": "approved", "removals": count}]


async def test_t2_an_export_swapped_while_it_is_read_is_read_anew(practice: Practice) -> None:
    feed = history(seed=8, pets=90, days=2)
    write_export(practice.home, feed, 0, part_rows=30)
    swapped: list[str] = []

    def swap(file: str, _rows: int) -> None:
        if not swapped and file.startswith("pets_2"):
            swapped.append(file)
            write_export(practice.home, feed, 1, part_rows=30)

    result = await practice.ingest(progress=swap)
    assert swapped
    assert result.exit_status == 0
    assert result.export_id == feed.start(1).strftime("%Y-%m-%dT%H:%M:%SZ")
    await practice.consume()
    await compare(practice, feed, 1, expected(feed, 1), history_too=False, gone_too=False)


async def test_a_plan_without_removals_cannot_be_approved(practice: Practice) -> None:
    feed = history(seed=5, pets=60, days=2)
    write_export(practice.home, feed, 0)
    await practice.ingest()
    write_export(practice.home, feed, 1, faults=["missing-petlist"])
    (plan_id,) = (await practice.ingest()).held
    with pytest.raises(UsageError, match=r"nobody to remove.*petlist\.csv is missing"):
        await held_plans.approve(practice.settings, practice.kafka, plan_id, by=None, reason=None)


async def test_a_rejected_plan_removes_nothing(practice: Practice) -> None:
    feed = history(seed=5, pets=120, days=2)
    write_export(practice.home, feed, 0)
    await practice.ingest()
    write_export(practice.home, feed, 1, faults=["truncated-petlist"])
    (plan_id,) = (await practice.ingest()).held
    await held_plans.reject(practice.settings, practice.kafka, plan_id, by="me", reason="no")
    await practice.consume()
    assert await practice.rows("SELECT * FROM petstream.removed_pets") == []
    assert (await practice.ingest()).exit_status == 0


@pytest.mark.parametrize("fault", ["bad-row", "crlf", "number-ids", "repeated-rows", "no-stamp"])
async def test_odd_files_lose_no_pet(practice: Practice, fault: str) -> None:
    feed = history(seed=6, pets=80, days=1)
    write_export(practice.home, feed, 0, faults=[fault])
    result = await practice.ingest()
    assert result.exit_status == 0
    await practice.consume()
    listed = await practice.rows("SELECT animal_id FROM petstream.pets")
    assert {row["animal_id"] for row in listed} == set(feed.truth(0).pets)
    letters = await practice.rows("SELECT origin, reason FROM petstream.dead_letters")
    assert bool(letters) == (fault == "bad-row")
    assert not [letter for letter in letters if "Ab3dEf9h" in letter["origin"]]


@pytest.mark.parametrize("fault", ["cut-last-row", "missing-part", "cut-file"])
async def test_a_set_that_is_not_whole_completes_and_removes_nothing(
    practice: Practice, fault: str
) -> None:
    feed = history(seed=5, pets=120, days=2)
    write_export(practice.home, feed, 0)
    await practice.ingest()
    write_export(practice.home, feed, 1, faults=[fault])
    with pytest.raises(NotReadyError):
        await practice.ingest()
    await practice.consume()
    assert await practice.rows("SELECT * FROM petstream.removed_pets") == []
    states = await practice.rows("SELECT state FROM petstream.exports ORDER BY export_id")
    assert [row["state"] for row in states].count("completed") == 1
    write_export(practice.home, feed, 1)
    assert (await practice.ingest()).exit_status == 0
    await practice.consume()
    await compare(practice, feed, 1, expected(feed, 1), history_too=False)


@pytest.mark.parametrize("order", [("pets", "deletions"), ("deletions", "pets")])
async def test_pets_and_deletions_end_the_same_in_whatever_order_they_run(
    practice: Practice, order: tuple[str, str]
) -> None:
    feed = history(seed=9, pets=80, days=4)
    for day in range(feed.days):
        write_export(practice.home, feed, day)
        await practice.ingest()
    for name in order:
        await practice.consume(name)
    await practice.consume("images")
    await compare(practice, feed, feed.days - 1, expected(feed, feed.days - 1))


async def compare(  # noqa: PLR0913  what is compared, and what is left out
    practice: Practice,
    feed: History,
    day: int,
    wanted: Expected,
    *,
    history_too: bool = True,
    gone_too: bool = True,
) -> None:
    """Compare every view with what the feed says, field by field."""
    pets = {row["animal_id"]: row for row in await practice.rows("SELECT * FROM petstream.pets")}
    assert set(pets) == set(wanted.pets)
    pictures = await practice.rows(
        "SELECT * FROM petstream.pet_pictures ORDER BY animal_id, position"
    )
    for key, row in pets.items():
        compare_pet(row, wanted.pets[key])
        compare_pictures(
            [picture for picture in pictures if picture["animal_id"] == key], wanted.pets[key]
        )
    assert {picture["animal_id"] for picture in pictures} <= set(pets)
    orgs = {
        row["org_id"]: row for row in await practice.rows("SELECT * FROM petstream.organizations")
    }
    assert set(orgs) == set(wanted.orgs)
    for key, row in orgs.items():
        sent = wanted.orgs[key]
        assert {name: row[name] for name in ORG_COLUMNS} == {
            name: sent[feed_name] or None for name, feed_name in ORG_COLUMNS.items()
        }
    gone = await practice.rows("SELECT * FROM petstream.removed_pets")
    starts = {feed.start(at).replace(microsecond=0): at for at in range(day + 1)}
    if gone_too:
        assert {row["animal_id"] for row in gone} == set(wanted.removed)
    if not history_too:
        return
    assert {row["animal_id"]: starts[row["removed_at"]] for row in gone} == wanted.removed
    life: dict[int, list[tuple[int, str]]] = {}
    for row in await practice.rows("SELECT * FROM petstream.pet_history ORDER BY sequence"):
        life.setdefault(row["animal_id"], []).append((starts[row["occurred_at"]], row["op"]))
    assert {key: tuple(ops) for key, ops in life.items()} == wanted.pet_history
    exports = await practice.rows("SELECT * FROM petstream.exports ORDER BY export_id")
    assert [row["state"] for row in exports] == ["completed"] * (day + 1)


def compare_pet(row: dict[str, Any], sent: Row) -> None:
    """Compare a row of the view with the row of the feed."""
    assert row["org_id"] == int(str(sent["orgID"]))
    for column, name in TEXTS.items():
        assert row[column] == (sent[name] or None), column
    for column, name in FLAGS.items():
        assert row[column] is YES[str(sent[name])], column
    attributes = json.loads(row["attributes"])
    for event_name, name in ATTRIBUTES.items():
        assert attributes.get(event_name) == (sent[name] or None), event_name
    for event_name, name in ATTRIBUTE_FLAGS.items():
        assert attributes.get(event_name) is YES[str(sent[name])], event_name
    assert None not in attributes.values()
    assert not any(name.startswith("contact") for name in attributes)
    assert row["birthdate"] == a_date(str(sent["birthdate"]))
    assert row["updated_at"] == epoch(sent["lastUpdated"])
    assert row["media_updated_at"] == epoch(sent["mediaLastUpdated"])
    rendered = row["description_rendered"] or ""
    assert rendered.count("tracker.rescuegroups.org") == (1 if sent["trackerImageUrl"] else 0)
    assert "<script" not in rendered


def compare_pictures(rows: list[dict[str, Any]], sent: Row) -> None:
    """Compare the wanted pictures of a pet with its row of the feed."""
    pictures: Any = sent["pictures"]
    ordered = sorted(pictures, key=lambda picture: int(picture["mediaOrder"]))
    assert [
        (row["picture_id"], row["position"], row["updated_at"], row["original_url"],
         row["large_url"], row["small_url"], row["status"])
        for row in rows
    ] == [
        (int(picture["mediaID"]), int(picture["mediaOrder"]), epoch(picture["lastUpdated"]),
         picture["original"]["url"], picture["large"]["url"], picture["small"]["url"], "due")
        for picture in ordered
    ]  # fmt: skip


async def everything(practice: Practice) -> list[list[dict[str, Any]]]:
    """Return the content of every view."""
    views = ("pets", "organizations", "pet_pictures", "removed_pets", "pet_history", "exports")
    return [await practice.rows(f"SELECT * FROM petstream.{view} ORDER BY 1, 2") for view in views]  # noqa: S608  the names are literals above


def epoch(text: object) -> datetime | None:
    """Return the instant of epoch seconds as the feed writes them."""
    return datetime.fromtimestamp(int(str(text)), UTC) if text not in {"", "0"} else None


def a_date(text: str) -> date | None:
    """Return a date of either of the feed's forms."""
    if not text:
        return None
    month, slash, rest = text.partition("/")
    if not slash:
        return date.fromisoformat(text)
    day, _, year = rest.partition("/")
    return date(int(year), int(month), int(day))
