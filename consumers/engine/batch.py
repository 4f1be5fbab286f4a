"""What a batch of records comes to: the newest per key, and the culprits of a refused one.

Rule 1: newest means the highest (sequence, digest), never the last offset.
Rule 2: only what is refused alone becomes a dead letter: halves are tried until it is isolated.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from typing import TypeVar

from consumers.engine.postgres import Connection, kind_of

T = TypeVar("T")

Apply = Callable[[Connection, Sequence[T]], Awaitable[None]]


def newest(
    items: Iterable[T], *, key: Callable[[T], Hashable], rank: Callable[[T], tuple[int, str]]
) -> list[T]:
    """Return the newest item of each key, ordered by key (so that two writers never deadlock).

    >>> newest([(1, 5), (2, 1), (1, 4)], key=lambda item: item[0], rank=lambda item: (item[1], ""))
    [(1, 5), (2, 1)]
    """
    by_key: dict[Hashable, T] = {}
    for item in items:
        held = by_key.get(key(item))
        if held is None or rank(item) >= rank(held):
            by_key[key(item)] = item
    return [by_key[each] for each in sorted(by_key)]  # type: ignore[type-var]  # ids sort


async def apply_isolating(
    connection: Connection, items: Sequence[T], apply: Apply[T]
) -> list[tuple[T, Exception]]:
    """Apply all items but those whose data Postgres refuses; return these with the reason.

    Runs inside the caller's transaction. Every other error is raised.
    """
    if not items:
        return []
    try:
        async with connection.transaction():
            await apply(connection, items)
    except Exception as error:
        if kind_of(error) != "refused":
            raise
        if len(items) == 1:
            return [(items[0], error)]
        middle = len(items) // 2
        return [
            *await apply_isolating(connection, items[:middle], apply),
            *await apply_isolating(connection, items[middle:], apply),
        ]
    return []
