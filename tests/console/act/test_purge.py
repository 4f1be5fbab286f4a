"""`purge`: what it reports and what confirms it, without servers."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from console.act import purge, purge_targets
from console.act.purge_targets import Locations, PurgeTarget, RunningError, find_targets
from console.cli.parser import run
from consumers.admin import purge as admin_purge
from consumers.pictures.store.interface import StoredFile
from petstream import codec
from petstream.errors import UsageError
from petstream.events import Counts, ExportCounts, ExportEvent
from petstream.kafka.records import ConsumerRecord, TopicPartition
from petstream.settings import KafkaAccess

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
WORDS = "purge petstream."


async def nothing() -> None:
    """Delete nothing."""


TARGETS = [
    PurgeTarget(
        "Kafka at k:9092", ("topic petstream.pets.v1: up to 1,200 records",), delete=nothing
    ),
    PurgeTarget("Postgres at p, schema petstream of pets", error="Postgres can't be reached"),
    PurgeTarget("archive of raw files in a"),
]


def test_what_would_go_is_reported_location_by_location() -> None:
    assert purge.report(TARGETS) == [
        "Kafka at k:9092:",
        "  topic petstream.pets.v1: up to 1,200 records",
        "Postgres at p, schema petstream of pets:",
        "  can't be looked at: Postgres can't be reached",
        "archive of raw files in a:",
        "  nothing",
    ]


@pytest.mark.parametrize("text", ["", "yes", "purge", "purge petstream", "Purge petstream."])
def test_other_words_than_those_asked_for_delete_nothing(text: str) -> None:
    with pytest.raises(UsageError, match="nothing was deleted"):
        purge.check(text, WORDS)
    purge.check(f" {WORDS}\n", WORDS)


@pytest.mark.parametrize(
    ("typed", "status", "deleted"), [(WORDS, 1, 1), ("yes", 2, 0), ("", 2, 0), (None, 2, 0)]
)
def test_the_words_are_typed_at_a_terminal(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    typed: str | None,
    status: int,
    deleted: int,
) -> None:
    """Nothing typed, the end of the input, or no terminal: nothing is touched."""

    async def find_targets(*_: object) -> list[PurgeTarget]:
        return TARGETS

    def answer(_: str) -> str:
        if typed is None:
            raise EOFError
        return typed

    monkeypatch.setenv("PETSTREAM_SETTLED", "1")
    monkeypatch.setattr(purge_targets, "find_targets", find_targets)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr("builtins.input", answer)
    assert run(["purge"]) == status
    printed = capsys.readouterr()
    assert printed.out.count("deleted: ") == deleted
    assert ("run petstream purge again" in printed.err) == bool(deleted)


def export_record(state: Any, hours_ago: float) -> ConsumerRecord:
    at = NOW - timedelta(hours=hours_ago)
    event = ExportEvent(
        export_id="2026-11-20T08:12:04Z", mode="daily", state=state, at=at,
        counts=ExportCounts(Counts(), Counts()),
    )  # fmt: skip
    value = codec.encode(event)
    headers = codec.headers(
        type_=f"export.{state}", subject="export/2026-11-20T08:12:04Z", sequence=1,
        export_id=event.export_id, digest=codec.digest(value), time=at,
    )  # fmt: skip
    at_ms = int(at.timestamp() * 1000)
    topic = TopicPartition("exports.v1", 0)
    return ConsumerRecord(topic, 0, b"2026-11-20T08:12:04Z", value, headers, at_ms)


@pytest.mark.parametrize(
    ("states", "reading"),
    [
        ([("started", 1.0)], True),
        ([("started", 1.0), ("completed", 0.5)], False),
        ([("started", 1.0), ("failed", 0.5)], False),
        ([("started", 3.0)], False),
        ([], False),
    ],
)
async def test_an_export_that_is_being_read_holds_a_purge_back(
    monkeypatch: pytest.MonkeyPatch, states: list[tuple[str, float]], *, reading: bool
) -> None:
    """An ingester is in no group; one that was killed doesn't hold it back for ever."""

    async def read(*_: object) -> list[ConsumerRecord]:
        return [export_record(state, hours_ago) for state, hours_ago in states]

    monkeypatch.setattr(purge_targets, "read_topic", read)
    checked = purge_targets._check_no_export(KafkaAccess("k:9092"), "petstream.", NOW)  # noqa: SLF001  needs no server
    if reading:
        with pytest.raises(RunningError, match=r"being read \(begun at 11:00 UTC\).* 13:00 UTC"):
            await checked
    else:
        await checked


async def test_only_names_made_of_content_are_deleted_from_a_bucket(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours = [f"ab/cd/{'ab' * 32}.jpg", f"ab/cd/{'ab' * 32}.320.webp"]
    held = {*ours, "ab/backup.tar", f"ab/cd/{'ab' * 32}.jpg.old", f"ab/cd/{'AB' * 32}.jpg"}

    class Bucket:
        async def files(self, shard: str) -> AsyncIterator[StoredFile]:
            for key in sorted(held):
                if key.startswith(shard):
                    yield StoredFile(key, 0.0)

        async def delete(self, key: str) -> None:
            held.remove(key)

    monkeypatch.setattr(admin_purge, "open_store", lambda _: Bucket())
    assert await admin_purge.count_pictures("s3://bucket") == 2
    assert await admin_purge.delete_pictures("s3://bucket") == 2
    assert not held & set(ours)
    assert len(held) == 3


async def test_a_checkpoint_of_the_topics_goes_with_them_and_another_feeds_stays(
    tmp_path: Path,
) -> None:
    directory = tmp_path / "checkpoints"
    directory.mkdir()
    ours = [directory / f"petstream.ledgers.{name}" for name in ("index", "0f.values", "lock")]
    for path in (*ours, directory / "two.ledgers.index"):
        path.write_bytes(b"canary")
    locations = Locations("petstream.", tmp_path / "archive")
    *_, kept = await find_targets(locations, datetime.now(UTC))
    assert kept.contents == ("3 files",)
    assert kept.delete is not None
    await kept.delete()
    assert [path.name for path in directory.iterdir()] == ["two.ledgers.index"]
    *_, kept = await find_targets(locations, datetime.now(UTC))
    assert kept.delete is None
