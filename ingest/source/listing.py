"""The files of the FTP account as one export: parts, what is missing, what is of another. Pure.

Rule 1: a name may carry the API key before it and ``.zip`` behind it; the logical name never does,
        and only the logical name is ever shown.
Rule 2: parts are contiguous from 1, or the set isn't whole. There is no cap on rows or parts.
Rule 3: files of one export are written within hours, after its start; else two days are mixed,
        and nothing is read.
Rule 4: only what a mode reads, and the petlist, is asked for: old files beside them do no harm.
Rule 5: a file time that isn't plausible (later than now, or from before there were exports) names
        and judges nothing; it is told, and a petlist that has one judges nobody.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Final, Literal

from ingest.parse.plausible import CLOCKS_DIFFER, is_plausible_file_time
from petstream.errors import NotReadyError
from petstream.events import Mode
from petstream.sequence import Family

FileFamily = Literal[Family, "petlist"]

_NAME: Final = re.compile(
    r"(?:\./)?(?:[A-Za-z0-9]{4,64}_)?"
    r"(?:(orgs|pets|updatedpets|newpets)_([0-9]{1,6})\.json|(petlist)\.csv)(?:\.zip)?",
    re.ASCII | re.IGNORECASE,
)
NO_FILES: Final = (
    "there are no files yet: they are available by 6 AM Eastern the day after the "
    "export was enabled"
)
PET_FAMILIES: Final[Mapping[Mode, tuple[Family, ...]]] = {
    "initial": ("pets",),
    "scrub": ("pets",),
    "daily": ("updatedpets", "newpets"),
}
"""Which files of pets each mode reads, in this order; the files of organisations come first."""

WINDOW: Final = timedelta(hours=6)
"""Files further apart than this aren't of one export."""

_LIST_BEFORE_ROWS: Final = timedelta(hours=1)  # nobody has written down which is made first
_MIXED: Final = "so files of two exports are mixed"
_SHOWN: Final = 4
_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class RemoteFile:
    """A file on the server; `path` is a secret: it may hold the API key."""

    path: str
    size_bytes: int
    modified_at: datetime

    def __repr__(self) -> str:
        """Show no path."""
        return f"RemoteFile({self.size_bytes} bytes, {self.modified_at})"


@dataclass(frozen=True)
class Part:
    """A file of the export by its logical place."""

    family: FileFamily
    number: int
    remote: RemoteFile
    is_dated: bool = True
    """Its time is plausible."""

    @property
    def name(self) -> str:
        """The logical name, for example ``pets_1.json``: safe to show."""
        return "petlist.csv" if self.family == "petlist" else f"{self.family}_{self.number}.json"


@dataclass(frozen=True)
class ExportSet:
    """The files of one export."""

    parts: tuple[Part, ...]
    notes: tuple[str, ...] = ()
    """What is unusual about the files that were listed."""

    def of(self, family: FileFamily) -> tuple[Part, ...]:
        """Return the parts of a family, by number."""
        return tuple(part for part in self.parts if part.family == family)

    def bytes_of(self, mode: Mode) -> int:
        """Return the bytes of all files that are read in a mode, as they lie there."""
        families = {"orgs", *PET_FAMILIES[mode], "petlist"}
        return sum(part.remote.size_bytes for part in self.parts if part.family in families)

    @property
    def petlist(self) -> Part | None:
        """The list of all available pets, if it is there."""
        return next(iter(self.of("petlist")), None)

    @property
    def newest_modified_at(self) -> datetime:
        """When the youngest file was written, of those whose time is plausible (rule 5)."""
        dated = (part.remote.modified_at for part in self.parts if part.is_dated)
        return max(dated, default=_LONG_AGO)

    @property
    def is_dated(self) -> bool:
        """Whether the time of any file is plausible."""
        return any(part.is_dated for part in self.parts)

    def doubts(self) -> tuple[str, ...]:
        """Say what is unusual, and of which files the time isn't believed."""
        undated = [part for part in self.parts if not part.is_dated]
        if not undated:
            return self.notes
        line = f"the server's time of {_named(undated)} isn't plausible: it isn't believed"
        return (*self.notes, line)

    @cached_property
    def fingerprint(self) -> str:
        """A digest of logical names, sizes and times: equal = just these files."""
        lines = [
            f"{part.name} {part.remote.size_bytes} {part.remote.modified_at.timestamp():.0f}"
            for part in self.parts
        ]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:32]


def base_name(path: str) -> str:
    """Return what stands behind the last directory, however the server writes them."""
    return path.replace("\\", "/").rpartition("/")[2]


def is_logical(name: str) -> bool:
    """Tell whether a name (without any directory) is one of an export's files."""
    return _NAME.fullmatch(name) is not None


def export_set(listing: Sequence[RemoteFile], now: datetime | None = None) -> ExportSet:
    """Return the export that a listing shows; files that aren't of it are skipped.

    Args:
        listing: whatever is there.
        now: by which the files' times are judged (rule 5); None: they are taken as they are.
    """

    def is_dated(remote: RemoteFile) -> bool:
        return now is None or is_plausible_file_time(remote.modified_at, now)

    newest: dict[tuple[FileFamily, int], RemoteFile] = {}
    for remote in listing:
        match = _NAME.fullmatch(base_name(remote.path))
        if match is None:
            continue
        family: FileFamily = (match[1] or match[3]).lower()  # type: ignore[assignment]  # the pattern's words
        key = (family, int(match[2] or 0))
        before = newest.get(key)
        if before is None or _age_of(remote, is_dated) > _age_of(before, is_dated):
            newest[key] = remote
    return ExportSet(
        tuple(
            Part(family, number, newest[family, number], is_dated(newest[family, number]))
            for family, number in sorted(newest)
        )
    )


def _age_of(remote: RemoteFile, is_dated: Callable[[RemoteFile], bool]) -> tuple[bool, datetime]:
    return is_dated(remote), remote.modified_at


def missing(export: ExportSet, mode: Mode) -> list[str]:
    """Say what keeps an export from being read in a mode; the petlist isn't asked for.

    (Without a petlist everything is read, and the removals are held.)
    """
    if not export.parts:
        return [NO_FILES]
    lacking = []
    for family in ("orgs", *PET_FAMILIES[mode]):
        numbers = [part.number for part in export.of(family)]
        if not numbers:
            lacking.append(f"there is no {family}_1.json")
            continue
        absent = sorted(set(range(1, numbers[-1] + 1)) - set(numbers))
        lacking.extend(f"{family}_{number}.json is missing" for number in absent)
    return lacking


def refuse_incomplete(export: ExportSet, mode: Mode, start: datetime | None) -> None:
    """Refuse an export that can't be read in a mode.

    Raises:
        NotReadyError: files are missing, or are of another export.
    """
    lacking = missing(export, mode) or misfits(export, mode, start)
    if lacking:
        raise NotReadyError("the export isn't ready: " + "; ".join(lacking))


def changed(before: Sequence[RemoteFile], after: Sequence[RemoteFile]) -> list[str]:
    """Say which files differ between two listings: they are still being written."""
    first = {(part.family, part.number): part for part in export_set(before).parts}
    second = {(part.family, part.number): part for part in export_set(after).parts}
    return [
        f"{(second.get(key) or first[key]).name} {_difference(first.get(key), second.get(key))}"
        for key in sorted(first.keys() | second.keys())
        if first.get(key) != second.get(key)
    ]


def misfits(export: ExportSet, mode: Mode, start: datetime | None) -> list[str]:
    """Say which of the files that a mode reads, and the petlist, are of another export (rule 3).

    Args:
        export: whole, as far as `missing` knows.
        mode: what is to be read.
        start: the export's start stamp, if there is one that is believed.
    """
    wanted = {"orgs", *PET_FAMILIES[mode], "petlist"}
    parts = [part for part in export.parts if part.family in wanted and part.is_dated]
    if not parts:
        return []
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
    petlist = export.petlist
    if petlist is not None and not petlist.is_dated:
        return f"the server's time of {_dated(petlist)} isn't plausible, so it may be an old one"
    families = PET_FAMILIES[mode]
    judged = [part for part in export.parts if part.family in families and part.is_dated]
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


def _difference(before: Part | None, after: Part | None) -> str:
    if before is None:
        return "has just appeared"
    return "has gone" if after is None else "has changed"
