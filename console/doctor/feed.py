"""What `doctor` asks of the feed: login, what the server can, and the state of the export.

Rule 1: files are shown by their logical names only; a server's own words never.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final

from console.doctor.finding import Finding, State
from ingest.removals.decide import find_petlist
from ingest.removals.petlist import PetList, problems
from ingest.source.arrival import start_stamp
from ingest.source.ftp import CONNECTION_ERRORS, cause, features, listing
from ingest.source.listing import ExportSet, export_set, misfits, missing, stale_petlist
from ingest.source.reader import Reader, from_ftp
from ingest.state.export_history import MISSED_AFTER
from petstream.errors import PetstreamError
from petstream.events import Mode
from petstream.settings import FtpUrl

_DEADLINE_S: Final = 60.0
_MODES: Final[tuple[Mode, ...]] = ("daily", "scrub")  # an import reads what a scrub reads
_HELD: Final = "nothing to do: removals are held until a good list comes"
_WRITTEN_WITHIN: Final = timedelta(hours=2)
_LARGEST_MEAN_ROW_BYTES: Final = 20_000  # real ones have 4,000 to 8,000, zipped a tenth


async def feed(ftp: FtpUrl, now: datetime) -> list[Finding]:
    """Look at the server and at the export that lies on it."""
    found: list[Finding] = []
    try:
        async with asyncio.timeout(_DEADLINE_S):
            found += _server(ftp, await features(ftp))
            files = export_set(await listing(ftp, patience_s=0))
            found.append(Finding("ftp", "pass", "gives a listing, with SIZE and MDTM of each file"))
            start = await start_stamp(ftp, files) if files.parts else None
            found += export(files, start, now)
            if files.petlist is not None and files.petlist.remote.size_bytes:
                found += await _list_itself(ftp, files)
    except PetstreamError as error:
        found.append(Finding("ftp", "fail", str(error), "mend what the line names"))
    except CONNECTION_ERRORS as error:
        found.append(Finding("ftp", "fail", f"trouble on the wire ({cause(error)})", "try again"))
    return found


def export(files: ExportSet, start: datetime | None, now: datetime) -> list[Finding]:
    """Judge the files that are there."""
    if not files.parts:
        return [Finding("feed", "warn", missing(files, "daily")[0], "look again tomorrow")]
    again = "wait and look again; if it stays so, tell RescueGroups"
    fresh = now - files.newest_modified_at < _WRITTEN_WITHIN
    state: State = "warn" if fresh else "fail"  # it may well be being written
    lacking = list(dict.fromkeys(line for mode in _MODES for line in missing(files, mode)))
    found = [Finding("feed", state, line, again) for line in lacking]
    if not lacking:
        found.append(Finding("feed", "pass", f"{len(files.parts)} files, no part is missing"))
        mixed = list(dict.fromkeys(one for mode in _MODES for one in misfits(files, mode, start)))
        found += [Finding("feed", state, line, again) for line in mixed] or [
            Finding("feed", "pass", "the files are of one export")
        ]
    found.append(_age(start or files.newest_modified_at, now))
    found.append(_petlist(files))
    return found


def _server(ftp: FtpUrl, can: frozenset[str] | None) -> list[Finding]:
    found = [Finding("ftp", "pass", f"logged in at {ftp.host}:{ftp.port}")]
    if ftp.tls:
        found.append(Finding("ftp", "pass", "under TLS"))
    elif can is not None and "AUTH" in can:
        mend = "write ftps:// in PETSTREAM_FTP_URL"
        found.append(Finding("ftp", "warn", "plain FTP, though the server offers TLS", mend))
    else:
        told_of = "plain FTP: the server offers no TLS, so the password travels in the clear"
        found.append(Finding("ftp", "warn", told_of, "none on our side; ask its operator"))
    if can is None:
        return [*found, Finding("ftp", "warn", "the server doesn't say what it can (FEAT)", "none")]
    if "REST" in can:
        found.append(Finding("ftp", "pass", "REST: a cut file is read on from where it was cut"))
    else:
        found.append(
            Finding("ftp", "warn", "no REST: a cut file is read again from its start", "none")
        )
    listed = "has" if can & {"MLST", "MLSD"} else "hasn't"
    return [*found, Finding("ftp", "pass", f"the server {listed} MLSD (it isn't needed)")]


def _age(written_at: datetime, now: datetime) -> Finding:
    hours = (now - written_at).total_seconds() / 3600
    what = f"the newest export is {hours:.0f} h old ({written_at.astimezone(UTC):%F %H:%M} UTC)"
    if now - written_at > MISSED_AFTER:
        return Finding("feed", "warn", what, "a day was missed: wait, or tell RescueGroups")
    return Finding("feed", "pass", what)


def against(petlist: PetList, files: ExportSet) -> list[Finding]:
    """Judge a petlist by itself, and by the size of the files of pets beside it."""
    wrong = problems(petlist)
    if wrong:
        return [Finding("feed", "warn", line, _HELD) for line in wrong]
    pets_bytes = sum(part.remote.size_bytes for part in files.of("pets"))
    each = pets_bytes / len(petlist.ids)
    what = (
        f"petlist.csv names {len(petlist.ids):,} pets; the pets files have {each:,.0f} bytes each"
    )
    if each > _LARGEST_MEAN_ROW_BYTES:
        return [Finding("feed", "warn", f"{what}: far more than a row has, so it is short", _HELD)]
    return [Finding("feed", "pass", what)]


async def _list_itself(ftp: FtpUrl, files: ExportSet) -> list[Finding]:
    reader = Reader(from_ftp(ftp), None, "", lambda _line: None)
    found = await find_petlist(reader, files, "scrub")
    if found.petlist is None:
        return [Finding("feed", "warn", line, _HELD) for line in found.wrong]
    return against(found.petlist, files)


def _petlist(files: ExportSet) -> Finding:
    if files.petlist is None:
        return Finding("feed", "warn", "there is no petlist.csv", _HELD)
    if files.petlist.remote.size_bytes == 0:
        return Finding("feed", "warn", "petlist.csv is empty", _HELD)
    stale = next(filter(None, (stale_petlist(files, mode) for mode in _MODES)), None)
    if stale:
        return Finding("feed", "warn", stale, _HELD)
    return Finding("feed", "pass", "petlist.csv isn't older than the files it judges")
