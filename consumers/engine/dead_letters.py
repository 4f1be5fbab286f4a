"""Dead letters: what can't be decoded or stored is set aside with its bytes; too much of it stops.

Rule 1: a letter is durable before the offset behind its record moves.
Rule 2: more than 1 % (and more than 20), or 20 in a row, is an outage, not bad luck: stop.
Rule 3: a record of the dead-letters topic never becomes a dead letter itself.
Rule 4: each letter is an event of its own, of the subject ``event/<origin>/<group>``; its sequence
        is when it was written, in microseconds.
Rule 5: a letter that Kafka would find too large keeps the beginning of the bytes, and says so in
        ``dl_cut``; the original lies where it came from.
Rule 6: a letter has a value, if an empty one, and an id that begins with what names it: for
        whoever reads, values are never null. ``dl_null`` says that the original had none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple

from msgspec.structs import replace

from petstream import codec
from petstream.errors import PetstreamError
from petstream.kafka.records import ConsumerRecord, ProducerRecord, TopicPartition
from petstream.sequence import microseconds
from petstream.topics import MAX_MESSAGE_BYTES

MAX_SHARE: Final = 0.01
MAX_IN_A_ROW: Final = 20
MAX_LETTER_BYTES: Final = MAX_MESSAGE_BYTES - 1_024
"""What a letter may come to; the rest is for what Kafka puts around it."""

_MESSAGE_CHARS: Final = 1_000
_NAME_CHARS: Final = 200
_PER_HEADER_BYTES: Final = 10  # two lengths
_KEPT_HEADERS: Final = 64  # of a letter that is cut; each with so many bytes:
_KEPT_BYTES: Final = 1_024
_HEADER: Final = "dl_header_"
_NULL: Final = "dl_null"
_NUMBER: Final = re.compile(r"[0-9]{1,18}", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class RefusedRecord(NamedTuple):
    """A record that can't be decoded or stored, and why."""

    record: ConsumerRecord
    reason: str
    message: str


class DeadLetter(NamedTuple):
    """What a record of the dead-letters topic says."""

    offset: int
    at: datetime
    origin: str
    reason: str
    error: str


class Original(NamedTuple):
    """The record that a dead letter holds; `cut_bytes` is its size where less of it is kept."""

    record: ConsumerRecord
    cut_bytes: int | None


def encode(refused: RefusedRecord, topic: str, group: str, now: datetime) -> ProducerRecord:
    """Return the dead letter: the original bytes as value, all else in ``dl_`` headers."""
    record = refused.record
    whole = _dead_letter(refused, topic, group, now)
    if size_of(whole) <= MAX_LETTER_BYTES:
        return whole
    value = record.value or b""
    shortened = replace(
        record,
        key=record.key and record.key[:_KEPT_BYTES],
        value=record.value and b"",
        headers=tuple(
            (name[:_NAME_CHARS], text[:_KEPT_BYTES])
            for name, text in record.headers[:_KEPT_HEADERS]
        ),
    )
    cut = _dead_letter(refused._replace(record=shortened), topic, group, now)
    cut = replace(cut, headers=(*cut.headers, ("dl_cut", b"%d" % len(value))))
    return replace(cut, value=value[: MAX_LETTER_BYTES - size_of(cut)])


def size_of(record: ProducerRecord | ConsumerRecord) -> int:
    """Return about how many bytes a record takes in Kafka, before compression."""
    headers_bytes = sum(
        len(name.encode()) + len(text) + _PER_HEADER_BYTES for name, text in record.headers
    )
    return len(record.key or b"") + len(record.value or b"") + headers_bytes


def _dead_letter(refused: RefusedRecord, topic: str, group: str, now: datetime) -> ProducerRecord:
    record = refused.record
    context = codec.headers(
        type_="deadletter.event",
        subject=codec.ascii_text(f"event/{record.origin}/{group}"),
        sequence=microseconds(now),
        export_id=codec.ascii_text(_export_id(record)),
        digest=codec.digest(record.value or b""),
        time=now,
        content_type=codec.BYTES,
    )
    details: dict[str, str | bytes] = {
        "dl_origin": record.origin,
        "dl_reason": refused.reason,
        "dl_class": "event",
        "dl_message": refused.message[:_MESSAGE_CHARS],
        "dl_group": group,
        "dl_at": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    if record.key is not None:
        details["dl_key"] = record.key
    if record.value is None:
        details[_NULL] = "true"
    headers = (
        *context,
        *codec.dead_letter_headers(
            [*details.items(), *((f"{_HEADER}{name}", text) for name, text in record.headers)]
        ),
    )
    return ProducerRecord(topic, record.origin.encode(), record.value or b"", headers)


def _export_id(record: ConsumerRecord) -> str:
    return _text(dict(record.headers), "ce_exportid").lstrip("/")[:_NAME_CHARS]


def decode(record: ConsumerRecord) -> DeadLetter:
    """Return what a record of the dead-letters topic says; never fails."""
    headers = dict(codec.details_of(record.headers))
    try:
        at = datetime.fromisoformat(_text(headers, "dl_at"))
    except ValueError:
        at = _EPOCH
    return DeadLetter(
        offset=record.offset,
        at=at if at.tzinfo else at.replace(tzinfo=UTC),
        origin=_text(headers, "dl_origin"),
        reason=_text(headers, "dl_reason"),
        error=_text(headers, "dl_message"),
    )


def original(letter: ConsumerRecord) -> Original | None:
    """Return the record that a dead letter holds, as it came; None for a row of the feed."""
    details = codec.details_of(letter.headers)
    headers = dict(details)
    if headers.get("dl_class") != b"event":
        return None
    topic, _, rest = _text(headers, "dl_origin").partition("/")
    partition, _, offset = rest.partition("/")
    if not (_NUMBER.fullmatch(partition) and _NUMBER.fullmatch(offset)):
        return None
    own_headers = tuple(
        (name.removeprefix(_HEADER), value) for name, value in details if name.startswith(_HEADER)
    )
    cut = _text(headers, "dl_cut")
    return Original(
        ConsumerRecord(
            TopicPartition(topic, int(partition)), int(offset), headers.get("dl_key"),
            None if _NULL in headers else letter.value, own_headers,
        ),
        int(cut) if _NUMBER.fullmatch(cut) else None,
    )  # fmt: skip


class RefusalLimit:
    """Counts what was refused, and says when it's too much."""

    def __init__(self) -> None:
        """Start with nothing seen."""
        self.seen = 0
        self.refused = 0
        self._in_a_row = 0
        self._counted: dict[TopicPartition, int] = {}

    def check(self, records: list[ConsumerRecord], refused: list[RefusedRecord]) -> None:
        """Count a batch; raise `PetstreamError` if too much of it was refused.

        A batch that is tried again, after trouble with a server, isn't counted again.
        """
        refused_at = {refusal.record.origin: refusal for refusal in refused}
        for record in records:
            if record.offset < self._counted.get(record.topic_partition, 0):
                continue
            self._counted[record.topic_partition] = record.offset + 1
            self.seen += 1
            refusal = refused_at.get(record.origin) if refused_at else None
            self._in_a_row = self._in_a_row + 1 if refusal else 0
            self.refused += refusal is not None
            too_many = self.refused > max(MAX_IN_A_ROW, self.seen * MAX_SHARE)
            if refusal and (too_many or self._in_a_row >= MAX_IN_A_ROW):
                raise PetstreamError(
                    f"{self.refused:,} of {self.seen:,} records were refused, the last one "
                    f"{record.origin} ({refusal.reason}: "
                    f"{refusal.message[:200]}): mend the cause, then start the consumer again"
                )


def _text(headers: Mapping[str, bytes], name: str) -> str:
    # Postgres takes no NUL in a text, and a dead letter can't become one itself
    return (headers.get(name) or b"").decode("utf-8", "replace").replace("\0", "\ufffd")
