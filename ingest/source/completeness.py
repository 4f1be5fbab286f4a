"""Whether the files of a set belong to one export, and the petlist to its rows. Pure.

Rule 1: files of one export are written within hours, after its start; else two days are mixed,
        and nothing is read.
Rule 2: only what a mode reads, and the petlist, is asked for: old files beside them do no harm.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from ingest.source.listing import PET_FAMILIES, ExportSet, Part
from petstream.events import Mode

WINDOW: Final = timedelta(hours=6)
"""Files further apart than this aren't of one export."""

CLOCKS_DIFFER: Final = timedelta(minutes=10)
"""How far the clock of who writes the start stamp may be from the FTP server's."""

_LIST_BEFORE_ROWS: Final = timedelta(hours=1)  # nobody has written down which is made first
_MIXED: Final = "so files of two exports are mixed"
_SHOWN: Final = 4


def misfits(export: ExportSet, mode: Mode, start: datetime | None) -> list[str]:
    """Say which of the files that a mode reads, and the petlist, are of another export (rule 1).

    Args:
        export: whole, as far as `listing.missing` knows.
        mode: what is to be read.
        start: the export's start stamp, if there is one that is believed.
    """
    wanted = {"orgs", *PET_FAMILIES[mode], "petlist"}
    parts = [part for part in export.parts if part.family in wanted]
    newest = max(parts, key=_written_at)
    old = [part for part in parts if _written_at(part) < _written_at(newest) - WINDOW]
    if old:
        hours = WINDOW // timedelta(hours=1)
        return [f"{_named(old)}: more than {hours} h older than {_dated(newest)}, {_MIXED}"]
    if start is None:
        return []
    early = [part for part in parts if _written_at(part) < start - CLOCKS_DIFFER]
    if early:
        return [f"{_named(early)}: from before this export's start ({_moment(start)}), {_MIXED}"]
    return []


def stale_petlist(export: ExportSet, mode: Mode) -> str | None:
    """Say if the petlist is older than the files it is to judge; None: it isn't, or isn't there."""
    judged = [part for part in export.parts if part.family in PET_FAMILIES[mode]]
    petlist = export.petlist
    if petlist is None or not judged:
        return None
    newest = max(judged, key=_written_at)
    if _written_at(petlist) >= _written_at(newest) - _LIST_BEFORE_ROWS:
        return None
    return f"{_dated(petlist)} is older than {_dated(newest)}, which it is to judge"


def _written_at(part: Part) -> datetime:
    return part.remote.modified_at


def _named(parts: Sequence[Part]) -> str:
    shown = ", ".join(_dated(part) for part in parts[:_SHOWN])
    return shown if len(parts) <= _SHOWN else f"{shown} and {len(parts) - _SHOWN} more"


def _dated(part: Part) -> str:
    return f"{part.name} (of {_moment(_written_at(part))})"


def _moment(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
