"""What a batch comes to: the newest of each key, and the culprits of one that is refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import asyncpg
import pytest
from scripted_connection import ScriptedConnection

from consumers.engine.batch import apply_isolating, newest


def test_of_a_batch_the_newest_of_each_key_counts_in_the_order_of_keys() -> None:
    """Whatever the order; two writers in one order never wait for each other in a circle."""
    items = [(3, 1, "a"), (1, 5, "a"), (1, 5, "b"), (2, 9, "x"), (1, 4, "z")]
    chosen = newest(items, key=lambda item: item[0], rank=lambda item: item[1:])
    assert chosen == [(1, 5, "b"), (2, 9, "x"), (3, 1, "a")]


@pytest.mark.parametrize("bad", [{0}, {7}, {3, 4}, set(range(8))])
async def test_only_what_is_refused_alone_is_set_aside(bad: set[int]) -> None:
    applied: list[int] = []

    async def apply(_connection: Any, items: Sequence[int]) -> None:
        if bad.intersection(items):
            raise asyncpg.DataError("a value that no column takes")
        applied.extend(items)

    refused = await apply_isolating(ScriptedConnection(), range(8), apply)  # type: ignore[arg-type]  # just what is asked of it
    assert {item for item, _ in refused} == bad
    assert sorted(applied) == sorted(set(range(8)) - bad)


@pytest.mark.parametrize("trouble", [OSError(), TimeoutError(), asyncpg.DeadlockDetectedError()])
async def test_trouble_with_the_server_sets_nothing_aside(trouble: Exception) -> None:
    async def apply(_connection: Any, _items: Sequence[int]) -> None:
        raise trouble

    with pytest.raises(type(trouble)):
        await apply_isolating(ScriptedConnection(), [1], apply)  # type: ignore[arg-type]  # just what is asked of it
