"""What each run of the ingester came to, as metrics."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Literal

from msgspec import structs

from ingest.export import Outcome
from ingest.leadership.election import NotLeadingError
from petstream.errors import (
    BrokenFileError,
    LostRecordsError,
    NoRoomError,
    NotReadyError,
    PetstreamError,
)
from petstream.metrics import (
    LETTERS,
    LOOKS,
    PLANS_HELD,
    RESTATED,
    ROWS,
    STAGE_SECONDS,
    WARNINGS,
)

Stage = Literal["listing", "folding", "reading"]


@contextmanager
def stage(name: Stage) -> Generator[None]:
    """Write down how long a stage of the run takes."""
    began = time.monotonic()
    try:
        yield
    finally:
        STAGE_SECONDS.labels(name).set(time.monotonic() - began)


def count_run(outcome: Outcome | None, plans_held: int) -> None:
    """Count a run that ended well; `outcome` is None where there was nothing new."""
    if outcome is None:
        LOOKS.labels("nothing_new").inc()
    else:
        LOOKS.labels("held" if outcome.held else "completed").inc()
        for entity in ("pets", "orgs"):
            counts = structs.asdict(getattr(outcome.counts, entity))
            for name, rows in counts.items():
                ROWS.labels(entity, name).inc(rows)
            LETTERS.labels("rows").inc(counts["refused"])
        RESTATED.labels("pets").inc(outcome.restated.pets)
        RESTATED.labels("orgs").inc(outcome.restated.orgs)
        WARNINGS.set(sum(note.startswith("warning:") for note in outcome.notes))
    PLANS_HELD.set(plans_held)


def count_failure(error: PetstreamError) -> None:
    """Count a run that didn't."""
    if isinstance(error, NotLeadingError):
        LOOKS.labels("not_leading").inc()
    elif isinstance(error, LostRecordsError):
        LOOKS.labels("lost_records").inc()
    elif isinstance(error, NoRoomError):
        LOOKS.labels("no_room").inc()
    elif isinstance(error, BrokenFileError):
        LOOKS.labels("broken").inc()
    else:
        LOOKS.labels("not_ready" if isinstance(error, NotReadyError) else "unreachable").inc()
