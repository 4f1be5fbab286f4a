"""Events to Kafka records and back: CloudEvents 1.0, Kafka binding, binary mode.

Rule 1: the context travels in ``ce_*`` headers, the value is the JSON of the event.
Rule 2: what can't be decoded raises `UndecodableError` with a stable reason, never anything else.
Rule 3: headers that begin with ``ps_`` are ours and may change.
Rule 4: every header is ASCII text; what isn't is percent-encoded as CloudEvents' HTTP binding does:
        the ``dl_…`` headers of dead letters, and ``dl_encoding`` says so (those of 0.1 are raw).
"""

from __future__ import annotations

from binascii import hexlify, unhexlify
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import quote_from_bytes, unquote_to_bytes

import msgspec
import xxhash

from petstream import events
from petstream.errors import PetstreamError

ROW_DIGEST: Final = "ps_row"
"""Digest of the row's bytes and the normaliser's version, in hex: equal = nothing to look at."""

ROW_DIGEST_BEFORE_0_2: Final = "ps_rawdigest"
"""The same in older logs, as bytes."""

RESTATED: Final = "ps_restated"
"""``1``: the event says again what was said before, since the log lost records; nothing is new."""

JSON: Final = b"application/json"
BYTES: Final = b"application/octet-stream"
"""The content type of dead letters: whatever was refused."""

_ENCODER: Final = msgspec.json.Encoder()
_DECODERS: Final = {
    name: msgspec.json.Decoder(shape) for name, shape in events.TYPES.items()
}  # fmt: skip

_SOURCE: Final = events.SOURCE.encode()
_TYPE_NAMES: Final = {name: f"{events.TYPE_PREFIX}{name}".encode() for name in events.TYPES}
_ENCODING: Final = "dl_encoding"
_PERCENT: Final = b"percent"
_YES: Final = b"1"
_HIGHEST_SEQUENCE: Final = 2**63 - 1
_UNCHANGED: Final = bytes(set(range(0x21, 0x7F)) - set(b'"%')).decode("ascii")

Headers = tuple[tuple[str, bytes], ...]


class UndecodableError(PetstreamError):
    """A record isn't an event of this version; `reason` is a stable word for it."""

    def __init__(self, reason: str, message: str) -> None:
        """Keep the reason apart from the message."""
        super().__init__(message)
        self.reason = reason


class Envelope(NamedTuple):
    """A decoded record: the context of an event, and the event."""

    type: str
    subject: str
    sequence: int
    export_id: str
    digest: str
    time: datetime
    event: events.Event
    restated: bool = False

    @property
    def rank(self) -> tuple[int, str]:
        """What decides which of two events of a subject is the newer."""
        return self.sequence, self.digest


def digest(value: bytes) -> str:
    """Return the digest of a normalised value (32 hex digits; equal bytes, equal digest).

    >>> digest(b"{}")
    'dc7048f8f8747f561349cde127705c16'
    """
    return xxhash.xxh3_128_hexdigest(value)


def encode(value: object) -> bytes:
    """Return the compact JSON of an event or a part of one; the same value gives the same bytes."""
    return _ENCODER.encode(value)


def headers(  # noqa: PLR0913  the attributes of a CloudEvent, each named by its caller
    *,
    type_: str,
    subject: str,
    sequence: int,
    export_id: str,
    digest: str,
    time: datetime,
    raw_digest: bytes = b"",
    restated: bool = False,
    content_type: bytes = JSON,
) -> Headers:
    """Return the headers of an event, whose id is ``<exportId>/<subject>/<sequence>``.

    Without an export (a dead letter's original may have none) it is ``<subject>/<sequence>``.
    Subject and export id are ASCII; whoever has others' texts passes them through `ascii_text`.
    """
    ident = f"{export_id}/{subject}/{sequence}" if export_id else f"{subject}/{sequence}"
    attributes: Headers = (
        ("ce_specversion", b"1.0"),
        ("ce_id", ident.encode()),
        ("ce_source", _SOURCE),
        ("ce_type", _TYPE_NAMES.get(type_) or f"{events.TYPE_PREFIX}{type_}".encode()),
        ("ce_subject", subject.encode()),
        ("ce_time", _stamp(time)),
        ("content-type", content_type),
        ("ce_sequence", b"%019d" % sequence),
        ("ce_exportid", export_id.encode()),
        ("ce_digest", digest.encode()),
    )
    if raw_digest:
        attributes = (*attributes, (ROW_DIGEST, hexlify(raw_digest)))
    return (*attributes, (RESTATED, _YES)) if restated else attributes


def row_digest(named: Mapping[str, bytes]) -> bytes:
    """Return the digest of the row that an event came from; empty where there is none.

    >>> row_digest({"ps_row": b"00ff"}) == row_digest({"ps_rawdigest": bytes([0, 255])})
    True
    """
    text = named.get(ROW_DIGEST)
    if text is None:
        return named.get(ROW_DIGEST_BEFORE_0_2, b"")
    try:
        return unhexlify(text)
    except ValueError:  # not one of ours: the row is looked at again
        return b""


def ascii_text(text: str | bytes) -> str:
    r"""Return a header's text in ASCII: percent-encoded as CloudEvents' HTTP binding does (rule 4).

    >>> ascii_text("a b"), ascii_text(b"50% h\xc3\xa9"), ascii_text("pet/1:<x>")
    ('a%20b', '50%25%20h%C3%A9', 'pet/1:<x>')
    """
    return quote_from_bytes(text.encode() if isinstance(text, str) else text, _UNCHANGED)


def dead_letter_headers(details: Iterable[tuple[str, str | bytes]]) -> Headers:
    """Return the headers that say these details of a dead letter.

    >>> dead_letter_headers([("dl_row", "7"), ("dl_message", "no colon")])
    (('dl_encoding', b'percent'), ('dl_row', b'7'), ('dl_message', b'no%20colon'))
    """
    encoded = ((ascii_text(name), ascii_text(text).encode()) for name, text in details)
    return ((_ENCODING, _PERCENT), *encoded)


def details_of(headers: Iterable[tuple[str, bytes]]) -> Headers:
    r"""Return the headers of a dead letter with what they say in full, in their order.

    >>> details_of(dead_letter_headers([("dl_message", b"50 % \xff")]))
    (('dl_message', b'50 % \xff'),)
    """
    kept = tuple(headers)
    if dict(kept).get(_ENCODING) != _PERCENT:
        return kept
    return tuple(
        (unquote_to_bytes(name).decode("utf-8", "replace"), unquote_to_bytes(text))
        if name.startswith("dl_")
        else (name, text)
        for name, text in kept
        if name != _ENCODING
    )


def sequence_of(text: bytes) -> int:
    """Return the sequence that a header says; `ValueError` where no table could hold it.

    >>> sequence_of(b"0000007181686096000003")
    7181686096000003
    """
    if not text.isdigit():
        raise ValueError("a sequence of other signs than digits")
    sequence = int(text)
    if sequence > _HIGHEST_SEQUENCE:
        raise ValueError("a sequence that is too high")
    return sequence


@lru_cache(maxsize=64)  # the same one stands in every event of a run
def _time_of(text: bytes) -> datetime:
    time = datetime.fromisoformat(text.decode("ascii"))
    if time.tzinfo is None:
        raise ValueError("a time without a zone")
    return time


@lru_cache(maxsize=64)  # as above
def _stamp(time: datetime) -> bytes:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ").encode()


def decode(headers: Iterable[tuple[str, bytes]], value: bytes | None) -> Envelope:
    """Return the event of a record, or raise `UndecodableError`."""
    attributes = dict(headers)
    try:
        version, source = attributes["ce_specversion"], attributes["ce_source"]
        type_ = attributes["ce_type"].decode("ascii")
        subject = attributes["ce_subject"].decode("ascii")
        export_id = attributes["ce_exportid"].decode("ascii")
        sequence = sequence_of(attributes["ce_sequence"])
        time = _time_of(attributes["ce_time"])
        marked = attributes["ce_digest"].decode("ascii")
    except (KeyError, ValueError) as error:
        raise UndecodableError("headers", f"not a CloudEvent of ours: {error!r}") from error
    if version != b"1.0" or source != _SOURCE:
        raise UndecodableError("version", f"CloudEvents {version!r} from {source!r} is unknown")
    decoder = _DECODERS.get(type_.removeprefix(events.TYPE_PREFIX))
    if decoder is None:
        raise UndecodableError("type", f"event type {type_!r} is unknown to this version")
    if value is None:
        raise UndecodableError("null", "the value is null, which petstream never publishes")
    try:
        event = decoder.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UndecodableError("value", f"the value doesn't fit {type_}: {error}") from error
    if isinstance(event, events.PetEvent | events.OrganizationEvent) and (
        event.sequence != sequence or not type_.endswith(f".{event.op}")
    ):
        raise UndecodableError("mismatch", "headers and value differ in sequence or operation")
    restated = attributes.get(RESTATED) == _YES
    return Envelope(type_, subject, sequence, export_id, marked, time, event, restated)
