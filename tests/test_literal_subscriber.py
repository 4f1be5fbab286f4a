"""Whoever follows docs/events.md to the letter ends right on every topic, whatever the log does."""

from __future__ import annotations

import importlib.util
import json
import random
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from petstream.topics import ALL, DEAD_LETTERS, EXPORTS, ORGS, PETS, PICTURES, REQUESTS, Topic

PROGRAM: Final = Path(__file__).parents[1] / "docs" / "clients" / "python" / "literal.py"
EXPORT: Final = "2026-11-23T08:12:04Z"
BASE: Final = 7_181_686_096_000_000


class Record(NamedTuple):
    """What the subscriber looks at."""

    value: bytes
    headers: tuple[tuple[str, bytes], ...]


def subscriber() -> Any:
    spec = importlib.util.spec_from_file_location("literal", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Subscriber()


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
    literal = subscriber()
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


def test_the_program_is_short() -> None:
    lines = [line for line in PROGRAM.read_text("utf-8").splitlines() if line.strip()]
    assert len(lines) <= 45


def test_the_page_shows_the_program_as_it_is() -> None:
    page = (PROGRAM.parents[2] / "subscribing.md").read_text("utf-8")
    assert f"```python\n{PROGRAM.read_text('utf-8')}```" in page
