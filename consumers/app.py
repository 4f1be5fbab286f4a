"""Where the consumers are put together: the package's composition root."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

from consumers.audit import schedule, settlement
from consumers.engine.migrate import check_migrated
from consumers.engine.runner import Consumer, RunContext, run
from consumers.pets import history, removals
from consumers.pets.retention import forget_once, keep_forgetting, policy_of
from consumers.pictures import wanted
from consumers.pictures.worker import with_workers, worker_config
from consumers.registry import Name
from consumers.tables import table_writer
from petstream import topics
from petstream.errors import PetstreamError, UnreachableError
from petstream.kafka.client import GIVE_UP_AFTER_S, ensure_topics
from petstream.metrics import RECORDS
from petstream.setting_values import RemovalLimits
from petstream.settings import KafkaAccess, Settings
from petstream.waiting import Backoff, Delays, pause, unless_stopped

_DELAYS: Final = Delays(1.0, factor=1.0)


def _silent(_name: str, _records: int) -> None:
    """Report to nobody."""


async def consume(  # noqa: PLR0913  the composition root takes what all parts need
    names: Sequence[Name],
    settings: Settings,
    *,
    kafka: KafkaAccess,
    database_url: str,
    drain: bool = False,
    stopping: asyncio.Event,
    progress: Callable[[str, int], None] = _silent,
) -> None:
    """Run consumers until told to stop or, with `drain`, until all that was there is applied.

    Args:
        names: which consumers.
        settings: the prefix of topics and groups, what becomes of pictures, the format of rows.
        kafka: how to reach Kafka.
        database_url: the migrated database; never printed.
        drain: end by itself, and give up on a server that is away for 60 s.
        stopping: set it to stop after the batch in hand.
        progress: takes a consumer's name and how many records it has just applied.

    Raises:
        PetstreamError: the database isn't migrated, or too many records are refused.
        UnreachableError: draining, and a server was away for too long.
    """
    give_up_after_s = GIVE_UP_AFTER_S if drain else None
    made = (*topics.ALL, *topics.TABLES) if "tables" in names else topics.ALL
    await unless_stopped(
        ensure_topics(kafka, settings.topic_prefix, give_up_after_s=give_up_after_s, wanted=made),
        stopping,
    )
    await _until_reachable(database_url, give_up_after_s, stopping)

    applied = asyncio.Event()

    def counted(name: str, records: int) -> None:
        RECORDS.labels(name).inc(records)
        progress(name, records)
        if name == "pets":
            applied.set()

    context = RunContext(
        kafka=kafka, database_url=database_url, prefix=settings.topic_prefix, drain=drain,
        stopping=stopping, progress=counted,
    )  # fmt: skip
    limits = RemovalLimits(settings.removal_max_share, settings.removal_max_count)
    auditor = settlement.Auditor(context, settings.pictures, limits)
    try:
        async with asyncio.TaskGroup() as group:
            for name in dict.fromkeys(names):
                consuming = run(consumer_named(name, settings, kafka), context)
                if name == "images":
                    consuming = with_workers(consuming, worker_config(settings), context)
                group.create_task(consuming, name=name)
            if "deletions" in names and not drain:
                forgetting = keep_forgetting(policy_of(settings), context)
                group.create_task(unless_stopped(forgetting, stopping), name="retention")
            if "pets" in names and not drain:
                auditing = schedule.keep_auditing(auditor, applied)
                group.create_task(unless_stopped(auditing, stopping), name="audit")
        if drain:
            await unless_stopped(_finish(names, settings, auditor), stopping)
    except ExceptionGroup as errors:
        ours, others = errors.split(PetstreamError)
        if ours is None or others is not None:
            raise
        raise _first(ours) from None


async def _finish(names: Sequence[Name], settings: Settings, auditor: settlement.Auditor) -> None:
    """Do behind consumers that drained what else goes on beside them."""
    await settlement.settle_once(auditor)
    if "deletions" in names:
        await forget_once(policy_of(settings), auditor.context)


def consumer_named(name: Name, settings: Settings, kafka: KafkaAccess) -> Consumer[Any]:
    """Return what a consumer is, as the settings ask for it."""
    match name:
        case "pets":
            return history.CONSUMER
        case "deletions":
            return removals.CONSUMER
        case "images":
            return wanted.consumer(settings.pictures)
        case "tables":
            return table_writer.consumer(kafka, settings.topic_prefix, settings.table_format)


async def _until_reachable(
    database_url: str, give_up_after_s: float | None, stopping: asyncio.Event
) -> None:
    """Return once the database is there, and see that it is migrated."""
    backoff = Backoff(_DELAYS, give_up_after_s=give_up_after_s)
    while not stopping.is_set():
        try:
            await check_migrated(database_url)
        except UnreachableError:
            wait_s = backoff.failed()
            if wait_s is None:
                raise
            await pause(stopping, wait_s)
        else:
            return


def _first(errors: ExceptionGroup[PetstreamError]) -> PetstreamError:
    error = errors.exceptions[0]
    return _first(error) if isinstance(error, ExceptionGroup) else error
