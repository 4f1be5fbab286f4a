"""Memory doesn't grow with the feed: rows stream, values lie in a file, consumers take batches."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import msgspec
import pytest

from consumers.registry import NAMES
from lab.simulator import history, serve_ftp, write_export

pytestmark = pytest.mark.servers

ROW_BYTES = 8_000
ROWS_A_FILE = 10_000


def put_out(home: Path, pets: int) -> None:
    """Lay an export of rows of 8 KB on the server; their texts pack as descriptions do."""
    feed = history(pets=10, days=1)
    write_export(home, feed, 0)
    at_end = (home / "petlist.csv").stat().st_mtime
    row = feed.truth(0).pets[min(feed.truth(0).pets)]
    row |= {"animalID": "@ID@", "description": "", "descriptionPlain": "@TEXT@"}
    template = msgspec.json.encode(row)
    words = [b"%x" % number for number in Random(1).choices(range(1 << 12), k=1 << 18)]  # noqa: S311  no secret
    text = b" ".join(words)
    first = 30_000_000
    for part in range((pets - 1) // ROWS_A_FILE + 1):
        ids = range(first + part * ROWS_A_FILE, first + min(pets, (part + 1) * ROWS_A_FILE))
        with (home / f"pets_{part + 1}.json").open("wb") as file:
            for animal_id in ids:
                begin = animal_id * 7_919 % (len(text) - ROW_BYTES)
                shorter = text[begin : begin + ROW_BYTES - len(template)]
                named = template.replace(b"@ID@", b"%d" % animal_id)
                file.write(named.replace(b"@TEXT@", shorter) + b"\n")
    ids_of_all = range(first, first + pets)
    petlist = "\n".join(",".join(map(str, ids_of_all[at : at + 100])) for at in range(0, pets, 100))
    (home / "petlist.csv").write_text(petlist + "\n", encoding="ascii")
    for laid in home.iterdir():
        os.utime(laid, (at_end, at_end))


@pytest.fixture
def peak_mb(
    tmp_path: Path, kafka: str, databases: Callable[[], str]
) -> Callable[[str, int, str, str], float]:
    """Runs a part as a process of its own on a feed of so many pets; gives its peak in MB."""
    database = databases()

    def run(prefix: str, pets: int, *part: str) -> float:
        home = tmp_path / f"ftp-{pets}"
        if not home.exists():
            home.mkdir()
            put_out(home, pets)
        with serve_ftp(home, user="apikey-Ab3dEf9h", password="pw") as server:
            done = subprocess.run(  # noqa: S603  our own module
                [sys.executable, "-m", "lab.bench.part", *part],
                env=os.environ
                | {
                    "PETSTREAM_FTP_URL": f"ftp://apikey-Ab3dEf9h:pw@127.0.0.1:{server.port}/",
                    "PETSTREAM_KAFKA": kafka,
                    "PETSTREAM_DATABASE_URL": database,
                    "PETSTREAM_TOPIC_PREFIX": prefix,
                    "PETSTREAM_DATA_DIR": str(tmp_path / "data"),
                    "PETSTREAM_SETTLE_S": "0",
                },
                check=True,
                stdout=subprocess.PIPE,
                text=True,
            )
        report = json.loads(done.stdout.splitlines()[-1])
        assert report["rows"] >= pets
        return float(report["peak_mb"])

    return run


def test_memory_does_not_grow_with_the_feed(peak_mb: Callable[..., float], prefix: str) -> None:
    small = peak_mb(f"s{prefix}", 10_000, "ingest", "initial")
    large = peak_mb(f"l{prefix}", 100_000, "ingest", "initial")
    known = peak_mb(f"l{prefix}", 100_000, "ingest", "scrub")
    assert large - small < 60, (small, large)
    assert max(large, known) < 200, (large, known)  # with a ledger of 100,000 pets
    for consumer in NAMES:
        peak = peak_mb(f"l{prefix}", 100_000, "consume", consumer)
        assert peak < 120, (consumer, peak)
