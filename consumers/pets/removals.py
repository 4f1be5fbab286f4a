"""The consumer deletions: removals become tombstones, in a group of its own.

Rule 1: only headers are read to see what isn't a removal: a first import costs it next to nothing.
Rule 2: a pet that was never seen gets its tombstone as well: what comes late loses against it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from consumers.engine.batch import newest
from consumers.engine.postgres import Connection
from consumers.engine.queries import query
from consumers.engine.runner import Consumer
from consumers.pets import current
from consumers.pets.current import DecodedEvent
from consumers.registry import CONSUMERS
from petstream import codec
from petstream.events import TYPE_PREFIX, OrganizationEvent, PetEvent
from petstream.kafka.records import ConsumerRecord

_NOT_REMOVED: Final = frozenset(
    f"{TYPE_PREFIX}{entity}.{op}".encode()
    for entity in ("pet", "organization")
    for op in ("added", "updated", "relisted")
)


def read(record: ConsumerRecord) -> DecodedEvent | None:
    """Return a removal; None for any other change, which the consumer pets looks at."""
    if dict(record.headers).get("ce_type") in _NOT_REMOVED:
        return None
    change = DecodedEvent(codec.decode(record.headers, record.value), record.value or b"")
    return change if current.op_of(change) == "removed" else None


async def apply(connection: Connection, changes: Sequence[DecodedEvent]) -> None:
    """Write the newest removal of each key, unless what is held is newer."""
    for kind, name in ((PetEvent, "remove_pet"), (OrganizationEvent, "remove_organization")):
        of_kind = [change for change in changes if isinstance(change.envelope.event, kind)]
        rows = [
            (
                current.key_of(change), change.envelope.sequence, change.envelope.digest,
                change.envelope.time, change.envelope.export_id,
            )
            for change in newest(of_kind, key=current.key_of, rank=current.rank_of)
        ]  # fmt: skip
        if rows:
            await connection.executemany(query(name), rows)


CONSUMER: Final = Consumer("deletions", CONSUMERS["deletions"].topics, read, apply)
"""The consumer deletions."""
