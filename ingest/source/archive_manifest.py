"""What an archived export was: its files as they were listed, and how it was read.

Rule 1: it stands beside the files, under `listing.json`, before the first of them is read.
Rule 2: it has all that the events' ids depend on: reading from the archive makes the same ones.
"""

from __future__ import annotations

from contextlib import aclosing
from datetime import datetime

import msgspec

from ingest.run_types import Assignment
from ingest.source.archive import Archive, ArchiveFullError
from ingest.source.listing import ExportSet, FileFamily, Part, RemoteFile
from ingest.state.export_history import Choice, Identity
from petstream.errors import BrokenFileError, UsageError
from petstream.events import Mode

_NAME = "listing.json"


class _File(msgspec.Struct, frozen=True, rename="camel"):
    family: FileFamily
    number: int
    bytes: int
    modified_at: datetime


class Listing(msgspec.Struct, frozen=True, rename="camel"):
    """An export as it lay on the server, and what it was taken for."""

    export_id: str
    base: int
    start: datetime
    mode: Mode
    stamp: datetime | None
    files: tuple[_File, ...]

    def assignment(self, *, again: bool, older: bool) -> Assignment:
        """Return what there is to do to read it once more."""
        identity = Identity(self.export_id, self.base, self.start)
        return Assignment(identity, Choice(self.mode), self.stamp, again=again, older=older)

    def export_set(self) -> ExportSet:
        """Return its files."""
        return ExportSet(
            tuple(
                Part(one.family, one.number, RemoteFile("", one.bytes, one.modified_at))
                for one in self.files
            )
        )


async def keep_listing(archive: Archive, assignment: Assignment, files: ExportSet) -> None:
    """Write an export's listing into the archive, if that has room (the reader says if not)."""
    identity = assignment.identity
    told = tuple(
        _File(one.family, one.number, one.remote.size_bytes, one.remote.modified_at)
        for one in files.parts
    )
    listing = Listing(*identity, assignment.choice.mode, assignment.stamp, told)
    try:
        writer = await archive.open(identity.export_id, _NAME)
    except ArchiveFullError:
        return
    try:
        await writer.write(msgspec.json.encode(listing))
        await writer.commit()
    except ArchiveFullError:
        await writer.abort()


async def archived_listing(archive: Archive, export_id: str) -> Listing:
    """Return the listing of an archived export.

    Raises:
        UsageError: there is no such export, or what is there of it is damaged.
    """
    kept = await archive.exports()
    if export_id not in kept:
        there = ", ".join(kept) or "none"
        raise UsageError(f"--from-archive: there is no export {export_id}; kept are: {there}")
    try:
        async with aclosing(archive.read(export_id, _NAME)) as chunks:
            data = b"".join([chunk async for chunk in chunks])
        return msgspec.json.decode(data, type=Listing)
    except (BrokenFileError, msgspec.DecodeError) as error:
        raise UsageError(
            f"--from-archive: the listing of {export_id} is damaged or missing, so it can't be "
            "read again; the next export has everything"
        ) from error
