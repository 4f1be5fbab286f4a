"""F1. The safety nets at the real size: 64,000 pets in seven parts, 8 KB a row.

In CI two parts, of which one is as long as a part gets; by `scripts/test --long` all of it.
"""

from __future__ import annotations

import os
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest
import xxhash
from profiles import rounds

from console.act.redrive import redrive
from ingest.backfill import ingest_again
from ingest.run import ingest
from lab.simulator import history, serve_ftp, write_export
from petstream import topics
from petstream.kafka.reader import read_to_end
from petstream.settings import FtpUrl, KafkaAccess, Settings

pytestmark = pytest.mark.servers

PARTS = rounds(2, long=7)
PETS = {2: 10_500, 7: 64_000}[PARTS]


async def events(
    settings: Settings, kafka: KafkaAccess
) -> dict[tuple[str, bytes], tuple[bytes, bytes]]:
    """Return the event of each key: its id, and a digest of its value."""
    said: dict[tuple[str, bytes], tuple[bytes, bytes]] = {}
    names = [topic.full_name(settings.topic_prefix) for topic in (topics.PETS, topics.ORGS)]
    async with aclosing(read_to_end(kafka, names)) as batches:
        async for batch in batches:
            for record in batch:
                ident = dict(record.headers)["ce_id"]
                digest = xxhash.xxh3_128_digest(record.value or b"")
                assert record.key is not None
                said[record.topic.removeprefix(settings.topic_prefix), record.key] = (ident, digest)
    return said


async def test_f1_an_export_of_real_size_is_read_again_from_the_archive(
    tmp_path: Path, prefix: str, kafka: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """F1: ingest, wipe, `--from-archive`: the same events; then `dead-letters replay` of a row."""
    home = tmp_path / "ftp"
    home.mkdir()
    write_export(home, history(seed=3, pets=PETS, days=1), 0)
    parts = sorted(home.glob("*pets_?.json"))
    assert len([part for part in parts if part.name.startswith("pets_")]) == PARTS
    spoiled = home / "pets_2.json"
    at = spoiled.stat().st_mtime
    with spoiled.open("r+b") as file:  # one row that can't be read
        file.write(b"x")
    os.utime(spoiled, (at, at))
    access = KafkaAccess(kafka)
    with serve_ftp(home, user="apikey-Ab3dEf9h", password="canary") as server:
        ftp = FtpUrl("apikey-Ab3dEf9h", "canary", "127.0.0.1", server.port, "", tls=False)
        settings = Settings(
            ftp=ftp, data_dir=tmp_path, topic_prefix=prefix, settle_s=0, archive_days=10_000
        )
        first = await ingest(settings, access)
    assert first.outcome is not None
    assert first.outcome.counts.pets.refused == 1
    assert first.outcome.counts.pets.added == PETS - 1
    empty = replace(settings, topic_prefix=f"{prefix}b.", ftp=None)
    again = await ingest_again(empty, access, first.export_id)
    assert again.outcome is not None
    assert again.outcome.counts == first.outcome.counts
    said = await events(settings, access)
    read_again = await events(empty, access)
    assert read_again == said
    assert len(said) > PETS
    capsys.readouterr()
    status = await redrive(settings, kafka=access, idents=(), every=True)
    printed = capsys.readouterr().out
    assert status == 0
    assert "which is read again from the archive" in printed
    assert f"{PETS - 1:,}" in printed
