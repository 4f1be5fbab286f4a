"""A connection without Postgres: named queries are answered as a test says, and remembered.

What SQL itself does, only a real Postgres shows: here it is about what is asked, and when.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

from consumers.engine.queries import queries


class ScriptedConnection:
    """Answers queries by their names: with a value, or what a function of their arguments says."""

    def __init__(self, **answers: Any) -> None:
        """Answer so; what isn't named finds nothing."""
        self.asked: list[str] = []
        self.arguments: dict[str, tuple[Any, ...]] = {}
        """Of each query, when it was asked last."""
        self._answers = answers
        self._names = {text: name for name, text in queries().items()}

    def _answer(self, sql: str, arguments: tuple[Any, ...], otherwise: Any) -> Any:
        name = self._names[sql]
        self.asked.append(name)
        self.arguments[name] = arguments
        answer = self._answers.get(name, otherwise)
        return answer(*arguments) if callable(answer) else answer

    async def fetch(self, sql: str, *arguments: Any) -> Any:
        """Return rows."""
        return self._answer(sql, arguments, [])

    async def fetchrow(self, sql: str, *arguments: Any) -> Any:
        """Return a row, or None."""
        return self._answer(sql, arguments, None)

    async def fetchval(self, sql: str, *arguments: Any) -> Any:
        """Return a value, or None."""
        return self._answer(sql, arguments, None)

    async def execute(self, sql: str, *arguments: Any) -> Any:
        """Return what Postgres says of a change."""
        return self._answer(sql, arguments, "UPDATE 0")

    async def executemany(self, sql: str, rows: Iterable[Any]) -> None:
        """Do it for rows."""
        self._answer(sql, tuple(rows), None)

    @asynccontextmanager
    async def transaction(self, **_: Any) -> AsyncIterator[None]:
        """Be in a transaction; an error goes through."""
        yield
