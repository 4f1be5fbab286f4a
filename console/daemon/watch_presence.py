"""The watch of the feed seen from outside: a member of a group of its own, that says what it does.

Rule 1: it is there for whoever looks and nothing depends on it: what goes wrong with it is no
        trouble of the watch's, and is tried again.
Rule 2: what it does is said when that changes, and every `_SAY_EVERY_S` while rows are read.
Rule 3: of several watches the one whom Kafka gave the group's partition speaks; all are members.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Final

import msgspec

from console.inspect.trouble.presence import WatchReport, watch_group
from ingest.leadership.group import Membership, NotMemberError
from petstream import topics
from petstream.errors import PetstreamError, UnreachableError
from petstream.kafka.client import KAFKA_ERRORS, ensure_topics
from petstream.kafka.groups import own_name
from petstream.settings import KafkaAccess

_SESSION_S: Final = 10.0
_JOIN_S: Final = 60.0
_SAY_EVERY_S: Final = 5.0
_SAY_AGAIN_S: Final = 60.0
_REJOIN_AFTER_S: Final = 30.0
_LONGEST_WHY: Final = 300
_AT_WORK: Final = ("looking", "reading")


class WatchPresence:
    """What the watch does now."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        """Begin with a look."""
        self._clock = clock
        self._changed = asyncio.Event()
        self._waited_for: str | None = None
        self._waits_since = clock()
        self.looking()

    def looking(self) -> None:
        """Say that a look at the feed begins."""
        self._since, self._rows = self._clock(), dict[str, int]()
        self._say("looking")

    def read(self, file: str, rows: int) -> None:
        """Say how many rows of a file are read."""
        self._rows[file] = rows
        if self._doing == "looking":
            self._say("reading")

    def resting(self, why: str | None = None) -> None:
        """Say that it rests until the next look, or waits, and why."""
        self._say("resting" if why is None else "waiting", why)

    def report(self) -> WatchReport:
        """Return what it does, as it is left in the group."""
        reads = self._doing in _AT_WORK
        since = self._since if reads else self._waits_since if self._why else None
        return WatchReport(
            at=self._clock().replace(microsecond=0),
            doing=self._doing,
            why=self._why,
            since=None if since is None else since.replace(microsecond=0),
            rows=dict(self._rows) if reads else {},
        )

    def _say(self, doing: str, why: str | None = None) -> None:
        why = None if why is None else why[:_LONGEST_WHY]
        if why is not None and why != self._waited_for:
            self._waited_for, self._waits_since = why, self._clock()
        elif doing == "resting":
            self._waited_for = None
        self._doing, self._why = doing, why
        self._changed.set()

    async def next_report(self) -> WatchReport:
        """Return what it does, once there is news of it, or it was said long ago."""
        wait_s = _SAY_EVERY_S if self._doing in _AT_WORK else _SAY_AGAIN_S
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._changed.wait()
        self._changed.clear()
        return self.report()


@asynccontextmanager
async def present(
    access: KafkaAccess, prefix: str, presence: WatchPresence, say: Callable[[str], None]
) -> AsyncGenerator[None]:
    """Be seen, and say what is done, while the block runs."""
    task = asyncio.create_task(_stay(access, prefix, presence, say), name="presence")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


async def _stay(
    access: KafkaAccess, prefix: str, presence: WatchPresence, say: Callable[[str], None]
) -> None:
    while True:
        with suppress(NotMemberError, UnreachableError, *KAFKA_ERRORS):
            try:
                await _stay_once(access, prefix, presence)
            except UnreachableError:
                raise
            except PetstreamError as error:  # it may not: nothing is lost but the sight of it
                say(f"{error}; until then the pages can't say that the watch runs")
                return
        await asyncio.sleep(_REJOIN_AFTER_S)


async def _stay_once(access: KafkaAccess, prefix: str, presence: WatchPresence) -> None:
    await ensure_topics(access, prefix)
    member = Membership(
        access, watch_group(prefix), topics.EXPORTS.full_name(prefix), name=own_name(),
        session_s=_SESSION_S,
    )  # fmt: skip
    try:
        await member.join(_JOIN_S)
        while True:
            report = await presence.next_report()
            if member.owns:
                await member.claim(msgspec.json.encode(report).decode())
    finally:
        await member.leave()
