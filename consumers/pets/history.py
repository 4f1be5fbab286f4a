"""The consumer pets: state and history of pets, organisations, exports, plans and dead letters.

Rule 1: removals go to the history here, and to the state by the consumer deletions only.
Rule 2: whatever the order of records, and however often they come, the rows end the same: those of
        exports and plans by their sequences, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from consumers.engine import dead_letters
from consumers.engine.dead_letters import DeadLetter
from consumers.engine.postgres import Connection
from consumers.engine.queries import query
from consumers.engine.rows import write_rows
from consumers.engine.runner import Consumer
from consumers.pets import current
from consumers.registry import CONSUMERS
from petstream import codec
from petstream.codec import Envelope
from petstream.events import ExportEvent, PetEvent, PlanEvent
from petstream.kafka.records import ConsumerRecord
from petstream.topics import DEAD_LETTERS

Item = Envelope | DeadLetter

_RECORDED_STATES: Final = ("started", "completed", "failed")


def read(record: ConsumerRecord) -> Item:
    """Return what a record says."""
    if record.topic.endswith(DEAD_LETTERS.name):
        return dead_letters.decode(record)
    return codec.decode(record.headers, record.value)


async def apply(connection: Connection, items: Sequence[Item]) -> None:
    """Apply a batch: the newest of each key to the state, all to the history."""
    changes = [item for item in items if isinstance(item, Envelope)]
    await current.apply(connection, changes)
    await _record_pet_events(connection, changes)
    await _record_exports(connection, changes)
    letters = [item for item in items if isinstance(item, DeadLetter)]
    if letters:
        rows = [
            (letter.offset, letter.at, letter.origin, letter.reason, letter.error)
            for letter in letters
        ]
        await connection.executemany(query("record_dead_letter"), rows)


async def _record_pet_events(connection: Connection, envelopes: Sequence[Envelope]) -> None:
    rows = [
        (
            event.animal_id, event.sequence, envelope.digest, event.op, envelope.export_id,
            envelope.time, event.changed, codec.encode(event.old).decode(),
        )
        for envelope in envelopes
        if isinstance(event := envelope.event, PetEvent) and not envelope.restated
    ]  # fmt: skip
    if rows:
        rows.sort(key=lambda row: row[:3])  # so that two writers never deadlock
        # of two with one sequence the last stands, and no statement writes a row twice
        rows = [*{row[:2]: row for row in rows}.values()]
        await write_rows(connection, "record_pet_event", rows, len(rows))


async def _record_exports(connection: Connection, envelopes: Sequence[Envelope]) -> None:
    for envelope in envelopes:
        event = envelope.event
        if isinstance(event, ExportEvent):
            await _record_export(connection, envelope, event)
        elif isinstance(event, PlanEvent):
            await connection.execute(
                query("record_plan_decision"),
                event.plan_id, event.decision, event.by, event.reason, event.at, envelope.sequence,
            )  # fmt: skip


async def _record_export(connection: Connection, envelope: Envelope, event: ExportEvent) -> None:
    if event.state in _RECORDED_STATES:
        await connection.execute(
            query("record_export_event"),
            event.export_id, event.state, event.at, envelope.digest, event.mode,
            codec.encode(event.counts).decode(), envelope.sequence,
        )  # fmt: skip
    elif event.plan is not None:
        plan = event.plan
        await connection.execute(
            query("record_plan_part"),
            plan.plan_id, plan.part, event.at, envelope.digest, event.export_id, plan.entity,
            event.reason, len(plan.removals), envelope.sequence,
        )  # fmt: skip


CONSUMER: Final[Consumer[Item]] = Consumer("pets", CONSUMERS["pets"].topics, read, apply)
"""The consumer pets."""
