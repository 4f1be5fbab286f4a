"""The export as it lies on the server: a listing that has settled, and its start stamp.

Rule 1: two listings some time apart must agree: nobody is writing any more.
Rule 2: a start stamp later than the files themselves, or than now, isn't believed.
Rule 3: where neither a stamp nor the time of any file is plausible, the export has no name, and
        isn't read: one that is named for next year would make every later one an older one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from ingest.parse import normalise
from ingest.parse.plausible import CLOCKS_DIFFER
from ingest.parse.rows import BadRow, Row, parse
from ingest.source.ftp import listing
from ingest.source.listing import NO_FILES, ExportSet, changed, export_set
from ingest.source.reader import Reader, from_ftp
from petstream.errors import NotReadyError
from petstream.settings import FtpUrl

_FIRST_ROWS: Final = 50
_LATER_THAN_FILES: Final = timedelta(minutes=1)


@dataclass(frozen=True)
class ListedExport:
    """The files that are there, and why they can't be read yet (None: they can)."""

    files: ExportSet
    unready: str | None = None


def _utc_now() -> datetime:
    return datetime.now(UTC)


async def list_export(
    ftp: FtpUrl,
    settle_s: float,
    say: Callable[[str], None],
    *,
    clock: Callable[[], datetime] = _utc_now,
) -> ListedExport:
    """List the files that are there, twice: is nobody still writing?

    Raises:
        NotReadyError: nothing that could name the export is plausible (rule 3).
    """
    first = await listing(ftp)
    files = export_set(first, clock())
    if not files.parts:
        return ListedExport(files, f"the export isn't ready: {NO_FILES}")
    if not files.is_dated and await start_stamp(ftp, files, clock=clock) is None:
        raise NotReadyError(
            f"the export isn't ready: {files.doubts()[0]}, and orgs_1.json has no start stamp to "
            "believe, so nothing says which export this is: compare the server's clock and ours"
        )
    if settle_s > 0:
        say(f"looking again in {settle_s:g} s, to see that nobody is still writing")
        await asyncio.sleep(settle_s)
        differences = changed(first, await listing(ftp))
        if differences:
            unready = "the export is still being written: " + "; ".join(differences)
            return ListedExport(files, unready)
    return ListedExport(files)


async def start_stamp(
    ftp: FtpUrl, files: ExportSet, *, clock: Callable[[], datetime] = _utc_now
) -> datetime | None:
    """Return when the export was started, as the first rows of orgs_1 say; None: they don't."""
    first = files.of("orgs")[:1]
    if not first:
        return None
    latest = clock() + CLOCKS_DIFFER
    if files.is_dated:
        latest = min(latest, files.newest_modified_at + _LATER_THAN_FILES)
    reader = Reader(from_ftp(ftp), None, "", lambda _line: None)
    async with aclosing(reader.rows(first[0])) as batches:
        async for batch in batches:
            for row in parse([row for row in batch[:_FIRST_ROWS] if isinstance(row, Row)]):
                if isinstance(row, BadRow):
                    stamp = normalise.start_stamp_of(row.raw, latest)
                elif normalise.organization_id(row) is None:
                    stamp = normalise.start_stamp(row, latest)
                else:
                    continue
                if stamp is not None:
                    return stamp
            break
    return None
