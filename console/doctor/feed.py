"""What `doctor` asks of the feed: login, what the server can, and the state of the export.

Rule 1: files are shown by their logical names only; a server's own words never.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final

from console.doctor.check_result import CheckResult, State
from ingest.removals.decide import find_petlist
from ingest.removals.petlist import PetList, problems
from ingest.source.arrival import start_stamp
from ingest.source.ftp import CONNECTION_ERRORS, cause, features, listing
from ingest.source.listing import ExportSet, export_set, misfits, missing, stale_petlist
from ingest.source.reader import Reader, from_ftp
from ingest.state.debts import MISSED_AFTER
from petstream.errors import PetstreamError
from petstream.events import Mode
from petstream.settings import FtpUrl

_DEADLINE_S: Final = 60.0
_MODES: Final[tuple[Mode, ...]] = ("daily", "scrub")  # an import reads what a scrub reads
_HELD: Final = "nothing to do: removals are held until a good list comes"
_WRITTEN_WITHIN: Final = timedelta(hours=2)
_LARGEST_MEAN_ROW_BYTES: Final = 20_000  # real ones have 4,000 to 8,000, zipped a tenth


async def check_feed(ftp: FtpUrl, now: datetime) -> list[CheckResult]:
    """Check the server and the export that lies on it."""
    results: list[CheckResult] = []
    try:
        async with asyncio.timeout(_DEADLINE_S):
            results += _server(ftp, await features(ftp))
            files = export_set(await listing(ftp, give_up_after_s=0), now)
            results.append(
                CheckResult("ftp", "pass", "gives a listing, with SIZE and MDTM of each file")
            )
            start = await start_stamp(ftp, files) if files.parts else None
            results += check_export(files, start, now)
            if files.petlist is not None and files.petlist.remote.size_bytes:
                results += await _petlist_content(ftp, files)
    except PetstreamError as error:
        results.append(CheckResult("ftp", "fail", str(error), "mend what the line names"))
    except CONNECTION_ERRORS as error:
        results.append(
            CheckResult("ftp", "fail", f"trouble on the wire ({cause(error)})", "try again")
        )
    return results


def check_export(files: ExportSet, start: datetime | None, now: datetime) -> list[CheckResult]:
    """Judge the files that are there."""
    if not files.parts:
        return [CheckResult("feed", "warn", missing(files, "daily")[0], "look again tomorrow")]
    again = "wait and look again; if it stays so, tell RescueGroups"
    fresh = now - files.newest_modified_at < _WRITTEN_WITHIN
    state: State = "warn" if fresh else "fail"  # it may well be being written
    lacking = list(dict.fromkeys(line for mode in _MODES for line in missing(files, mode)))
    results = [CheckResult("feed", state, line, again) for line in lacking]
    if not lacking:
        results.append(CheckResult("feed", "pass", f"{len(files.parts)} files, no part is missing"))
        mixed = list(dict.fromkeys(line for mode in _MODES for line in misfits(files, mode, start)))
        results += [CheckResult("feed", state, line, again) for line in mixed] or [
            CheckResult("feed", "pass", "the files are of one export")
        ]
    clocks = "compare the server's clock and ours"
    results += [CheckResult("feed", "warn", doubt, clocks) for doubt in files.doubts()]
    if start is not None or files.is_dated:
        results.append(_age(start or files.newest_modified_at, now))
    results.append(_petlist_file(files))
    return results


def _server(ftp: FtpUrl, offered: frozenset[str] | None) -> list[CheckResult]:
    results = [CheckResult("ftp", "pass", f"logged in at {ftp.host}:{ftp.port}")]
    if ftp.tls:
        results.append(CheckResult("ftp", "pass", "under TLS"))
    elif offered is not None and "AUTH" in offered:
        mend = "write ftps:// in PETSTREAM_FTP_URL"
        results.append(CheckResult("ftp", "warn", "plain FTP, though the server offers TLS", mend))
    else:
        what = "plain FTP: the server offers no TLS, so the password travels in the clear"
        results.append(CheckResult("ftp", "warn", what, "none on our side; ask its operator"))
    if offered is None:
        return [
            *results,
            CheckResult("ftp", "warn", "the server doesn't say what it can (FEAT)", "none"),
        ]
    if "REST" in offered:
        results.append(
            CheckResult("ftp", "pass", "REST: a cut file is read on from where it was cut")
        )
    else:
        results.append(
            CheckResult("ftp", "warn", "no REST: a cut file is read again from its start", "none")
        )
    listed = "has" if offered & {"MLST", "MLSD"} else "hasn't"
    return [*results, CheckResult("ftp", "pass", f"the server {listed} MLSD (it isn't needed)")]


def _age(written_at: datetime, now: datetime) -> CheckResult:
    hours = (now - written_at).total_seconds() / 3600
    what = f"the newest export is {hours:.0f} h old ({written_at.astimezone(UTC):%F %H:%M} UTC)"
    if now - written_at > MISSED_AFTER:
        return CheckResult("feed", "warn", what, "a day was missed: wait, or tell RescueGroups")
    return CheckResult("feed", "pass", what)


def check_petlist(petlist: PetList, files: ExportSet) -> list[CheckResult]:
    """Judge a petlist by itself, and by the size of the files of pets beside it."""
    wrong = problems(petlist)
    if wrong:
        return [CheckResult("feed", "warn", line, _HELD) for line in wrong]
    pets_bytes = sum(part.remote.size_bytes for part in files.of("pets"))
    each = pets_bytes / len(petlist.ids)
    what = (
        f"petlist.csv names {len(petlist.ids):,} pets; the pets files have {each:,.0f} bytes each"
    )
    if each > _LARGEST_MEAN_ROW_BYTES:
        return [
            CheckResult("feed", "warn", f"{what}: far more than a row has, so it is short", _HELD)
        ]
    return [CheckResult("feed", "pass", what)]


async def _petlist_content(ftp: FtpUrl, files: ExportSet) -> list[CheckResult]:
    reader = Reader(from_ftp(ftp), None, "", lambda _line: None)
    search = await find_petlist(reader, files, "scrub")
    if search.petlist is None:
        return [CheckResult("feed", "warn", line, _HELD) for line in search.problems]
    return check_petlist(search.petlist, files)


def _petlist_file(files: ExportSet) -> CheckResult:
    if files.petlist is None:
        return CheckResult("feed", "warn", "there is no petlist.csv", _HELD)
    if files.petlist.remote.size_bytes == 0:
        return CheckResult("feed", "warn", "petlist.csv is empty", _HELD)
    stale = next(filter(None, (stale_petlist(files, mode) for mode in _MODES)), None)
    if stale:
        return CheckResult("feed", "warn", stale, _HELD)
    return CheckResult("feed", "pass", "petlist.csv isn't older than the files it judges")
