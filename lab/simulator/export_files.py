"""The files of a day's export, made one by one so that a full-size feed fits into memory.

Rule 1: the feed's order in time: organisations, pets_n, updatedpets_n, newpets_n, petlist last.
Rule 2: the same history, day and options give the same bytes and the same file times.
"""

from __future__ import annotations

import io
import os
import re
import zipfile
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import chain, islice
from typing import TYPE_CHECKING, Literal

from lab.simulator.faults import check, damaged, damaged_bytes
from lab.simulator.history import EASTERN
from lab.simulator.shapes import Row, encode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from lab.simulator.history import History

StartStamp = Literal["eastern", "epoch", "none"]

IDS_PER_LINE = 100
FIRST_FILE_AFTER = timedelta(minutes=4)
FILE_EVERY = timedelta(seconds=45)
_EXPORT_NAME = re.compile(
    r"(?:[A-Za-z0-9]{8}_)?(?:(?:orgs|pets|updatedpets|newpets)_\d+\.json|petlist\.csv)(?:\.zip)?"
    r"(?:\.part)?"
)


@dataclass(frozen=True)
class ExportFile:
    """A file as it stands in the FTP home."""

    name: str
    content: bytes
    modified_at: datetime


@dataclass(frozen=True)
class Options:
    """How an export is written; the defaults are the plain form."""

    part_rows: int
    zipped: bool
    key_prefix: bool
    faults: Sequence[str]
    start_stamp: StartStamp


def export_files(  # noqa: PLR0913 - options by name, with defaults
    history: History,
    day: int,
    *,
    part_rows: int = 10_000,
    zipped: bool = False,
    key_prefix: bool = False,
    faults: Sequence[str] = (),
    start_stamp: StartStamp = "eastern",
) -> dict[str, bytes]:
    """Make all files of a day at once, by remote name: for histories that fit into memory."""
    options = Options(part_rows, zipped, key_prefix, faults, start_stamp)
    return {file.name: file.content for file in each_file(history, day, options)}


def write_export(  # noqa: PLR0913 - the same
    directory: Path,
    history: History,
    day: int,
    *,
    part_rows: int = 10_000,
    zipped: bool = False,
    key_prefix: bool = False,
    faults: Sequence[str] = (),
    start_stamp: StartStamp = "eastern",
    written_at: datetime | None = None,
) -> None:
    """Write a day's files into the FTP home, then take away what is left of the former day.

    With `written_at` that is the time of all of them, and they say of no other: a day that is still
    to come would not be believed.
    """
    check(faults)
    directory.mkdir(parents=True, exist_ok=True)
    if "late-export" in faults:
        return  # nothing new came: yesterday's files stay, with yesterday's times
    stamp: StartStamp = start_stamp if written_at is None else "none"
    options = Options(part_rows, zipped, key_prefix, faults, stamp)
    written = set()
    for file in each_file(history, day, options):
        part = directory / f"{file.name}.part"
        part.write_bytes(file.content)
        at = (written_at or file.modified_at).timestamp()
        os.utime(part, (at, at))
        part.replace(directory / file.name)
        written.add(file.name)
    for path in directory.iterdir():
        if path.name not in written and _EXPORT_NAME.fullmatch(path.name):
            path.unlink()


def each_file(history: History, day: int, options: Options) -> Iterator[ExportFile]:
    """Go through a day's files in the order in which they are written."""
    faults = options.faults
    check(faults)
    shown = day - 1 if "late-export" in faults else day
    if shown < 0:
        return
    petlist_day = shown - 1 if "stale-petlist" in faults else shown
    rows_day = max(0, shown - 1) if "stale-pets" in faults else shown
    petlist = _LogicalFile("petlist.csv", petlist_day, 1, 1, _petlist_lines(history, petlist_day))
    files = chain(_row_files(history, rows_day, options), (petlist,))
    for number, logical in enumerate(files):
        content = b"".join(line + b"\n" for line in logical.lines)
        made = damaged(faults, logical.name, content, logical.part, logical.parts)
        if made is not None:
            at = _start(history, logical.day) + FIRST_FILE_AFTER + number * FILE_EVERY
            yield _packed(ExportFile(*made, at), history.key, options)


@dataclass(frozen=True)
class _LogicalFile:
    name: str
    day: int
    part: int
    parts: int
    lines: Iterable[bytes]


def _row_files(history: History, day: int, options: Options) -> Iterator[_LogicalFile]:
    truth = history.truth(day)
    new, updated = _fresh(history, day)
    stamp = _stamp_lines(history.start(day), options.start_stamp)
    orgs = _lines(stamp, (truth.orgs[key] for key in truth.orgs))
    pets = truth.pets
    families = (
        ("orgs", len(truth.orgs) + len(stamp), orgs),
        ("pets", len(pets), _lines((), (pets[key] for key in pets))),
        ("updatedpets", len(updated), _lines((), (pets[key] for key in updated))),
        ("newpets", len(new), _lines((), (pets[key] for key in new))),
    )
    for family, count, lines in families:
        parts = -(-count // options.part_rows)
        for part in range(1, parts + 1):
            name = f"{family}_{part}.json"
            yield _LogicalFile(name, day, part, parts, list(islice(lines, options.part_rows)))


def _fresh(history: History, day: int) -> tuple[list[int], list[int]]:
    """Ids of newpets (new and relisted ones) and updatedpets; every tenth new pet is in both."""
    new, updated = [], []
    for key, life in history.timeline.pets.items():
        op = next((op for at, op in life.ops if at == day), None)
        if op in ("added", "relisted") and (day or life.fresh == "new"):
            new.append(key)
        elif op == "updated" or (op == "added" and life.fresh == "updated"):
            updated.append(key)
    new.sort()
    return new, sorted({*updated, *new[::10]})


def _lines(first: Iterable[bytes], rows: Iterator[Row]) -> Iterator[bytes]:
    yield from first
    for row in rows:
        yield encode(row)


def _stamp_lines(start: datetime, start_stamp: StartStamp) -> tuple[bytes, ...]:
    """The first row of orgs_1; its real key and form nobody has written down."""
    if start_stamp == "none":
        return ()
    wall = start.astimezone(EASTERN)
    text = f"{wall:%Y-%m-%d %H:%M:%S}" if start_stamp == "eastern" else f"{start.timestamp():.0f}"
    return (encode({"exportStarted": text}),)


def _petlist_lines(history: History, day: int) -> Iterator[bytes]:
    if day < 0:  # the list of the day before the history: without the first day's new pets
        pets = history.timeline.pets
        ids = [key for key in history.truth(0).pets if pets[key].fresh != "new"]
    else:
        ids = list(history.truth(day).pets)
    for at in range(0, len(ids), IDS_PER_LINE):
        yield ",".join(map(str, ids[at : at + IDS_PER_LINE])).encode()


def _start(history: History, day: int) -> datetime:
    return history.start(day) if day >= 0 else history.start(0) - timedelta(days=1)


def _packed(file: ExportFile, key: str, options: Options) -> ExportFile:
    content, name = file.content, f"{key}_{file.name}" if options.key_prefix else file.name
    if options.zipped:
        wall = file.modified_at.astimezone(EASTERN)
        member = zipfile.ZipInfo(f"{key}_{file.name}", wall.timetuple()[:6])
        member.compress_type = zipfile.ZIP_DEFLATED
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr(member, content)
        content, name = packed.getvalue(), f"{name}.zip"
    return replace(file, name=name, content=damaged_bytes(options.faults, file.name, content))
