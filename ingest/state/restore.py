"""The topics folded: exports.v1 to what is remembered, pets.v1 and orgs.v1 to ledgers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing

from ingest.state.export_history import ExportHistory
from ingest.state.ledger import Ledger, ValueStore
from petstream import topics
from petstream.codec import UndecodableError, decode
from petstream.errors import PetstreamError
from petstream.kafka.reader import read_to_end
from petstream.settings import KafkaAccess

Say = Callable[[str], None]


async def fold_exports(kafka: KafkaAccess, prefix: str) -> ExportHistory:
    """Return what exports.v1 remembers."""
    history = ExportHistory()
    async with aclosing(read_to_end(kafka, [topics.EXPORTS.full_name(prefix)])) as batches:
        async for records in batches:
            for record in records:
                try:
                    envelope = decode(record.headers, record.value)
                except UndecodableError as error:
                    raise PetstreamError(
                        f"{record.topic} offset {record.offset} can't be read ({error}): "
                        "it was written by another version of petstream; use that or a newer one"
                    ) from error
                history.fold_record(envelope)
    return history


async def fold_ledgers(
    kafka: KafkaAccess, prefix: str, values: ValueStore, say: Say
) -> tuple[Ledger, Ledger]:
    """Return what pets.v1 and orgs.v1 hold, each key's newest event."""
    names = (topics.PETS.full_name(prefix), topics.ORGS.full_name(prefix))
    ledgers = {name: Ledger(values) for name in names}
    async with aclosing(read_to_end(kafka, list(ledgers))) as batches:
        async for records in batches:
            for record in records:
                if not ledgers[record.topic].fold(record.key, record.headers, record.value):
                    say(
                        f"{record.topic}/{record.partition}/{record.offset} is damaged or a "
                        "stranger's: passed over; its pet is published again if the feed has it"
                    )
    return ledgers[names[0]], ledgers[names[1]]
