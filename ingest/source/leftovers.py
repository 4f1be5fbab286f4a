"""Files of an earlier export that the server still has behind those of this one. Pure.

Rule 1: only parts behind the fresh ones, which are contiguous from 1, can be left over; one that is
        missing between them is missing.
Rule 2: a leftover is known: an earlier export that was completed recorded it with this name, size
        and time. An old file that nobody knows may be the file of this export, written late.
Rule 3: a leftover is said, and not read. Where the petlist isn't of this export either, it may
        still be being written, and the old parts may yet be replaced: then nothing is left over.
Rule 4: of organisations nothing is left over: one that is in no file is removed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from ingest.parse.plausible import CLOCKS_DIFFER
from ingest.source.listing import WINDOW, ExportSet, FileFamily, Part
from petstream.events import ExportEvent

_FAMILIES: Final[tuple[FileFamily, ...]] = ("pets", "updatedpets", "newpets")
_SHOWN: Final = 4


def without_leftovers(files: ExportSet, completed: Iterable[ExportEvent]) -> ExportSet:
    """Return an export's own files, which note those that were left of earlier ones.

    Args:
        files: as they were listed.
        completed: the exports that were completed before.
    """
    petlist = files.petlist
    if petlist is None or not _is_fresh(files, petlist):
        return files
    known = {
        (read.name, read.bytes, read.modified_at.replace(microsecond=0))
        for event in completed
        for read in event.files
    }
    leftovers = {part for family in _FAMILIES for part in _behind(files, files.of(family), known)}
    if not leftovers:
        return files
    own = tuple(part for part in files.parts if part not in leftovers)
    names = [part.name for part in files.parts if part in leftovers]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    line = f"left of an earlier export, so not read: {', '.join(names[:_SHOWN])}{more}"
    return ExportSet(own, (*files.notes, line))


def _behind(
    files: ExportSet, parts: Sequence[Part], known: set[tuple[str, int, datetime]]
) -> list[Part]:
    """Return the parts of a family behind its fresh ones, if each of them is known."""
    fresh = [part for part in parts if _is_fresh(files, part)]
    if not fresh or [part.number for part in fresh] != list(range(1, len(fresh) + 1)):
        return []
    earliest = min(part.remote.modified_at for part in fresh)
    behind = [part for part in parts if part.number > len(fresh)]
    are_older = all(part.remote.modified_at < earliest - CLOCKS_DIFFER for part in behind)
    recorded = (
        (part.name, part.remote.size_bytes, part.remote.modified_at.replace(microsecond=0))
        for part in behind
    )
    return behind if are_older and known.issuperset(recorded) else []


def _is_fresh(files: ExportSet, part: Part) -> bool:
    return part.is_dated and part.remote.modified_at >= files.newest_modified_at - WINDOW
