"""The listing of the FTP account to an export: families, parts, and what is missing. Pure.

Rule 1: a name may carry the API key before it and ``.zip`` behind it; the logical name never does,
        and only the logical name is ever shown.
Rule 2: parts are contiguous from 1, or the set isn't whole. There is no cap on rows or parts.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Final, Literal

from petstream import sequence
from petstream.events import Mode

Family = Literal[sequence.Family, "petlist"]

_NAME: Final = re.compile(
    r"(?:\./)?(?:[A-Za-z0-9]{4,64}_)?"
    r"(?:(orgs|pets|updatedpets|newpets)_([0-9]{1,6})\.json|(petlist)\.csv)(?:\.zip)?",
    re.ASCII,
)
_NO_FILES: Final = (
    "there are no files yet: they are available by 6 AM Eastern the day after the "
    "export was enabled"
)
PET_FAMILIES: Final[Mapping[Mode, tuple[sequence.Family, ...]]] = {
    "initial": ("pets",),
    "scrub": ("pets",),
    "daily": ("updatedpets", "newpets"),
}
"""Which files of pets each mode reads, in this order; the files of organisations come first."""


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

    family: Family
    number: int
    remote: RemoteFile

    @property
    def name(self) -> str:
        """The logical name, for example ``pets_1.json``: safe to show."""
        return "petlist.csv" if self.family == "petlist" else f"{self.family}_{self.number}.json"


@dataclass(frozen=True)
class ExportSet:
    """The files of one export."""

    parts: tuple[Part, ...]

    def of(self, family: Family) -> tuple[Part, ...]:
        """Return the parts of a family, by number."""
        return tuple(part for part in self.parts if part.family == family)

    @property
    def petlist(self) -> Part | None:
        """The list of all available pets, if it is there."""
        return next(iter(self.of("petlist")), None)

    @property
    def newest_modified_at(self) -> datetime:
        """When the youngest file was written."""
        return max(part.remote.modified_at for part in self.parts)

    @cached_property
    def fingerprint(self) -> str:
        """A digest of logical names, sizes and times: equal = just these files."""
        told = [
            f"{part.name} {part.remote.size_bytes} {part.remote.modified_at.timestamp():.0f}"
            for part in self.parts
        ]
        return hashlib.sha256("\n".join(told).encode()).hexdigest()[:32]


def is_logical(name: str) -> bool:
    """Tell whether a name (without any directory) is one of an export's files."""
    return _NAME.fullmatch(name) is not None


def plan(listing: Sequence[RemoteFile]) -> ExportSet:
    """Return the export that a listing shows; files that aren't of it are passed over."""
    found: dict[tuple[Family, int], RemoteFile] = {}
    for remote in listing:
        match = _NAME.fullmatch(remote.path.rpartition("/")[2])
        if match is None:
            continue
        family: Family = match[1] or match[3]  # type: ignore[assignment]  # the pattern's words
        key = (family, int(match[2] or 0))
        before = found.get(key)
        if before is None or remote.modified_at > before.modified_at:
            found[key] = remote
    ordered = sorted(found.items())
    return ExportSet(tuple(Part(family, number, one) for (family, number), one in ordered))


def missing(export: ExportSet, mode: Mode | None) -> list[str]:
    """Say what keeps an export from being read in a mode (None: in any); the petlist isn't needed.

    (Without a petlist everything is read, and the removals are held.)
    """
    if not export.parts:
        return [_NO_FILES]
    if mode is None:
        return []
    lacking = []
    for family in ("orgs", *PET_FAMILIES[mode]):
        numbers = [part.number for part in export.of(family)]
        if not numbers:
            lacking.append(f"there is no {family}_1.json")
            continue
        absent = sorted(set(range(1, numbers[-1] + 1)) - set(numbers))
        lacking.extend(f"{family}_{number}.json is missing" for number in absent)
    return lacking


def settled(before: Sequence[RemoteFile], after: Sequence[RemoteFile]) -> list[str]:
    """Say which files differ between two listings: they are still being written."""
    first = {(part.family, part.number): part for part in plan(before).parts}
    second = {(part.family, part.number): part for part in plan(after).parts}
    return [
        f"{(second.get(key) or first[key]).name} {_difference(first.get(key), second.get(key))}"
        for key in sorted(first.keys() | second.keys())
        if first.get(key) != second.get(key)
    ]


def _difference(before: Part | None, after: Part | None) -> str:
    if before is None:
        return "has just appeared"
    return "has gone" if after is None else "has changed"
