"""The only door to asyncpg: connections, and what kind of error an error is.

Rule 1: trouble with the server never makes a dead letter; a refused datum always does.
Rule 2: no message holds the DSN or anything of it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final, Literal, TypeAlias

import asyncpg

from petstream.errors import PetstreamError

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
ErrorKind = Literal["transient", "refused", "other"]

_CONNECT_S: Final = 10.0
_COMMAND_S: Final = 120.0
_SETTINGS: Final = {
    "application_name": "petstream",
    "timezone": "UTC",
    "jit": "off",
    "statement_timeout": "110s",
    "lock_timeout": "30s",
    "idle_in_transaction_session_timeout": "120s",
}
TROUBLE: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError, ValueError)
"""All that a call of Postgres may raise (a value it can't take is a `ValueError` of its client)."""

_TRANSIENT_CLASSES: Final = ("08", "53")
_TRANSIENT: Final = frozenset(
    {"40001", "40P01", "55P03", "57014", "57P01", "57P02", "57P03", "25006", "25P03"}
)
_REFUSED_CLASSES: Final = ("22", "23")


@asynccontextmanager
async def connected(database_url: str) -> AsyncGenerator[Connection, None]:
    """Hold a connection; a server that is away raises as asyncpg does (see `kind_of`).

    Raises:
        PetstreamError: the server is there and doesn't let us in.
    """
    try:
        connection = await asyncpg.connect(
            database_url,
            timeout=_CONNECT_S,
            command_timeout=_COMMAND_S,
            server_settings=_SETTINGS,
        )
    except (
        asyncpg.InvalidAuthorizationSpecificationError,
        asyncpg.InvalidCatalogNameError,
    ) as error:
        raise PetstreamError(
            f"Postgres doesn't let petstream in ({type(error).__name__}): "
            "mend the user, password or database in PETSTREAM_DATABASE_URL"
        ) from None  # the cause would name the user
    try:
        yield connection
    finally:
        await _closed(connection)


def kind_of(error: BaseException) -> ErrorKind:
    """Return whether to retry, to make a dead letter of the datum, or to stop."""
    # asyncpg's client-side DataError is an InterfaceError as well: look at it first
    if isinstance(error, asyncpg.DataError):
        return "refused"
    if isinstance(error, asyncpg.PostgresError):
        state = error.sqlstate or ""
        if state.startswith(_REFUSED_CLASSES):
            return "refused"
        transient = state in _TRANSIENT or state.startswith(_TRANSIENT_CLASSES)
        return "transient" if transient else "other"
    if isinstance(error, (OSError, TimeoutError, asyncpg.InterfaceError)):
        return "transient"
    return "other"


async def _closed(connection: Connection) -> None:
    try:
        await connection.close(timeout=5)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        connection.terminate()
