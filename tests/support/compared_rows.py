"""Rows compared with what earlier exports published, as a run compares them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from rows_of_the_feed import framed

from ingest.changes.comparison import Comparison
from ingest.changes.event import PETS, Facts, Publication
from ingest.state.ledger import Ledger
from petstream.codec import decode
from petstream.events import PetEvent
from petstream.sequence import Family, removal_sequence

START = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)


def facts(day: int = 0) -> Facts:
    """Return the facts of the export of a day."""
    start = START + timedelta(days=day)
    return Facts(start.strftime("%Y-%m-%dT%H:%M:%SZ"), int(start.timestamp()), start, "daily")


def refolded(log: list[Publication]) -> Ledger:
    """Fold a log, as the next run does."""
    ledger = Ledger()
    for record in log:
        assert ledger.fold(record.key.encode(), record.headers, record.value)
    return ledger


class Feed:
    """Exports read one after the other, each by a new process that knows the log only."""

    def __init__(self) -> None:
        """Begin with an empty log."""
        self.log: list[Publication] = []
        self.counts: dict[str, int] = {}

    def read(self, day: int, files: list[tuple[Family, list[Any]]]) -> list[PetEvent]:
        """Read an export's files; return its events."""
        run = Comparison(PETS, refolded(self.log), facts(day))
        new: list[Publication] = []
        for family, rows in files:
            new += run.compare(framed(*rows), family, f"{family}_1.json").publications
        self.log += new
        self.counts = msgspec.structs.asdict(run.counts)
        return [event_of(record) for record in new]

    def remove(self, day: int, key: int) -> PetEvent | None:
        """Remove a key, as the gate would."""
        run = Comparison(PETS, refolded(self.log), facts(day))
        removal = run.removal(key, removal_sequence(run.facts.base))
        self.log += [] if removal is None else [removal]
        return None if removal is None else event_of(removal)


def event_of(publication: Publication) -> PetEvent:
    """Decode a publication as any subscriber would."""
    event = decode(publication.headers, publication.value).event
    assert isinstance(event, PetEvent)
    return event
