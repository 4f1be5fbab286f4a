"""What is forgotten in time: data of pets and organisations that left, and contacts not wanted.

Rule 1: it works beside the partitions, in small steps, each a transaction of its own; it waits for
        nobody's lock. Doing it twice is harmless, stopping it anywhere too.
Rule 2: what guards against older events stays: key, sequence, digest and time of the removal.
Rule 3: days count from the removal to the newest completed export: a clock that is wrong, or a
        feed that stands still, forgets nothing.
Rule 4: what a replay or a rebuild brings back goes again: pets at the next look, history within a
        day. One line a run in which anything was forgotten.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from consumers.engine.backoff import Retry
from consumers.engine.postgres import Connection, connected
from consumers.engine.queries import query
from consumers.engine.runner import RunContext
from petstream.settings import Settings
from petstream.waiting import pause

_CHECK_EVERY_S: Final = 60.0
_BATCH_ROWS: Final = 500
_BEGINNING: Final = datetime(1, 1, 1, tzinfo=UTC)

_log = logging.getLogger(__name__)


class RetentionPolicy(NamedTuple):
    """How many days a removed pet is remembered (None: for ever), and whether contacts are kept."""

    removed_days: int | None
    contacts: bool


class Forgotten(NamedTuple):
    """How many rows lost what they held."""

    pets: int = 0
    organizations: int = 0
    events: int = 0
    pictures: int = 0
    contacts: int = 0


def policy_of(settings: Settings) -> RetentionPolicy:
    """Return what the settings ask for."""
    return RetentionPolicy(settings.removed_days, settings.publish_contacts)


async def keep_forgetting(policy: RetentionPolicy, context: RunContext) -> None:
    """Forget every minute what is due, until told to stop: beside a daemon's deletions."""
    retry = Retry("retention", context.stopping, limited=False)
    while not context.stopping.is_set():
        async with retry:
            await _connect_and_forget(policy, context)
            retry.progressed()
            await pause(context.stopping, _CHECK_EVERY_S)


async def forget_once(policy: RetentionPolicy, context: RunContext) -> None:
    """Forget what is due, behind deletions that drain; gives up on a server after 60 s."""
    retry = Retry("retention", context.stopping, limited=True)
    while not context.stopping.is_set():
        async with retry:
            await _connect_and_forget(policy, context)
            return


async def _connect_and_forget(policy: RetentionPolicy, context: RunContext) -> None:
    async with connected(context.database_url) as connection:
        await forget_if_due(connection, policy)


async def forget_if_due(connection: Connection, policy: RetentionPolicy) -> Forgotten | None:
    """Forget what is to be forgotten, if a day has passed or there is something; else None."""
    until = await forgotten_until(connection, policy, datetime.now(UTC))
    began = await connection.fetchval(
        query("begin_retention"), policy.removed_days, policy.contacts
    )
    due = began is not None
    if not due and (
        until is None or not await connection.fetchval(query("anything_to_forget"), until)
    ):
        return None
    forgotten = Forgotten() if until is None else await forget(connection, until)
    if due and not policy.contacts:
        forgotten = forgotten._replace(contacts=await _forget_contacts(connection))
    if any(forgotten):
        counts = ", ".join(
            f"{name} {count:,}" for name, count in forgotten._asdict().items() if count
        )
        _log.info("forgotten, as PETSTREAM_REMOVED_DAYS and PETSTREAM_CONTACTS ask: %s", counts)
    return forgotten


async def forgotten_until(
    connection: Connection, policy: RetentionPolicy, now: datetime
) -> datetime | None:
    """Return until when removals are forgotten; None: none is."""
    if policy.removed_days is None:
        return None
    for row in await connection.fetch(query("newest_exports")):
        with suppress(ValueError, OverflowError):
            start = datetime.fromisoformat(row["export_id"].partition("Z")[0]).replace(tzinfo=UTC)
            return min(start, now) - timedelta(days=policy.removed_days)
    return None


async def forget(connection: Connection, until: datetime) -> Forgotten:
    """Forget all that left until then."""
    pets = events = pictures = 0
    last: tuple[datetime, int] = (_BEGINNING, 0)
    while True:
        rows = await connection.fetch(query("departed_pets"), until, *last, _BATCH_ROWS)
        keys = sorted(row["animal_id"] for row in rows)
        if keys:
            events += _count(await connection.execute(query("forget_history"), keys, until))
            pictures += await connection.fetchval(query("forget_pictures"), keys, until)
            pets += _count(await connection.execute(query("forget_pets"), keys, until))
            last = (rows[-1]["removed_at"], rows[-1]["animal_id"])
        if len(rows) < _BATCH_ROWS:
            break
    organizations = _count(await connection.execute(query("forget_organizations"), until))
    return Forgotten(pets, organizations, events, pictures)


async def _forget_contacts(connection: Connection) -> int:
    pets = events = last = 0
    while rows := await connection.fetch(query("forget_contacts"), last, _BATCH_ROWS):
        last = max(row["animal_id"] for row in rows)
        pets += len(rows)
    while cleared := _count(await connection.execute(query("forget_old_contacts"), _BATCH_ROWS)):
        events += cleared
    return pets + events


def _count(status: str) -> int:
    """Return the number in what Postgres says of an UPDATE.

    >>> _count("UPDATE 12")
    12
    """
    return int(status.rpartition(" ")[2])
