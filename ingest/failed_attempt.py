"""A failed attempt: exports.v1 says of an export that is there why it can't be read.

Rule 1: it is published as `failed` and marked `unread`: no file was read, so the next run owes
        nothing to it (a run that broke off makes the next one a scrub; this doesn't).
Rule 2: the same reason for the same export is published once.
Rule 3: nothing is published of an export that was completed: an old one put back stays what it was.
Rule 4: where Kafka is away, the user still sees why the export can't be read.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from ingest.leadership.election import Leadership, leading
from ingest.publish.lifecycle import export_record
from ingest.publish.publisher import Publisher
from ingest.source.listing import ExportSet
from ingest.state.debts import Offer, choose
from ingest.state.export_history import ExportHistory
from ingest.state.restore import fold_exports
from petstream import topics
from petstream.errors import UnreachableError
from petstream.events import Counts, ExportCounts, ExportEvent, FileRead
from petstream.settings import KafkaAccess


@dataclass(frozen=True)
class FailedAttempt:
    """What is known of an export that can't be read."""

    files: ExportSet
    stamp: datetime | None
    """The export's own start stamp, if it is believed."""
    reason: str
    scrub: str
    """How often everything is read: it decides in which mode this export would have been."""

    def event(self, history: ExportHistory) -> ExportEvent | None:
        """Return what there is to publish; None: nothing (rules 2 and 3)."""
        files = self.files
        start = self.stamp or files.newest_modified_at.replace(microsecond=0)
        identity = history.identify(start, files.fingerprint)
        export_id = identity.export_id
        if export_id in history.completed or history.unread.get(export_id) == self.reason:
            return None
        return ExportEvent(
            export_id=export_id,
            mode=choose(
                history, "auto", Offer(start, files.fingerprint, whole=True), self.scrub
            ).mode,
            state="failed",
            at=datetime.now(UTC).replace(microsecond=0),
            files=tuple(
                FileRead(part.name, part.remote.size_bytes, part.remote.modified_at, 0)
                for part in files.parts
            ),
            counts=ExportCounts(pets=Counts(), orgs=Counts()),
            reason=self.reason,
            fingerprint=files.fingerprint,
            base=identity.base,
            unread=True,
        )


async def publish(
    kafka: KafkaAccess, prefix: str, failed: FailedAttempt, history: ExportHistory, lead: Leadership
) -> None:
    """Publish a failed attempt, under the lead of the run that failed."""
    event = failed.event(history)
    if event is None:
        return
    record = export_record(event, history.take_sequence)
    async with Publisher(kafka, lead) as publisher:
        name = topics.EXPORTS.full_name(prefix)
        await publisher.send(name, record.key, record.value, record.headers)


async def lead_and_publish(kafka: KafkaAccess, prefix: str, failed: FailedAttempt) -> None:
    """Publish an attempt that failed before it led; lead only where there is anything to say."""
    if failed.event(await fold_exports(kafka, prefix)) is None:
        return
    async with leading(kafka, prefix) as lead:
        await publish(kafka, prefix, failed, await fold_exports(kafka, prefix), lead)


@contextmanager
def unless_unreachable(say: Callable[[str], None]) -> Generator[None]:
    """Say that a server was away, and go on (rule 4)."""
    try:
        yield
    except UnreachableError as error:
        say(f"exports.v1 doesn't say that this export can't be read: {error}")
