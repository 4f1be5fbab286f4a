"""One ingester at a time: who leads, proven to Kafka before every send. See docs/decisions/0009.

Rule 1: who is the only one in the group `<prefix>ingest` and left its lease there, leads.
Rule 2: before every send the last proof is younger than half a session, by a clock that only goes
        forward and by the wall's; else it is proven anew. A sleeper that wakes up finds out here.
Rule 3: whoever was out of the group leads on only if the lease is still its own: then nobody led
        in between.
Rule 4: a leader that ends says that it left nothing on its way. After one that didn't, the next
        waits until the topics refuse whatever it still had, and only then restores its state.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

from ingest.leadership.group import Membership, NotMemberError, observe
from ingest.leadership.lease import (
    SESSION_S,
    Lease,
    fresh,
    has_died,
    lease_of,
    this_process,
    wait_s,
)
from petstream import topics
from petstream.errors import PetstreamError, UnreachableError
from petstream.kafka.client import KAFKA_ERRORS
from petstream.settings import KafkaAccess
from petstream.waiting import Backoff, Delays

_MEND: Final = "let it end, or stop it, and run this again"
_GIVE_UP_AFTER_S: Final = 60.0
_LAST_WORD_S: Final = 5.0  # where Kafka is silent, the minute of a command is almost over
_LOOK_AGAIN: Final = Delays(1.0, factor=1.0, jitter=0.5)

Say = Callable[[str], None]


class NotLeadingError(UnreachableError):
    """Another ingester leads: this run publishes nothing more."""


@asynccontextmanager
async def leading(
    access: KafkaAccess,
    prefix: str,
    say: Say = lambda _line: None,
    *,
    give_up_after_s: float = _GIVE_UP_AFTER_S,
) -> AsyncGenerator[Leadership]:
    """Lead for as long as the block lasts; wait for another one's end.

    Raises:
        NotLeadingError: another ingester leads and doesn't end (UnreachableError: Kafka is away).
    """
    lead = Leadership(access, prefix)
    try:
        await lead.acquire(say, give_up_after_s)
        yield lead
    finally:
        await lead.end()


class Leadership:
    """The right to publish; `check` before every send."""

    def __init__(self, access: KafkaAccess, prefix: str) -> None:
        """Know the group; `acquire` takes the lead."""
        self._access, self._group = access, f"{prefix}ingest"
        self._topic = topics.EXPORTS.full_name(prefix)
        self._name = f"{socket.gethostname()[:60]}:{os.getpid()}/{secrets.token_hex(4)}"
        self._member: Membership | None = None
        self._proven = (0.0, 0.0)
        self._lost: str | None = None
        self._led = False
        self._proving = asyncio.Lock()
        self._heartbeat: asyncio.Task[None] | None = None

    async def acquire(self, say: Say, give_up_after_s: float) -> None:
        """Wait until nobody leads, and lead."""
        said, other = False, "just begun"
        backoff = Backoff(_LOOK_AGAIN, give_up_after_s=give_up_after_s)
        while True:
            try:
                group = await observe(self._access, self._group, self._topic)
                if not group.members:
                    before = await self._take()
                    if self._member is not None:
                        break
                else:
                    other = _shown(group.members[0])
                    if not said:
                        say(f"another ingester leads ({other}): waiting for its end")
                        said = True
                wait_s = backoff.failed()
            except KAFKA_ERRORS as error:
                wait_s = backoff.failed()
                if wait_s is None:
                    raise UnreachableError(
                        f"Kafka at {self._access.bootstrap} is away ({type(error).__name__}): "
                        "start it and run this again; nothing is lost"
                    ) from error
            if wait_s is None:
                raise NotLeadingError(f"another ingester leads ({other}): one at a time; {_MEND}")
            await asyncio.sleep(wait_s)
        self._heartbeat = asyncio.create_task(self._keep())
        await self._outwait(before, say)

    async def check(self) -> None:
        """Return if we lead, just now.

        Raises:
            NotLeadingError: another one does, or did.
        """
        member = self._member
        assert member is not None  # noqa: S101  acquired
        if self._lost is None and not member.shaken and fresh(self._proven, _now()):
            return
        async with self._proving:
            await self._prove(member)

    async def end(self) -> None:
        """Leave, and say that nothing is on its way any more: the publisher is closed by now."""
        if self._heartbeat is not None:
            self._heartbeat.cancel()
            with suppress(asyncio.CancelledError, PetstreamError):
                await self._heartbeat
        if self._member is None:
            return
        if self._led and self._lost is None and not self._member.shaken:
            with suppress(*KAFKA_ERRORS, NotMemberError):
                async with asyncio.timeout(_LAST_WORD_S):
                    await self._member.claim(self._lease(left=True))
        await self._member.leave()

    async def _take(self) -> Lease | None:
        """Join and leave our lease, if nobody was faster; return the lease before ours."""
        member = Membership(
            self._access, self._group, self._topic, name=self._name, session_s=SESSION_S
        )
        ours = False
        try:
            if not await member.join(3 * SESSION_S + _GIVE_UP_AFTER_S / 3):
                return None
            group = await observe(self._access, self._group, self._topic)
            before = lease_of(group.claim)
            if before is not None and not before.left and before.name in group.members:
                return None
            at = _now()
            with suppress(NotMemberError):
                await member.claim(self._lease())
                self._proven, self._member, ours = at, member, True
            return before
        finally:
            if not ours:
                await member.leave()

    async def _outwait(self, before: Lease | None, say: Say) -> None:
        left_s = wait_s(before, now=time.time(), died_here=_died_here(before))
        if before is not None and left_s:
            say(
                f"the ingester {_shown(before.name)} ended without a word: waiting {left_s:.0f} s "
                "until nothing of it can arrive any more"
            )
            await asyncio.sleep(left_s)
        self._led = True  # if this one ends before, the next one waits as well

    async def _keep(self) -> None:
        """Prove it often, whatever the run is doing."""
        while self._lost is None:
            await asyncio.sleep(SESSION_S / 4)
            with suppress(*KAFKA_ERRORS):  # the next send asks again
                async with self._proving:
                    assert self._member is not None  # noqa: S101  acquired
                    await self._prove(self._member)

    async def _prove(self, member: Membership) -> None:
        until = time.monotonic() + 2 * SESSION_S
        while self._lost is None:
            if member.shaken:
                lease = await self._latest_lease(member)
                if lease is None or lease.name != self._name:
                    self._lost = "another one" if lease is None else _shown(lease.name)
                    break
            at = _now()
            try:
                await member.claim(self._lease())
            except NotMemberError:
                member.shaken = True
                if time.monotonic() > until:
                    self._lost = "another one"
                await asyncio.sleep(0.1)
            else:
                if not member.shaken:
                    self._proven = at
                    return
        raise NotLeadingError(
            f"this ingester has lost the lead to {self._lost}, which goes on from here: this run "
            "publishes nothing more"
        )

    async def _latest_lease(self, member: Membership) -> Lease | None:
        member.shaken, asked = False, False
        try:
            lease = lease_of((await observe(self._access, self._group, self._topic)).claim)
            asked = True
        finally:
            member.shaken = member.shaken or not asked
        return lease

    def _lease(self, *, left: bool = False) -> str:
        return Lease(self._name, this_process(), time.time(), left).text()


def _now() -> tuple[float, float]:
    return time.monotonic(), time.time()


def _died_here(before: Lease | None) -> bool:
    process = "" if before is None else before.process
    return process == this_process() or has_died(process)


def _shown(name: str) -> str:
    """Return host and process id of a member's name."""
    return name.partition("/")[0]
