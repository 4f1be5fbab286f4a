"""One pet explained: everything that is known of it, gathered from topics, groups and tables.

Rule 1: of the pets topic only the key's own partition is read.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from console.life import Life, render
from console.past import tell
from console.records import committed, read_topic
from console.tables import look
from contracts import topics
from contracts.cluster import ensure_topics
from contracts.settings import KafkaAccess, Settings

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
    settings: Settings, *, kafka: KafkaAccess, database_url: str | None, animal_id: int
) -> int:
    """Print one pet's whole life; return the exit status (1: nobody has heard of it)."""
    prefix = settings.topic_prefix
    await ensure_topics(kafka, prefix)
    key = str(animal_id).encode("ascii")
    topic = topics.PETS.full_name(prefix)
    records = await read_topic(kafka, topic, key=key)
    if not records:
        print(unknown(animal_id, topic))  # noqa: T201  the command's output
        return 1
    partition = records[0].partition
    life = Life(
        animal_id=animal_id,
        topic=topic,
        partition=partition,
        records=records,
        pictures=await read_topic(kafka, topics.PICTURES.full_name(prefix), key=key),
        past=tell(await read_topic(kafka, topics.EXPORTS.full_name(prefix))),
        positions=await committed(kafka, prefix, topic, partition),
        tables=await look(
            database_url,
            {
                "pets": (_PETS, (animal_id,)),
                "removed_pets": (_REMOVED, (animal_id,)),
                "pictures": (_PICTURES, (animal_id,)),
                "history": (_HISTORY, (animal_id,)),
            },
        ),
        now=datetime.now(UTC),
    )
    print(render(life))  # noqa: T201  the command's output
    return 0


def unknown(animal_id: int, topic: str) -> str:
    """Return the line about an id that has no event."""
    return (
        f"There is no pet {animal_id}: no export that was read named it "
        f"(nothing in {topic} has that key)"
    )
