"""F3, F4. When an export was started, and what names it where that isn't plausible."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ingest.source.arrival import list_export, start_stamp
from ingest.source.ftp import listing
from ingest.source.listing import export_set
from lab.simulator import FtpAddress, serve_ftp
from petstream.errors import NotReadyError
from petstream.settings import FtpUrl

pytestmark = pytest.mark.servers

WRITTEN = datetime(2026, 11, 20, 8, 4, tzinfo=UTC)
STARTED = datetime(2026, 11, 20, 8, 0, 1, tzinfo=UTC)
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
ORG = {"orgID": "17", "name": "Paws"}
AHEAD = WRITTEN + timedelta(days=300)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The server's directory."""
    directory = tmp_path / "ftp"
    directory.mkdir()
    return directory


@pytest.fixture
def ftp(home: Path) -> Iterator[FtpUrl]:
    """A feed."""
    address: FtpAddress
    with serve_ftp(home, user="apikey-Ab3dEf9h", password="canary") as address:
        yield FtpUrl(address.user, "canary", address.host, address.port, "", tls=False)


def put(home: Path, stamp: Any, *, at: datetime = WRITTEN) -> None:
    """Put an export there whose first row of orgs_1 says when it began."""
    rows = [ORG] if stamp is None else [stamp, ORG]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    for name in ("orgs_1.json", "pets_1.json", "petlist.csv"):
        (home / name).write_text(text, encoding="utf-8")
        os.utime(home / name, (at.timestamp(), at.timestamp()))


@pytest.mark.parametrize(
    ("stamp", "start"),
    [
        ({"exportDate": "20261120"}, datetime(2026, 11, 20, 5, tzinfo=UTC)),
        ({"exportDate": 20261120}, datetime(2026, 11, 20, 5, tzinfo=UTC)),
        ({"records": 64000, "started": "2026-11-20 03:00:01"}, STARTED),
        ({"orgs": "6200", "pets": "64000", "exportStart": "1795161601"}, STARTED),
        ({"records": 20190704, "started": "2026-11-20 03:00:01"}, STARTED),
        ({"version": "2", "date": "20261120", "time": "Fri, 20 Nov 2026 03:00:01 -0500"}, STARTED),
        ({"lastExport": "2026-11-19 03:00:01", "thisExport": "11/20/2026 3:00:01 AM"}, STARTED),
        ({"thisExport": "11/20/2026 3:00:01 AM", "nextExport": "11/21/2026 3:00:01 AM"}, STARTED),
        ({"export": {"count": 3, "started": "2026-11-20 03:00:01 EST"}}, STARTED),
        ({"started": [1795161601, "America/New_York"]}, STARTED),
        ({"started": "1795161601000"}, STARTED),
        ("2026-11-20 03:00:01", STARTED),
        (["export", "2026-11-20 03:00:01", 64000], STARTED),
        (["2027-09-24"], None),
        ({"started": "2027-09-24 03:00:00"}, None),
        ({"started": "0001-01-01"}, None),
        ({"started": "infinity"}, None),
        ({"started": 64000}, None),
        ({"started": "soon"}, None),
        ({"started": "2026-11-20 06:00:01"}, None),  # two hours behind the files it is of
        (None, None),
    ],
)  # fmt: skip
async def test_f4_the_start_is_what_is_plausible_of_what_the_row_says(
    home: Path, ftp: FtpUrl, stamp: Any, start: datetime | None
) -> None:
    """F4: a number is an epoch only where that is plausible next to the files' times."""
    put(home, stamp)
    files = export_set(await listing(ftp), NOW)
    assert await start_stamp(ftp, files, clock=lambda: NOW) == start


async def test_f3_one_file_of_next_year_does_not_name_the_export(home: Path, ftp: FtpUrl) -> None:
    """F3: without a stamp, its newest plausible time does; the other is told."""
    put(home, None)
    os.utime(home / "pets_1.json", (AHEAD.timestamp(), AHEAD.timestamp()))
    lines: list[str] = []
    listed = await list_export(ftp, 0, lines.append, clock=lambda: NOW)
    assert listed.unready is None
    assert listed.files.newest_modified_at == WRITTEN
    assert "pets_1.json (of 2027-09-16" in listed.files.doubts()[0]


async def test_f3_where_every_file_is_of_next_year_the_stamp_names_it_or_nothing(
    home: Path, ftp: FtpUrl
) -> None:
    """F3: a server whose clock is wrong; nothing is named by it, and it isn't read."""
    put(home, {"started": "2026-11-20 03:00:01"}, at=AHEAD)
    listed = await list_export(ftp, 0, lambda _line: None, clock=lambda: NOW)
    assert listed.unready is None
    assert await start_stamp(ftp, listed.files, clock=lambda: NOW) == STARTED
    put(home, {"started": "2027-09-16 03:00:01"}, at=AHEAD)
    with pytest.raises(NotReadyError, match="compare the server's clock and ours"):
        await list_export(ftp, 0, lambda _line: None, clock=lambda: NOW)


async def test_t2_an_export_that_somebody_still_writes_is_not_ready(
    home: Path, ftp: FtpUrl
) -> None:
    """T2: two listings some time apart must agree."""

    def write(_line: str) -> None:
        (home / "pets_1.json").write_text("more", encoding="utf-8")
        (home / "pets_2.json").write_text("", encoding="utf-8")

    put(home, {"started": "2026-11-20 03:00:01"})
    listed = await list_export(ftp, 0.01, write, clock=lambda: NOW)
    assert listed.unready == (
        "the export is still being written: pets_1.json has changed; pets_2.json has just appeared"
    )
    settled = await list_export(ftp, 0.01, lambda _line: None, clock=lambda: NOW)
    assert settled.unready is None


@pytest.mark.parametrize(("later_s", "is_believed"), [(60, True), (61, False)])
async def test_f4_a_start_may_be_a_minute_behind_the_files_and_no_more(
    home: Path, ftp: FtpUrl, later_s: int, *, is_believed: bool
) -> None:
    """F4: whoever writes the files looks at another clock than the server."""
    start = WRITTEN + timedelta(seconds=later_s)
    put(home, {"started": int(start.timestamp())})
    files = export_set(await listing(ftp), NOW)
    assert await start_stamp(ftp, files, clock=lambda: NOW) == (start if is_believed else None)


@pytest.mark.parametrize(("later_s", "is_believed"), [(600, True), (601, False)])
async def test_f3_where_no_file_has_a_time_the_start_may_be_as_late_as_clocks_differ(
    home: Path, ftp: FtpUrl, later_s: int, *, is_believed: bool
) -> None:
    """F3."""
    start = NOW + timedelta(seconds=later_s)
    put(home, {"started": int(start.timestamp())}, at=AHEAD)
    files = export_set(await listing(ftp), NOW)
    assert await start_stamp(ftp, files, clock=lambda: NOW) == (start if is_believed else None)


async def test_f4_the_start_may_stand_behind_an_organisation_in_the_first_file_alone(
    home: Path, ftp: FtpUrl
) -> None:
    """F4: what a later file says of a start is of that file."""
    put(home, ORG)
    first, second = ({"started": int(at.timestamp())} for at in (STARTED, NOW - timedelta(hours=9)))
    lines = [json.dumps(row) + "\n" for row in (ORG, first, ORG)]
    (home / "orgs_1.json").write_text("".join(lines), encoding="utf-8")
    (home / "orgs_2.json").write_text(json.dumps(second) + "\n", encoding="utf-8")
    for name in ("orgs_1.json", "orgs_2.json"):
        os.utime(home / name, (WRITTEN.timestamp(), WRITTEN.timestamp()))
    files = export_set(await listing(ftp), NOW)
    assert await start_stamp(ftp, files, clock=lambda: NOW) == STARTED
