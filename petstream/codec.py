"""Events to Kafka records and back: CloudEvents 1.0, Kafka binding, binary mode.

Rule 1: the context travels in ``ce_*`` headers, the value is the JSON of the event.
Rule 2: what can't be decoded raises `UndecodableError` with a stable reason, never anything else.
Rule 3: headers that begin with ``ps_`` are ours and may change.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec
import xxhash

from petstream import events
from petstream.errors import PetstreamError

RAW_DIGEST: Final = "ps_rawdigest"
"""Digest of the feed row's bytes and the normaliser's version: equal = nothing to look at."""

_ENCODER: Final = msgspec.json.Encoder()
_DECODERS: Final = {
    name: msgspec.json.Decoder(shape) for name, shape in events.TYPES.items()
}  # fmt: skip

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
) -> Headers:
    """Return the headers of an event, whose id is ``<exportId>/<subject>/<sequence>``."""
    attributes = (
        ("ce_specversion", b"1.0"),
        ("ce_id", f"{export_id}/{subject}/{sequence}".encode()),
        ("ce_source", events.SOURCE.encode()),
        ("ce_type", f"{events.TYPE_PREFIX}{type_}".encode()),
        ("ce_subject", subject.encode()),
        ("ce_time", _stamp(time)),
        ("content-type", b"application/json"),
        ("ce_sequence", b"%019d" % sequence),
        ("ce_exportid", export_id.encode()),
        ("ce_digest", digest.encode()),
    )
    return (*attributes, (RAW_DIGEST, raw_digest)) if raw_digest else attributes


@lru_cache(maxsize=64)  # the same one stands in every event of a run
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
        sequence = int(attributes["ce_sequence"])
        time = datetime.fromisoformat(attributes["ce_time"].decode("ascii"))
        marked = attributes["ce_digest"].decode("ascii")
    except (KeyError, ValueError) as error:
        raise UndecodableError("headers", f"not a CloudEvent of ours: {error!r}") from error
    if version != b"1.0" or source != events.SOURCE.encode():
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
    return Envelope(type_, subject, sequence, export_id, marked, time, event)
