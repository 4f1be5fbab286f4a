"""Two exports compared, from the topics alone, for a person or as JSON.

Rule 1: the topics keep every change for 30 days; of an export before that, what was compacted since
        counts as added, and a line says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import aclosing, closing
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import msgspec

from console.inspect.export_diff import (
    ChangeCounts,
    ComparedExport,
    ExportDiff,
    PetState,
    PetStates,
    compare_exports,
)
from console.inspect.formatting import counted
from console.runtime.output import print_document, say
from ingest.state.export_history import ExportHistory, start_of
from ingest.state.restore import fold_exports
from ingest.state.spill_file import SpillFile
from petstream import topics
from petstream.errors import UsageError
from petstream.events import Counts
from petstream.fold import is_newest, key_of, peek
from petstream.kafka.client import ensure_topics
from petstream.kafka.reader import read_to_end
from petstream.kafka.records import ConsumerRecord
from petstream.sequence import base_of
from petstream.settings import KafkaAccess, Settings

_KEPT: Final = timedelta(milliseconds=int(topics.PETS.configs["min.compaction.lag.ms"]))
_COUNTS: Final = ("read", "added", "updated", "relisted", "removed", "unchanged", "refused")
_CHANGES: Final = ("added", "updated", "relisted", "removed")


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
    history = await fold_exports(kafka, settings.topic_prefix)
    before, after = _export(history, older), _export(history, newer)
    bases = history.completed[before.export_id].base, history.completed[after.export_id].base
    if bases[0] >= bases[1]:
        raise UsageError(f"{before.export_id} isn't older than {after.export_id}")
    with closing(SpillFile(settings.data_dir)) as spill_file:
        pets = _States(spill_file, bases)
        organizations = _States(spill_file, bases)
        for topic, states in ((topics.PETS, pets), (topics.ORGS, organizations)):
            names = [topic.full_name(settings.topic_prefix)]
            async with aclosing(read_to_end(kafka, names)) as batches:
                async for batch in batches:
                    for record in batch:
                        states.take(record)
        listed = {
            org_id: states.after.event["organization"]
            for org_id, states in organizations.by_key()
            if states.after is not None and states.after.listed
        }
        result = compare_exports(before, after, (states for _, states in pets.by_key()), listed)
    result.whole = start_of(before.export_id) > datetime.now(UTC) - _KEPT
    if as_json:
        print_document(msgspec.to_builtins(result))
    else:
        for line in lines(result):
            say(line)
    return 0


def lines(diff: ExportDiff) -> Iterator[str]:
    """Return a comparison as lines for a person: counts first."""
    for export in (diff.older, diff.newer):
        yield f"export {export.export_id} ({export.mode}): {_export_counts(export.counts)}"
    yield f"pets listed: {diff.listed_before:,} → {diff.listed_after:,}"
    yield f"between them: {_change_counts(diff.total)}"
    for title, groups in (
        ("species", diff.species),
        ("state", diff.states),
        ("organization", diff.organizations),
    ):
        for name, counts in groups.items():
            yield f"  {title} {name}: {_change_counts(counts)}"
    for name, pets in diff.changed_fields.items():
        yield f"  field {name}: changed in {counted(pets, 'pets')}"
    for fill in diff.fills:
        yield f"  field {fill.field}: filled in {fill.before:.1%} → {fill.after:.1%} of the pets"
    if not diff.whole:
        yield f"  {diff.older.export_id} is over {_KEPT.days} days ago: some may count as added"
    if diff.orphans:
        yield f"  orphans: {counted(diff.orphans, 'pets')} of organizations that aren't listed"


class _NewestEvent(NamedTuple):
    """The newest event of a key: what orders it, and where its value lies in the spill file."""

    sequence: int
    digest: str
    listed: bool
    position: int


class _States:
    """The newest event of each key up to each of two exports; the values lie in a spill file."""

    def __init__(self, spill_file: SpillFile, bases: tuple[int, int]) -> None:
        self._spill_file, self._bases = spill_file, bases
        self._older: dict[int, _NewestEvent] = {}
        self._newer: dict[int, _NewestEvent] = {}

    def take(self, record: ConsumerRecord) -> None:
        key, head = key_of(record.key), peek(record.headers, record.value)
        if key is None or head is None or record.value is None:
            return  # a stranger's: consumers have refused it, and it says nothing of any export
        position: int | None = None
        for base, events in zip(self._bases, (self._older, self._newer), strict=True):
            newest = events.get(key)
            if base_of(head.sequence) > base:
                continue
            if not is_newest(head, newest and (newest.sequence, newest.digest)):
                continue
            position = self._spill_file.put(record.value) if position is None else position
            events[key] = _NewestEvent(head.sequence, head.digest, head.listed, position)

    def by_key(self) -> Iterator[tuple[int, PetStates]]:
        for key in sorted(self._newer):
            older = self._older.get(key)
            before = None if older is None else self._state(older)
            yield key, PetStates(before, self._state(self._newer[key]))

    def _state(self, newest: _NewestEvent) -> PetState:
        event: dict[str, Any] = msgspec.json.decode(self._spill_file.get(newest.position))
        return PetState(event, newest.listed)


def _export(history: ExportHistory, name: str) -> ComparedExport:
    """Find an export by its id, or by how recent it is."""
    newest_first = sorted(history.completed.values(), key=lambda event: event.base, reverse=True)
    names = {"last": 0, "previous": 1}
    if name in names and len(newest_first) > names[name]:
        name = newest_first[names[name]].export_id
    event = history.completed.get(name)
    if event is None:
        newest = ", ".join(event.export_id for event in newest_first[:5]) or "none yet"
        raise UsageError(f"no export {name} was completed; the newest are: {newest}")
    return ComparedExport(event.export_id, event.mode, event.counts.pets)


def _export_counts(counts: Counts) -> str:
    numbers = ((name, getattr(counts, name)) for name in _COUNTS)
    return ", ".join(f"{number:,} {name}" for name, number in numbers if number) or "nothing"


def _change_counts(counts: ChangeCounts) -> str:
    numbers = ((name, getattr(counts, name)) for name in _CHANGES)
    return ", ".join(f"{number:,} {name}" for name, number in numbers if number) or "nothing"
