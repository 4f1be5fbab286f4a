"""The demo's summary: what each day brought, what the tables hold, a pet's history."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from rich import box
from rich.console import Console
from rich.table import Table

from console.inspect.database_reader import Unavailable, fetch_rows
from console.inspect.explain import explain
from console.runtime.output import say
from consumers.admin.lag import lag
from consumers.registry import names_of
from ingest.export import Outcome
from lab import expectations
from lab.simulator import Expected
from petstream.errors import PetstreamError
from petstream.settings import KafkaAccess, Settings

_COUNTS: Final = ("read", "added", "updated", "unchanged", "removed", "relisted", "refused")
_WIDTH: Final = 90


class DayResult(NamedTuple):
    """What one day came to, and how long the ingester took."""

    number: int
    outcome: Outcome
    ingest_s: float


async def print_summary(
    settings: Settings,
    kafka: KafkaAccess,
    database_url: str,
    expected: Expected,
    days: Sequence[DayResult],
) -> bool:
    """Print it; return whether the tables hold what they should."""
    screen = Console()
    if not screen.is_terminal:
        screen = Console(width=_WIDTH)
    screen.print()
    screen.print(_table(days))
    for day in days:
        for remark in day.outcome.notes:
            say(f"day {day.number}: {remark}")
    behind: Counter[str] = Counter()
    names = names_of(table_topics=settings.table_topics)
    for group in await lag(kafka, settings.topic_prefix, names):
        behind[group.consumer] += group.lag
    lags = ", ".join(f"{name} {number:,}" for name, number in behind.items())
    say(f"events not yet applied, by consumer: {lags}")
    rows = await fetch_rows(database_url, expectations.QUERIES)
    if isinstance(rows, Unavailable):
        raise PetstreamError(f"Postgres: {rows.reason}")
    compared, differences = expectations.judge(expected, rows)
    if differences:
        say("\nthe tables do NOT equal what the simulator expects:")
        for difference in differences:
            say(f"  {difference}")
        return False
    say("\nthe tables equal what the simulator expects:")
    say(f"  {', '.join(compared)}")
    animal_id = _interesting(expected)
    say(f"\nOne pet's life (petstream explain {animal_id}):\n")
    await explain(settings, kafka=kafka, database_url=database_url, animal_id=animal_id)
    return True


def next_steps(data_dir: Path, prefix: str) -> Iterator[str]:
    """Return what to type next."""
    yield "\nLook around, here or in another terminal (petstream down ends the servers again):"
    home = shlex.quote(str(data_dir.absolute()))
    yield f"  export PETSTREAM_DATA_DIR={home} PETSTREAM_TOPIC_PREFIX={prefix}"
    yield "  .venv/bin/petstream status"
    yield "  .venv/bin/petstream tail exports --from-beginning"
    yield "On the real feed: set PETSTREAM_FTP_URL in .env (see .env.example), then scripts/up"


def _table(days: Sequence[DayResult]) -> Table:
    table = Table(
        title="What each export brought (pets)",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    for head in ("day", "mode", *_COUNTS, "s", "rows/s"):
        table.add_column(head, justify="left" if head == "mode" else "right", no_wrap=True)
    for day in days:
        counts = day.outcome.counts
        rows = counts.pets.read + counts.orgs.read
        table.add_row(
            str(day.number),
            day.outcome.mode,
            *(f"{getattr(counts.pets, name):,}" for name in _COUNTS),
            f"{day.ingest_s:.1f}",
            f"{rows / day.ingest_s:,.0f}",
        )
    return table


def _interesting(expected: Expected) -> int:
    """Return a pet that came back, else one that went, else any."""
    for op in ("relisted", "removed", "updated", "added"):
        for key, went in expected.pet_history.items():
            if any(what == op for _, what in went):
                return key
    raise PetstreamError("the simulator has no pets")
