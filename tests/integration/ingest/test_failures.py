"""An export that can't be read is on exports.v1 and in `status`, and costs the next day nothing."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from days_of_a_feed import Days

from console.inspect.status import render
from lab.simulator import History, history, serve_ftp, write_export
from petstream.errors import BrokenFileError, NotReadyError
from petstream.settings import FtpUrl, Settings

pytestmark = pytest.mark.servers

KEY = "Ab3dEf9h"


@pytest.fixture
async def days(tmp_path: Path, kafka: str, prefix: str) -> AsyncIterator[Days]:
    home = tmp_path / "ftp"
    home.mkdir()
    with serve_ftp(home, user=f"apikey-{KEY}", password="canary-password") as server:
        ftp = FtpUrl(f"apikey-{KEY}", "canary-password", "127.0.0.1", server.port, "", tls=False)
        settings = Settings(ftp=ftp, data_dir=tmp_path / "data", topic_prefix=prefix, settle_s=0)
        yield Days(home, settings, kafka)


@pytest.fixture
def feed() -> History:
    return history(seed=31, pets=60, days=4)


@pytest.mark.parametrize(
    ("fault", "why", "named"),
    [
        ("missing-part", "is missing", "2026-11-03"),
        ("stale-petlist", "two exports are mixed", "2026-11-03"),
        ("stale-pets", "two exports are mixed", "2026-11-02"),  # as orgs_1 says, which is old
    ],
)
async def test_t3_t11_what_is_not_ready_stands_in_status_once_and_the_next_day_is_a_usual_one(
    days: Days, feed: History, fault: str, why: str, named: str
) -> None:
    """T3, T11: nothing is completed, `status` says what is missing, no scrub is owed for it."""
    write_export(days.home, feed, 0)
    await days.ingest()
    write_export(days.home, feed, 1, part_rows=2, faults=[fault])
    for _ in range(2):
        with pytest.raises(NotReadyError, match=why) as caught:
            await days.ingest(wanted="daily")
    status = await days.status(feed.start(1) + timedelta(hours=8))
    newest = status["exports"][0]
    assert (newest["state"], newest["reason"]) == ("failed", str(caught.value))
    assert newest["exportId"].startswith(named)
    assert why in render(status)
    assert (await days.said()) == ["started", "completed", "failed"], "said once"
    assert KEY not in json.dumps(status)
    write_export(days.home, feed, 1)
    result = await days.ingest()
    assert result.outcome is not None
    assert result.outcome.mode == "daily"
    status = await days.status(feed.start(1) + timedelta(hours=8))
    states = {export["exportId"]: export["state"] for export in status["exports"]}
    assert states.pop(result.export_id) == "completed", "the same export, read at last"
    assert sorted(states.values()) == ["completed"] + ["failed"] * (named == "2026-11-02")


async def test_a_broken_first_file_of_organisations_stands_in_status(
    days: Days, feed: History
) -> None:
    """T1, T10: it breaks before the run begins, when the start stamp is looked for."""
    write_export(days.home, feed, 0)
    (days.home / "orgs_1.json").write_bytes(b"PK\x03\x04" + b"\x00" * 100)
    with pytest.raises(BrokenFileError, match="orgs_1") as caught:
        await days.ingest()
    status = await days.status(datetime.now(UTC))
    assert status["exports"][0]["reason"] == str(caught.value)
    assert await days.said() == ["failed"]
    write_export(days.home, feed, 0)
    result = await days.ingest()
    assert result.outcome is not None
    assert result.outcome.mode == "initial", "nothing was completed before"


async def test_t5_an_older_export_put_back_does_not_make_a_completed_one_fail(
    days: Days, feed: History
) -> None:
    """T5: refused; in `status` both stay what they were: completed."""
    for day in (0, 1):
        write_export(days.home, feed, day)
        await days.ingest()
    write_export(days.home, feed, 0)
    with pytest.raises(NotReadyError, match="older one was put back"):
        await days.ingest()
    assert await days.said() == ["started", "completed", "started", "completed"]
    status = await days.status(feed.start(1))
    assert [export["state"] for export in status["exports"]] == ["completed", "completed"]
