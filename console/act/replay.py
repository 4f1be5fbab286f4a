"""`replay`: from the options to offsets in the log, and a table of what is read again.

Rule 1: a partition is ``3`` (of the pets) or ``orgs.v1/0``, as dead letters name their origin.
Rule 2: a time without a zone is UTC.
"""

from __future__ import annotations

import re
from argparse import Namespace
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from console.runtime.output import print_document, say
from consumers.admin.replay import (
    FromBeginning,
    FromExport,
    FromOffsets,
    FromTime,
    ReplayStart,
    Rewind,
    replay,
)
from petstream.errors import UsageError
from petstream.kafka.client import ensure_topics
from petstream.kafka.records import TopicPartition
from petstream.settings import KafkaAccess, Settings
from petstream.topics import PETS

_OFFSET: Final = re.compile(r"(?:(?P<topic>[\w.-]+)/)?(?P<partition>\d{1,6}):(?P<at>\d{1,18})")


async def rewind_consumer(
    options: Namespace, settings: Settings, *, kafka: KafkaAccess, database_url: str
) -> int:
    """Rewind a consumer, or say what that would read; return the exit status."""
    where = start_of_replay(options, settings.topic_prefix)
    await ensure_topics(kafka, settings.topic_prefix)
    rewinds = await replay(
        options.consumer,
        where,
        access=kafka,
        database_url=database_url,
        prefix=settings.topic_prefix,
        dry_run=options.dry_run,
    )
    if options.json:
        print_document(replay_document(options.consumer, rewinds, dry_run=options.dry_run))
    else:
        say(report(options.consumer, rewinds, dry_run=options.dry_run))
    return 0


def replay_document(consumer: str, rewinds: Sequence[Rewind], *, dry_run: bool) -> dict[str, Any]:
    """Return what becomes of each partition, as plain JSON types."""
    records = sum(rewind.records for rewind in rewinds)
    return {
        "consumer": consumer,
        "moved": bool(records) and not dry_run,
        "records": records,
        "partitions": [
            {
                "topic": rewind.partition.topic,
                "partition": rewind.partition.partition,
                "isAt": rewind.now,
                "beginsAt": rewind.to,
                "end": rewind.end,
                "records": rewind.records,
            }
            for rewind in rewinds
        ],
    }


def start_of_replay(options: Namespace, prefix: str) -> ReplayStart:
    """Return where a replay is to begin, as the options say."""
    if options.from_time is not None:
        return FromTime(parse_time(options.from_time))
    if options.from_offset is not None:
        return FromOffsets(parse_offsets(options.from_offset, prefix))
    if options.from_export is not None:
        return FromExport(options.from_export)
    return FromBeginning()


def parse_time(text: str) -> datetime:
    """Return a time as a person writes it.

    >>> parse_time("2026-11-20").isoformat(), parse_time("2026-11-20T04:00-05:00").isoformat()
    ('2026-11-20T00:00:00+00:00', '2026-11-20T04:00:00-05:00')
    """
    try:
        time = datetime.fromisoformat(text.strip())
        time = time if time.tzinfo else time.replace(tzinfo=UTC)
        is_valid = time.timestamp() >= 0
    except (ValueError, OverflowError):
        is_valid = False
    if not is_valid:
        raise UsageError(
            f"--from-time: {text[:40]!r} is no time; for example 2026-11-20T08:00Z"
        ) from None
    return time


def parse_offsets(words: Iterable[str], prefix: str) -> dict[TopicPartition, int]:
    """Return offsets by partition.

    >>> parse_offsets(["3:120"], "petstream.")
    {TopicPartition(topic='petstream.pets.v1', partition=3): 120}
    """
    offsets: dict[TopicPartition, int] = {}
    for word in words:
        match = _OFFSET.fullmatch(word) if word.isascii() else None
        if match is None:
            raise UsageError(
                f"--from-offset: {word[:40]!r} isn't PARTITION:OFFSET; "
                "for example 3:120, or orgs.v1/0:40"
            )
        topic = match["topic"] or PETS.name
        name = topic if topic.startswith(prefix) else f"{prefix}{topic}"
        offsets[TopicPartition(name, int(match["partition"]))] = int(match["at"])
    return offsets


def report(consumer: str, rewinds: Sequence[Rewind], *, dry_run: bool) -> str:
    """Return what becomes of each partition, and of all."""
    names = [str(rewind.partition) for rewind in rewinds]
    width = max(map(len, names), default=0)
    lines = [f"{'PARTITION':<{width}}  {'IS AT':>10}  {'BEGINS AT':>10}  {'RECORDS':>10}"]
    lines.extend(
        f"{name:<{width}}  {rewind.now:>10,}  {rewind.to:>10,}  {rewind.records:>10,}"
        for name, rewind in zip(names, rewinds, strict=True)
    )
    records = sum(rewind.records for rewind in rewinds)
    if not records:
        lines.append(f"The consumer {consumer} is no further than that: nothing to replay.")
    elif dry_run:
        lines.append(f"Would read up to {records:,} records again. Nothing was moved.")
    else:
        lines.append(
            f"Moved. Up to {records:,} records are read again once it runs: "
            f"petstream consume {consumer}"
        )
    return "\n".join(lines)
