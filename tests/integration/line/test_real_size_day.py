"""A day's work at the real size: 64,000 pets in seven parts of 8 KB a row, 190,000 pictures.

Each step is a command of a process of its own. What it must leave behind is what the feed's files
say; what it took is printed (`-s`), for docs/reliability.md. By `scripts/test --long` alone;
``PETSTREAM_TEST_PETS=400`` tries the steps with few pets.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import asyncpg
import msgspec
import pytest
from aiohttp import ClientSession, ClientTimeout
from console_process import serving
from measured_commands import Measured, MeasuredCommands
from walked_pages import walked

from lab.simulator import history, serve_ftp, write_export
from petstream import topics
from petstream.kafka import admin
from petstream.kafka.records import ProducerRecord
from petstream.kafka.writer import send_all
from petstream.settings import KafkaAccess

pytestmark = [pytest.mark.servers, pytest.mark.long]

PETS: Final = int(os.environ.get("PETSTREAM_TEST_PETS", "64000"))
PARTS: Final = 7
PART_ROWS: Final = min(10_000, PETS // PARTS + 1)
PAGES: Final = 120
SPOILED_A_PART: Final = max(1, PART_ROWS // 250)
"""Rows that can't be read: what a file is forgiven."""
REFUSED: Final = 200
"""Of so many pets a site's own constraint refuses one: what a consumer bears."""
OLD_LETTERS: Final = PETS * 3 // 32
"""What the scrubs of some weeks have refused again and again."""
LEFT: Final = 5
"""Of so many pets one leaves at once: more than the limits let pass."""
MOST_MIB: Final = 400
"""Rows of 64,000 pets are 470 MiB: who held the feed would need more than this."""
CONSUMERS: Final = ("pets", "images", "deletions")
USER, PASSWORD = "apikey-Ab3dEf9h", "canary"

_REFUSES: Final = f"""
    CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE 'a constraint of the site' USING ERRCODE = 'check_violation'; END $$;
    CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON petstream.pet
        FOR EACH ROW WHEN (NEW.animal_id % {REFUSED} = 0) EXECUTE FUNCTION public.refuse()"""
_MENDED: Final = "DROP FUNCTION public.refuse CASCADE"


class FeedFiles:
    """What lies on the server, read from its files."""

    def __init__(self, home: Path) -> None:
        """Read them."""
        self.names: dict[int, str | None] = {}
        self.pictures: dict[int, int] = {}
        for file in sorted(home.glob("*pets_*.json")):
            for line in file.read_bytes().splitlines():
                if line.startswith(b"{"):
                    row = msgspec.json.decode(line)
                    key = int(row["animalID"])
                    self.pictures[key] = len(row["pictures"])
                    self.names[key] = row["name"] or None


class Day:
    """The servers of a day, and what the tables say."""

    def __init__(self, commands: MeasuredCommands, database_url: str) -> None:
        """Know where they are."""
        self.commands, self.database_url = commands, database_url

    def run(self, step: str, *words: str, **options: Any) -> Measured:
        """Run a command."""
        return self.commands.run(step, *words, **options)

    def consume(self, step: str, *consumers: str) -> None:
        """Let each consumer apply what is there."""
        for consumer in consumers:
            self.run(f"{step}: {consumer}", "consume", consumer, "--drain")

    async def sql(self, query: str) -> list[asyncpg.Record]:
        """Ask Postgres."""
        connection = await asyncpg.connect(self.database_url)
        try:
            return list(await connection.fetch(query))
        finally:
            await connection.close()

    async def tell(self, statements: str) -> None:
        """Tell Postgres something."""
        connection = await asyncpg.connect(self.database_url)
        try:
            await connection.execute(statements)
        finally:
            await connection.close()

    async def listed(self) -> dict[int, str | None]:
        """Return the names of all pets that a site shows."""
        rows = await self.sql("SELECT animal_id, name FROM petstream.pets")
        return {row["animal_id"]: row["name"] for row in rows}

    async def count(self, relation: str) -> int:
        """Return how many rows there are."""
        return int((await self.sql(f"SELECT count(*) FROM {relation}"))[0][0])  # noqa: S608  a name of ours

    def is_equal(self, step: str) -> None:
        """See by the audit that the tables are the log's."""
        assert self.run(step, "audit", "--json").document()["equal"]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "ftp").mkdir()
    return tmp_path / "ftp"


@pytest.fixture
def day(
    tmp_path: Path, home: Path, kafka: str, databases: Callable[[], str], prefix: str
) -> Iterator[Day]:
    database_url = databases()
    with serve_ftp(home, user=USER, password=PASSWORD) as server:
        yield Day(
            MeasuredCommands(
                tmp_path, ftp_url=f"ftp://{USER}:{PASSWORD}@{server.host}:{server.port}/",
                kafka=kafka, database_url=database_url, topic_prefix=prefix, settle_s="0",
                pictures="off", archive_days="10000", console="off", data_dir=str(tmp_path / "d"),
            ),
            database_url,
        )  # fmt: skip


async def test_a_day_of_real_size_loses_nobody_and_holds_no_feed_in_memory(  # noqa: PLR0915  a story
    tmp_path: Path, home: Path, day: Day, kafka: str, prefix: str
) -> None:
    made = history(seed=16, pets=PETS, days=2)
    write_export(home, made, 0, part_rows=PART_ROWS)
    spoiled = spoil(home)
    feed = FeedFiles(home)
    assert len(feed.names) == PETS - len(spoiled)
    print(f"\n| {PETS:,} pets: step | seconds | peak RSS, MiB |\n|---|---|---|")  # noqa: T201  the figures

    imported = day.run("first import", "ingest", "--json").document()
    assert imported["counts"]["pets"]["refused"] == len(spoiled)
    await day.tell(_REFUSES)
    day.consume("first import", *CONSUMERS)
    refused = {key for key in feed.names if not key % REFUSED}
    assert await day.listed() == without(feed.names, refused)
    await send_all(KafkaAccess(kafka), list(old_letters(prefix)))
    letters = day.run("dead-letters list", "dead-letters", "list", "--json").document()
    assert len(letters["deadLetters"]) == len(refused) + len(spoiled) + OLD_LETTERS
    assert not day.run("audit of refused events", "audit", "--json", status=1).document()["equal"]

    await day.tell(_MENDED)
    for _ in range(2):
        day.run("dead-letters replay --all", "dead-letters", "replay", "--all")
    day.consume("dead letters sent back", "pets")
    assert len(await day.listed()) == len(feed.names) - len(refused) + min(20, len(refused))
    day.run("replay pets", "replay", "pets", "--from-beginning")
    day.consume("replayed", "pets")
    assert await day.listed() == feed.names
    day.is_equal("audit")

    backfill = day.run(
        "backfill from the archive", "ingest", "--from-archive", imported["exportId"], "--json",
        topic_prefix=f"{prefix}b.",
    ).document()  # fmt: skip
    assert backfill["counts"] == imported["counts"]

    write_export(home, made, 1, part_rows=PART_ROWS)
    gone = leave(home)
    feed = FeedFiles(home)
    held = day.run("a day with a held plan", "ingest", "--json", status=4).document()
    day.consume("daily", *CONSUMERS)
    (plan,) = held["heldPlans"]
    await walk(tmp_path, day, f"/plans/{plan}")
    shown = day.run("removals show", "removals", "show", plan, "--json").document()
    leaving = {removal["key"] for removal in shown["removals"]}
    assert len(leaving) > len(gone) / 2
    day.run("removals approve", "removals", "approve", plan)
    day.consume("removals", *CONSUMERS)
    listed = await day.listed()
    assert feed.names.keys() - listed.keys() <= spoiled  # until all of it is read
    assert listed.items() <= feed.names.items()
    removed = await day.sql("SELECT animal_id FROM petstream.removed_pets")
    assert leaving <= {row["animal_id"] for row in removed}

    day.run("snapshot", "ingest", "--mode", "snapshot")
    day.consume("snapshot", *CONSUMERS)
    day.is_equal("audit of the snapshot")
    assert await day.listed() == feed.names
    await day.tell("DROP SCHEMA petstream CASCADE")
    day.run("migrate", "migrate")
    day.consume("rebuild", *CONSUMERS)
    assert await day.listed() == feed.names
    assert await day.count("petstream.pet_pictures") == sum(feed.pictures.values())
    day.run("consume tables", "consume", "tables", "--drain", table_topics="on")
    day.run("table-topics rebuild", "table-topics", "rebuild", table_topics="on")
    for command in ("status", "diff", "doctor"):
        day.run(command, command, "--json")
    day.run("explain NAME", "explain", next(name for name in feed.names.values() if name))

    day.run("retention", "consume", "deletions", "--drain", removed_days="0")
    assert await day.count("petstream.removed_pets WHERE name IS NOT NULL") == 0
    assert await day.listed() == feed.names
    day.run("purge", "purge", "--confirm", f"purge {prefix}")
    assert await day.count("pg_namespace WHERE nspname = 'petstream'") == 0
    assert topics.PETS.full_name(prefix) not in await admin.topic_names(KafkaAccess(kafka))
    assert list((tmp_path / "d" / "archive").glob("*/*")) == []

    assert max(step.peak_mib for step in day.commands.steps) < MOST_MIB


def spoil(home: Path) -> set[int]:
    """Make some rows of each part unreadable; return whose."""
    spoiled: set[int] = set()

    def is_left_out(number: int, line: bytes) -> bytes:
        if number >= SPOILED_A_PART:
            return line
        spoiled.add(key_of(line))
        return b"x" + line

    for file in sorted(home.glob("pets_*.json")):
        rewrite(file, is_left_out)
    for file in (*home.glob("newpets_*.json"), *home.glob("updatedpets_*.json")):
        rewrite(file, lambda _number, line: b"" if key_of(line) in spoiled else line)
    return spoiled


def leave(home: Path) -> set[int]:
    """Take many pets out of an export, off its petlist too; return which."""
    gone: set[int] = set()

    def without_them(_number: int, line: bytes) -> bytes:
        if key_of(line) % LEFT:
            return line
        gone.add(key_of(line))
        return b""

    for file in home.glob("*pets_*.json"):
        rewrite(file, without_them)
    rewrite(
        home / "petlist.csv",
        lambda _number, line: b",".join(key for key in line.split(b",") if int(key) % LEFT) + b"\n",
    )
    return gone


def old_letters(prefix: str) -> Iterator[ProducerRecord]:
    """Give the letters of rows that earlier exports held, none of them archived any more."""
    for number in range(OLD_LETTERS):
        origin = f"2026-09-06T07:12:00Z/pets_1.json/{number}".encode()
        headers = (
            ("dl_class", b"row"), ("dl_reason", b"broken-row"), ("dl_message", b"no id" * 9),
            ("dl_origin", origin), ("dl_at", b"2026-09-06T08:12:04Z"),
        )  # fmt: skip
        name = topics.DEAD_LETTERS.full_name(prefix)
        yield ProducerRecord(name, origin, b"x" * 4_000, headers)


def rewrite(file: Path, changed: Callable[[int, bytes], bytes]) -> None:
    """Change a file line by line, and keep its time."""
    at = file.stat().st_mtime
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(changed(number, line) for number, line in enumerate(lines)))
    os.utime(file, (at, at))


def key_of(line: bytes) -> int:
    """Return whose row it is."""
    match = re.search(rb'"animalID":"(\d+)"', line)
    assert match is not None
    return int(match[1])


async def walk(tmp_path: Path, day: Day, *more: str) -> None:
    """Look at every page of the console, and at some of each kind that they link to."""
    settings = day.commands.settings | {"console": "127.0.0.1:0"}
    with serving(tmp_path, **settings) as (url, _):
        async with ClientSession(timeout=ClientTimeout(total=180)) as client:
            pages = [page async for page in walked(client, url, PAGES, *more)]
    slowest = {
        re.sub(r"\d[\d:TZ.-]*", "N", urlsplit(page.path).path): page
        for page in sorted(pages, key=lambda page: page.seconds)
    }
    for kind, page in sorted(slowest.items()):
        print(f"| page `{kind}` | {page.seconds:.2f} | {page.peak_mib} |")  # noqa: T201  the figures
    assert [page for page in pages if page.status >= 500] == []
    assert max(page.size_bytes for page in pages) < 2 * 1024 * 1024
    assert pages[-1].peak_mib < MOST_MIB


def without(names: dict[int, str | None], keys: set[int]) -> dict[int, str | None]:
    """Return the names of all the others."""
    return {key: name for key, name in names.items() if key not in keys}
