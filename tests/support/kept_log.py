"""The log that petstream 0.1 wrote, and what 0.1 made of it: tests/petstream/kept/0.1.

Six simulated days of 36 pets (`history(seed=31)`), read by the code of 0.1: initial with bad rows,
daily, a file cut short, removals held and approved, a scrub that lists pets again, removals held
and rejected, held and superseded, an export that wasn't complete, a record that is no event,
pictures stored.

Rule 1: `records.msgpack.gz` holds every record with its place; `feeds.msgpack.gz` the files of its
        first and its last export; the JSON files what the code of 0.1 restored from the records.
Rule 2: the topics' prefix is among the records (ends of topics, origins of dead letters), so
        `load` puts in the prefix of the test, and `as_kept` takes it out again.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from pathlib import Path
from typing import Any, Final

import msgspec
from aiokafka import AIOKafkaProducer

from petstream.kafka.client import ensure_topics
from petstream.settings import KafkaAccess
from petstream.topics import DEAD_LETTERS, EXPORTS

DIRECTORY: Final = Path(__file__).parents[1] / "petstream" / "kept" / "0.1"
FIRST_DAY, LAST_DAY = "0", "5"
_PREFIX: Final = "kept."


class KeptRecord(msgspec.Struct, array_like=True, frozen=True):
    """A record as it lay in a topic."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes
    headers: list[tuple[str, bytes]]
    value: bytes

    @property
    def event_id(self) -> bytes | None:
        """The id of its event; None for what is no event."""
        return dict(self.headers).get("ce_id")


class KeptLog(msgspec.Struct, frozen=True):
    """All records, and how long each partition was before the last export."""

    records: list[KeptRecord]
    lengths: dict[str, dict[str, int]]

    def before_last_export(self) -> list[KeptRecord]:
        """Return what was there before the last export was read."""
        return [
            record
            for record in self.records
            if record.offset < self.lengths[record.topic].get(str(record.partition), 0)
        ]

    def events(self, topic: str, export_id: str) -> list[tuple[bytes, bytes | None, bytes]]:
        """Return key, id and value of what an export brought to a topic, sorted."""
        wanted = export_id.encode()
        return sorted(
            (record.key, record.event_id, record.value)
            for record in self.records
            if record.topic == topic and dict(record.headers).get("ce_exportid") == wanted
        )


def kept_log() -> KeptLog:
    """Return the records."""
    packed = gzip.decompress((DIRECTORY / "records.msgpack.gz").read_bytes())
    return msgspec.msgpack.decode(packed, type=KeptLog)


def expectation(name: str) -> dict[str, Any]:
    """Return what 0.1 made of them: `restored` or `tables`."""
    content: dict[str, Any] = json.loads((DIRECTORY / f"{name}.json").read_text("utf-8"))
    return content


def put_export(home: Path, day: str) -> None:
    """Put the files of a day into an FTP home, each with its time."""
    for path in home.iterdir():
        path.unlink()
    packed = gzip.decompress((DIRECTORY / "feeds.msgpack.gz").read_bytes())
    feeds = msgspec.msgpack.decode(packed, type=dict[str, dict[str, tuple[float, bytes]]])
    for name, (modified_at, content) in feeds[day].items():
        (home / name).write_bytes(content)
        os.utime(home / name, (modified_at, modified_at))


async def load(access: KafkaAccess, prefix: str, records: list[KeptRecord]) -> None:
    """Write records to new topics, each where it was.

    Their times are not taken over: topics that are kept for some days would drop them.
    """
    await ensure_topics(access, prefix)
    producer = AIOKafkaProducer(bootstrap_servers=access.bootstrap)
    await producer.start()
    try:
        for record in records:
            headers = [(name, _renamed(record, header, prefix)) for name, header in record.headers]
            value = _renamed(record, record.value, prefix)
            written = await producer.send_and_wait(
                prefix + record.topic, value, record.key, record.partition, headers=headers
            )
            assert written.offset == record.offset
    finally:
        await producer.stop()


def _renamed(record: KeptRecord, content: bytes, prefix: str) -> bytes:
    if record.topic in {EXPORTS.name, DEAD_LETTERS.name}:
        return content.replace(_PREFIX.encode(), prefix.encode())
    return content


def as_kept(content: Any, prefix: str) -> Any:
    """Return JSON content with the prefix that the kept log has."""
    return json.loads(json.dumps(content, default=str).replace(prefix, _PREFIX))


def fingerprint(content: object) -> str:
    """Return the digest of JSON content, however its keys are ordered."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()
