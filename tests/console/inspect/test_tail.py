"""What `tail` prints of each event."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import structs
from records_of_topics import record

from console.inspect.tail import as_json_line, line
from petstream import events
from petstream.kafka.records import ConsumerRecord


def test_an_updated_pet_is_one_readable_line() -> None:
    assert line(record("pet.updated")) == (
        '2026-11-23 08:12 UTC updated pet 22611034 "Biscuit" (Dog, org 701): '
        "adoptionFee 250 → 200, pictures"
    )


def test_a_removed_pet_left_the_feed_and_nothing_is_said_of_adoption() -> None:
    text = line(record("pet.removed"))
    assert text.endswith('removed pet 22611034 "Biscuit" (Dog, org 701): left the feed')


def test_a_long_text_is_named_and_not_shown() -> None:
    long = record("pet.updated", changed=["descriptionText"], old={"descriptionText": "x" * 50})
    assert line(long).endswith(": descriptionText")


@pytest.mark.parametrize(
    ("type_", "part"),
    [
        ("organization.updated", 'updated org 701 "Paws & Co" (Cambridge, MA): city Boston → Camb'),
        ("export.started", "started export 2026-11-23T08:12:04Z (daily)"),
        ("export.completed", "(daily): pets 6,026 read, 1,980 added"),
        ("export.failed", "failed export 2026-11-23T08:12:04Z (daily): newpets_1.json is broken"),
        ("export.held", "held removals 2026-11-23T08:12:04Z.pets (2 pets): 7,120 of 64,120"),
        ("removals.approved", "approved removals 2026-11-23T08:12:04Z.pets by ann: a shelter"),
        ("debt.found", "owed: a snapshot: petstream.pets.v1/0 ends at 21,950 and had"),
        ("snapshot.requested", "my-site asks for a snapshot above 7181686096000416: 12 pets of"),
        ("picture.stored", "stored picture 102900001 of pet 22611034: 9f/86/9f86d0818"),
        ("picture.gone", "gone picture 102900001 of pet 22611034"),
    ],
)
def test_other_events_are_lines_too(type_: str, part: str) -> None:
    assert part in line(record(type_))


def test_p6_a_smaller_rendition_is_called_so() -> None:
    """P6: the original couldn't be had; of older events nothing is known."""
    for rendition in ("large", "small"):
        text = line(record("picture.stored", rendition=rendition))
        assert text.endswith(f"245,083 bytes, {rendition} rendition)")
    for usual in ("original", None):
        assert line(record("picture.stored", rendition=usual)).endswith("245,083 bytes)")


def test_what_is_stated_again_is_told_from_news() -> None:
    again = record("pet.updated", changed=[], old={}, headers={"ps_restated": "1"})
    assert line(again).endswith('updated pet 22611034 "Biscuit" (Dog, org 701): stated again')
    assert "again" not in line(record("pet.updated"))


def test_an_export_that_stated_everything_says_so_and_whether_it_is_a_snapshot() -> None:
    said: dict[str, Any] = {"restated": 7_181_686_096_000_000}
    unstated = {"pets": [1, 2], "orgs": [3]}
    assert line(record("export.completed", **said)).endswith("; everything stated again")
    taken = said | {"snapshot": said["restated"]}
    assert line(record("export.completed", **taken)).endswith("stated again, a snapshot")
    whole = line(record("export.completed", **taken, unstated=unstated))
    assert whole.endswith("everything stated again, a snapshot but for 3 ids")
    later = {"snapshot": said["restated"], "unstated": unstated}
    assert "again" not in line(record("export.completed", **later)), "it only carries it on"


@pytest.mark.parametrize("type_", sorted(events.TYPES))
def test_every_type_is_one_line_both_ways(type_: str) -> None:
    for text in (line(record(type_)), as_json_line(record(type_))):
        assert text.isprintable()


def test_control_characters_of_the_feed_never_reach_the_terminal() -> None:
    evil = "Rex\x1b]0;owned\x07\r\n\u202e\x9b2J"
    hostile = record(
        "pet.updated",
        pet={"animalId": 1, "name": evil, "species": evil, evil: evil},
        changed=["name", evil],
        old={"name": evil, evil: "\x1b"},
    )
    assert line(hostile).isprintable()
    assert as_json_line(hostile).isascii()
    assert as_json_line(hostile).isprintable()


def test_an_undecodable_record_is_shown_as_such() -> None:
    broken = structs.replace(record("pet.added", offset=17), value=b"\x1b[2J")
    text = line(broken)
    assert "undecodable record at petstream.pets.v1 partition 3 offset 17" in text
    assert text.isprintable()


def test_json_has_offset_headers_and_value() -> None:
    added = record("pet.added", offset=5)
    headers = (*added.headers, ("ps_rawdigest", b"\xff\0"))
    parsed = json.loads(as_json_line(structs.replace(added, headers=headers)))
    assert (parsed["partition"], parsed["offset"], parsed["key"]) == (3, 5, "22611034")
    assert parsed["headers"]["ce_type"] == "org.petstream.pet.added"
    assert parsed["headers"]["ps_rawdigest"] == "ff00"
    assert parsed["value"]["pet"]["name"] == "Biscuit"


def test_json_shows_a_value_that_is_no_json_as_text() -> None:
    added: ConsumerRecord = structs.replace(record("pet.added"), value=b"\xff{")
    assert json.loads(as_json_line(added))["value"] == "\ufffd{"
    assert json.loads(as_json_line(structs.replace(added, value=None)))["value"] is None
