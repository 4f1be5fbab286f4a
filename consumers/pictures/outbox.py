"""The outbox of picture events: written with the rows, published after them, then deleted.

Rule 1: a crash in between publishes an event twice, and never loses one; equal twice is harmless.
Rule 2: one process publishes at a time, so that a picture's events keep their order.
"""

from __future__ import annotations

import json
from typing import Any, Final

from consumers.engine.postgres import Connection
from consumers.engine.queries import query
from petstream import codec, failpoints
from petstream.codec import Headers
from petstream.events import PictureEvent
from petstream.kafka.records import ProducerRecord
from petstream.kafka.writer import send_all
from petstream.settings import KafkaAccess
from petstream.topics import PICTURES

_MAX_EVENTS: Final = 500


async def publish(connection: Connection, access: KafkaAccess, prefix: str) -> int:
    """Publish some of the events that wait; return how many they were."""
    async with connection.transaction():
        if not await connection.fetchval(query("lock_outbox")):
            return 0
        rows = await connection.fetch(query("outbox_events"), _MAX_EVENTS)
        if rows:
            topic = PICTURES.full_name(prefix)
            records = [ProducerRecord(topic, *message(dict(row))) for row in rows]
            failpoints.point("picture.event.before")
            await send_all(access, records)
            failpoints.point("picture.event.sent")
            await connection.execute(query("delete_outbox_events"), [row["id"] for row in rows])
    if rows:
        failpoints.point("picture.event.after")
    return len(rows)


def message(row: dict[str, Any]) -> tuple[bytes, bytes, Headers]:
    """Return key, value and headers of the event in a row of the outbox."""
    thumbnails = row["thumbnails"]
    event = PictureEvent(
        op=row["op"],
        animal_id=row["animal_id"],
        picture_id=row["picture_id"],
        stored_as=row["stored_as"],
        thumbnails=json.loads(thumbnails) if isinstance(thumbnails, str) else thumbnails or {},
        sha256=row["sha256"],
        content_type=row["content_type"],
        bytes=row["bytes"],
        width=row["width"],
        height=row["height"],
        rendition=row["rendition"],
    )
    value = codec.encode(event)
    headers = codec.headers(
        type_=f"picture.{row['op']}",
        subject=f"picture/{row['picture_id']}",
        sequence=row["sequence"],
        export_id=row["export_id"],
        digest=codec.digest(value),
        time=row["at"],
    )
    return str(row["animal_id"]).encode(), value, headers
