"""A file's bytes, to rows, to records, to events: the ingester's whole pure way.

Rule 1: whatever the chunks, the same rows; whatever the batches, the same events.
Rule 2: each row is published, unchanged, or refused with its reason; no byte is in none.
Rule 3: the same file again publishes nothing, and ends in the same state.
Rule 4: what is published is text that every store takes, and holds no contact.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from rows_of_the_feed import org_row, pet_row, picture

from fuzz_targets.pieces import Fuzzed, fuzzed, seed
from ingest.changes.comparison import REPEATED, Comparison
from ingest.changes.event import ORGS, PETS, Facts, Kind, Publication
from ingest.parse.contacts import is_contact
from ingest.parse.framing import ArrayFramer, LineFramer, Piece
from ingest.parse.rows import (
    KEPT_OF_BAD_BYTES,
    BadRow,
    Row,
    RowFramer,
    parse,
    parsed_with_care,
)
from ingest.parse.sanitize import mend
from ingest.state.ledger import Ledger
from petstream import codec
from petstream.fields import CONTACT_FIELDS, fields_of
from petstream.fold import peek
from petstream.sequence import Family

LONGEST_BYTES: Final = 6_000

_SHORT_LONGEST: Final = 2_500
"""The longest row of the small framers: what is done with longer ones is tried with little data."""

_START: Final = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)
_BLANK: Final = re.compile(rb"[\s,\[\]]*")
_EMAIL: Final = re.compile(rb"[A-Za-z0-9]@[A-Za-z0-9]")
_BOM: Final = b"\xef\xbb\xbf"
_FEED_NAMES: Final = {
    kind.record: {field.feed_name for field in fields_of(kind.type)} for kind in (PETS, ORGS)
}
_CONTACT_NAMES: Final = {
    field.event_name for field in fields_of(PETS.type) if field.attribute in CONTACT_FIELDS
}


def run(data: bytes) -> None:
    """Read a file of these bytes, in every way there is."""
    given = fuzzed(data)
    _frame_with_short_rows(given)
    rows, framer = _framed([given.payload])
    again, framer_again = _framed(given.chunks())
    assert rows == again, "chunks make other rows"
    assert framer.cut_last == framer_again.cut_last, "chunks cut the last row"
    assert framer.odd == framer_again.odd, "chunks make other notes"
    assert framer.goes_on == framer_again.goes_on, "chunks end the array"
    if not framer.cut_last and not framer.goes_on:
        _lose_no_byte(given.payload, rows)
    good = [row for row in rows if isinstance(row, Row)]
    _parse_alike(good)
    _compare(rows, ORGS if given.is_set(1) else PETS, given)


def _framed(chunks: Iterable[bytes]) -> tuple[list[Row | BadRow], RowFramer]:
    framer = RowFramer()
    rows = [row for chunk in chunks for row in framer.feed(chunk)]
    return rows + framer.finish(), framer


def _frame_with_short_rows(given: Fuzzed) -> None:
    for make in (LineFramer, ArrayFramer):
        whole, cut = make(_SHORT_LONGEST), make(_SHORT_LONGEST)
        pieces = [*whole.feed(given.payload), *whole.finish()]
        again: list[Piece] = [piece for chunk in given.chunks() for piece in cut.feed(chunk)]
        assert pieces == [*again, *cut.finish()], f"chunks make other pieces ({make.__name__})"
        for offset, kept, length in pieces:
            if make is ArrayFramer or length <= _SHORT_LONGEST:
                assert given.payload.startswith(kept, offset), "a piece isn't where it says"


def _lose_no_byte(payload: bytes, rows: Sequence[Row | BadRow]) -> None:
    end = len(_BOM) if payload.startswith(_BOM) else 0
    for number, row in enumerate(rows, 1):
        assert row.number == number
        assert isinstance(row, Row), "no row is too long here"
        assert payload.startswith(row.raw, row.offset), "a row isn't where it says"
        assert _BLANK.fullmatch(payload, end, row.offset), "what stands before a row is lost"
        end = row.offset + len(row.raw)
    assert _BLANK.fullmatch(payload, end), "what stands behind the rows is lost"


def _parse_alike(rows: Sequence[Row]) -> None:
    odd: Counter[str] = Counter()
    parsed = parse(rows, odd)
    assert parsed == parsed_with_care(rows), "care makes other rows"
    assert parsed == [parse([row])[0] for row in rows], "neighbours make another row"
    for row, fields in zip(rows, parsed, strict=True):
        mended = mend(row.raw)
        assert mend(mended) == mended, "mending isn't done at once"
        if isinstance(fields, BadRow):
            assert len(fields.raw) <= KEPT_OF_BAD_BYTES
            assert not _EMAIL.search(fields.raw), "a contact is kept"
        else:
            assert parse([row._replace(raw=mended)]) == [fields], "mended it reads otherwise"
            for text in _texts(fields):
                text.encode()
                assert "\0" not in text


def _compare(rows: Sequence[Row | BadRow], kind: Kind, given: Fuzzed) -> None:
    first = Comparison(kind, Ledger(), _facts(0, publish_contacts=given.is_set(2)))
    log = _publications(first, [rows])
    split = given.control[3] * len(rows) // 256
    other = Comparison(kind, Ledger(), first.facts)
    assert _publications(other, [rows[:split], rows[split:]]) == log, "batches make other events"
    assert other.counts == first.counts
    counts = first.counts
    assert counts.read == (
        counts.added + counts.updated + counts.unchanged + counts.relisted + counts.refused
    )
    stamps = len(rows) - counts.read
    assert stamps == 0 if kind is PETS else stamps <= len(rows)
    if stamps:
        objects = parse([row for row in rows if isinstance(row, Row)])
        without_id = sum(isinstance(row, BadRow) or kind.key_of(row) is None for row in objects)
        assert stamps <= without_id, "an organisation is taken for a stamp"
    ledger = _folded(log)
    assert {key: entry.digest for key, entry in ledger.items()} == {
        key: entry.digest for key, entry in first.ledger.items()
    }, "the log folds to something else"
    before = {key: entry.digest for key, entry in ledger.items()}
    second = Comparison(kind, ledger, _facts(1, publish_contacts=given.is_set(2)))
    published = _publications(second, [rows])
    assert second.counts.read == counts.read
    assert second.counts.refused == counts.refused
    if not first.odd[REPEATED]:
        assert not published, "the same file again changes something"
    assert before == {key: entry.digest for key, entry in ledger.items()}


def _facts(day: int, *, publish_contacts: bool) -> Facts:
    start = _START + timedelta(days=day)
    export_id = start.strftime("%Y-%m-%dT%H:%M:%SZ")
    return Facts(export_id, int(start.timestamp()), start, "daily", publish_contacts)


def _publications(run: Comparison, batches: Iterable[Sequence[Row | BadRow]]) -> list[Publication]:
    family: Family = "orgs" if run.kind is ORGS else "pets"
    log: list[Publication] = []
    for rows in batches:
        batch = run.compare(rows, family, f"{family}_1.json")
        log += batch.publications
        for refused in batch.refused:
            assert len(refused.row.raw) <= KEPT_OF_BAD_BYTES
            assert not _EMAIL.search(refused.row.raw), "a contact is kept"
    for publication in log:
        _judge(publication, run)
    return log


def _judge(publication: Publication, run: Comparison) -> None:
    envelope = codec.decode(publication.headers, publication.value)
    head = peek(publication.headers, publication.value)
    assert head is not None
    assert head.rank == envelope.rank
    record = msgspec.json.decode(publication.value)[run.kind.record]
    again = msgspec.json.decode(codec.encode(getattr(envelope.event, run.kind.record)))
    assert record == again, "a reader sees another record"
    for text in _texts(record):
        assert "\0" not in text
    if not run.facts.publish_contacts and run.kind is PETS:
        assert not record.keys() & _CONTACT_NAMES
    if not run.facts.publish_contacts:
        names = [
            name for name, value in _members(record.get("extra", {})) if is_contact(name, value)
        ]
        assert set(names) <= _FEED_NAMES[run.kind.record], "a contact is published"


def _folded(log: Sequence[Publication]) -> Ledger:
    ledger = Ledger()
    for record in log:
        assert ledger.fold(record.key.encode(), record.headers, record.value)
    return ledger


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield name
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for element in value:
            yield from _texts(element)


def _members(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        yield from value.items()
    for inner in value.values() if isinstance(value, Mapping) else value:
        if isinstance(inner, Mapping | list):
            yield from _members(inner)


def seeds() -> dict[str, bytes]:
    """Return files as the feed has them, and odd ones."""
    filled = {name: value for name, value in pet_row(1).items() if value != ""}
    pets = [
        filled, {"animalID": 2, "name": "R\u00e9x \U0001f600", "fosterEmail": "a@b.example"},
        {"animalid": "3", "animalName": "x", "pictures": {"1": picture(7, 1), "0": picture(8, 2)}},
        {"animalID": "4", "birthdate": "0001-01-01", "lastUpdated": 1755230411, "sizeCurrent": 1.5},
    ]  # fmt: skip
    lines = b"\n".join(map(msgspec.json.encode, pets)) + b"\n"
    orgs = [{"exported": "2026-11-02 03:00:00"}, org_row(701), org_row(702, name="")]
    return {
        "lines": seed(lines),
        "lines-cut": seed(lines, b"\x0c\x40\x80\xc0"),
        "array": seed(msgspec.json.encode(pets), b"\x05\x40\x80\xc0"),
        "array-of-words": seed(b'[false, null,{"animalID":"1"} ,"x",[1],-1.5e3]\n', b"\1\2\3\4"),
        "orgs": seed(b"\n".join(map(msgspec.json.encode, orgs)), b"\x02\x40\x80\xc0"),
        "bom-crlf": seed(_BOM + b'{"animalID":"1"}\r\n\r\n{"animalID":"2"}\r\n', b"\4\1\2\3"),
        "bad": seed(b'{"animalID":"1","a":"\\ud83d"}\nfalse\n{"a":{"b":[[]]}}\n{"cut":"', b"\1"),
        "mended": seed(b'{"animalID":"1","a":"\x00\t\xe9\\u0000\\udc00\\"}"}\n{"a":1}\n'),
        "windows": seed(b'{"animalID":"1","name":"Ren\xe9e \x80"}\n', b"\2\3\4\5"),
        "long": seed(b'{"animalID":"1","a":"' + b"x" * 3_000 + b'"}\n{"a":1}\n', b"\3\x80"),
        "repeated": seed(b'{"animalID":"1","name":"a"}\n{"animalID":"1","name":"b"}\n'),
    }  # fmt: skip


WORDS: Final = (
    b'{"animalID":"', b'{"orgID":"', b'","', b'":"', b'"}\n', b'"},', b"\\u0000", b"\\ud83d",
    b"\\ude00", b"\\\\", b'\\"', b"\\u", b"null", b"false", b"true", b"1e999", b"-0",
    b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xc3\xa9", b"\r\n", b'"pictures":[', b'"pictures":{"0":',
    b'"mediaID":"', b'"lastUpdated":"', b'"mediaLastUpdated":"', b'"original":{',
    b'"url":"https://x.example/"', b'"description":"', b'"contactEmail":"', b'"phone"',
    b'"birthdate":"', b'"videos":', b"1755230411", b"2026-01-31", b"01/31/2026 3:00 PM",
    b"0000-00-00", b"Yes", b'"sizeCurrent":"', b'"animalName"', b'"ANIMALID"', b"a@b.example",
    b"555-555-1234", b'"resolutionX":"', b'"mediaOrder":"', b"[[", b"]]", b"}}", b'"kids":',
    b'"found":', b'"orgurl":"', b"9" * 20, b"\x00", b"\x1f", b"\x85",
)  # fmt: skip
