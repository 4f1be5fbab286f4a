"""Until when removals are forgotten, and in which steps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from scripted_connection import ScriptedConnection

from consumers.pets import retention
from consumers.pets.retention import RetentionPolicy, forget, forgotten_until

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
DAY = timedelta(days=1)


async def until(*export_ids: str, days: int | None = 30) -> datetime | None:
    """Return until when removals are forgotten, after these completed exports, newest first."""
    connection: Any = ScriptedConnection(
        newest_exports=[{"export_id": each} for each in export_ids]
    )
    return await forgotten_until(connection, RetentionPolicy(days, contacts=False), NOW)


async def test_days_count_to_the_newest_export_and_never_beyond_now() -> None:
    """A feed that stands still, or a clock that is wrong, forgets nothing."""
    stood_still = datetime(2026, 8, 1, 8, tzinfo=UTC)
    assert await until("2026-08-01T08:00:00Z") == stood_still - 30 * DAY
    assert await until("2026-08-01T08:00:00Z.2") == stood_still - 30 * DAY
    assert await until("2031-01-01T08:00:00Z") == NOW - 30 * DAY
    assert await until("9999-99-99T08:00:00Z", "2026-08-01T08:00:00Z") == stood_still - 30 * DAY
    assert await until() is None


async def test_who_remembers_for_ever_forgets_nothing() -> None:
    assert await until("2026-08-01T08:00:00Z", days=None) is None


async def test_as_many_steps_are_made_as_there_is_something_to_forget(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retention, "_BATCH_ROWS", 2)
    departed = [(key, NOW - key * DAY) for key in (9, 8, 7, 6, 5)]

    def departed_pets(_until: datetime, at: datetime, _key: int, most: int) -> list[Any]:
        behind = [(key, removed_at) for key, removed_at in departed if removed_at > at]
        return [{"animal_id": key, "removed_at": removed_at} for key, removed_at in behind[:most]]

    forgotten: list[int] = []

    def forget_pets(keys: list[int], _until: datetime) -> str:
        forgotten.extend(keys)
        return f"UPDATE {len(keys)}"

    connection: Any = ScriptedConnection(
        departed_pets=departed_pets, forget_pets=forget_pets, forget_pictures=1
    )
    result = await forget(connection, NOW)
    assert sorted(forgotten) == [5, 6, 7, 8, 9]
    assert (result.pets, result.pictures) == (5, 3)
