"""The consumer deletions: removals become tombstones, in a group of its own.

Rule 1: only headers are read to see what isn't a removal: a first import costs it next to nothing.
Rule 2: a pet that was never seen gets its row as well: what comes late loses against it.
Rule 3: nothing that a removed pet was keeps it on the lists: where Postgres refuses that, its row
        only says that it left.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from consumers.engine.postgres import Connection, kind_of
from consumers.engine.queries import query
from consumers.engine.runner import Consumer
from consumers.pets import current
from consumers.registry import CONSUMERS
from petstream import codec
from petstream.codec import Envelope
from petstream.events import TYPE_PREFIX, PetEvent
from petstream.kafka.records import ConsumerRecord

_NOT_REMOVED: Final = frozenset(
    f"{TYPE_PREFIX}{entity}.{op}".encode()
    for entity in ("pet", "organization")
    for op in ("added", "updated", "relisted")
)


def read(record: ConsumerRecord) -> Envelope | None:
    """Return a removal; None for any other change, which the consumer pets looks at."""
    if dict(record.headers).get("ce_type") in _NOT_REMOVED:
        return None
    change = codec.decode(record.headers, record.value)
    return change if current.op_of(change) == "removed" else None


async def apply(connection: Connection, changes: Sequence[Envelope]) -> None:
    """Write the newest removal of each key, unless what is held is newer."""
    try:
        async with connection.transaction():
            await current.write(connection, changes)
    except Exception as error:
        if len(changes) > 1 or kind_of(error) != "refused":
            raise
        await _write_tombstone(connection, changes[0])


async def _write_tombstone(connection: Connection, change: Envelope) -> None:
    """Take a key off the lists whose last content Postgres refuses (rule 3)."""
    entity = "pet" if isinstance(change.event, PetEvent) else "organization"
    await connection.execute(
        query(f"remove_{entity}"), current.key_of(change), change.sequence,
        change.digest, change.time, change.export_id,
    )  # fmt: skip


CONSUMER: Final = Consumer("deletions", CONSUMERS["deletions"].topics, read, apply)
"""The consumer deletions."""
