"""`petstream diff` says of simulated days just what was simulated."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from console.inspect.diff import diff
from ingest.run import ingest
from lab.simulator import expected, history, serve_ftp, write_export
from petstream.errors import UsageError
from petstream.settings import FtpUrl, KafkaAccess, Settings

pytestmark = pytest.mark.servers


async def test_days_differ_by_what_happened_between_them(
    tmp_path: Path, kafka: str, prefix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    feed, access = history(seed=3, pets=120, days=3), KafkaAccess(kafka)
    home = tmp_path / "ftp"
    home.mkdir()
    with serve_ftp(home, user="apikey-Ab3dEf9h", password="canary") as server:
        ftp = FtpUrl("apikey-Ab3dEf9h", "canary", "127.0.0.1", server.port, "", tls=False)
        settings = Settings(ftp=ftp, data_dir=tmp_path, topic_prefix=prefix, settle_s=0)
        ids = []
        for day in range(feed.days):
            write_export(home, feed, day)
            ids.append((await ingest(settings, access)).export_id)

    async def printed_diff(older: str, newer: str) -> dict[str, dict[str, int]]:
        assert await diff(settings, access, older, newer, as_json=True) == 0
        document: dict[str, dict[str, int]] = json.loads(capsys.readouterr().out)
        return document

    last = expected(feed, 2).days[2]
    assert (await printed_diff("previous", "last"))["total"] == {
        "added": len(last.added), "updated": len(last.updated),
        "relisted": len(last.relisted), "removed": len(last.removed),
    }  # fmt: skip
    both = await printed_diff(ids[0], ids[2])
    truths = [set(feed.truth(day).pets) for day in (0, 2)]
    assert both["total"]["removed"] == len(truths[0] - truths[1])
    assert both["total"]["added"] + both["total"]["relisted"] == len(truths[1] - truths[0])
    assert await diff(settings, access, ids[1], ids[2], as_json=False) == 0
    assert capsys.readouterr().out.startswith(f"export {ids[1]} (daily): ")
    with pytest.raises(UsageError, match="isn't older"):
        await diff(settings, access, "last", ids[0], as_json=False)
    with pytest.raises(UsageError, match=ids[2]):
        await diff(settings, access, "2020-01-01T00:00:00Z", "last", as_json=False)
