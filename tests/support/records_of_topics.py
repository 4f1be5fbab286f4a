"""Records as the topics would hold them, for the tests of what people look at."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from petstream.codec import digest
from petstream.kafka.records import ConsumerRecord, TopicPartition

GOLDEN = Path(__file__).parents[1] / "petstream" / "golden"
PUBLISHED = datetime(2026, 11, 23, 9, 40, tzinfo=UTC)
_PUBLISHED_MS = int(PUBLISHED.timestamp() * 1000)


def record(type_: str, *, offset: int = 0, headers: Any = (), **changes: Any) -> ConsumerRecord:
    """Return the golden record of a type, with other headers and values where given."""
    golden = json.loads((GOLDEN / f"{type_}.json").read_text(encoding="utf-8"))
    if "sequence" in changes:
        golden["headers"]["ce_sequence"] = f"{changes['sequence']:019}"
    value = json.dumps({**golden["value"], **changes}).encode()
    if type_.startswith("export.") and changes:
        golden["headers"]["ce_digest"] = digest(value)
    if type_.startswith("export.") and "exportId" in changes:
        golden["headers"]["ce_subject"] = f"export/{changes['exportId']}"
        golden["headers"]["ce_exportid"] = changes["exportId"]
    return ConsumerRecord(
        TopicPartition(f"petstream.{type_.partition('.')[0]}s.v1", 3),
        offset,
        timestamp_ms=_PUBLISHED_MS,
        key=golden["key"].encode(),
        value=value,
        headers=tuple(
            (name, text.encode()) for name, text in {**golden["headers"], **dict(headers)}.items()
        ),
    )


def dead_letter(offset: int, reason: str, value: bytes | None = b'{"a":') -> ConsumerRecord:
    """Return a dead letter of a row."""
    details = {"origin": f"X/pets_1.json/{offset}", "reason": reason, "class": "row"}
    headers = tuple((f"dl_{name}", text.encode()) for name, text in details.items())
    topic = TopicPartition("petstream.dead-letters.v1", 0)
    return ConsumerRecord(topic, offset, b"", value, headers, _PUBLISHED_MS)
