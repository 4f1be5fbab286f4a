"""Two exports compared, from the topics alone, for a person or as JSON.

Rule 1: the topics keep every change for 30 days; of an export before that, what was compacted since
        counts as added, and a line says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import aclosing, closing
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from console.inspect.differences import Difference, Moment, Side, Tally, difference
from console.runtime.output import say
from ingest.publish.producer import read_to_end
from ingest.state.export_history import Memory, start_of
from ingest.state.restore import fold_exports
from ingest.state.spill_file import FileShelf
from petstream import topics
from petstream.errors import UsageError
from petstream.events import Counts
from petstream.kafka.client import ensure_topics
from petstream.sequence import base_of
from petstream.settings import KafkaAccess, Settings

_KEPT: Final = timedelta(milliseconds=int(topics.PETS.configs["min.compaction.lag.ms"]))
_COUNTS: Final = ("read", "added", "updated", "relisted", "removed", "unchanged", "refused")


async def diff(
    settings: Settings, kafka: KafkaAccess, older: str, newer: str, *, as_json: bool
) -> int:
    """Print what lies between two exports; return the exit status.

    Args:
        settings: prefix of the topics, and where a file of the values may lie meanwhile.
        kafka: how to reach Kafka.
        older: an export's id, ``previous`` or ``last``.
        newer: the same.
        as_json: print JSON instead of lines.
    """
    await ensure_topics(kafka, settings.topic_prefix)
    memory = await fold_exports(kafka, settings.topic_prefix)
    sides = _side(memory, older), _side(memory, newer)
    bases = memory.completed[sides[0].export_id].base, memory.completed[sides[1].export_id].base
    if bases[0] >= bases[1]:
        raise UsageError(f"{sides[0].export_id} isn't older than {sides[1].export_id}")
    with closing(FileShelf(settings.data_dir)) as shelf:
        pets = _States(shelf, bases)
        organizations = _States(shelf, bases)
        for topic, states in ((topics.PETS, pets), (topics.ORGS, organizations)):
            names = [topic.full_name(settings.topic_prefix)]
            async with aclosing(read_to_end(kafka, names)) as batches:
                async for batch in batches:
                    for one in batch:
                        states.take(one.key, dict(one.headers), one.value)
        listed = {
            key: after.event["organization"]
            for key, (_, after) in organizations.pairs()
            if after is not None and after.listed
        }
        found = difference(*sides, (pair for _, pair in pets.pairs()), listed)
    found.whole = start_of(sides[0].export_id) > datetime.now(UTC) - _KEPT
    if as_json:
        say(msgspec.json.format(msgspec.json.encode(found)).decode())
    else:
        for line in lines(found):
            say(line)
    return 0


def lines(found: Difference) -> Iterator[str]:
    """Return a comparison as lines for a person: counts first."""
    for side in (found.older, found.newer):
        yield f"export {side.export_id} ({side.mode}): {_counted(side.counts)}"
    yield f"pets listed: {found.listed_before:,} → {found.listed_after:,}"
    yield f"between them: {_told(found.total)}"
    for title, groups in (
        ("species", found.species),
        ("state", found.states),
        ("organization", found.organizations),
    ):
        for name, tally in groups.items():
            yield f"  {title} {name}: {_told(tally)}"
    for name, times in found.changed_fields.items():
        yield f"  field {name}: changed in {times:,} pets"
    for fill in found.fills:
        yield f"  field {fill.field}: filled in {fill.before:.1%} → {fill.after:.1%} of the pets"
    if not found.whole:
        yield f"  {found.older.export_id} is over {_KEPT.days} days ago: some may count as added"
    if found.orphans:
        yield f"  orphans: {found.orphans:,} pets of organizations that aren't listed"


class _States:
    """The newest event of each key up to each of two exports; values lie on a shelf."""

    def __init__(self, shelf: FileShelf, bases: tuple[int, int]) -> None:
        self._shelf, self._bases = shelf, bases
        self._held: tuple[dict[int, tuple[int, str, bool, int]], ...] = ({}, {})

    def take(self, key: bytes, headers: Mapping[str, bytes], value: bytes) -> None:
        try:
            number, sequence = int(key), int(headers["ce_sequence"])
            digest = headers["ce_digest"].decode("ascii")
        except (KeyError, ValueError):
            return  # a stranger's: consumers have parked it, and it says nothing of any export
        listed = not headers["ce_type"].endswith(b".removed")
        place: int | None = None
        for base, held in zip(self._bases, self._held, strict=True):
            if base_of(sequence) > base or held.get(number, (-1, ""))[:2] > (sequence, digest):
                continue
            place = self._shelf.put(value) if place is None else place
            held[number] = (sequence, digest, listed, place)

    def pairs(self) -> Iterator[tuple[int, tuple[Moment | None, Moment | None]]]:
        older, newer = self._held
        for key in sorted(newer):
            yield key, (self._moment(older.get(key)), self._moment(newer[key]))

    def _moment(self, held: tuple[int, str, bool, int] | None) -> Moment | None:
        if held is None:
            return None
        event: dict[str, Any] = msgspec.json.decode(self._shelf.get(held[3]))
        return Moment(event, held[2])


def _side(memory: Memory, wanted: str) -> Side:
    """Find an export by its id, or by how recent it is."""
    newest_first = sorted(memory.completed.values(), key=lambda one: one.base, reverse=True)
    names = {"last": 0, "previous": 1}
    if wanted in names and len(newest_first) > names[wanted]:
        wanted = newest_first[names[wanted]].export_id
    event = memory.completed.get(wanted)
    if event is None:
        there = ", ".join(one.export_id for one in newest_first[:5]) or "none yet"
        raise UsageError(f"no export {wanted} was completed; the newest are: {there}")
    return Side(event.export_id, event.mode, event.counts.pets)


def _counted(counts: Counts) -> str:
    told = ((name, getattr(counts, name)) for name in _COUNTS)
    return ", ".join(f"{number:,} {name}" for name, number in told if number) or "nothing"


def _told(tally: Tally) -> str:
    told = ((name, getattr(tally, name)) for name in ("added", "updated", "relisted", "removed"))
    return ", ".join(f"{number:,} {name}" for name, number in told if number) or "nothing"
