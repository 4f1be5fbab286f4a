"""The console while much is there and many want something: each page, its time and its memory.

With `-s` it prints them; `scripts/test --long` is about a large feed of many years.
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
from aiohttp import ClientSession, ClientTimeout
from console_process import serving
from handmade_events import START, Log, base_s, export_id
from measured_commands import peak_mib
from members import until
from profiles import LONG, rounds
from walked_pages import console_of, walked

from lab.process_tree import children
from petstream import topics
from petstream.events import Counts, ExportCounts, ExportEvent, export_subject
from petstream.kafka.client import ensure_topics
from petstream.kafka.records import ProducerRecord
from petstream.settings import KafkaAccess

pytestmark = pytest.mark.servers

LETTERS = rounds(1_000, long=100_000)
EXPORTS = rounds(60, long=1_000)
PETS = rounds(3_000, long=640_000)
IDLE = rounds(300, long=3_000)
HUNG_UP = 60
SLOW = 40
PAGES = rounds(36, long=120)
MOST_MIB = 300
SERVED_WITHIN_S = 2.0
MOST_CONNECTIONS = 256
LEFT_FOR_PARTS = 40

_PETS = """
    INSERT INTO petstream.pet (animal_id, sequence, digest, listed, export_id, org_id, name,
        species, breed, status, attributes, description_html, description_rendered,
        first_seen_at, changed_at)
    SELECT id, id, 'd', true, $2, id % 1000 + 1, 'Pet ' || id,
        (ARRAY['Dog', 'Cat', 'Rabbit'])[id % 3 + 1], 'Breed ' || id % 50, 'Available',
        jsonb_build_object('name', 'Pet ' || id), repeat('Words of a pet. ', 60),
        repeat('Words of a pet. ', 60), now(), now()
    FROM generate_series(1, $1::int) id"""
_ORGS = """
    INSERT INTO petstream.organization (org_id, sequence, digest, listed, export_id, name, state)
    SELECT id, id, 'd', true, $1, 'Rescue ' || id, 'OK' FROM generate_series(1, 1000) id"""


async def fill(access: KafkaAccess, prefix: str, database_url: str) -> None:
    """Publish exports and dead letters; write pets into their table."""
    await ensure_topics(access, prefix)
    log = Log(access, prefix)
    await log.send(*_exports(log))
    await log.send(*_letters(prefix))
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(_ORGS, export_id(1))
        await connection.execute(_PETS, PETS, export_id(1), timeout=600)
        await connection.execute("ANALYZE")
    finally:
        await connection.close()


def _exports(log: Log) -> Iterator[ProducerRecord]:
    for day in range(EXPORTS):
        event = ExportEvent(
            export_id=export_id(day), mode="daily", state="completed", base=base_s(day),
            at=START + timedelta(days=day), counts=ExportCounts(Counts(read=PETS), Counts()),
            notes=("a note of some length " * 4,) * 3,
        )  # fmt: skip
        yield log._record(  # noqa: SLF001  of what Log has no method for
            topics.EXPORTS, "export.completed", export_subject(export_id(day)), event, day, b"",
            number=base_s(day),
        )  # fmt: skip


def _letters(prefix: str) -> Iterator[ProducerRecord]:
    details = (("dl_reason", b"broken-row"), ("dl_class", b"row"), ("dl_message", b"no id" * 9))
    for number in range(LETTERS):
        origin = f"{export_id(1)}/pets_1.json/{number}"
        headers = (("dl_origin", origin.encode()), *details, ("dl_at", b"2026-11-21T08:12:04Z"))
        name = topics.DEAD_LETTERS.full_name(prefix)
        yield ProducerRecord(name, origin.encode(), b"x" * 1_500, headers)


async def test_s7_every_page_is_served_at_any_size_and_its_memory_is_bounded(
    tmp_path: Path, kafka: str, prefix: str, database_url: str
) -> None:
    """S7: the pages that there are, and those they link to."""
    await fill(KafkaAccess(kafka), prefix, database_url)
    with serving(
        tmp_path, kafka=kafka, topic_prefix=prefix, database_url=database_url, pictures="off"
    ) as (url, _):  # fmt: skip
        before_mib = peak_mib(console_of(url))
        async with ClientSession(timeout=ClientTimeout(total=60)) as client:
            pages = [page async for page in walked(client, url, PAGES)]
    for page in pages:
        size_kib = page.size_bytes / 1024
        print(f"{page.path:60} {page.seconds:6.2f} s {size_kib:8.0f} KiB {page.peak_mib:6} MiB")  # noqa: T201  the figures
    after_mib = pages[-1].peak_mib
    print(f"{PETS} pets, {EXPORTS} exports, {LETTERS} letters: {before_mib}, then {after_mib} MiB")  # noqa: T201  as above
    assert len(pages) > PAGES // 2
    assert [page for page in pages if page.status >= 500] == []
    assert after_mib < MOST_MIB
    assert max(page.size_bytes for page in pages) < 2 * 1024 * 1024


async def test_s6_s8_a_person_is_served_while_others_keep_the_console_busy(
    tmp_path: Path, kafka: str, prefix: str, database_url: str
) -> None:
    """S6, S8: silent connections, readers that don't read, requests whose sender has gone."""
    await ensure_topics(KafkaAccess(kafka), prefix)
    with serving(
        tmp_path, kafka=kafka, topic_prefix=prefix, database_url=database_url, pictures="off"
    ) as (url, _):  # fmt: skip
        pid = console_of(url)
        async with ClientSession(timeout=ClientTimeout(total=60)) as client:
            assert await _front(client, url) > 0
            async with _crowd(urlsplit(url).port or 0):
                times_s = [await _front(client, url) for _ in range(5)]
                open_files = _open_files(pid)
    print(f"{IDLE} silent, {SLOW} slow, {HUNG_UP} hung up: {max(times_s):.2f} s, {open_files} open")  # noqa: T201  the figure
    assert open_files < 400  # the rest is left for parts
    if LONG:
        assert max(times_s) < SERVED_WITHIN_S


async def test_s8_a_killed_part_is_started_again_while_others_keep_the_console_busy(
    tmp_path: Path, kafka: str, prefix: str, database_url: str
) -> None:
    """S8: the pages of `up` are served by the process that starts its parts."""
    with serving(
        tmp_path, "up", kafka=kafka, topic_prefix=prefix, database_url=database_url,
        pictures="off", ftp_url="ftp://apikey-Canary7K:canary@127.0.0.1:1/",
    ) as (url, _):  # fmt: skip
        pid = console_of(url)
        await until("all parts", partial(_has_parts, pid, set()))
        most = _open_files(pid) + MOST_CONNECTIONS + LEFT_FOR_PARTS
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (most, most))
        async with _crowd(urlsplit(url).port or 0):
            killed = set(children(pid))
            for part in killed:
                os.kill(part, signal.SIGKILL)
            await until("the parts again", partial(_has_parts, pid, killed))


async def _has_parts(pid: int, killed: set[int]) -> bool:
    """Tell whether the ingester and the three consumers are there, and none that was killed."""
    parts = set(children(pid))
    return len(parts) == 4 and not parts & killed


@asynccontextmanager
async def _crowd(port: int) -> AsyncIterator[None]:
    """Be many at once: silent ones, ones that read nothing, ones that ask and go."""
    begun = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
    writers = []
    for number in range(IDLE + SLOW + HUNG_UP):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1)
            if number >= IDLE:
                writer.write(begun + b"\r\n")
            elif number % 2:
                writer.write(begun)
            if number >= IDLE + SLOW:
                await writer.drain()
                writer.transport.abort()
            else:
                writers.append(writer)
        except ConnectionError:  # it was ended to make room, as it should
            continue
    try:
        yield
    finally:
        for writer in writers:
            writer.transport.abort()


def _open_files(pid: int) -> int:
    return len([*(Path("/proc") / str(pid) / "fd").iterdir()])


async def _front(client: ClientSession, url: str) -> float:
    """Look at the front page as a person does; return how long that took, in seconds."""
    began_s = time.monotonic()
    async with client.get(url) as answer:
        assert answer.status == 200
        assert "</html>" in await answer.text()
    return time.monotonic() - began_s
