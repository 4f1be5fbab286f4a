"""Dead letters: what can't be decoded or stored is parked with its original bytes; too much stops.

Rule 1: a letter is durable before the offset behind its record moves.
Rule 2: more than 1 % (and more than 20), or 20 in a row, is an outage, not bad luck: stop.
Rule 3: a record of the dead-letters topic is never parked itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple

from consumers.kafka import Record
from contracts import codec
from contracts.codec import Headers
from contracts.errors import PetstreamError

MAX_SHARE: Final = 0.01
MAX_IN_A_ROW: Final = 20
_MESSAGE_CHARS: Final = 1_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Parked(NamedTuple):
    """A record that was refused, and why."""

    record: Record
    reason: str
    message: str


class DeadLetter(NamedTuple):
    """What a record of the dead-letters topic says."""

    offset: int
    at: datetime
    origin: str
    reason: str
    error: str


def letter(parked: Parked, group: str, now: datetime) -> tuple[bytes, bytes | None, Headers]:
    """Return key, value and headers of the letter: the original bytes, all else in ``dl_``."""
    record = parked.record
    origin = f"{record.place.topic}/{record.place.partition}/{record.offset}"
    found = dict(record.headers)
    context = codec.headers(
        type_="deadletter.event",
        subject=f"event/{origin}",
        sequence=0,
        export_id=_text(found, "ce_exportid"),
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
        *((f"dl_header_{name}", value) for name, value in record.headers),
    )
    return origin.encode(), record.value, headers


def read(record: Record) -> DeadLetter:
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

    def check(self, records: list[Record], parked: list[Parked]) -> None:
        """Count a batch; raise `PetstreamError` if too much of it was refused."""
        why = {one.record[:2]: one for one in parked}
        for record in records:
            self.seen += 1
            refused = why.get(record[:2])
            self._in_a_row = self._in_a_row + 1 if refused else 0
            self.refused += refused is not None
            too_many = self.refused > max(MAX_IN_A_ROW, self.seen * MAX_SHARE)
            if refused and (too_many or self._in_a_row >= MAX_IN_A_ROW):
                place, offset = record[:2]
                raise PetstreamError(
                    f"{self.refused:,} of {self.seen:,} records were refused, the last one "
                    f"{place.topic}/{place.partition}/{offset} ({refused.reason}: "
                    f"{refused.message[:200]}): mend the cause, then start the consumer again"
                )


def _text(headers: Mapping[str, bytes], name: str) -> str:
    # Postgres takes no NUL in a text, and a letter can't be parked itself
    return (headers.get(name) or b"").decode("utf-8", "replace").replace("\0", "\ufffd")
