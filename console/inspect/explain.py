"""One pet explained, from what topics, groups and tables say of it.

Rule 1: of the pets topic only the key's own partition is read.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from console.inspect.database_reader import Rows, Unavailable, fetch_rows
from console.inspect.export_history import published_exports
from console.inspect.pet_timeline import PetTimeline, render
from console.runtime.output import say
from petstream import topics
from petstream.kafka.client import ensure_topics
from petstream.kafka.groups import offsets_by_group
from petstream.kafka.reader import read_topic
from petstream.kafka.records import ConsumerRecord, TopicPartition
from petstream.settings import KafkaAccess, Settings

_PETS: Final = """
    SELECT animal_id, sequence, export_id, status, changed_at FROM petstream.pets
    WHERE animal_id = $1"""
_REMOVED: Final = """
    SELECT animal_id, sequence, export_id, removed_at FROM petstream.removed_pets
    WHERE animal_id = $1"""
_PICTURES: Final = """
    SELECT picture_id, position, status, stored_as, error FROM petstream.pet_pictures
    WHERE animal_id = $1 ORDER BY position, picture_id"""
_HISTORY: Final = """
    SELECT count(*) AS events FROM petstream.pet_history WHERE animal_id = $1"""


async def explain(
    settings: Settings,
    *,
    kafka: KafkaAccess,
    database_url: str | None,
    animal_id: int,
    as_json: bool = False,
) -> int:
    """Print one pet's timeline; return the exit status (1: there is no event of it)."""
    prefix = settings.topic_prefix
    await ensure_topics(kafka, prefix)
    key = str(animal_id).encode("ascii")
    topic = topics.PETS.full_name(prefix)
    records = await read_topic(kafka, topic, key=key)
    tables = await fetch_rows(
        database_url,
        {
            "pets": (_PETS, (animal_id,)),
            "removed_pets": (_REMOVED, (animal_id,)),
            "pictures": (_PICTURES, (animal_id,)),
            "history": (_HISTORY, (animal_id,)),
        },
    )
    if not records:
        text = unknown(animal_id, topic, tables)
        say(json.dumps(document(animal_id, text, [])) if as_json else text)
        return 1
    partition = records[0].partition
    timeline = PetTimeline(
        animal_id=animal_id,
        topic=topic,
        partition=partition,
        records=records,
        pictures=await read_topic(kafka, topics.PICTURES.full_name(prefix), key=key),
        published=published_exports(await read_topic(kafka, topics.EXPORTS.full_name(prefix))),
        offsets=await offsets_by_group(kafka, prefix, TopicPartition(topic, partition)),
        tables=tables,
        now=datetime.now(UTC),
    )
    text = render(timeline)
    say(json.dumps(document(animal_id, text, records), indent=2) if as_json else text)
    return 0


def document(animal_id: int, text: str, records: Sequence[ConsumerRecord]) -> dict[str, Any]:
    """Return what ``--json`` prints: the timeline in words, and the events as they were published.

    The events are in the log's order; ``value`` is None for what isn't JSON, and a header of bytes
    is in hex.
    """
    return {"animalId": animal_id, "text": text, "events": [_raw(record) for record in records]}


def _raw(record: ConsumerRecord) -> dict[str, Any]:
    try:
        value = json.loads(record.value or b"null")
    except ValueError:
        value = None
    return {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "publishedAt": record.published_at.isoformat(),
        "headers": {name: _readable(text) for name, text in record.headers},
        "value": value,
    }


def _readable(header: bytes) -> str:
    """Return a header's text, or its bytes in hex where it is none, as a digest is.

    >>> _readable(b"org.petstream.pet.added"), _readable(bytes([73, 255]))
    ('org.petstream.pet.added', '49ff')
    """
    return header.decode() if header.isascii() and header.decode().isprintable() else header.hex()


def unknown(animal_id: int, topic: str, tables: Rows | Unavailable) -> str:
    """Return the line about an id that has no event, but maybe a row: Kafka may have lost it."""
    rows = {} if isinstance(tables, Unavailable) else tables
    for row in rows.get("removed_pets", []):
        return (
            f"The log doesn't know pet {animal_id} (any more: nothing in {topic} has that key). "
            f"The tables hold it as removed by export {row['export_id']}: Kafka lost records, and "
            "a snapshot didn't state it again"
        )
    for row in rows.get("pets", []):
        return (
            f"The log doesn't know pet {animal_id} (any more: nothing in {topic} has that key). "
            f"The tables list it, as export {row['export_id']} said: Kafka lost records; "
            "'petstream audit' says what is done about it"
        )
    return (
        f"There is no pet {animal_id}: no export that was read named it "
        f"(nothing in {topic} has that key)"
    )
