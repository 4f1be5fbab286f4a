"""Records of our topics, as consumers and ledger read them, whoever wrote them.

Rule 1: a record is an event, or refused with `UndecodableError`; nothing else is raised.
Rule 2: who peeks and who decodes see the same; what the ledger takes for none of ours, consumers
        refuse, so that nothing is listed in one and not in the other.
Rule 3: what is refused becomes a dead letter that holds the record as it came.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import msgspec
from compared_rows import facts
from rows_of_the_feed import framed, org_row, pet_row

from consumers.engine import dead_letters
from consumers.engine.dead_letters import MAX_LETTER_BYTES, RefusedRecord, size_of
from consumers.pets import current, history, removals
from consumers.pictures import wanted
from ingest.changes.comparison import Comparison
from ingest.changes.event import ORGS, PETS, Publication
from ingest.state.export_history import ExportHistory
from ingest.state.ledger import Ledger
from ingest.state.restore import asked_in
from petstream import codec
from petstream.codec import Envelope, Headers, UndecodableError
from petstream.events import OrganizationEvent, PetEvent
from petstream.fold import SubjectOrder, peek
from petstream.kafka.records import ConsumerRecord, TopicPartition

LONGEST_BYTES: Final = 8_192

_NOW: Final = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)
_SEPARATOR: Final = b"\n\n"
_NULL: Final = b"\x00null"
_MOST_HEADERS: Final = 40


def run(data: bytes) -> None:
    """Read a record: lines of headers, an empty line, the value."""
    head, separator, body = data.partition(_SEPARATOR)
    headers = _headers(head)
    value = body if separator and body != _NULL else None
    record = ConsumerRecord(TopicPartition("petstream.pets.v1", 3), 7, b"22611034", value, headers)
    envelope = _decoded(record)
    _peek_alike(record, envelope)
    _read_by_consumers(record, envelope)
    letter = ConsumerRecord(TopicPartition("petstream.dead-letters.v1", 0), 1, None, value, headers)
    said = dead_letters.decode(letter)
    assert "\0" not in said.origin + said.reason + said.error
    assert said.at.tzinfo is not None
    dead_letters.original(letter)
    asked_in(record)


def _headers(head: bytes) -> Headers:
    lines = head.split(b"\n")[:_MOST_HEADERS] if head else []
    pairs = (line.partition(b":") for line in lines)
    return tuple((name.decode("utf-8", "replace"), text) for name, _, text in pairs)


def _decoded(record: ConsumerRecord) -> Envelope | None:
    try:
        envelope = codec.decode(record.headers, record.value)
    except UndecodableError as error:
        _set_aside(RefusedRecord(record, error.reason, str(error)))
        if error.reason == "mismatch":
            assert peek(record.headers, record.value) is None, "the ledger believes what differs"
        return None
    assert envelope.time.tzinfo is not None, "a time without a zone"
    assert 0 <= envelope.sequence < 1 << 63, "a sequence that no table holds"
    again = codec.encode(envelope.event)
    assert msgspec.json.Decoder(type(envelope.event)).decode(again) == envelope.event
    exports = ExportHistory()
    exports.fold_record(envelope)
    exports.held()
    exports.half_decided()
    exports.overdue(_NOW)
    SubjectOrder().is_newest(envelope.subject, envelope.rank)
    return envelope


def _set_aside(refused: RefusedRecord) -> None:
    sent = dead_letters.encode(refused, "petstream.dead-letters.v1", "petstream.pets", _NOW)
    assert size_of(sent) <= MAX_LETTER_BYTES
    assert sent.value is not None
    for name, text in sent.headers:
        assert name.isascii()
        assert text.isascii(), "a header that isn't ASCII"
    place = TopicPartition("petstream.dead-letters.v1", 0)
    kept = dead_letters.original(ConsumerRecord(place, 1, sent.key, sent.value, sent.headers))
    assert kept is not None
    assert kept.cut_bytes is None
    assert kept.record == refused.record, "a dead letter doesn't hold the record as it came"


def _peek_alike(record: ConsumerRecord, envelope: Envelope | None) -> None:
    head = peek(record.headers, record.value)
    ledger = Ledger()
    assert ledger.fold(record.key, record.headers, record.value) == (head is not None)
    if head is not None:
        assert ledger.rank(22611034) == head.rank
        assert list(ledger.listed()) == [22611034] * head.listed
    if envelope is None or not isinstance(envelope.event, PetEvent | OrganizationEvent):
        return
    assert head is not None, "consumers take for an event what the ledger doesn't"
    assert head.rank == envelope.rank
    assert head.listed == (envelope.event.op != "removed"), "what is removed for one is not for all"
    assert envelope.event.sequence == envelope.sequence


def _read_by_consumers(record: ConsumerRecord, envelope: Envelope | None) -> None:
    for read in (history.read, removals.read, wanted.read):
        try:
            read(record)
        except UndecodableError:
            assert envelope is None
    if envelope is None:
        return
    if isinstance(envelope.event, PetEvent):
        current.pet_row(envelope)
        removal = removals.read(record)
        assert (removal is not None) == (envelope.event.op == "removed"), "a removal is passed over"
    elif isinstance(envelope.event, OrganizationEvent):
        current.organization_row(envelope)


def _written(publication: Publication) -> bytes:
    lines = [name.encode() + b":" + text for name, text in publication.headers]
    return b"\n".join(lines) + _SEPARATOR + publication.value


def seeds() -> dict[str, bytes]:
    """Return events as they are published, and what is none."""
    small = {"animalID": "22611034", "name": "R\u00e9x", "lastUpdated": "1755230411"}
    pets = Comparison(PETS, Ledger(), facts())
    added = pets.compare(framed(small), "pets", "pets_1.json").publications[0]
    whole = Comparison(PETS, Ledger(), facts()).compare(framed(pet_row()), "pets", "pets_1.json")
    removed = pets.removal(22611034, added_sequence(added) + 1)
    assert removed is not None
    orgs = Comparison(ORGS, Ledger(), facts()).compare(framed(org_row()), "orgs", "orgs_1.json")
    exports = (
        b'{"exportId":"2026-11-02T08:00:00Z","mode":"daily","state":"completed","at":'
        b'"2026-11-02T08:00:00Z","counts":{"pets":{},"orgs":{}},"ends":{"pets.v1/0":{"offset":7}},'
        b'"plan":{"planId":"p","part":1,"parts":1,"removals":[1]},"drift":{"newValues":{"a":["b"]}}}'
    )
    head = _written(added._replace(value=b"")).replace(b"pet.added", b"export.completed")
    return {
        "added": _written(added),
        "whole": _written(whole.publications[0]),
        "removed": _written(removed),
        "organization": _written(orgs.publications[0]),
        "export": head + exports,
        "digits": b"dl_class:event\ndl_origin:pets.v1/0/7\ndl_cut:" + b"9" * 5_000,
        "parts": head.replace(b"ce_subject:pet/", b"ce_subject:removal-plan/" + b"9" * 5_000)
        + exports,
        "null": _written(added._replace(value=_NULL)),
        "letter": b"dl_encoding:percent\ndl_class:event\ndl_origin:pets.v1/0/7\ndl_at:2026-11-02\n"
        b"dl_header_ce_id:x%20y\ndl_key:1\ndl_reason:value\ndl_message:no%20way" + _SEPARATOR,
    }  # fmt: skip


def added_sequence(publication: Publication) -> int:
    """Return the sequence of an event."""
    return int(dict(publication.headers)["ce_sequence"])


WORDS: Final = (
    b"ce_specversion:1.0\n", b"ce_source:/petstream/rescuegroups\n", b"ce_type:org.petstream.",
    b"pet.added", b"pet.removed", b"organization.removed", b"export.held", b"removals.approved",
    b"debt.found", b"snapshot.requested", b"picture.stored", b"ce_subject:", b"ce_exportid:",
    b"ce_sequence:", b"ce_time:", b"2026-11-02T08:00:00Z", b"2026-11-02", b"ce_digest:", b"ps_row:",
    b"ps_restated:1", b"\n\n", b"\x00null", b'"sequence":', b'"op":"removed"', b'"op":"added"',
    b"9223372036854775808", b"-1", b"1_0", b"%00", b"dl_header_", b"dl_null:true", b"dl_cut:",
    b'"old":{}', b'"changed":["a"]', b"null", b"0001-01-01T00:00:00Z", b"+24:00", b"\xff",
    b"\xc2\xb2",
)  # fmt: skip
