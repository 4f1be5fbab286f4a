"""Whoever follows docs/events.md to the letter ends right on every topic, whatever the log does."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

import jsonschema
import pytest
from reader_programs import PROGRAMS, careful, program

from petstream.codec import decode
from petstream.events import SnapshotRequest
from petstream.testkit import check
from petstream.testkit.log_loss import FIRST, LOST, THEN
from petstream.testkit.lossy_log import LossyLog
from petstream.topics import ALL, DEAD_LETTERS, EXPORTS, ORGS, PETS, PICTURES, REQUESTS, Topic

ROOT: Final = Path(__file__).parents[1]
EXPORT: Final = "2026-11-23T08:12:04Z"
BASE: Final = 7_181_686_096_000_000


class Record(NamedTuple):
    """What the subscriber looks at."""

    value: bytes
    headers: tuple[tuple[str, bytes], ...]


def record(kind: str, subject: str, sequence: int, digest: str = "a") -> Record:
    headers = {
        "ce_id": f"{EXPORT}/{subject}/{sequence}",
        "ce_type": f"org.petstream.{kind}",
        "ce_subject": subject,
        "ce_sequence": f"{sequence:019}",
        "ce_digest": digest,
    }
    value = {"kind": kind, "digest": digest, "sequence": sequence}
    return Record(json.dumps(value).encode(), tuple((k, v.encode()) for k, v in headers.items()))


PLAN: Final = f"removal-plan/{EXPORT}.pets"
LOGS: Final[dict[str, list[Record]]] = {
    PETS.name: [
        record("pet.added", "pet/1", BASE),
        record("pet.added", "pet/2", BASE + 1),
        record("pet.updated", "pet/1", BASE + 9, "c"),
        record("pet.updated", "pet/1", BASE + 9, "b"),  # a tie: the higher digest stays
        record("pet.removed", "pet/2", BASE + 20),
        record("pet.noted", "pet/1", BASE + 30),  # of a later version
    ],
    ORGS.name: [
        record("organization.added", "organization/1", BASE),
        record("organization.removed", "organization/1", BASE + 1),
        record("organization.relisted", "organization/1", BASE + 2),
    ],
    EXPORTS.name: [
        record("export.started", f"export/{EXPORT}", BASE),
        record("export.held", f"{PLAN}/1", BASE + 1),
        record("export.held", f"{PLAN}/2", BASE + 2),
        record("export.completed", f"export/{EXPORT}", BASE + 3),
        record("removals.approved", f"{PLAN}/1", BASE + 4),
        record("removals.approved", f"{PLAN}/2", BASE + 5),
        record("debt.found", f"debt/{BASE + 6}", BASE + 6),
    ],
    PICTURES.name: [  # one key, several subjects
        record("picture.stored", "picture/11", BASE),
        record("picture.stored", "picture/12", BASE),
        record("picture.gone", "picture/11", BASE + 5),
    ],
    REQUESTS.name: [
        record("snapshot.requested", "request/my-site", 1_795_454_400_000_000),
        record("snapshot.requested", "request/my-site", 1_795_454_400_000_001, "b"),
        record("snapshot.requested", "request/your-site", 1_795_454_400_000_000),
    ],
    DEAD_LETTERS.name: [
        record("deadletter.row", f"row/{EXPORT}/pets_1.json/17", 0),
        record("deadletter.event", "event/petstream.pets.v1/3/4711", 0),
    ],
}
WANTED: Final[dict[str, dict[str, tuple[str, str]]]] = {
    PETS.name: {"pet/1": ("pet.updated", "c")},
    ORGS.name: {"organization/1": ("organization.relisted", "a")},
    EXPORTS.name: {
        f"export/{EXPORT}": ("export.completed", "a"),
        f"{PLAN}/1": ("removals.approved", "a"),
        f"{PLAN}/2": ("removals.approved", "a"),
        f"debt/{BASE + 6}": ("debt.found", "a"),
    },
    PICTURES.name: {"picture/12": ("picture.stored", "a")},
    REQUESTS.name: {
        "request/my-site": ("snapshot.requested", "b"),
        "request/your-site": ("snapshot.requested", "a"),
    },
    DEAD_LETTERS.name: {},
}


@pytest.mark.parametrize("topic", ALL, ids=lambda topic: topic.name)
@pytest.mark.parametrize("seed", range(20))
def test_the_literal_subscriber_ends_right(topic: Topic, seed: int) -> None:
    """Duplicates, rewinds to any place, and older events that are published late."""
    randomly = random.Random(seed)  # noqa: S311  schedules, no secrets
    log = LOGS[topic.name]
    literal = program("literal").Subscriber()
    for _ in range(seed % 4):
        start = randomly.randrange(len(log))
        for step in log[start : randomly.randint(start, len(log))]:
            literal.handle(step)
    for step in log:
        for _ in range(randomly.randint(1, 3)):
            literal.handle(step)
    for step in randomly.sample(log, len(log)):  # late
        literal.handle(step)
    shown = {
        subject: (value["kind"], value["digest"]) for subject, value in literal.shown().items()
    }
    assert shown == WANTED[topic.name]
    letters = [step.value for step in log if topic is DEAD_LETTERS]
    assert sorted(literal.dead_letters.values()) == sorted(letters)


def test_the_literal_subscriber_reads_what_0_1_wrote() -> None:
    """Its headers weren't all ASCII."""
    raw = record("pet.added", "pet/1", BASE)
    literal = program("literal").Subscriber()
    literal.handle(raw._replace(headers=(*raw.headers, ("ps_rawdigest", b"\xff\x00"))))
    assert literal.shown().keys() == {"pet/1"}


@pytest.mark.parametrize("topics", [("pets", "orgs", "exports"), None], ids=["all", "pets"])
async def test_with_rule_5_it_ends_right_whatever_the_log_loses(
    topics: tuple[str, ...] | None,
) -> None:
    report = await check(careful(by_id=topics is None), topics=topics, log_loss=True)
    assert report.ok, report
    assert not report.advice


ORGS_OF_IT: Final = {7: "Paws"}
NOW: Final = datetime(2026, 11, 23, 17, 20, tzinfo=UTC)


def read(literal: Any, log: LossyLog) -> None:
    """Read all there is, as a client does that connected anew."""
    now = log.now()
    offsets = literal.begin(now)
    for place, end in now.ends.items():
        for offset in range(offsets.get(place, 0), end):
            literal.handle(now.record_at(*place, offset))


def lost_a_day(*, healed: bool) -> tuple[Any, LossyLog]:
    """Return a reader of a log that lost a day, which nobody but the reader knows."""
    log, literal = LossyLog(heals=True), careful()()
    for _ in log.run(0, FIRST, ORGS_OF_IT):
        pass
    kept = log.now().ends
    for _ in log.run(1, LOST, ORGS_OF_IT):
        pass
    read(literal, log)
    log.lose(kept)
    for _ in log.run(2, THEN, ORGS_OF_IT, snapshot=True) if healed else ():
        pass
    read(literal, log)
    return literal, log


def test_it_asks_for_a_snapshot_above_what_only_it_knows_until_there_is_one() -> None:
    literal, log = lost_a_day(healed=False)
    held = max(sequence for sequence, *_ in literal.newest.values())
    key, value, headers = literal.request(NOW)
    event = decode(headers, value).event
    assert isinstance(event, SnapshotRequest)
    assert (event.sequence, event.at, key.decode()) == (held, NOW, event.asked_by)
    schema = json.loads((ROOT / "schemas" / "snapshot.json").read_text("utf-8"))
    jsonschema.Draft202012Validator(schema).validate(json.loads(value))
    again = decode(literal.request(NOW + timedelta(days=1))[2], value)
    assert again.rank > decode(headers, value).rank, "and again, as a newer request"
    read(literal, log)
    assert literal.request(NOW) is not None, "also where nothing new came"
    for _ in log.run(2, THEN, ORGS_OF_IT, snapshot=True):
        pass
    read(literal, log)
    assert literal.request(NOW) is None
    assert "pet/5" not in literal.shown(), "which left while the log had lost it"


def test_it_asks_for_nothing_that_a_snapshot_healed_already() -> None:
    literal, _ = lost_a_day(healed=True)
    assert literal.request(NOW) is None


def test_what_it_swept_itself_is_no_reason_to_ask() -> None:
    literal, log = lost_a_day(healed=True)
    assert "pet/5" in literal.newest
    literal.positions = {place: (end, ("another", 0)) for place, end in log.now().ends.items()}
    read(literal, log)
    assert literal.request(NOW) is None
    assert set(literal.begin(log.now())) == {place for place, end in log.now().ends.items() if end}


def test_it_asks_for_nothing_where_nothing_was_lost() -> None:
    log, literal = LossyLog(heals=True), careful()()
    for day in range(3):
        for _ in log.run(day, FIRST if day % 2 else THEN, ORGS_OF_IT):
            pass
        read(literal, log)
    assert literal.request(NOW) is None
    assert literal.begin(log.now()) == log.now().ends


@pytest.mark.parametrize(("name", "most"), [("literal.py", 45), ("literal_rule5.py", 110)])
def test_the_programs_are_short(name: str, most: int) -> None:
    lines = [line for line in (PROGRAMS / name).read_text("utf-8").splitlines() if line.strip()]
    assert len(lines) <= most


@pytest.mark.parametrize("name", ["literal.py", "literal_rule5.py"])
def test_the_page_shows_the_programs_as_they_are(name: str) -> None:
    page = (ROOT / "docs" / "subscribing.md").read_text("utf-8")
    assert f"```python\n{(PROGRAMS / name).read_text('utf-8')}```" in page
