"""The contract moves on, and no reader is left behind (T45): golden records of every version.

`golden/<version>` holds what that version published, as bytes with headers, and its schemas. They
are never changed. Of the version that is current, today's code must make the same bytes; of each
older one it must read every record, and still say all that it said.

A change that adds something: raise `console.documents.schemas.VERSION`, run this file (it writes
the new version's files, and none that are there), and note the digest it prints in `RELEASED`.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Final
from unittest import mock
from urllib.parse import quote_from_bytes, unquote_to_bytes

import jsonschema
import msgspec
import pytest

from console.documents import schemas
from consumers.engine import dead_letters
from consumers.pictures import outbox
from ingest.changes.change import Change
from ingest.changes.comparison import RefusedRow
from ingest.changes.event import ORGS, PETS, Facts, encode_event
from ingest.parse.rows import BadRow
from ingest.publish import lifecycle
from ingest.state.export_history import ExportHistory, HeldPlan
from petstream import codec, events
from petstream.codec import Headers, UndecodableError
from petstream.events import (
    DebtEvent,
    ExportEvent,
    LogEnd,
    OrganizationEvent,
    PetEvent,
    PictureEvent,
    PlanEvent,
    SnapshotRequest,
    Unstated,
)
from petstream.kafka.records import ConsumerRecord, TopicPartition
from petstream.kafka.requests import request_record
from petstream.sequence import PER_SECOND

GOLDEN: Final = Path(__file__).parent / "golden"
RELEASED: Final = {
    "1.0.0": "427a3ea0a901dfdecfb9e4dd32b900f944819684e7246a0c4455707eed9377ca",
    "1.1.0": "72d49d00d2cee79ac33545f3e3d56eadb71ee2f0ad4bd78d1e75b198a1a6b531",
    "1.2.0": "2f06ce16da9e5cf5215e24d56e25abbeb2c93adcee7271519fab1e497e3e0696",
    "1.3.0": "bbe2c9bdf31f280b21f0e280cba5eaddc69c3399cd85bee537f7690303271003",
}
"""Of each version the digest of its files: whoever changes one has to say so here."""

START: Final = datetime(2026, 11, 23, 8, 12, 4, tzinfo=UTC)
_PLAIN: Final = " !\"#$&'()*+,/:;<=>?@[]^`{|}~"
_NAMES_THE_TYPE: Final = {".op", ".state", ".decision"}
_LETTERS: Final = ("deadletter.row", "deadletter.event")


@dataclass(frozen=True)
class Golden:
    """A record of a version, by its name: a type, and a word for it where there are more."""

    name: str
    key: bytes
    headers: Headers
    value: bytes

    @property
    def type(self) -> str:
        """The event's type, without the prefix."""
        return dict(self.headers)["ce_type"].decode().removeprefix(events.TYPE_PREFIX)

    def text(self) -> bytes:
        """Return it as a file holds it: a line for the key and each header, then the bytes."""
        lines = [("key", self.key), *self.headers]
        head = "".join(f"{name}: {quote_from_bytes(text, _PLAIN)}\n" for name, text in lines)
        return head.encode() + b"\n" + self.value


def read(path: Path) -> Golden:
    """Read one as `Golden.text` writes it."""
    head, _, value = path.read_bytes().partition(b"\n\n")
    lines = [line.partition(": ") for line in head.decode("ascii").split("\n")]
    (_, key), *headers = [(name, unquote_to_bytes(text)) for name, _, text in lines]
    return Golden(path.name.removesuffix(".record"), key, tuple(headers), value)


def records(version: str) -> list[Golden]:
    """Return the records of a version."""
    return [read(path) for path in sorted((GOLDEN / version).glob("*.record"))]


def schema(version: str, family: str) -> dict[str, Any]:
    """Return a schema of a version."""
    document: dict[str, Any] = json.loads(
        (GOLDEN / version / "schemas" / f"{family}.json").read_text()
    )
    return document


VERSIONS: Final = sorted(RELEASED, key=lambda version: [int(part) for part in version.split(".")])
EVERY: Final = [(version, record) for version in VERSIONS for record in records(version)]
EVENTS: Final = [(version, record) for version, record in EVERY if record.type not in _LETTERS]
OF_EVERY_VERSION: Final = pytest.mark.parametrize(
    ("version", "record"), EVENTS, ids=[f"{version}-{record.name}" for version, record in EVENTS]
)


# ---- what today's code makes of the same input -------------------------------------------------


def today() -> Iterator[Golden]:
    """Publish one of everything, with the functions that do it in earnest."""
    for type_, shape in events.TYPES.items():
        golden = json.loads((GOLDEN / f"{type_}.json").read_text("utf-8"))
        event = msgspec.convert(golden["value"], shape)
        if isinstance(event, PetEvent | OrganizationEvent):
            yield from _changes(type_, event)
        elif isinstance(event, ExportEvent):
            yield from _export(type_, event)
        elif isinstance(event, PlanEvent):
            yield _decision(type_, event)
        elif isinstance(event, PictureEvent):
            yield _picture(type_, event, golden["headers"])
        elif isinstance(event, DebtEvent):
            owed = lifecycle.debt_record(event, ExportHistory().take_sequence)
            yield Golden(type_, owed.key.encode(), owed.headers, owed.value)
        elif isinstance(event, SnapshotRequest):
            asked = request_record(event, golden["headers"]["ce_exportid"], "petstream.")
            yield Golden(type_, asked.key or b"", asked.headers, asked.value or b"")
    yield from _letters()


def _changes(type_: str, event: PetEvent | OrganizationEvent) -> Iterator[Golden]:
    yield _change(type_, event)
    if event.op == "updated":
        again = msgspec.structs.replace(event, changed=(), old={})
        yield _change(f"{type_}.restated", again, restated=True)


def _change(name: str, event: PetEvent | OrganizationEvent, *, restated: bool = False) -> Golden:
    if isinstance(event, PetEvent):
        kind, key, whole = PETS, event.animal_id, codec.encode(event.pet)
    else:
        kind, key, whole = ORGS, event.org_id, codec.encode(event.organization)
    from_row = event.op != "removed"
    made = encode_event(
        kind, Facts(event.source.export_id, 1795421524, START, event.source.mode), key,
        Change(event.op, event.sequence, event.changed, event.old,
               event.first_seen_at.strftime("%Y-%m-%dT%H:%M:%SZ"), whole, codec.digest(whole)),
        event.source, bytes.fromhex("0a0d3a2500ff7f20") if from_row else b"",
        restated=restated,
    )  # fmt: skip
    return Golden(name, made.key.encode(), made.headers, made.value)


def _export(type_: str, event: ExportEvent) -> Iterator[Golden]:
    sequences = ExportHistory().take_sequence
    made = {type_: lifecycle.export_record(event, sequences)}
    if event.state == "held":
        with mock.patch.object(lifecycle, "IDS_A_PART", 2):
            ids = (701, 702, 703)
            parts = list(lifecycle.held_plan_records(event, "P", "orgs", ids, sequences))
        made |= {f"{type_}.part{number}": part for number, part in enumerate(parts, 1)}
    if event.state == "failed":
        unread = msgspec.structs.replace(event, unread=True)
        made[f"{type_}.unread"] = lifecycle.export_record(unread, sequences)
    if event.state in {"started", "completed"}:
        snapshot = event.base * PER_SECOND
        restating = msgspec.structs.replace(event, mode="scrub", restated=snapshot)
        if event.state == "completed":
            fold_ends = {name: end.offset - 2 for name, end in _ENDS.items()}
            restating = msgspec.structs.replace(
                restating, ends=_ENDS, fold_ends=fold_ends, snapshot=snapshot,
                unstated=Unstated((22611040, 22611041), (702,)),
            )  # fmt: skip
        made[f"{type_}.restated"] = lifecycle.export_record(restating, sequences)
    for name, record in made.items():
        yield Golden(name, record.key.encode(), record.headers, record.value)


_ENDS: Final = {
    "petstream.orgs.v1/0": LogEnd(9130),
    "petstream.pets.v1/0": LogEnd(
        22417, "2026-11-23T08:12:04Z/pet/22611034/7181686096000416", 1795425040113
    ),
}


def _decision(type_: str, event: PlanEvent) -> Golden:
    value = json.loads((GOLDEN / "export.held.json").read_text("utf-8"))["value"]
    held = HeldPlan(event.plan_id, msgspec.convert(value, ExportEvent), (22611034,), "pets")
    decided = lifecycle.plan_decision(
        held, event.decision, event.at, by=event.by, reason=event.reason
    )
    (made,) = lifecycle.decision_records(held, decided, ExportHistory().take_sequence)
    return Golden(type_, made.key.encode(), made.headers, made.value)


def _picture(type_: str, event: PictureEvent, headers: dict[str, str]) -> Golden:
    row = msgspec.structs.asdict(event) | {
        "sequence": int(headers["ce_sequence"]), "export_id": headers["ce_exportid"],
        "at": datetime.fromisoformat(headers["ce_time"]),
    }  # fmt: skip
    key, value, made = outbox.message(row)
    return Golden(type_, key, made, value)


def _letters() -> Iterator[Golden]:
    bad = BadRow(17, 40_960, "not-json", "no colon at byte 12", b'{"animalID" "1"\xff\x00}')
    row = lifecycle.refused_row_record(
        RefusedRow("pets_1.json", bad), "2026-11-23T08:12:04Z", START
    )
    yield Golden("deadletter.row", row.key.encode(), row.headers, row.value)
    event = dead_letters.encode(_REFUSED, "petstream.dead-letters.v1", "petstream.pets", START)
    yield Golden("deadletter.event", event.key or b"", event.headers, event.value or b"")


_REFUSED: Final = dead_letters.RefusedRecord(
    ConsumerRecord(
        TopicPartition("petstream.pets.v1", 3), 4_711, b"22611034", b'{"op":\xff\n\n}',
        (("ce_type", b"org.petstream.pet.updated"), ("theirs", b"50 % \x00 h\xc3\xa9r\n")),
    ),
    "value", "the value doesn't fit pet.updated: invalid utf-8",
)  # fmt: skip


# ---- records -----------------------------------------------------------------------------------


def test_t45_every_version_has_a_record_of_every_type_it_knows() -> None:
    """T45: also of those that come in parts."""
    for version in VERSIONS:
        types = {record.type for record in records(version)}
        document = json.loads((GOLDEN / version / "schemas" / "asyncapi.json").read_text("utf-8"))
        assert types == document["components"]["messages"].keys()
    assert {record.type for record in records(schemas.VERSION)} == {*events.TYPES, *_LETTERS}


def test_t45_what_was_released_stays_as_it_was() -> None:
    """T45: a golden record that was mended says nothing about the past."""
    assert {path.parent.name for path in GOLDEN.glob("*/schemas")} == set(RELEASED)
    assert {version: digest_of(version) for version in VERSIONS} == RELEASED


def test_t45_the_same_input_makes_the_same_bytes_as_ever() -> None:
    """T45: else two runs of one export, before and after an upgrade, would differ."""
    assert VERSIONS[-1] == schemas.VERSION, "see the first lines of this file"
    released = {record.name: record.text() for record in records(schemas.VERSION)}
    assert {record.name: record.text() for record in today()} == released


@pytest.mark.parametrize(
    ("version", "record"), EVENTS, ids=lambda record: getattr(record, "name", record)
)
def test_t45_todays_decoder_reads_what_any_version_published(version: str, record: Golden) -> None:
    """T45: and loses nothing of it."""
    envelope = codec.decode(record.headers, record.value)
    assert envelope.type == f"{events.TYPE_PREFIX}{record.type}", version
    assert isinstance(envelope.event, events.TYPES[record.type])
    said = json.loads(codec.encode(envelope.event))
    assert lacking(json.loads(record.value), said) == []


@pytest.mark.parametrize(
    ("version", "record"), EVENTS, ids=lambda record: getattr(record, "name", record)
)
def test_t45_a_record_of_any_version_fits_the_schemas_of_every_version(
    version: str, record: Golden
) -> None:
    """T45: a subscriber may hold an older schema than the publisher, or a newer one."""
    family = record.type.partition(".")[0]
    for held in VERSIONS:
        document = json.loads((GOLDEN / held / "schemas" / "asyncapi.json").read_text("utf-8"))
        if record.type in document["components"]["messages"]:
            validator = jsonschema.Draft202012Validator(
                schema(held, family), format_checker=jsonschema.FormatChecker()
            )
            validator.validate(json.loads(record.value))
            headers = document["components"]["messages"][record.type]["headers"]
            said = {name: text.decode("latin-1") for name, text in record.headers}
            jsonschema.Draft202012Validator(headers).validate(said)
    assert version in VERSIONS


@pytest.mark.parametrize("version", VERSIONS)
def test_t45_letters_of_any_version_say_where_they_came_from(version: str) -> None:
    """T45: they aren't JSON; their headers are their contract."""
    letters = {record.type: record for record in records(version)}
    event, row = letters["deadletter.event"], letters["deadletter.row"]
    place = TopicPartition("petstream.dead-letters.v1", 0)
    letter = ConsumerRecord(place, 0, event.key, event.value, event.headers)
    assert dead_letters.original(letter) == dead_letters.Original(_REFUSED.record, None)
    letter = ConsumerRecord(place, 1, row.key, row.value, row.headers)
    assert dead_letters.original(letter) is None
    decoded = dead_letters.decode(letter)
    assert (decoded.origin, decoded.reason) == ("2026-11-23T08:12:04Z/pets_1.json/17", "not-json")
    assert row.value == b'{"animalID" "1"\xff\x00}'


def test_t45_a_later_minor_version_is_read_and_an_unknown_major_one_is_not() -> None:
    """T45: what a minor version may add is passed over; another major one has other topics."""
    updated = next(record for _, record in EVENTS if record.name == "pet.updated")
    before = codec.decode(updated.headers, updated.value)
    value = json.loads(updated.value)
    value |= {"addedNextYear": 1, "pet": value["pet"] | {"mood": ["calm"]}}
    value["source"]["shard"] = None
    later = codec.decode((*updated.headers, ("ce_new", b"\xff")), json.dumps(value).encode())
    assert later == before
    named = dict(updated.headers) | {"ce_specversion": b"2.0"}
    with pytest.raises(UndecodableError) as caught:
        codec.decode(tuple(named.items()), updated.value)
    assert caught.value.reason == "version"


def lacking(old: Any, new: Any, path: str = "") -> list[str]:
    """Return where `new` doesn't say what `old` says; it may say more."""
    if isinstance(old, dict) and isinstance(new, dict):
        return [
            each
            for name, value in old.items()
            for each in (lacking(value, new[name], f"{path}.{name}") if name in new else [path])
        ]
    return [] if old == new else [path]


# ---- schemas -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Field:
    """One place in a value: what may stand there."""

    types: frozenset[str]
    words: frozenset[str]
    required: bool
    closed: bool
    """No other word may stand there; since 1.1.0 every list of words is open."""


def fields(document: dict[str, Any]) -> dict[str, Field]:
    """Return every place in the values of a schema, by its path."""
    known: dict[str, Field] = {}

    def look(part: dict[str, Any], path: str, *, required: bool) -> None:
        while "$ref" in part:
            part = document["$defs"][part["$ref"].rpartition("/")[2]]
        either = [_resolved(document, choice) for choice in part.get("anyOf", [part])]
        words = frozenset(
            word for choice in either for word in choice.get("enum", choice.get("examples", ()))
        )
        types = frozenset(type_ for choice in either for type_ in _types(choice))
        closed = any("enum" in choice for choice in either)
        known[path] = Field(types, words, required, closed)
        for choice in either:
            for name, held in choice.get("properties", {}).items():
                look(held, f"{path}.{name}", required=name in choice.get("required", ()))
            for name in ("items", "additionalProperties"):
                if isinstance(choice.get(name), dict):
                    look(choice[name], f"{path}[{name}]", required=False)

    look(document, "", required=True)
    return known


def _types(part: dict[str, Any]) -> list[str]:
    """Return the types of a place with their format; `[T, "null"]` is what `anyOf` said before."""
    named = part.get("type", "string" if "enum" in part else "any")
    types = [named] if isinstance(named, str) else named
    return [f"{type_} {part.get('format', '') if type_ != 'null' else ''}" for type_ in types]


def _resolved(document: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    resolved: dict[str, Any] = part
    if "$ref" in part:
        resolved = document["$defs"][part["$ref"].rpartition("/")[2]]
    return resolved


def breaks(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Return what a change of a schema would break: for readers of new events, or of old ones."""
    before, after = fields(old), fields(new)
    wrong = [f"{path} is gone" for path in before if path not in after]
    for path, was in before.items():
        now = after.get(path, was)
        if now.types != was.types:
            wrong.append(f"{path} was {sorted(was.types)} and is {sorted(now.types)}")
        if was.words - now.words:
            wrong.append(f"{path} may be {sorted(was.words - now.words)} no longer")
        if now.closed and not was.closed:
            wrong.append(f"{path} may no longer be a word that isn't listed")
        if now.closed and now.words - was.words and path not in _NAMES_THE_TYPE:
            wrong.append(f"{path} may be {sorted(now.words - was.words)} now")
        if now.required != was.required:
            wrong.append(f"{path} is required {'now' if now.required else 'no longer'}")
    wrong += [
        f"{path} is new and required: older events don't have it"
        for path, now in after.items()
        if path not in before and now.required and path.rpartition(".")[0] in before
    ]
    return wrong


def test_t45_schemas_only_ever_grow() -> None:
    """T45: no field goes, none changes its type, and none that is new is demanded of old events."""
    for older, newer in pairwise(VERSIONS):
        names = {path.stem for path in (GOLDEN / older / "schemas").glob("*.json")}
        for name in names - {"asyncapi"}:
            assert breaks(schema(older, name), schema(newer, name)) == []
    for family in schemas.FAMILIES:
        now = json.loads(schemas.documents()[f"{family.name}.json"])
        assert breaks(schema(VERSIONS[-1], family.name), now) == []


@pytest.mark.parametrize("family", [family.name for family in schemas.FAMILIES])
def test_every_breaking_change_of_a_schema_is_found_out(family: str) -> None:
    released = schema(VERSIONS[-1], family)
    assert breaks(released, copy.deepcopy(released)) == []
    tried = 0
    shapes = {"": released, **released["$defs"]}
    for name, shape in shapes.items():
        for field in shape["properties"]:
            for change in (_without, _other, _renamed, _turned):
                changed = copy.deepcopy(released)
                change(_shape(changed, name), field)
                assert breaks(released, changed), (name, field, change.__name__)
                tried += 1
        grown = copy.deepcopy(released)
        _shape(grown, name)["properties"]["addedNextYear"] = {"type": "integer"}
        assert breaks(released, grown) == []
        _shape(grown, name)["required"].append("addedNextYear")
        assert breaks(released, grown) != []
    assert tried == 4 * sum(len(shape["properties"]) for shape in shapes.values())


def _shape(document: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a definition of a schema; "" is the event itself."""
    shape: dict[str, Any] = document["$defs"][name] if name else document
    return shape


def _without(shape: dict[str, Any], field: str) -> None:
    del shape["properties"][field]


def _other(shape: dict[str, Any], field: str) -> None:
    shape["properties"][field] = {"type": "boolean", "format": "of another kind"}


def _renamed(shape: dict[str, Any], field: str) -> None:
    shape["properties"][f"{field}New"] = shape["properties"].pop(field)


def _turned(shape: dict[str, Any], field: str) -> None:
    wanted = shape.setdefault("required", [])
    wanted.remove(field) if field in wanted else wanted.append(field)


def test_a_word_that_comes_or_goes_is_found_out() -> None:
    closed, opened = schema("1.0.0", "pet"), schema("1.1.0", "pet")
    assert breaks(closed, opened) == [], "a list of words may be opened, with all its words"
    assert breaks(opened, closed) == [
        ".op may no longer be a word that isn't listed",
        ".source.mode may no longer be a word that isn't listed",
    ]
    fewer, more = (copy.deepcopy(opened) for _ in range(2))
    fewer["properties"]["op"]["examples"].remove("relisted")
    more["$defs"]["Source"]["properties"]["mode"]["examples"].append("hourly")
    assert breaks(opened, fewer) == [".op may be ['relisted'] no longer"]
    assert breaks(closed, fewer) == [".op may be ['relisted'] no longer"]
    assert breaks(opened, more) == []
    more, other = (copy.deepcopy(closed) for _ in range(2))
    more["$defs"]["PetEvent"]["properties"]["op"]["enum"].append("noted")
    other["$defs"]["Source"]["properties"]["mode"]["enum"].append("hourly")
    assert breaks(closed, more) == [], "it comes with a type of event that is new"
    assert breaks(closed, other) == [".source.mode may be ['hourly'] now"]


# ---- a new version -----------------------------------------------------------------------------


def digest_of(version: str) -> str:
    """Return the digest of all files of a version."""
    hashed = hashlib.sha256()
    for path in sorted((GOLDEN / version).rglob("*")):
        if path.is_file():
            name = path.relative_to(GOLDEN / version).as_posix()
            data = path.read_bytes()
            hashed.update(f"{name} {len(data)}\n".encode() + data)
    return hashed.hexdigest()


def _write() -> None:
    home = GOLDEN / schemas.VERSION
    (home / "schemas").mkdir(parents=True, exist_ok=True)
    made = {f"{record.name}.record": record.text() for record in today()}
    made |= {f"schemas/{name}": text.encode() for name, text in schemas.documents().items()}
    for name, data in made.items():
        if not (home / name).exists():
            (home / name).write_bytes(data)
    print(schemas.VERSION, digest_of(schemas.VERSION))  # noqa: T201  for whoever runs this


if __name__ == "__main__":
    _write()
