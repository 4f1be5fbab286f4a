"""Who leads, and what a leader leaves behind: a group without Kafka, and a clock that is ours."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from ingest.leadership import election
from ingest.leadership.election import Leadership, NotLeadingError
from ingest.leadership.group import Membership, NotMemberError, ObservedGroup
from ingest.leadership.lease import LEFTOVERS_S, SESSION_S, Lease, lease_of
from petstream.settings import KafkaAccess

ACCESS = KafkaAccess("nowhere:1")


@dataclass
class _Group:
    """The ingesters' group: its claim and members; `at_join` happens while somebody joins."""

    claim: str = ""
    members: tuple[str, ...] = ()
    claims: list[str] = field(default_factory=list)
    joined: int = 0
    now_s: float = 1_000.0
    claiming_takes_s: float = 0.0
    slept_s: list[float] = field(default_factory=list)
    at_join: Callable[[], None] = lambda: None
    member: Any = None

    @property
    def lease(self) -> Lease | None:
        return lease_of(self.claim)

    async def observe(self, _access: KafkaAccess, _group: str, _topic: str) -> ObservedGroup:
        return ObservedGroup(self.claim, self.members)

    def membership(self, *_: object, **__: object) -> Any:
        self.member = _Member(self)
        return self.member


class _Member:
    """Our place in it; the group takes its claims as long as it `holds`."""

    def __init__(self, group: _Group) -> None:
        self.shaken, self.holds, self.left, self._group = False, True, False, group

    async def join(self, _within_s: float) -> bool:
        self._group.joined += 1
        self._group.at_join()
        return True

    async def claim(self, text: str) -> None:
        if not self.holds:
            raise NotMemberError
        self._group.claim = text
        self._group.claims.append(text)
        self._group.now_s += self._group.claiming_takes_s

    async def leave(self) -> None:
        self.left = True


@pytest.fixture
def group(monkeypatch: pytest.MonkeyPatch) -> _Group:
    group, real_sleep = _Group(), asyncio.sleep

    async def sleep(seconds: float) -> None:
        if seconds == SESSION_S / 4:
            await asyncio.Event().wait()  # the heartbeat has nothing to do here
        group.slept_s.append(seconds)
        await real_sleep(0)

    monkeypatch.setattr(election, "observe", group.observe)
    monkeypatch.setattr(election, "Membership", group.membership)
    monkeypatch.setattr(election, "_now", lambda: (group.now_s, group.now_s))
    monkeypatch.setattr(asyncio, "sleep", sleep)
    return group


@asynccontextmanager
async def leading(
    say: Callable[[str], None] = lambda _line: None, give_up_after_s: float = 0.0
) -> AsyncIterator[Leadership]:
    async with election.leading(ACCESS, "t.", say, give_up_after_s=give_up_after_s) as lead:
        yield lead


async def test_a_leader_that_ends_in_order_says_that_it_left(group: _Group) -> None:
    async with leading():
        assert group.lease is not None
        assert not group.lease.left
    assert group.lease.left


async def test_a_silent_kafka_is_not_waited_for_to_hear_that_a_leader_left(
    group: _Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What went wrong before has had the command's minute."""
    monkeypatch.setattr(election, "_LAST_WORD_S", 0.01)

    async def never(_text: str) -> None:
        await asyncio.Event().wait()

    async with asyncio.timeout(5), leading():
        group.member.claim = never
    assert group.member.left


async def test_who_was_thrown_out_of_the_group_says_nothing_at_its_end(group: _Group) -> None:
    """Another one may lead by now: its lease would be overwritten."""
    async with leading():
        group.member.shaken = True
    assert [lease.left for text in group.claims if (lease := lease_of(text))] == [False]


async def test_who_ends_while_it_waits_for_anothers_records_has_not_outwaited_them(
    group: _Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    group.claim = dead_leader(group).text()

    async def stop(*_: object) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(Leadership, "_outwait", stop)
    with pytest.raises(asyncio.CancelledError):
        async with leading():
            pass
    assert group.lease is not None
    assert not group.lease.left, "the next one waits as well"


async def test_after_a_leader_that_ended_without_a_word_its_records_are_waited_for(
    group: _Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", lambda: 1_000.0)
    group.claim = dead_leader(group).text()
    lines: list[str] = []
    async with leading(lines.append):
        assert sum(group.slept_s) == SESSION_S + LEFTOVERS_S
    assert [line.partition(" until")[0] for line in lines] == [
        "the ingester other:7 ended without a word: waiting 610 s"
    ]


def dead_leader(group: _Group, name: str = "other:7/x") -> Lease:
    return Lease(name, "elsewhere 7 1", group.now_s)


async def test_while_another_one_is_in_the_group_nobody_joins(group: _Group) -> None:
    group.members = ("other:7/x",)
    with pytest.raises(NotLeadingError, match=r"another ingester leads \(other:7\)"):
        async with leading():
            pass
    assert (group.joined, group.claims) == (0, [])


async def test_who_joins_at_the_same_time_as_another_leaves_the_lead_to_who_has_claimed_it(
    group: _Group,
) -> None:
    def another_claims() -> None:
        group.claim = dead_leader(group).text()
        group.members = ("other:7/x",)

    group.at_join = another_claims
    with pytest.raises(NotLeadingError):
        async with leading():
            pass
    assert (group.joined, group.claims) == (1, [])


async def test_a_proof_is_good_for_half_a_session_and_then_made_anew(group: _Group) -> None:
    async with leading() as lead:
        await proofs(group, lead.check, after_s=SESSION_S / 2 - 1, made=0)
        await proofs(group, lead.check, after_s=2, made=1)
        await proofs(group, lead.check, after_s=0, made=0)


async def test_a_proof_is_as_old_as_the_question(group: _Group) -> None:
    """Kafka may have said so just after we asked, whenever its answer came."""
    async with leading() as lead:
        group.claiming_takes_s = SESSION_S / 2 + 1
        await proofs(group, lead.check, after_s=SESSION_S, made=1)
        await proofs(group, lead.check, after_s=0, made=1)


async def proofs(
    group: _Group, check: Callable[[], Awaitable[None]], *, after_s: float, made: int
) -> None:
    before = len(group.claims)
    group.now_s += after_s
    await check()
    assert len(group.claims) - before == made


async def test_who_was_out_of_the_group_leads_on_only_if_nobody_led_meanwhile(
    group: _Group,
) -> None:
    async with leading() as lead:
        group.member.shaken = True
        await lead.check()  # the lease is still ours
        group.member.shaken = True
        group.claim = dead_leader(group).text()
        with pytest.raises(NotLeadingError, match="lost the lead to other:7"):
            await lead.check()
        assert lease_of(group.claim) == dead_leader(group), "and it isn't overwritten"


async def test_a_member_learns_that_its_group_is_formed_anew_before_it_joins_again() -> None:
    member = Membership(ACCESS, "t.ingest", "t.exports.v1", name="us", session_s=1.0)
    try:
        assert not member.shaken
        member.on_partitions_revoked(frozenset())
        assert member.shaken
    finally:
        await member.leave()
