"""The database: tables as dicts, transactions, and connections that speak as asyncpg's do.

Rule 1: one transaction writes at a time, on copies that take the tables' place when it commits.
        Others read what was committed; a read-only one reads what was there when it began.
Rule 2: a statement is one of consumers/sql by its text; what it does stands in `simulated.queries`.
        `Database.trace` keeps what was asked and answered, for a real Postgres to be asked the same
        (`test_pure_sql`).
Rule 3: what a killed process had begun is rolled back.
Rule 4: a row that an older one takes the place of is remembered: `checks` asks.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Iterable, Iterator
from types import SimpleNamespace
from typing import Any, Final, NamedTuple

import asyncpg
import pytest
from simulated import queries
from simulated.clock import Clock
from simulated.process import Process, current
from simulated.queries import Row, Tables, View

from consumers.engine.migrate import migrations
from consumers.engine.queries import queries as texts
from consumers.engine.queries import query, several
from consumers.engine.rows import AT_ONCE
from consumers.pets.current import RESTATED

_PID: Final = 1
_ADVISORY: Final = frozenset({"audit_may_last", "audit_lock"})
_GUARDED: Final = frozenset({"pet", "organization", "picture_set"})


class Asked(NamedTuple):
    """A statement as it was carried out: its name, its arguments, and its answer."""

    name: str
    arguments: tuple[Any, ...]
    rows: list[Row]
    written: int


class Database:
    """A Postgres: what is committed, and who writes."""

    def __init__(self, clock: Clock) -> None:
        """Begin with empty tables."""
        self.clock = clock
        self.tables: Tables = queries.empty()
        self.writing = asyncio.Lock()
        self.auditor: Connection | None = None
        """Who holds the audit's lock."""
        self.trace: list[list[Asked]] = []
        """What was asked, by transaction."""
        self.set_back: list[str] = []
        """Rows that an older event overwrote; a dump that is put back isn't one."""
        self._copies: list[tuple[Tables, list[list[Asked]]]] = []

    def commit(self, written: Tables, asked: list[Asked]) -> None:
        """Let what was written take the tables' place."""
        for name in _GUARDED & written.keys():
            held = self.tables[name]
            for key, row in written[name].items():
                before = held.get(key)
                if before is not row and before is not None and _age(row) < _age(before):
                    self.set_back.append(f"{name} {key}: {_age(row)} behind {_age(before)}")
        self.tables = {**self.tables, **written}
        self.trace.append(asked)

    def back_up(self) -> None:
        """Dump it."""
        self._copies.append((copy.deepcopy(self.tables), [*self.trace]))

    def restore(self, pick: Callable[[int], int]) -> bool:
        """Put a dump back, `pick` says which; False: there is none."""
        if not self._copies:
            return False
        tables, trace = self._copies[pick(len(self._copies))]
        self.tables, self.trace = copy.deepcopy(tables), [*trace]
        return True

    def empty(self) -> None:
        """Lose everything."""
        self.tables, self.trace = queries.empty(), []


class _Transaction:
    """One transaction, or a savepoint within it."""

    def __init__(self, connection: Connection, *, readonly: bool) -> None:
        self._connection, self._readonly = connection, readonly
        self._outer: View | None = None

    async def __aenter__(self) -> None:
        connection = self._connection
        self._outer = connection.view
        if self._outer is None:
            await connection.step()
            connection.begin(readonly=self._readonly)
        else:
            connection.view = self._outer.savepoint()

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        connection = self._connection
        if self._outer is None:
            connection.end(commits=kind is None)
            if kind is None:
                await connection.step()
        elif kind is None:
            assert connection.view is not None
            self._outer.take(connection.view)
            connection.view = self._outer
        else:
            connection.view = self._outer


class Connection:
    """`asyncpg.Connection`, as far as it is used."""

    def __init__(self, database: Database) -> None:
        """Connect."""
        self.process: Process = current.get()
        self.view: View | None = None
        self._root: View | None = None
        self._database = database
        self._writes = False
        self._readonly = False
        self._asked: list[Asked] = []
        self._cursor: list[Row] = []
        self._is_closed = False
        self._transport = SimpleNamespace(get_extra_info=lambda _name: None)
        self.process.on_kill.append(self.terminate)

    # transactions

    def transaction(self, *, isolation: str | None = None, readonly: bool = False) -> _Transaction:
        """Begin a transaction, or a savepoint in the one there is."""
        assert isolation in {None, "repeatable_read"}
        return _Transaction(self, readonly=readonly)

    def begin(self, *, readonly: bool) -> None:
        """Begin a transaction."""
        self._readonly = readonly
        self.view = self._root = View(self._database.tables)
        if readonly:
            self._database.trace.append(self._asked)

    def end(self, *, commits: bool) -> None:
        """End it; what was written takes the tables' place, or is forgotten."""
        database, view = self._database, self.view
        self.view = None
        if self._is_closed:
            return
        if self._writes:
            if commits:
                assert view is not None
                database.commit(view.written, self._asked)
            database.writing.release()
        if database.auditor is self:
            database.auditor = None
        self._asked, self._writes, self._readonly = [], False, False

    async def step(self) -> None:
        """Pass a call; raises as asyncpg does where the connection is gone."""
        await self.process.step()
        if self._is_closed:
            raise asyncpg.InterfaceError("connection is closed")

    # statements

    async def _ask(self, text: str, arguments: tuple[Any, ...]) -> Asked:
        await self.step()
        name = _names().get(text)
        if name is None:
            return Asked("", arguments, _of_system(text), 0)
        database = self._database
        if name in _ADVISORY:
            return Asked(name, arguments, [{"locked": self._lock(name)}], 1)
        if self.view is None:
            async with database.writing:
                view = View(database.tables)
                answer = queries.carry_out(view, name, arguments, database.clock.now())
                asked = Asked(name, arguments, *answer)
                database.commit(view.written, [asked])
            return asked
        if not self._readonly and not self._writes:
            await database.writing.acquire()
            if self._is_closed:
                database.writing.release()
                raise asyncpg.InterfaceError("connection is closed")
            self._writes = True
            assert self._root is not None
            self._root.tables = database.tables  # what others committed while we waited
            self.view = self._root if self.view is self._root else self._root.savepoint()
        answer = queries.carry_out(self.view, name, arguments, database.clock.now())
        asked = Asked(name, arguments, *answer)
        self._asked.append(asked)
        return asked

    def _lock(self, name: str) -> bool:
        if name == "audit_lock" and self._database.auditor is None:
            self._database.auditor = self
        return self._database.auditor is self

    async def execute(self, text: str, *arguments: Any) -> str:
        """Carry out a statement; return what Postgres says of it."""
        if text.startswith("DECLARE"):
            asked = await self._ask(text.partition(" FOR ")[2], ())
            self._cursor = asked.rows
            return "DECLARE CURSOR"
        return f"DONE {(await self._ask(text, arguments)).written}"

    async def executemany(self, text: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Carry out a statement for each row, also where several are written by one."""
        alone, one_by_one = _alone(text, rows)
        for row in [*one_by_one]:
            await self._ask(alone, tuple(row))

    async def fetch(self, text: str, *arguments: Any) -> list[Row]:
        """Return all rows."""
        if text.startswith("FETCH"):
            rows, self._cursor = self._cursor, []
            return rows
        return (await self._ask(text, arguments)).rows

    async def fetchrow(self, text: str, *arguments: Any) -> Row | None:
        """Return the first row."""
        return next(iter(await self.fetch(text, *arguments)), None)

    async def fetchval(self, text: str, *arguments: Any) -> Any:
        """Return the first value."""
        row = await self.fetchrow(text, *arguments)
        return None if row is None else next(iter(row.values()))

    # the client

    async def prepare(self, text: str, *, name: str) -> Connection:
        """Prepare what is asked of a server just reached."""
        assert not name
        assert "pg_backend_pid" in text
        return _Greeting(self._database)

    def get_server_pid(self) -> int:
        """Return the number of the server's process."""
        return _PID

    async def close(self, *, timeout: float) -> None:  # noqa: ARG002, ASYNC109  asyncpg's interface
        """Disconnect."""
        self.terminate()

    def terminate(self) -> None:
        """Disconnect at once: what was begun is rolled back (rule 3)."""
        if not self._is_closed:
            self.end(commits=False)
            self._is_closed = True


class _Greeting(Connection):
    async def fetchrow(self, *_: object) -> Row | None:
        return {"pid": _PID, "standby": False, "read_only": False, "encoding": "UTF8"}


def install(database: Database, patch: pytest.MonkeyPatch) -> None:
    """Give everybody this database."""

    async def connect(*_: object, **__: object) -> Connection:
        connection = Connection(database)
        await connection.step()
        return connection

    patch.setattr(asyncpg, "connect", connect)


def _age(row: Row) -> tuple[int, str]:
    return row["sequence"], row["digest"]


def _names() -> dict[str, str]:
    if not _BY_TEXT:
        _BY_TEXT.update({text: name for name, text in texts().items()})
    return _BY_TEXT


_BY_TEXT: Final[dict[str, str]] = {}


def _alone(text: str, rows: Iterable[Iterable[Any]]) -> tuple[str, Iterable[Iterable[Any]]]:
    """Return the statement that writes one row, and the rows; `test_current` proves it the same."""
    for name, fixed in {**RESTATED, "record_pet_event": None}.items():
        if text == several(name, AT_ONCE, fixed):
            return query(name), (row for group in rows for row in _apart(group, fixed))
    return text, rows


def _apart(values: Iterable[Any], fixed: int | None) -> Iterator[tuple[Any, ...]]:
    group = tuple(values)
    size = len(group) // AT_ONCE
    for first in range(0, len(group), size):
        row = group[first : first + size]
        yield row if fixed is None else (*row[: fixed - 1], False, *row[fixed - 1 :])


def _of_system(text: str) -> list[Row]:
    """Return what a migrated database says of itself."""
    if "to_regclass" in text:
        return [{"to_regclass": "petstream.schema_migration"}]
    if "schema_migration" in text:
        return [{"name": each.name, "checksum": each.checksum} for each in migrations()]
    if text == "SELECT 1":
        return [{"": 1}]
    assert text.startswith("CLOSE"), text
    return []
