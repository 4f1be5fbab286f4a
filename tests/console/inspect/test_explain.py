"""One pet's timeline as `explain` prints it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec import structs
from records_of_topics import record

from console.inspect.database_reader import Unavailable
from console.inspect.explain import unknown
from console.inspect.export_history import published_exports
from console.inspect.pet_timeline import PetTimeline, render
from petstream.kafka.reader import partition_of

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def timeline(*records: Any, **changes: Any) -> PetTimeline:
    base = PetTimeline(
        animal_id=22611034,
        topic="petstream.pets.v1",
        partition=3,
        records=list(records),
        pictures=[],
        published=published_exports([record("export.started"), record("export.completed")]),
        offsets={},
        tables=Unavailable("not reachable (ConnectionRefusedError)"),
        now=NOW,
    )
    return base._replace(**changes)


def test_every_event_is_shown_with_its_place_and_changes() -> None:
    text = render(
        timeline(record("pet.added", offset=4, sequence=1), record("pet.updated", offset=9))
    )
    assert 'Pet 22611034 "Biscuit" (Dog, org 701)' in text
    assert "First seen 21 d ago (2026-11-02 08:01 UTC)" in text
    assert "Events in petstream.pets.v1, partition 3:" in text
    assert "offset 4" in text
    assert "added, export 2026-11-23T08:12:04Z (daily), newpets_1.json row 3" in text
    assert "updatedpets_1.json row 417" in text
    assert "adoptionFee 250 → 200" in text
    assert "pictures 1 → 2 (+102900002)" in text
    assert "compacted" not in text


def test_a_listed_pet_is_said_to_be_listed() -> None:
    text = render(timeline(record("pet.updated")))
    assert "Listed now: updated with export 2026-11-23T08:12:04Z" in text
    assert "(what came before was compacted away" in text


def test_a_removed_pet_left_the_feed_which_does_not_say_adopted() -> None:
    text = render(timeline(record("pet.updated", sequence=1), record("pet.removed", offset=9)))
    assert (
        "Not listed now: left the feed with export 2026-11-23T08:12:04Z: its id was not in "
        "petlist.csv; that doesn't say it was adopted." in text
    )


def test_a_held_removal_and_its_approval_are_shown() -> None:
    held = published_exports([record("export.held")])
    assert "that removal is held: see 'petstream removals show" in render(
        timeline(record("pet.updated"), published=held)
    )
    approved = published_exports([record("export.held"), record("removals.approved")])
    assert "Its removal was held, and approved by ann on 2026-11-23 14:05 UTC." in render(
        timeline(record("pet.removed"), published=approved)
    )


def test_late_and_repeated_events_are_called_so_and_the_newest_decides() -> None:
    text = render(
        timeline(
            record("pet.removed", offset=1),
            record("pet.removed", offset=2),
            record("pet.added", offset=3, sequence=1),
        )
    )
    assert "(the same once more)" in text
    assert "(late: what was before it is newer)" in text
    assert "Not listed now" in text


def test_consumers_are_said_to_have_applied_it_or_not() -> None:
    offsets = {"petstream.pets": 10, "petstream.images": 7}
    text = render(timeline(record("pet.updated", offset=9), offsets=offsets))
    assert "petstream.pets: applied (at offset 10)" in text
    assert "petstream.images: not applied yet, 3 to go (at offset 7)" in text


def test_tables_are_compared_with_the_newest_event() -> None:
    row = {"sequence": 5, "export_id": "E", "status": "Available"}
    picture = {"picture_id": 102900001, "status": "failed", "stored_as": None, "error": "404"}
    tables = {
        "pets": [row],
        "removed_pets": [],
        "pictures": [picture],
        "history": [{"events": 2}],
    }
    text = render(timeline(record("pet.updated"), tables=tables, pictures=[]))
    assert (
        "in petstream.pets: sequence 5, export E, status Available; older than the newest" in text
    )
    assert "picture 102900001: failed (404)" in text
    assert "petstream.pet_history: 2 events" in text


def test_what_is_stated_again_after_a_loss_is_called_so() -> None:
    again = record("pet.updated", changed=[], old={}, headers={"ps_restated": "1"})
    assert "row 417 (stated again, since the log lost records)" in render(timeline(again))
    assert "stated again" not in render(timeline(record("pet.updated")))


def test_a_row_above_the_log_was_swept_by_a_snapshot_or_knows_of_lost_records() -> None:
    snapshot = 7_181_686_096_000_777
    row = {"sequence": snapshot, "export_id": "E"}
    tables = {"pets": [], "removed_pets": [row], "pictures": [], "history": [{"events": 2}]}
    text = render(timeline(record("pet.updated"), tables=tables))
    assert "in petstream.removed_pets: sequence 7181686096000777, export E; newer than" in text
    assert "which lost records" in text
    swept = published_exports([record("export.completed", restated=snapshot, snapshot=snapshot)])
    text = render(timeline(record("pet.updated"), tables=tables, published=swept))
    assert "swept: the snapshot of export 2026-11-23T08:12:04Z doesn't have it" in text
    row = row | {"status": "Available"}
    listed = tables | {"pets": [row], "removed_pets": []}
    assert "swept" not in render(timeline(record("pet.updated"), tables=listed, published=swept))


def test_without_postgres_it_says_so_and_shows_the_rest() -> None:
    text = render(timeline(record("pet.added"), pictures=[record("picture.stored")]))
    assert "  not reachable (ConnectionRefusedError)" in text
    assert "1. picture 102900001: stored as 9f/86/9f86d081884c" in text


def test_p6_a_smaller_rendition_is_called_so() -> None:
    """P6: the original couldn't be had."""
    stored = [record("picture.stored", rendition="large")]
    text = render(timeline(record("pet.added"), pictures=stored))
    assert ".jpg, large rendition; https://" in text
    usual = render(timeline(record("pet.added"), pictures=[record("picture.stored")]))
    assert "rendition;" not in usual


def test_a_status_other_than_available_is_pointed_out() -> None:
    pet = {"animalId": 22611034, "status": "Adopted"}
    assert "Its status is Adopted, not Available" in render(timeline(record("pet.added", pet=pet)))


def test_control_characters_never_reach_the_terminal() -> None:
    pet = {"animalId": 22611034, "name": "\x1b[2J", "species": "\r", "status": "\x07"}
    text = render(timeline(record("pet.added", pet=pet)))
    assert text.replace("\n", "").isprintable()


def test_records_of_another_version_are_counted_and_not_fatal() -> None:
    broken = structs.replace(record("pet.added", offset=2), value=b"{}")
    assert "offset 2  can't be decoded" in render(timeline(record("pet.added"), broken))
    assert "can't be read by this version" in render(timeline(broken))


def test_an_unknown_id_is_one_clear_line() -> None:
    text = unknown(5, "petstream.pets.v1", Unavailable("away"))
    assert "There is no pet 5" in text
    assert "\n" not in text
    assert unknown(5, "petstream.pets.v1", {"pets": [], "removed_pets": []}) == text


def test_a_pet_that_only_the_tables_know_is_said_to_be_lost_by_the_log() -> None:
    row = {"export_id": "2026-11-23T08:12:04Z"}
    swept = unknown(5, "petstream.pets.v1", {"pets": [], "removed_pets": [row]})
    assert "removed by export 2026-11-23T08:12:04Z" in swept
    listed = unknown(5, "petstream.pets.v1", {"pets": [row], "removed_pets": []})
    assert "petstream audit" in listed
    assert "There is no pet" not in swept + listed


@pytest.mark.parametrize(
    ("key", "murmur2"),
    [(b"21", -973_932_308), (b"foobar", -790_332_482), (b"abc", 479_470_107)],
)
def test_a_key_is_looked_for_where_kafkas_own_clients_put_it(key: bytes, murmur2: int) -> None:
    assert partition_of(key, 6) == (murmur2 & 0x7FFF_FFFF) % 6  # hashes as the Java client makes
