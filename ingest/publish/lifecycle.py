"""What the run says on the topics: `started` before anything else, then what was found.

Rule 1: an export that was completed before says nothing unless something new was found in it.
Rule 2: every record goes through the one publisher, so that a flush covers it.
Rule 3: files that are broken are looked at every few minutes, but said to be so only once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from ingest.changes.comparison import Refused
from ingest.changes.event import Kind, Publication
from ingest.publish import announcements
from ingest.publish.publisher import Publisher
from petstream import failpoints, topics
from petstream.events import ExportEvent, ExportState

MakeEvent = Callable[[ExportState, str | None], ExportEvent]
"""Makes the event of the export as it stands now."""


class Herald:
    """Sends records of one run to their topics."""

    def __init__(
        self,
        publisher: Publisher,
        prefix: str,
        make_event: MakeEvent,
        *,
        quiet: bool,
        failed_before: bool = False,
    ) -> None:
        """Speak through `publisher`.

        Args:
            publisher: of the run.
            prefix: of the topics.
            make_event: makes the event of the export as it stands.
            quiet: the export was completed: announce it only once there is news.
            failed_before: just these files were broken: keep what was said then until they aren't.
        """
        self.flush: Final = publisher.flush
        self.announced = False
        self.quiet = quiet
        self._failed_before = failed_before
        self._waiting: list[Publication] = []
        self._publisher, self._prefix, self._make_event = publisher, prefix, make_event

    async def begin(self) -> None:
        """Announce the export, unless that was done, or needn't be."""
        if not self.quiet and not self._failed_before:
            await self.announce("started")

    @property
    def speaks(self) -> bool:
        """Tell whether there is anything to complete."""
        return self.announced or not self.quiet

    async def end(self) -> None:
        """Say that the export is completed; everything else of it was flushed."""
        for letter in self._waiting:
            await self._publish(topics.DEAD_LETTERS, letter)
        await self.announce("completed")

    async def announce(self, state: ExportState, reason: str | None = None) -> None:
        """Say how the export stands."""
        self.announced = True
        await self._publish(topics.EXPORTS, announcements.export(self._make_event(state, reason)))
        if state == "started":
            await self.flush()  # at once: an hour of reading may lie before the next flush
            failpoints.point("ingest.started.announced")

    async def changes(self, kind: Kind, publications: Iterable[Publication]) -> None:
        """Publish what happened to pets or organisations."""
        for one in publications:
            if not self.announced:
                await self.announce("started")
            await self._publish(kind.topic, one)

    async def plans(self, records: Iterable[Publication]) -> None:
        """Publish held plans, and decisions about earlier ones."""
        for one in records:
            await self._publish(topics.EXPORTS, one)

    async def set_aside(self, refused: Sequence[Refused], export_id: str) -> None:
        """Publish refused rows as dead letters (once: not again for a completed export)."""
        for one in () if self.quiet else refused:
            letter = announcements.refused_row(one, export_id, datetime.now(UTC))
            if self._failed_before:
                self._waiting.append(letter)
            else:
                await self._publish(topics.DEAD_LETTERS, letter)

    async def _publish(self, topic: topics.Topic, one: Publication) -> None:
        name = topic.full_name(self._prefix)
        await self._publisher.send(name, one.key, one.value, one.headers)
