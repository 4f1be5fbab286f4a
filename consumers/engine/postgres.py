"""The only door to Postgres: connections, and what kind of error an error is.

Rule 1: trouble with the server never makes a dead letter; a refused datum always does.
Rule 2: of a URL, messages hold hosts and ports, and nothing else.
Rule 3: every server is looked at as it is reached: a database that isn't in UTF-8 lets nobody in,
        one that can't be written only those who read.
Rule 4: behind a pooler nothing is left on a connection: no named statement, no setting, no lock of
        a session. Another process of the server may carry out the next transaction.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, TypeAlias
from uuid import uuid4

import asyncpg

from consumers.engine import refusals
from petstream.errors import PetstreamError, UnreachableError
from petstream.postgres import url as urls
from petstream.postgres.url import Keepalives, PostgresUrl

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
ErrorKind = Literal["transient", "refused", "other"]

_COMMAND_S: Final = 120.0
_LOOK_S: Final = 5.0
_PASSED_ON: Final = {"timezone": "UTC"}
"""What a pooler passes on to whichever process it gives us."""
_SESSION: Final = {
    "jit": "off",
    "statement_timeout": "110s",
    "lock_timeout": "30s",
    "idle_in_transaction_session_timeout": "120s",
}
_ASKED: Final = """
SELECT pg_backend_pid() AS pid,
       pg_is_in_recovery() AS standby,
       current_setting('default_transaction_read_only')::bool AS read_only,
       current_setting('server_encoding') AS encoding
"""
_FILES: Final = ("sslrootcert", "sslcert", "sslkey", "sslcrl")
_CONNECTING: Final = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
    ValueError,  # a name that can't be one of a host
    KeyError,  # no user is named, and the system's has no name
)
TROUBLE: Final = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    OSError,
    TimeoutError,
    ValueError,
    PetstreamError,
)
"""All that a call of Postgres may raise (a value it can't take is a `ValueError` of its client)."""

_TRANSIENT_CLASSES: Final = ("08", "53")
_TRANSIENT: Final = frozenset(
    {"40001", "40P01", "55P03", "57014", "57P01", "57P02", "57P03", "25P03"}
)
_REFUSED_CLASSES: Final = ("22", "23")
_READ_ONLY: Final = "25006"


class AwayError(UnreachableError):
    """Postgres can't be reached; waiting may help."""


class NotWritableError(PetstreamError):
    """Nothing can be written there: a standby, or a user who may only read.

    A daemon that runs waits: so looks a server that is just becoming the primary.
    """


class _NotTakenError(Exception):
    """A pooler doesn't take a setting of ours."""


class _Seen(NamedTuple):
    """What was seen of a server as it was reached."""

    is_pooled: bool
    is_standby: bool
    is_read_only: bool
    encoding: str


@asynccontextmanager
async def connected(
    database_url: str, *, only_reads: bool = False, command_s: float | None = None
) -> AsyncGenerator[Connection, None]:
    """Hold a connection; what breaks while it is used is raised as asyncpg does (see `kind_of`).

    Args:
        database_url: as `petstream.postgres.url` reads it.
        only_reads: a server that can't be written is good enough.
        command_s: how long a statement may take; two minutes if None.

    Raises:
        AwayError: the server can't be reached.
        NotWritableError: it can't be written.
        PetstreamError: it doesn't let us in, or refuses what it is asked; waiting is no use.
    """
    try:
        url = urls.read(database_url)
    except ValueError as error:
        raise PetstreamError(f"{refusals.SETTING}: {error}") from None
    connection, seen = await _let_in(url, command_s or _COMMAND_S)
    try:
        wrong = refusals.of_encoding(seen.encoding)
        if wrong is not None:
            raise PetstreamError(_line(url, wrong))
        if not only_reads and (seen.is_standby or seen.is_read_only):
            wrong = refusals.of_read_only(is_standby=seen.is_standby)
            raise NotWritableError(_line(url, wrong))
        yield connection
    except asyncpg.PostgresError as error:
        state = error.sqlstate or ""
        if state == _READ_ONLY:
            wrong = refusals.of_read_only(is_standby=seen.is_standby)
            raise NotWritableError(_line(url, wrong)) from None
        wrong = refusals.of_state(state, type(error).__name__)
        if wrong is None:
            raise
        raise PetstreamError(_line(url, wrong)) from None  # the cause may name the user
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
    if isinstance(error, (AwayError, OSError, TimeoutError, asyncpg.InterfaceError)):
        return "transient"
    return "other"


def in_words(error: BaseException) -> str:
    """Return the line about a server in trouble."""
    if isinstance(error, PetstreamError):
        return str(error)
    return (
        f"Postgres went away or is busy ({type(error).__name__}): start it, or mend "
        f"{refusals.SETTING}, and run this again"
    )


async def look(connection: Connection) -> None:
    """See that a connection which was idle still leads to a server, before it is relied on.

    Raises:
        TimeoutError: nothing comes back: a firewall forgot it, or the server is gone.
    """
    async with asyncio.timeout(_LOOK_S):
        await connection.execute("SELECT 1")


async def rows_of(
    connection: Connection, sql: str, prefetch: int
) -> AsyncGenerator[asyncpg.Record, None]:
    """Give the rows of a query, so many at a time, inside a transaction (rule 4)."""
    cursor = f"petstream_{uuid4().hex}"
    await connection.execute(f"DECLARE {cursor} NO SCROLL CURSOR FOR {sql}")
    fetch = f"FETCH FORWARD {int(prefetch)} FROM {cursor}"
    while rows := await connection.fetch(fetch):
        for row in rows:
            yield row
    await connection.execute(f"CLOSE {cursor}")


async def _let_in(url: PostgresUrl, command_s: float) -> tuple[Connection, _Seen]:
    """Connect as to a server itself; where that is a pooler, as a pooler wants it (rule 4)."""
    try:
        connection = await _connect(url, command_s, is_pooled=False)
    except _NotTakenError:
        pass
    else:
        seen = await _seen(connection, url)
        if not seen.is_pooled:
            return connection, seen
        await _closed(connection)
    connection = await _connect(url, command_s, is_pooled=True)
    return connection, await _seen(connection, url, begins=True)


async def _connect(url: PostgresUrl, command_s: float, *, is_pooled: bool) -> Connection:
    settings = {} if is_pooled else _SESSION
    further: dict[str, Any] = {"statement_cache_size": 0} if is_pooled else {}
    if url.addresses:
        further["host"] = [address.host for address in url.addresses]
        further["port"] = [address.port for address in url.addresses]
    try:
        _check_files(url)
        if url.trusts_system:
            further["ssl"] = _trusting_system(url)
        connection: Connection = await asyncpg.connect(
            url.dsn,
            user=url.user,
            password=url.password,
            database=url.database,
            timeout=url.connect_s,
            command_timeout=command_s,
            server_settings={**_PASSED_ON, **settings, **url.startup},
            **further,
        )
    except _CONNECTING as error:
        if refusals.unsupported_parameter(str(error)) in settings:
            raise _NotTakenError from None
        raise _not_connected(error, url) from None  # the cause would name the user
    _keep_alive(connection, url.keepalives)
    return connection


async def _seen(connection: Connection, url: PostgresUrl, *, begins: bool = False) -> _Seen:
    """Look at a server just reached; with `begins`, see that it knows transactions as well."""
    try:
        async with asyncio.timeout(_LOOK_S):
            if begins:
                async with connection.transaction():
                    await connection.execute("SELECT 1")
            statement = await connection.prepare(_ASKED, name="")
            row = await statement.fetchrow()
    except BaseException as error:
        await _closed(connection)
        if isinstance(error, _CONNECTING):
            raise _not_connected(error, url) from None
        raise
    if row is None:
        raise AwayError(_line(url, "gives no answer"))
    return _Seen(
        is_pooled=row["pid"] != connection.get_server_pid(),
        is_standby=row["standby"],
        is_read_only=row["read_only"],
        encoding=row["encoding"],
    )


def _not_connected(error: Exception, url: PostgresUrl) -> PetstreamError:
    """Return what an error means that came before a connection could be used."""
    if isinstance(error, PetstreamError):
        return error
    if isinstance(error, asyncpg.TargetServerAttributeNotMatched):
        return NotWritableError(_line(url, refusals.of_read_only(is_standby=True)))
    wrong = refusals.of_network(error) or _refusal(error)
    if wrong is not None:
        return PetstreamError(_line(url, wrong))
    why = type(error).__name__
    if isinstance(error, socket.gaierror):
        why = refusals.NO_SUCH_NAME
    elif isinstance(error, asyncpg.PostgresError):
        why = refusals.of_busy(str(error)) or why
    return AwayError(_line(url, f"can't be reached ({why}): start it, or mend {refusals.SETTING}"))


def _refusal(error: Exception) -> str | None:
    """Return why we aren't let in; None: waiting may help."""
    name = type(error).__name__
    match error:
        case asyncpg.InvalidAuthorizationSpecificationError() | asyncpg.InvalidCatalogNameError():
            return refusals.not_let_in(name)
        case asyncpg.PostgresError():
            wrong = refusals.of_pooler(str(error)) or refusals.of_state(error.sqlstate or "", name)
            is_other = wrong is None and kind_of(error) != "transient"
            return refusals.refuses(name) if is_other else wrong
        case asyncpg.ClientConfigurationError():
            return refusals.NO_AUTHORITY
        case asyncpg.InterfaceError() | asyncpg.InternalClientError():
            return refusals.other_login(name)
        case KeyError():
            return refusals.NAMELESS
    return None


def _line(url: PostgresUrl, what: str) -> str:
    return f"Postgres at {url} {what}"


def _check_files(url: PostgresUrl) -> None:
    """See that the files of TLS can be read; asyncpg would only say that it can't connect."""
    for name in _FILES:
        path = url.client.get(name)
        if path is None:
            continue
        try:
            with Path(path).open("rb"):
                pass
        except OSError as error:
            raise PetstreamError(
                f"{refusals.SETTING}: {name}: {path} can't be read ({error.strerror})"
            ) from None


def _trusting_system(url: PostgresUrl) -> ssl.SSLContext:
    """Return how certificates are checked where the system's authorities are trusted."""
    context = ssl.create_default_context()
    if "sslcert" in url.client:
        password = url.client.get("sslpassword", "")
        context.load_cert_chain(url.client["sslcert"], url.client.get("sslkey"), password=password)
    return context


def _keep_alive(connection: Connection, keepalives: Keepalives | None) -> None:
    """Let the system ask over an idle connection, so that no firewall forgets it."""
    transport: asyncio.Transport = connection._transport  # type: ignore[attr-defined]  # noqa: SLF001  in public there is no way to it
    link = transport.get_extra_info("socket")
    if link is None or keepalives is None or link.family not in {socket.AF_INET, socket.AF_INET6}:
        return
    link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        ("TCP_KEEPIDLE", keepalives.idle_s),
        ("TCP_KEEPINTVL", keepalives.interval_s),
        ("TCP_KEEPCNT", keepalives.probes),
        ("TCP_USER_TIMEOUT", keepalives.unacknowledged_ms),
    ):
        with suppress(AttributeError, OSError):  # not every system knows each
            link.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


async def _closed(connection: Connection) -> None:
    try:
        await connection.close(timeout=5)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        connection.terminate()
