"""What the watch says of itself to whoever looks."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from console.daemon import watch_presence
from console.daemon.watch_presence import WatchPresence

BEGAN = datetime(2026, 11, 23, 8, tzinfo=UTC)


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        """Begin."""
        self.now = BEGAN

    def __call__(self) -> datetime:
        """Tell the time."""
        return self.now


def test_it_says_what_it_does_and_since_when() -> None:
    clock = Clock()
    presence = WatchPresence(clock)
    assert presence.report().doing == "looking"
    clock.now += timedelta(minutes=1)
    presence.read("pets_1.json", 1_000)
    presence.read("pets_1.json", 2_000)
    reading = presence.report()
    assert (reading.doing, reading.since, reading.rows) == ("reading", BEGAN, {"pets_1.json": 2000})
    presence.resting()
    assert (presence.report().doing, presence.report().rows) == ("resting", {})
    presence.looking()
    assert presence.report().rows == {}


def test_what_it_waits_for_is_said_since_it_began_and_not_since_the_last_look() -> None:
    clock = Clock()
    presence = WatchPresence(clock)
    for _ in range(3):
        clock.now += timedelta(minutes=5)
        presence.looking()
        presence.resting("no room")
    assert presence.report().since == BEGAN + timedelta(minutes=5)
    presence.resting("another reason " * 100)
    assert presence.report().since == BEGAN + timedelta(minutes=15)
    assert len(presence.report().why or "") == 300


async def test_news_are_said_at_once_and_the_rest_now_and_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watch_presence, "_SAY_AGAIN_S", 3_600.0)
    presence = WatchPresence(lambda: BEGAN)
    presence.resting()
    assert (await presence.next_report()).doing == "resting"
    waiting = asyncio.create_task(presence.next_report())
    presence.looking()
    async with asyncio.timeout(30):
        assert (await waiting).doing == "looking"
    monkeypatch.setattr(watch_presence, "_SAY_EVERY_S", 0.0)
    assert (await presence.next_report()).doing == "looking"
