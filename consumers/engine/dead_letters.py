"""Dead letters: what can't be decoded or stored is parked with its original bytes; too much stops.

Rule 1: a letter is durable before the offset behind its record moves.
Rule 2: more than 1 % (and more than 20), or 20 in a row, is an outage, not bad luck: stop.
Rule 3: a record of the dead-letters topic is never parked itself.
Rule 4: a letter that Kafka would find too large keeps the beginning of the bytes, and says so in
        ``dl_cut``; the original lies where it came from.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple

from msgspec.structs import replace

from petstream import codec
from petstream.codec import Headers
from petstream.errors import PetstreamError
from petstream.kafka.records import ConsumerRecord, TopicPartition
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
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Parked(NamedTuple):
    """A record that was refused, and why."""

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
    """The record that a letter holds; `cut_bytes` is its size where the letter has less of it."""

    record: ConsumerRecord
    cut_bytes: int | None


Letter = tuple[bytes, bytes | None, Headers]
"""Key, value and headers."""


def letter(parked: Parked, group: str, now: datetime) -> Letter:
    """Return the letter: the original bytes as value, all else in ``dl_`` headers."""
    whole = _letter(parked.record, parked, group, now)
    if size_of(whole) <= MAX_LETTER_BYTES:
        return whole
    value = parked.record.value or b""
    bounded = replace(
        parked.record,
        key=parked.record.key and parked.record.key[:_KEPT_BYTES],
        value=b"",
        headers=tuple(
            (name[:_NAME_CHARS], text[:_KEPT_BYTES])
            for name, text in parked.record.headers[:_KEPT_HEADERS]
        ),
    )
    key, _, headers = _letter(bounded, parked, group, now)
    headers = (*headers, ("dl_cut", b"%d" % len(value)))
    room = MAX_LETTER_BYTES - size_of((key, b"", headers))
    return key, value[:room], headers


def size_of(letter: Letter) -> int:
    """Return about how many bytes a record takes in Kafka, before compression."""
    key, value, headers = letter
    named = sum(len(name.encode()) + len(text) + _PER_HEADER_BYTES for name, text in headers)
    return len(key) + len(value or b"") + named


def original(letter: ConsumerRecord) -> Original | None:
    """Return the record that a letter holds, as it came; None for a row of the feed."""
    found = dict(letter.headers)
    if found.get("dl_class") != b"event":
        return None
    topic, _, place = _text(found, "dl_origin").partition("/")
    partition, _, offset = place.partition("/")
    if not (partition.isdecimal() and offset.isdecimal()):
        return None
    headers = tuple(
        (name.removeprefix(_HEADER), value)
        for name, value in letter.headers
        if name.startswith(_HEADER)
    )
    place_of = TopicPartition(topic, int(partition))
    cut = found.get("dl_cut")
    return Original(
        ConsumerRecord(place_of, int(offset), found.get("dl_key"), letter.value, headers),
        int(cut) if cut is not None and cut.isdigit() else None,
    )


def _letter(record: ConsumerRecord, parked: Parked, group: str, now: datetime) -> Letter:
    origin = record.origin
    found = dict(record.headers)
    context = codec.headers(
        type_="deadletter.event",
        subject=f"event/{origin}",
        sequence=0,
        export_id=_text(found, "ce_exportid")[:_NAME_CHARS],
        digest=codec.digest(record.value or b""),
        time=now,
    )
    details = {
        "dl_origin": origin,
        "dl_reason": parked.reason,
        "dl_class": "event",
        "dl_message": parked.message[:_MESSAGE_CHARS],
        "dl_group": group,
        "dl_at": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    headers = (
        *context,
        *((name, text.encode("utf-8", "replace")) for name, text in details.items()),
        *([("dl_key", record.key)] if record.key is not None else []),
        *((f"{_HEADER}{name}", value) for name, value in record.headers),
    )
    return origin.encode(), record.value, headers


def read(record: ConsumerRecord) -> DeadLetter:
    """Return what a record of the dead-letters topic says; never fails."""
    found = dict(record.headers)
    try:
        at = datetime.fromisoformat(_text(found, "dl_at"))
    except ValueError:
        at = _EPOCH
    return DeadLetter(
        offset=record.offset,
        at=at if at.tzinfo else at.replace(tzinfo=UTC),
        origin=_text(found, "dl_origin"),
        reason=_text(found, "dl_reason"),
        error=_text(found, "dl_message"),
    )


class Limit:
    """Counts what was refused, and says when it's too much."""

    def __init__(self) -> None:
        """Start with nothing seen."""
        self.seen = 0
        self.refused = 0
        self._in_a_row = 0
        self._counted: dict[TopicPartition, int] = {}

    def check(self, records: list[ConsumerRecord], parked: list[Parked]) -> None:
        """Count a batch; raise `PetstreamError` if too much of it was refused.

        A batch that is tried again, after trouble with a server, isn't counted again.
        """
        why = {one.record.origin: one for one in parked}
        for record in records:
            if record.offset < self._counted.get(record.topic_partition, 0):
                continue
            self._counted[record.topic_partition] = record.offset + 1
            self.seen += 1
            refused = why.get(record.origin) if why else None
            self._in_a_row = self._in_a_row + 1 if refused else 0
            self.refused += refused is not None
            too_many = self.refused > max(MAX_IN_A_ROW, self.seen * MAX_SHARE)
            if refused and (too_many or self._in_a_row >= MAX_IN_A_ROW):
                raise PetstreamError(
                    f"{self.refused:,} of {self.seen:,} records were refused, the last one "
                    f"{record.origin} ({refused.reason}: "
                    f"{refused.message[:200]}): mend the cause, then start the consumer again"
                )


def _text(headers: Mapping[str, bytes], name: str) -> str:
    # Postgres takes no NUL in a text, and a letter can't be parked itself
    return (headers.get(name) or b"").decode("utf-8", "replace").replace("\0", "\ufffd")
