"""Secrets of a whole run are looked for everywhere they might have leaked to."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
from console_process import serving

from lab.simulator import history, serve_ftp, write_export
from petstream import topics
from petstream.kafka.reader import read_to_end
from petstream.settings import KafkaAccess

pytestmark = pytest.mark.servers

KEY, PASSWORD, TOKEN = "Canary7K", "canary-of-the-account", "canary-of-the-console"
TABLES = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'petstream'"


async def everything(kafka: str, prefix: str, database: str) -> str:
    """Return all that is in the topics and in the tables, as text."""
    texts = []
    names = [topic.full_name(prefix) for topic in topics.ALL]
    async with aclosing(read_to_end(KafkaAccess(kafka), names)) as batches:
        async for batch in batches:
            texts += [repr(record) for record in batch]
    connection = await asyncpg.connect(database)
    try:
        for (name,) in await connection.fetch(TABLES):
            rows = await connection.fetch(f"SELECT t::text FROM petstream.{name} t")  # noqa: S608  names from the catalogue
            texts += [row[0] for row in rows]
    finally:
        await connection.close()
    assert len(texts) > 100
    return "\n".join(texts)


def everything_served(cwd: Path, environment: dict[str, str]) -> list[str]:
    """Return what the console answers, each with its status, and what it said."""
    pet = history(pets=40, days=1, key=KEY).truth(0).pets
    key = next(iter(pet))
    paths = (
        "", "metrics", f"pets/{key}", f"pets/{key}/life", "search?q=a", f"orgs/{pet[key]['orgID']}",
        "pets/1", "plans/nobody-knows-this",
    )  # fmt: skip
    settings = {
        name.removeprefix("PETSTREAM_").lower(): text
        for name, text in environment.items()
        if name.startswith("PETSTREAM_")
    }
    with serving(cwd, **settings) as (url, said):
        answers = [_answer(url + path) for path in paths]
    assert "".join(said) == ""
    return answers


def _answer(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310  our own server
            return f"{answer.status} {answer.headers}{str(answer.read(), 'utf-8')}"
    except urllib.error.HTTPError as error:
        with error:
            return f"{error.code} {error.headers}{str(error.read(), 'utf-8')}"


@pytest.mark.parametrize("fault", [None, "bad-row"])
def test_t27_no_secret_of_a_run_is_said_published_or_kept(
    tmp_path: Path, kafka: str, prefix: str, databases: Callable[[], str], fault: str | None
) -> None:
    """T27: canaries in the FTP URL, file names and the database's URL."""
    home, database = tmp_path / "ftp", databases()
    faults = [] if fault is None else [fault]
    write_export(home, history(pets=40, days=1, key=KEY), 0, key_prefix=True, faults=faults)
    said = []
    with serve_ftp(home, user=f"apikey-{KEY}", password=PASSWORD) as server:
        environment = os.environ | {
            "PETSTREAM_FTP_URL": f"ftp://apikey-{KEY}:{PASSWORD}@127.0.0.1:{server.port}/",
            "PETSTREAM_KAFKA": kafka,
            "PETSTREAM_DATABASE_URL": database,
            "PETSTREAM_TOPIC_PREFIX": prefix,
            "PETSTREAM_DATA_DIR": str(tmp_path / "data"),
            "PETSTREAM_ARCHIVE_DAYS": "10000",
            "PETSTREAM_SETTLE_S": "0",
            "PETSTREAM_PICTURES": "off",
            "PETSTREAM_CONSOLE": "127.0.0.1:0",
            "PETSTREAM_CONSOLE_TOKEN": TOKEN,
        }
        for command in ("ingest", "consume all --drain", "status", "doctor", "dead-letters list"):
            done = subprocess.run(  # noqa: S603  our own command
                [sys.executable, "-m", "console", *command.split()],
                env=environment, check=False, capture_output=True, text=True,
            )  # fmt: skip
            said.append(f"{command}: {done.stdout}{done.stderr}")
        pages = everything_served(tmp_path, environment)
    said.append(asyncio.run(everything(kafka, prefix, database)))
    said += [str(path.relative_to(tmp_path)) for path in (tmp_path / "data").rglob("*")]
    said += pages
    secrets = {KEY, PASSWORD, TOKEN, urlsplit(database).password or PASSWORD}
    for text in said:
        assert not [secret for secret in secrets if secret in text], text[:2_000]
    assert any("pets_1.json.zst" in text for text in said)
    assert [page.split(None, 1)[0] for page in pages] == ["200"] * 6 + ["404"] * 2
