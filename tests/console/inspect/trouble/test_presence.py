"""Which parts are alive: told by the members of their groups, whatever is applied."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from console.inspect.trouble.presence import WatchReport, parts_document, report_of
from petstream.kafka.groups import Committed, Group, GroupMember, own_name
from petstream.kafka.records import TopicPartition

AT = datetime(2026, 11, 23, 8, 12, tzinfo=UTC)
DONE = {TopicPartition("pets.v1", 0): Committed(7, "")}
MEMBER = GroupMember("attic:4711@1795421524", "127.0.0.1")


def _words(report: WatchReport) -> dict[TopicPartition, Committed]:
    text = msgspec.json.encode(report).decode()
    return {TopicPartition("exports.v1", 0): Committed(0, text)}


def test_a_part_with_a_member_runs_and_says_where_and_since_when() -> None:
    (part,) = parts_document({"pets": Group((MEMBER,), DONE)})
    assert part["state"] == "running"
    assert part["members"] == [
        {"host": "attic", "process": 4711, "since": "2026-11-23T08:12:04Z", "address": "127.0.0.1"}
    ]


def test_a_part_that_was_there_is_missing_and_one_that_never_was_is_not_missed() -> None:
    groups = {"pets": Group((), DONE), "images": Group((), {}), "watch": Group((), {})}
    states = {part["part"]: part["state"] for part in parts_document(groups)}
    assert states == {"pets": "missing", "images": "absent", "watch": "absent"}


def test_the_watch_that_is_gone_says_when_it_was_seen_last() -> None:
    (part,) = parts_document({"watch": Group((), _words(WatchReport(AT, "resting")))})
    assert part["state"] == "missing"
    assert part["report"] == {"at": "2026-11-23T08:12:00Z", "doing": "resting"}


def test_nobody_misses_an_ingester_between_two_exports() -> None:
    (part,) = parts_document({"ingest": Group((), DONE)})
    assert part["state"] == "absent"


def test_what_is_no_report_says_nothing() -> None:
    assert report_of('{"name":"attic","process":"1","at":2.0}') is None
    assert report_of("") is None


def test_our_own_name_says_where_we_are() -> None:
    (part,) = parts_document({"pets": Group((GroupMember(own_name(), "::1"),), {})})
    (member,) = part["members"]
    assert member["process"] > 0
    assert member["since"].startswith("20")
