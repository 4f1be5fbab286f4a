"""Days with something wrong: nobody is removed wrongly, and `status` shows what was wrong."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest
from days_of_a_feed import Days, served_days
from profiles import chosen_seed, rounds

from console.inspect.database_reader import Unavailable, fetch_rows
from console.inspect.status import render
from consumers.app import consume
from consumers.registry import NAMES
from lab.expectations import QUERIES, judge
from lab.simulator import FAULTS, expected, history, write_export
from petstream import topics
from petstream.errors import NotReadyError
from petstream.events import ExportEvent

pytestmark = pytest.mark.servers

DAYS = rounds(len(FAULTS) + 1, long=2 * len(FAULTS))
"""So many that each fault has its day."""
SEEDS = range(chosen_seed(1), chosen_seed(1) + rounds(1, long=3))
NOT_READY = {"stale-petlist", "stale-pets", "missing-part", "cut-file", "cut-last-row"}
HELD = {"missing-petlist", "empty-petlist", "truncated-petlist", "short-petlist", "html-petlist"}


@pytest.fixture
def days(tmp_path: Path, kafka: str, prefix: str) -> Iterator[Days]:
    # days without removals make one with many
    with served_days(tmp_path, kafka, prefix, removal_max_share=0.5) as days:
        yield days


UNKNOWABLE = re.compile(r"history: |removed pets: .* are missing")
ODD = {
    "repeated-rows": "an id once more",
    "number-ids": "animalID as a number",
    "odd-pictures": "pictures as",
    "odd-text": "text that was mended",
    "crlf": "carriage returns",
}


def shows(status: dict[str, Any], fault: str, start: datetime) -> bool:
    """Tell whether `petstream status` shows what was wrong with the day that began at `start`."""
    newest, feed = status["exports"][0], status["feed"]
    notes, pets = "\n".join(newest["notes"]), newest["counts"]["pets"]
    held = {plan["exportId"] for plan in status["heldPlans"]}
    seen = {
        **dict.fromkeys(NOT_READY, newest["state"] == "failed" and bool(newest["reason"])),
        **dict.fromkeys(HELD, newest["exportId"] in held),
        **{odd: word in notes for odd, word in ODD.items()},
        "late-export": not feed["newestExportId"].startswith(f"{start:%F}"),
        "no-stamp": "no start stamp" in notes,
        "bad-row": pets["refused"] > 0 and status["deadLetters"]["total"] > 0,
        "moved-pictures": pets["updated"] > 0,
    }
    return bool(seen[fault])


@pytest.mark.parametrize("seed", SEEDS)
async def test_t1_to_t29_days_with_faults_end_as_days_without(
    days: Days, database_url: str, seed: int
) -> None:
    """T1, T3, T4, T6, T11, T18, T19, T22, T28: a fault a day, each of the simulator's."""
    rng = Random(seed)  # noqa: S311  a draw that can be repeated
    feed = history(seed=seed, pets=150, days=DAYS + 2)
    write_export(days.home, feed, 0)
    await days.ingest()
    statuses: dict[str, set[int]] = {}
    faults = rng.sample(sorted(FAULTS), len(FAULTS))
    listed = await days.listed()
    for day in range(1, DAYS):
        fault = faults[(day - 1) % len(faults)]
        write_export(days.home, feed, day, part_rows=60, zipped=rng.random() < 0.3, faults=[fault])
        try:
            status = (await days.ingest()).exit_status
        except NotReadyError as error:
            status = error.exit_status
        statuses.setdefault(fault, set()).add(status)
        shown = await days.status(datetime.now(UTC))
        assert shows(shown, fault, feed.start(day)), f"day {day}, {fault}: {render(shown)}"
        before, listed = listed, await days.listed()
        wrong = (before - listed) & set(feed.truth(day).pets)
        assert not wrong, f"day {day}, {fault}: removed wrongly"
    for fault, seen in statuses.items():
        if fault in NOT_READY:
            assert seen == {3}, fault
        elif fault in HELD:
            assert seen == {4}, fault
    write_export(days.home, feed, DAYS)
    healing = await days.ingest(wanted="scrub")  # rows that were odd once are whole again
    assert healing.exit_status in {0, 4}, "it may change more than is believable"
    write_export(days.home, feed, DAYS + 1)
    assert (await days.ingest(wanted="daily")).exit_status == 0
    wanted = expected(feed, DAYS + 1)
    assert await days.names() == {key: row["name"] or None for key, row in wanted.pets.items()}
    assert await days.listed(topics.ORGS) == set(wanted.orgs)
    await consume(
        NAMES, days.settings, kafka=days.kafka,
        database_url=database_url, drain=True, stopping=asyncio.Event(),
    )  # fmt: skip
    rows = await fetch_rows(database_url, QUERIES)
    assert not isinstance(rows, Unavailable)
    # who came and left on days that couldn't be read was never known: no history, no removal
    unequal = [line for line in judge(wanted, rows).differences if not UNKNOWABLE.match(line)]
    assert unequal == []
    assert {row["animal_id"] for row in rows["removed"]} <= set(wanted.removed)
    events = [event for event in await days.exports() if isinstance(event, ExportEvent)]
    last = {event.state for event in events if event.export_id == events[-1].export_id}
    assert last == {"started", "completed"}
