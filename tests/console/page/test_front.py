"""The front page: what it says, that the feed's words are escaped, and what stands before it."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from console.inspect.database_reader import Rows, Unavailable
from console.inspect.debts import PaidDebt
from console.inspect.export_history import ExportStatus, PublishedExports
from console.inspect.status import document
from console.page import front
from console.page.chart import HEIGHT, bars
from console.page.front import headline
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
    rows = {"pictures": []} if tables is None else tables
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


async def test_the_feeds_words_are_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    hostile = _export()._replace(reason=HOSTILE, notes=(HOSTILE,))
    _serve(monkeypatch, _status(hostile, tables=Unavailable(HOSTILE)))
    status, text, _ = await _get()
    assert status == 200
    assert "<script" not in text
    assert text.count("&lt;script&gt;") == 3


async def test_every_figure_of_an_export_is_on_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("read", "added", "updated", "unchanged", "removed", "refused")
    counts: Any = {name: 1111 * number for number, name in enumerate(names, 1)}
    _serve(monkeypatch, _status(_export(**counts)))
    _, text, _ = await _get()
    for number in counts.values():
        assert f"<td>{number:,}</td>" in text
    assert "The feed is fresh" in text
    assert "<td>5.0</td>" in text


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
    assert '<h1 class="warn">Kafka lost records</h1>' in text
    assert "<strong>A snapshot is owed</strong> since 2026-03-02T08:00:00Z: the log lost" in text
    history.debts = []
    paid = PaidDebt(loss, f"{EXPORT_ID}.2", START + timedelta(hours=1))
    published = published._replace(paid=(paid,))
    _serve(monkeypatch, document(published=published, letters={}, lags=[], tables=away, now=NOW))
    monkeypatch.setattr(front, "_FRESH_S", 0)
    _, text, _ = await _get()
    assert "Kafka lost records</h1>" not in text
    assert f"Paid at 2026-03-02T09:00:00Z by {EXPORT_ID}.2: the log lost records" in text


def test_a_second_snapshot_within_a_day_is_the_headline() -> None:
    status = _status(_export()) | {"snapshots": {"inLastDay": 2}}
    assert headline(status).text == "Kafka loses records again and again"
    assert headline(status | {"snapshots": {"inLastDay": 1}}).level == "good"


async def test_each_consumers_offset_is_on_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    lags = [
        GroupLag("pets", "pets.v1", 0, 1_200, 1_250, 50),
        GroupLag("pets", "pets.v1", 1, 800, 800, 0),
        GroupLag("images", "pets.v1", 0, 1_250, 1_250, 0),
    ]
    published = PublishedExports((), ExportHistory(), 0)
    away = Unavailable("not reachable")
    _serve(monkeypatch, document(published=published, letters={}, lags=lags, tables=away, now=NOW))
    _, text, _ = await _get()
    behind, done = re.findall(r'<tr><th scope="row">(?:pets|images)</th>.*</tr>', text)
    assert '<td class="warn">50 behind</td><td>2,000</td><td>2,050</td>' in behind
    assert '<td class="good">up to date</td><td>1,250</td><td>1,250</td>' in done


async def test_the_charts_tell_their_figures_in_words_too(monkeypatch: pytest.MonkeyPatch) -> None:
    _serve(monkeypatch, _status(_export(added=3, refused=2, unchanged=1_000)))
    _, text, _ = await _get()
    assert (
        f"<title>{EXPORT_ID}, completed: 3 added, 0 updated, 0 removed, 2 refused</title>" in text
    )
    assert f"<title>{EXPORT_ID}: 1,000 unchanged</title>" in text
    assert f"<title>{EXPORT_ID}: 5.0 s</title>" in text
    for kind in ("added", "refused", "unchanged", "seconds"):
        assert f'<rect class="{kind}"' in text


async def test_a_kafka_that_is_away_is_a_line_on_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: object, **__: object) -> Any:
        raise UnreachableError("Kafka is away: start it")

    monkeypatch.setattr(front, "gather", away)
    status, text, _ = await _get()
    assert status == 200
    assert "Kafka is away: start it" in text


@pytest.mark.parametrize("path", ["/", "/static/console.css", "/nothing/here"])
async def test_every_answer_has_the_strict_headers(
    monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    _serve(monkeypatch, _status(_export()))
    status, _, headers = await _get(path)
    assert status == (404 if "nothing" in path else 200)
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "script" not in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"


@pytest.mark.logs_errors("aiohttp tells of the failure")
async def test_an_answer_that_failed_has_the_strict_headers_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _serve(monkeypatch, {"feed": "not what it should be"})
    status, text, headers = await _get()
    assert status == 500
    assert "not what it should be" not in text
    assert "default-src 'none'" in headers["Content-Security-Policy"]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8642", "[::1]:8642", "LOCALHOST:1"])
async def test_loopbacks_names_are_answered(host: str) -> None:
    assert (await _get("/static/console.css", host=host))[0] == 200


@pytest.mark.parametrize("bound", ["127.0.0.1", "::1", "0.0.0.0", "console.lan"])  # noqa: S104  nothing is bound
@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io:8642", "", "[evil]:1",
     "localhost:1@evil.example", "[::1]evil.example", "localhost:evil.example", "localhost@evil",
     "evil.example:localhost", "localhost,evil.example", "localhost."],
)  # fmt: skip
async def test_s4_a_foreign_name_is_answered_nowhere(bound: str, host: str) -> None:
    """S4: whoever owns the name may lead it to any address, and then reads what that answers."""
    status, text, headers = await _get("/static/console.css", host=host, bound=bound)
    assert status == 421
    assert ("PETSTREAM_CONSOLE_HOSTS" in text) == (bound not in {"127.0.0.1", "::1"})
    assert "default-src 'none'" in headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("bound", "host", "status"),
    [("0.0.0.0", "192.168.7.9:8642", 200), ("0.0.0.0", "[fd00::1]", 200),  # noqa: S104  nothing is bound
     ("console.lan", "Console.LAN:8642", 200), ("127.0.0.1", "192.168.7.9", 421),
     ("127.0.0.1", "pets.example", 200), ("0.0.0.0", "pets.example:443", 200)],  # noqa: S104  nothing is bound
)  # fmt: skip
async def test_s4_addresses_names_that_are_set_and_the_one_it_is_bound_to_are_answered(
    bound: str, host: str, status: int
) -> None:
    """S4: an address is no name, and can be led nowhere."""
    assert (await _get("/static/console.css", host=host, bound=bound))[0] == status


@pytest.mark.parametrize(
    "headers",
    [{"Sec-Fetch-Dest": "image", "Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Dest": "iframe"},
     {"Sec-Fetch-Dest": "video"}, {"Accept": "image/avif,image/webp,image/*,*/*;q=0.8"}],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/", "/pets/7/life", "/plans/x", "/search?q=a", "/metrics"])
async def test_s8_no_page_is_fetched_as_a_picture(path: str, headers: dict[str, str]) -> None:
    """S8: a description may name any address as that of its picture, and /life costs a process."""
    assert (await _get(path, **headers))[0] == 403


async def test_s8_styles_and_pictures_are_embedded() -> None:
    """S8: by our own pages."""
    assert (await _get("/static/console.css", **{"Sec-Fetch-Dest": "style"}))[0] == 200
    picture = f"/pictures/{'a' * 64}.jpg"
    assert (await _get(picture, **{"Sec-Fetch-Dest": "image"}))[0] != 403
    assert (await _get("/static/console.css", **{"Sec-Fetch-Dest": "script"}))[0] == 403


@pytest.mark.parametrize(
    ("mode", "dest", "status"),
    [("navigate", "document", 200), ("no-cors", "image", 403), ("navigate", "iframe", 403),
     ("cors", "empty", 403)],
)  # fmt: skip
async def test_another_site_may_link_to_a_page_and_no_more(
    mode: str, dest: str, status: int
) -> None:
    app = web.Application()
    mount(app, lambda: SETTINGS, bound_host="127.0.0.1")
    sent = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": dest}
    async with TestClient(TestServer(app)) as client:
        path = f"/pictures/{'a' * 64}.jpg" if dest == "image" else "/static/console.css"
        response = await client.get(path, headers=sent)
        assert response.status == status
        assert (await client.get("/static/console.css")).status == 200


async def test_a_kafka_that_is_silent_is_a_line_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent(*_: object, **__: object) -> Any:
        await asyncio.Event().wait()

    monkeypatch.setattr(front, "gather", silent)
    monkeypatch.setattr(front, "_DEADLINE_S", 0.01)
    status, text, _ = await _get()
    assert status == 200
    assert "Kafka at localhost:1 doesn&#39;t answer within 0.01 s" in text


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
    assert headline(_status()).text == "No export yet"
    assert headline(_status(_export())).level == "good"
    assert "4.0 hours old" in headline(_status(_export())).detail
    ahead = headline(_status(_export(), now=START - timedelta(hours=2))).detail
    assert "2.0 hours ahead of this machine's clock" in ahead
    assert headline(_status(_export(), now=NOW + timedelta(hours=30))).text == "The feed is late"
    afternoons = _export("2026-03-02T15:00:00Z")
    today = headline(_status(afternoons, now=datetime(2026, 3, 3, 17, 1, tzinfo=UTC)))
    assert today.text == "Today's export is late"
    failed = _export("2026-03-03T08:00:00Z", state="failed")
    assert headline(_status(_export(), failed)).text == "The last export couldn't be read"
    assert headline(_status(_export(), tables=Unavailable("not reachable"))).level == "warn"
    held = _status(_export()) | {"heldPlans": [{"planId": "p"}]}
    assert headline(held).text == "Fresh, but removals are held"


def test_bars_stand_inside_the_chart_on_one_scale() -> None:
    status = _status(_export("2026-03-01T08:00:00Z", added=1), _export(added=500, removed=500))
    small, large = bars(status["exports"])
    assert "2026-03-01" in small.title
    assert [segment.height for segment in small.segments] == [1.0]
    assert [segment.kind for segment in large.segments] == ["added", "removed"]
    assert large.segments[0].height == large.segments[1].height
    for segment in small.segments + large.segments:
        assert 0 <= segment.y <= HEIGHT - segment.height
    assert sum(segment.height for segment in large.segments) > HEIGHT * 0.9
    assert bars([]) == ()


def test_the_first_export_does_not_make_the_others_small() -> None:
    first = _export("2026-03-01T08:00:00Z", added=60_000)._replace(mode="initial")
    status = _status(first, _export(added=300, removed=200))
    initial, daily = bars(status["exports"])
    assert sum(segment.height for segment in daily.segments) > HEIGHT * 0.9
    assert HEIGHT * 0.9 < sum(segment.height for segment in initial.segments) <= HEIGHT
    assert "60,000 added" in initial.title
