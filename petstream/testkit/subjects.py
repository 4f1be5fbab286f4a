"""Hostile streams of every topic, and what is to be shown at the end, by `ce_subject`. Pure.

Rule 1: of a subject the highest (sequence, digest) of a known type decides: pets and organisations
        are shown by name until removed, exports and plans by their state or decision, pictures by
        where they are stored until they are gone.
"""

from __future__ import annotations

import json
import random
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from petstream import codec, topics
from petstream.events import TYPE_PREFIX, TYPES, export_subject, plan_subject
from petstream.sequence import PER_SECOND, removal_sequence
from petstream.testkit.trials import LIFE, Record, Step, Trial, log_of

TOPICS: Final = ("pets", "orgs", "exports", "pictures")

_START: Final = datetime(2026, 11, 20, 8, 12, 4, tzinfo=UTC)
_DAY_S: Final = 86_400
_SCHEDULES: Final = 6
_NEWER: Final = "Keep (sequence, ce_digest) with each ce_subject, and apply only what is higher"
_SUBJECT: Final = "A key has several subjects: what an event is about is its ce_subject"
_STORED: Final = "What decides must be stored with what is shown, and outlive the process"
_IGNORE: Final = "Ignore fields, headers and event types that you don't know"
_WHOLE: Final = "An event holds all of it: the newest of a subject is enough"


class _Said(NamedTuple):
    """An event of a subject, before it has its place in the log."""

    type: str
    subject: str
    key: str
    day: int
    at: int
    value: dict[str, Any]


def subject_trials(wanted: Collection[str]) -> Iterator[Trial]:
    """Return every trial of these topics, by their names without prefix and version.

    Raises:
        ValueError: there is no topic of that name.
    """
    unknown = set(wanted) - set(TOPICS)
    if unknown:
        message = f"no trials for {', '.join(sorted(unknown))}: there are {', '.join(TOPICS)}"
        raise ValueError(message)
    for topic in TOPICS:
        if topic in wanted:
            yield from _trials(topic, _LOGS[topic]())
    logs = [_LOGS[topic]() for topic in TOPICS if topic in wanted]
    yield Trial("all topics at once", _SUBJECT, [record for log in logs for record in log])


def expected(records: Iterable[Record]) -> dict[str, str | None]:
    """Return what is to be shown after these records (rule 1)."""
    newest: dict[str, tuple[tuple[int, bytes], str, dict[str, Any]]] = {}
    for record in records:
        headers = dict(record.headers)
        type_ = headers["ce_type"].decode().removeprefix(TYPE_PREFIX)
        rank = int(headers["ce_sequence"]), headers["ce_digest"]
        subject = headers["ce_subject"].decode()
        if type_ in TYPES and (subject not in newest or rank > newest[subject][0]):
            newest[subject] = rank, type_, json.loads(record.value)
    return {
        subject: _shown(type_, value)
        for subject, (_, type_, value) in newest.items()
        if not type_.endswith((".removed", ".gone"))
    }


def _shown(type_: str, value: dict[str, Any]) -> str | None:
    family, _, word = type_.partition(".")
    if family in {"pet", "organization"}:
        name: str | None = value[family]["name"]
        return name
    return value["storedAs"] if family == "picture" else word


def _trials(topic: str, log: Sequence[Record]) -> Iterator[Trial]:
    advice = _SUBJECT if topic in {"exports", "pictures"} else "See docs/events.md for each type"
    yield Trial(f"{topic}: a first reading", advice, log)
    yield Trial(f"{topic}: every record twice", _NEWER, [step for step in log for _ in range(2)])
    half = log[: len(log) // 2]
    yield Trial(f"{topic}: a rewind while it runs", _NEWER, [*log, *half])
    yield Trial(f"{topic}: a rewind across a restart", _STORED, [*log, "restart", *half])
    again = [step._replace(offset=len(log) + step.offset) for step in half]
    yield Trial(f"{topic}: older events at higher offsets", _NEWER, [*log, *again])
    late = _overtaken(log)
    yield Trial(f"{topic}: an event that was overtaken", _NEWER, late)
    newest = {dict(step.headers)["ce_subject"]: step for step in log}
    yield Trial(f"{topic}: only the newest of each subject", _WHOLE, list(newest.values()))
    yield Trial(f"{topic}: a later minor version", _IGNORE, [*_of_next_year(log)])
    for seed in range(_SCHEDULES):
        yield Trial(f"{topic}: schedule {seed}", _NEWER, _schedule(late, seed))


def _overtaken(log: Sequence[Record]) -> list[Record]:
    """Return the log with an event behind the one that is newer, which it didn't have before."""
    newest = {dict(step.headers)["ce_subject"]: step for step in log}
    moved = next(step for step in log if newest[dict(step.headers)["ce_subject"]] != step)
    return [*(step for step in log if step != moved), moved._replace(offset=len(log))]


def _of_next_year(log: Sequence[Record]) -> Iterator[Record]:
    for step in log:
        value = json.loads(step.value) | {"addedNextYear": {"a": [1]}}
        yield step._replace(
            value=codec.encode(value), headers=(*step.headers, ("ce_addednextyear", b"x"))
        )
        named = dict(step.headers)
        sequence = int(named["ce_sequence"]) + 1
        family = named["ce_type"].decode().rpartition(".")[0]
        named |= {"ce_type": f"{family}.noted".encode(), "ce_sequence": b"%019d" % sequence}
        note = {"note": "of a type that is new", "sequence": sequence}
        yield step._replace(value=codec.encode(note), headers=tuple(named.items()))


def _schedule(log: Sequence[Record], seed: int) -> list[Step]:
    """Return the log with rewinds and restarts; in the end all of it was read."""
    rng = random.Random(seed)  # noqa: S311  a schedule, no secret
    steps: list[Step] = []
    at = 0
    for _ in range(6):
        until = rng.randint(at, len(log))
        steps.extend(log[at:until])
        if rng.random() < 0.5:  # noqa: PLR2004  every other time
            steps.append("restart")
        at = rng.randint(0, until)
    return [*steps, *log[at:]]


def _organizations() -> list[Record]:
    def said(op: str, org_id: int, day: int, name: str) -> _Said:
        at = removal_sequence(0) if op == "removed" else org_id
        value = {"op": op, "orgId": org_id, "organization": {"orgId": org_id, "name": name}}
        return _Said(
            f"organization.{op}", f"organization/{org_id}", str(org_id), day, at, value
        )  # fmt: skip

    return _records(topics.ORGS, [
        said("added", 1, 0, "Paws"), said("added", 2, 0, "Tails"), said("added", 3, 0, "Fins"),
        said("updated", 1, 1, "Paws & Co"), said("removed", 2, 1, "Tails"),
        said("removed", 3, 1, "Fins"), said("relisted", 2, 2, "Tails again"),
        said("updated", 1, 3, "one of twins"), said("updated", 1, 3, "the other"),
    ])  # fmt: skip


def _exports() -> list[Record]:
    def said(type_: str, day: int, at: int, part: int = 0) -> _Said:
        export_id = _export_id(day)
        plan_id = f"{export_id}.pets"
        subject = plan_subject(plan_id, part) if part else export_subject(export_id)
        family, _, word = type_.partition(".")
        value: dict[str, Any] = {"exportId": export_id, "at": export_id}
        value |= {"state": word} if family == "export" else {"planId": plan_id, "decision": word}
        if word == "held":
            value["plan"] = {"planId": plan_id, "part": part, "parts": 2, "removals": [part]}
        return _Said(type_, subject, export_id, day, at, value)

    return _records(topics.EXPORTS, [
        said("export.started", 0, 0), said("export.completed", 0, 1),
        said("export.started", 1, 0), said("export.started", 1, 1),  # again, after a crash
        said("export.held", 1, 2, part=1), said("export.held", 1, 3, part=2),
        said("export.completed", 1, 4),
        said("removals.approved", 1, 5, part=1), said("removals.approved", 1, 6, part=2),
        said("export.started", 2, 0), said("export.held", 2, 1, part=1),
        said("export.failed", 2, 2), said("export.started", 3, 0),
    ])  # fmt: skip


def _pictures() -> list[Record]:
    def said(op: str, animal_id: int, picture_id: int, day: int, version: str = "a") -> _Said:
        stored = f"{version}/{picture_id}.jpg" if op == "stored" else None
        value = {"op": op, "animalId": animal_id, "pictureId": picture_id, "storedAs": stored}
        subject = f"picture/{picture_id}"
        return _Said(f"picture.{op}", subject, str(animal_id), day, animal_id, value)

    return _records(topics.PICTURES, [
        said("stored", 1, 11, 0), said("stored", 1, 12, 0), said("stored", 1, 13, 0),
        said("stored", 2, 21, 0), said("stored", 1, 12, 1, "b"), said("gone", 1, 13, 1),
        said("gone", 2, 21, 1), said("stored", 2, 21, 2, "c"),
    ])  # fmt: skip


def _records(topic: topics.Topic, events: Iterable[_Said]) -> list[Record]:
    return [_record(topic, said, offset) for offset, said in enumerate(events)]


def _record(topic: topics.Topic, said: _Said, offset: int) -> Record:
    sequence = (int(_START.timestamp()) + said.day * _DAY_S) * PER_SECOND + said.at
    value = codec.encode(said.value | {"sequence": sequence})
    headers = codec.headers(
        type_=said.type, subject=said.subject, sequence=sequence, export_id=_export_id(said.day),
        digest=codec.digest(value), time=_START,
    )  # fmt: skip
    at_ms = int(_START.timestamp() * 1000) + offset
    key = said.key.encode()
    partition = int(key) % topic.partitions if topic.partitions > 1 else 0
    return Record(topic.full_name("petstream."), partition, offset, at_ms, key, value, headers)


def _export_id(day: int) -> str:
    return datetime.fromtimestamp(_START.timestamp() + day * _DAY_S, UTC).strftime(
        "%Y-%m-%dT%H:%M:%SZ"
    )


_LOGS: Final = {
    "pets": lambda: log_of(LIFE), "orgs": _organizations, "exports": _exports,
    "pictures": _pictures,
}  # fmt: skip
