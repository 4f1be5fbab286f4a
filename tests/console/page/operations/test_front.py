"""The front page: what it says, that the feed's words are escaped, and what stands before it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from console.inspect.database_reader import Rows, Unavailable
from console.inspect.debts import PaidDebt
from console.inspect.export_history import ExportStatus, PublishedExports
from console.inspect.status import document, problems
from console.page.operations import front
from console.page.site import mount
from consumers.admin.lag import GroupLag
from ingest.state.export_history import ExportHistory, start_of
from petstream.errors import UnreachableError
from petstream.events import Counts, DebtEvent, ExportCounts, ExportEvent
from petstream.settings import KafkaAccess, Settings

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
START = datetime(2026, 3, 2, 8, tzinfo=UTC)
EXPORT_ID = "2026-03-02T08:00:00Z"
HOSTILE = "<script>alert(1)</script>"
SETTINGS = Settings(kafka=KafkaAccess("localhost:1"))


def _export(export_id: str = EXPORT_ID, state: str = "completed", **pets: int) -> ExportStatus:
    counts = ExportCounts(Counts(**pets), Counts())
    start = start_of(export_id)
    return ExportStatus(
        export_id, "daily", state, start, start + timedelta(seconds=5), counts, None
    )


def _status(
    *exports: ExportStatus, tables: Rows | Unavailable | None = None, now: datetime = NOW
) -> Any:
    history = ExportHistory()
    for export in exports:
        event = ExportEvent(
            export_id=export.export_id, mode="daily", state="completed",
            at=start_of(export.export_id),
            counts=export.counts,
        )  # fmt: skip
        if export.state == "completed":
            history.fold(event)
    rows = {"pictures": [], "sweeps": []} if tables is None else tables
    published = PublishedExports(exports, history, 0)
    return document(published=published, letters={}, lags=[], tables=rows, now=now)


async def _get(
    path: str = "/", *, host: str = "localhost", bound: str = "127.0.0.1", **headers: str
) -> tuple[int, str, dict[str, str]]:
    app = web.Application()
    mount(app, lambda: SETTINGS, bound_host=bound, hosts=frozenset({"pets.example"}))
    async with TestClient(TestServer(app)) as client:
        response = await client.get(path, headers={"Host": host, **headers})
        return response.status, await response.text(), dict(response.headers)


def _serve(monkeypatch: pytest.MonkeyPatch, status: Any) -> None:
    async def gather(*_: object, **__: object) -> Any:
        return status

    monkeypatch.setattr(front, "gather", gather)


def _part(name: str, state: str, **report: Any) -> dict[str, Any]:
    """Return a part as `petstream status --json` prints it."""
    member = {"host": "attic", "process": 4711, "since": "2026-03-02T09:00:00Z", "address": "::1"}
    members = [member] if state == "running" else []
    return {"part": name, "state": state, "members": members, "report": report or None}


def _headline(status: Any) -> front.Headline:
    return front.headline(status, problems(status))


async def test_the_feeds_words_are_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    hostile = _export()._replace(reason=HOSTILE, notes=(HOSTILE,))
    _serve(monkeypatch, _status(hostile, tables=Unavailable(HOSTILE)))
    status, text, _ = await _get()
    assert status == 200
    assert "<script>" not in text
    assert text.count("&lt;script&gt;") == 2  # why Postgres is away: wrong, and under pictures


async def test_every_figure_of_an_export_is_on_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("read", "added", "updated", "unchanged", "removed", "refused")
    counts: Any = {name: 1111 * number for number, name in enumerate(names, 1)}
    _serve(monkeypatch, _status(_export(**counts)))
    _, text, _ = await _get()
    for number in counts.values():
        assert f"<td>{number:,}</td>" in text
    assert "The feed is fresh" in text
    assert "<td>5 s</td>" in text


async def test_what_kafka_lost_is_on_the_page_until_it_is_paid_and_after(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loss = DebtEvent(
        export_id=EXPORT_ID, owes="snapshot", at=START, base=0, partitions=("pets.v1/3",),
        reason="the log lost records (pets.v1/3)",
    )  # fmt: skip
    history = ExportHistory()
    history.fold(
        ExportEvent(
            export_id=EXPORT_ID, mode="daily", state="completed", at=START,
            counts=ExportCounts(Counts(), Counts()),
        )
    )  # fmt: skip
    history.fold(loss)
    published = PublishedExports((_export(),), history, 0)
    away = Unavailable("not reachable")
    status = document(published=published, letters={}, lags=[], tables=away, now=NOW)
    _serve(monkeypatch, status)
    _, text, _ = await _get()
    assert "A snapshot is owed since 2026-03-02 08:00 UTC (4 h ago): the log lost" in text
    assert re.search(r"A snapshot is owed</strong>, found <time .*?</time>: the log lost", text)
    history.debts = []
    paid = PaidDebt(loss, f"{EXPORT_ID}.2", START + timedelta(hours=1))
    published = published._replace(paid=(paid,))
    _serve(monkeypatch, document(published=published, letters={}, lags=[], tables=away, now=NOW))
    _, text, _ = await _get()
    assert "A snapshot is owed" not in text
    assert re.search(rf"Paid <time .*</time> by {EXPORT_ID}.2: the log lost records", text)


def test_a_second_snapshot_within_a_day_is_the_headline() -> None:
    status = _status(_export()) | {"snapshots": {"inLastDay": 2}}
    assert _headline(status).text == "2 snapshots within a day"
    assert _headline(status | {"snapshots": {"inLastDay": 1}}).level == "good"


async def test_each_consumers_offset_is_on_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    lags = [
        GroupLag("pets", "pets.v1", 0, 1_200, 1_250, 50),
        GroupLag("pets", "pets.v1", 1, 800, 800, 0),
        GroupLag("images", "pets.v1", 0, 1_250, 1_250, 0),
    ]
    published = PublishedExports((), ExportHistory(), 0)
    away = Unavailable("not reachable")
    parts = [_part("pets", "running"), _part("images", "running")]
    _serve(
        monkeypatch,
        document(published=published, letters={}, lags=lags, tables=away, now=NOW, parts=parts),
    )
    _, text, _ = await _get()
    assert '<span class="warn" title="2,000 of 2,050">pets.v1: 50 behind</span>' in text
    assert '<span class="quiet" title="pets.v1: 1,250 of 1,250">up to date</span>' in text
    assert text.count("up to date") == 1, "pets is behind: what it isn't behind with is no news"


async def test_the_chart_tells_its_figures_in_words_and_leads_to_each_export(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _serve(monkeypatch, _status(_export(added=3, refused=2, unchanged=1_000)))
    _, text, _ = await _get()
    assert f"<title>{EXPORT_ID}, completed: 3 added, 2 refused</title>" in text
    assert f'<a href="/exports/{EXPORT_ID}" aria-label=' in text
    for kind in ("added", "refused"):
        assert f'<rect class="{kind}"' in text


async def test_a_kafka_that_is_away_is_a_line_on_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: object, **__: object) -> Any:
        raise UnreachableError("Kafka is away: start it")

    monkeypatch.setattr(front, "gather", away)
    status, text, _ = await _get()
    assert status == 200
    assert "Kafka is away: start it" in text


async def test_nobody_is_alarmed_while_servers_are_being_waited_for_at_the_beginning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = web.Application()
    mount(app, lambda: None, bound_host="127.0.0.1")
    async with TestClient(TestServer(app)) as client:
        text = await (await client.get("/")).text()
        assert "Nothing is known yet" in text
        assert "Kafka can't be read" not in text.replace("&#39;", "'")
        monkeypatch.setattr("console.page.operations.last_look._BEGINNING_S", 0.0)
        text = await (await client.get("/")).text()
        assert "Kafka can't be read" in text.replace("&#39;", "'")


async def test_ten_reloads_gather_the_status_once(monkeypatch: pytest.MonkeyPatch) -> None:
    gathered = 0

    async def gather(*_: object, **__: object) -> Any:
        nonlocal gathered
        gathered += 1
        return _status(_export())

    monkeypatch.setattr(front, "gather", gather)
    app = web.Application()
    mount(app, lambda: SETTINGS, bound_host="127.0.0.1")
    async with TestClient(TestServer(app)) as client:
        for _ in range(10):
            assert (await client.get("/")).status == 200
    assert gathered == 1


def test_the_headline_says_what_matters_most() -> None:
    assert _headline(_status()).text == "No export yet"
    assert _headline(_status(_export())).level == "good"
    assert "begun 4 h ago" in _headline(_status(_export())).detail
    ahead = _headline(_status(_export(), now=START - timedelta(hours=2))).detail
    assert "begun 2 h ahead of this machine's clock" in ahead
    late = _headline(_status(_export(), now=NOW + timedelta(hours=30)))
    assert (late.level, late.text) == ("bad", "The newest completed export began 1 d 10 h ago")
    afternoons = _export("2026-03-02T15:00:00Z")
    today = _headline(_status(afternoons, now=datetime(2026, 3, 3, 17, 1, tzinfo=UTC)))
    assert today.text.startswith("Today's export isn't completed")
    failed = _export("2026-03-03T08:00:00Z", state="failed")
    assert "couldn't be read" in _headline(_status(_export(), failed)).text
    away = _headline(_status(_export(), tables=Unavailable("not reachable")))
    assert (away.level, away.text) == ("bad", "Postgres can't be asked")


def test_a_part_that_is_gone_is_the_headline_also_when_all_is_applied() -> None:
    """Sight 1 of issue 19: `up` was killed, everything was drained, and the page said 'fresh'."""
    gone = _status(_export()) | {"parts": [_part("watch", "missing"), _part("pets", "missing")]}
    assert _headline(gone).level == "bad"
    assert _headline(gone).text == "No part runs"
    some = _status(_export()) | {"parts": [_part("watch", "running"), _part("pets", "missing")]}
    assert _headline(some).text == "pets doesn't run"
    never = _status(_export()) | {"parts": [_part("watch", "absent"), _part("pets", "running")]}
    assert _headline(never).text == "The feed is fresh, and every part runs"


async def test_the_page_says_what_to_do_and_who_runs_where(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [_part("watch", "running", doing="waiting", why="<b>no room</b>", at=EXPORT_ID),
             _part("pets", "missing")]  # fmt: skip
    status = _status(_export()) | {"parts": parts}
    _serve(monkeypatch, status)
    _, text, _ = await _get()
    assert "<h4>What to do</h4>" in text
    assert "attic, process 4711, since <time" in text
    assert "waits: &lt;b&gt;no room&lt;/b&gt;" in text
    assert '<span class="bad">doesn&#39;t run</span>' in text or ">doesn't run</span>" in text
