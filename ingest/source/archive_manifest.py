"""What an archived export was: its files as they were listed, and how it was read.

Rule 1: it stands beside the files, under `listing.json`, before the first of them is read.
Rule 2: it has all that the events' ids depend on: reading from the archive makes the same ones.
"""

from __future__ import annotations

from contextlib import aclosing
from datetime import datetime

import msgspec

from ingest.source.archive import Archive, ArchiveError
from ingest.source.listing import ExportSet, FileFamily, Part, RemoteFile
from petstream.errors import BrokenFileError, UsageError
from petstream.events import Mode

_NAME = "listing.json"


class ArchivedFile(msgspec.Struct, frozen=True, rename="camel"):
    """A file of an archived export, as it was listed."""

    family: FileFamily
    number: int
    bytes: int
    modified_at: datetime
    is_dated: bool = True


class Manifest(msgspec.Struct, frozen=True, rename="camel"):
    """An export as it lay on the server, and what it was taken for."""

    export_id: str
    base: int
    start: datetime
    mode: Mode
    stamp: datetime | None
    files: tuple[ArchivedFile, ...]

    def export_set(self) -> ExportSet:
        """Return its files."""
        return ExportSet(
            tuple(
                Part(
                    file.family,
                    file.number,
                    RemoteFile("", file.bytes, file.modified_at),
                    file.is_dated,
                )
                for file in self.files
            )
        )


def archived_files(export: ExportSet) -> tuple[ArchivedFile, ...]:
    """Return an export's files as a manifest has them."""
    return tuple(
        ArchivedFile(
            part.family,
            part.number,
            part.remote.size_bytes,
            part.remote.modified_at,
            part.is_dated,
        )
        for part in export.parts
    )


async def keep_manifest(archive: Archive, manifest: Manifest) -> None:
    """Write an export's manifest into the archive, if that has room (the reader says if not)."""
    try:
        writer = await archive.open(manifest.export_id, _NAME)
    except ArchiveError:
        return
    try:
        await writer.write(msgspec.json.encode(manifest))
        await writer.commit()
    except ArchiveError:
        await writer.abort()


async def read_manifest(archive: Archive, export_id: str) -> Manifest:
    """Return the manifest of an archived export.

    Raises:
        UsageError: there is no such export, or what is there of it is damaged.
    """
    kept = await archive.exports()
    if export_id not in kept:
        names = ", ".join(kept) or "none"
        raise UsageError(f"--from-archive: there is no export {export_id}; kept are: {names}")
    try:
        async with aclosing(archive.read(export_id, _NAME)) as chunks:
            data = b"".join([chunk async for chunk in chunks])
        return msgspec.json.decode(data, type=Manifest)
    except (BrokenFileError, msgspec.DecodeError) as error:
        raise UsageError(
            f"--from-archive: the listing of {export_id} is damaged or missing, so it can't be "
            "read again; the next export has everything"
        ) from error
