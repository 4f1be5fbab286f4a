"""The ingester's only door to FTP: a listing, a file's bytes, and what the server supports.

Rule 1: a connection is never used again after an error, and its end is bounded: no QUIT to a server
        that has stopped answering.
Rule 2: size and time (MDTM, UTC) are asked before and after; bytes received = SIZE, or the file is
        read on from where it was cut. What the server says (226 or not) proves nothing.
Rule 3: a connection is read as latin-1, in which any byte is a character; what we send is UTF-8.
Rule 4: no message names the user, the password, the directory or a file by its own name.
Rule 5: whatever a server does ends in a `NotReadyError` or an `UnreachableError`, so that a watch
        goes on: also a refused login, which may be its passing trouble.
Rule 6: a whole look has a deadline, and neither names nor sizes are without bounds.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Final

import aioftp

from ingest.source import replies
from ingest.source.connection import (
    SOCKET_TIMEOUT_S,
    Connection,
    RestRefusedError,
    UnreadableReplyError,
)
from ingest.source.listing import RemoteFile, base_name, is_logical
from petstream.errors import NotReadyError, UnreachableError
from petstream.settings import FtpUrl
from petstream.waiting import Backoff, Delays

__all__ = [
    "CONNECTION_ERRORS", "Connection", "FileChangedError", "RefusedError", "RestRefusedError",
    "blocks", "cause", "connect", "features", "listing", "verify_unchanged",
]  # fmt: skip

CONNECT_TIMEOUT_S: Final = 20.0
GIVE_UP_AFTER_S: Final = 60.0
_LOG_IN_AGAIN: Final = Delays(0.5, longest_s=5.0, factor=1.25)
"""How long a server may be away before a command gives up."""

LOOK_S: Final = 300.0
"""A server that takes longer for a listing with sizes and times is given up."""

MOST_FILES: Final = 2_000
"""An export of 64,000 pets has 12 files."""

LARGEST_FILE_BYTES: Final = 4 * 1024**3
"""Fifty times what 10,000 rows have."""

_QUIT_S: Final = 5.0
_MOST_LISTING_BYTES: Final = 16 * 1024 * 1024
CONNECTION_ERRORS: Final = (OSError, TimeoutError, EOFError, aioftp.AIOFTPException)


class FileChangedError(NotReadyError):
    """A file isn't the one that was listed any more: it was written anew."""


class RefusedError(UnreachableError):
    """A server that answers, and will hardly answer otherwise in a minute."""


@asynccontextmanager
async def connect(
    ftp: FtpUrl, *, give_up_after_s: float = GIVE_UP_AFTER_S
) -> AsyncIterator[Connection]:
    """Log in, waiting for a server that is away, and be out again in bounded time.

    Raises:
        RefusedError: the login was refused, or there is no such directory.
        UnreachableError: the server can't be reached.
    """
    client = await _logged_in(ftp, give_up_after_s)
    try:
        yield client
    except BaseException:
        client.close()
        raise
    try:
        async with asyncio.timeout(_QUIT_S):
            await client.quit()
    except CONNECTION_ERRORS:
        client.close()  # everything was said: the server's goodbye isn't needed


async def listing(ftp: FtpUrl, *, give_up_after_s: float = GIVE_UP_AFTER_S) -> list[RemoteFile]:
    """Return the export's files in the feed's directory, with sizes and times in UTC.

    Raises:
        UnreachableError: the server can't be reached, refuses, or can't be understood.
    """
    try:
        async with (
            asyncio.timeout(LOOK_S),
            connect(ftp, give_up_after_s=give_up_after_s) as client,
        ):
            return await _files(client)
    except CONNECTION_ERRORS as error:
        raise UnreachableError(
            f"the FTP server {ftp.host} gives no listing ({cause(error)}): try again later"
        ) from error


async def _files(client: Connection) -> list[RemoteFile]:
    logical = [name for name in await _names(client) if is_logical(base_name(name))]
    if len(logical) > MOST_FILES:
        raise RefusedError(
            f"the FTP server lists {len(logical):,} files of an export, more than {MOST_FILES:,}: "
            "check the path in PETSTREAM_FTP_URL"
        )
    files = []
    for name in logical:
        try:
            files.append(await _stat(client, name))
        except FileChangedError:
            continue  # it went away, or is a directory: in any case no file of the export
    if logical and not files:
        raise RefusedError(
            f"the FTP server lists {len(logical):,} files of an export, and tells size and time "
            "(SIZE, MDTM) of none: ask its operator"
        )
    return files


async def blocks(client: Connection, file: RemoteFile, offset: int) -> AsyncGenerator[bytes, None]:
    """Return a file's bytes from an offset on (REST); the connection is spent afterwards."""
    async with asyncio.timeout(SOCKET_TIMEOUT_S):
        data = await client.data_of(f"RETR {file.path}", offset)
    try:
        async with aclosing(client.chunks(data)) as chunks:
            async for block in chunks:
                yield block
        if not client.is_answered:
            data.close()
            async with asyncio.timeout(_QUIT_S):
                await client.finished()
    finally:
        data.close()
        client.close()  # out of step after a transfer that didn't end by the book


async def features(ftp: FtpUrl, *, give_up_after_s: float = 0) -> frozenset[str] | None:
    """Log in and return the commands that the server supports (FEAT); None: it doesn't say.

    Raises:
        RefusedError: the login was refused.
        UnreachableError: the server can't be reached, or is gone before it has answered.
    """
    try:
        async with connect(ftp, give_up_after_s=give_up_after_s) as client:
            _, lines = await client.command("FEAT", "211")
    except aioftp.StatusCodeError:
        return None  # however it says so: nobody needs the list
    except CONNECTION_ERRORS as error:
        raise UnreachableError(
            f"the FTP server {ftp.host} doesn't say what it supports ({cause(error)}): try again "
            "later"
        ) from error
    words = (line.lstrip("- ").split() for line in lines[1:-1])
    return frozenset(command[0].upper() for command in words if command)


async def verify_unchanged(client: Connection, file: RemoteFile) -> None:
    """Raise `FileChangedError` unless a file still has its size and time."""
    if await _stat(client, file.path) != file:
        raise FileChangedError("a file was written anew while it was read")


def cause(error: Exception) -> str:
    """Return what failed without the server's words: they may hold a name with the API key."""
    if isinstance(error, UnreadableReplyError):
        return f"its answer to {error} can't be read"
    code = _code(error)
    return f"FTP {code}" if code else type(error).__name__


async def _logged_in(ftp: FtpUrl, give_up_after_s: float) -> Connection:
    backoff = Backoff(_LOG_IN_AGAIN, give_up_after_s=give_up_after_s)
    while True:
        client = Connection(connection_timeout=CONNECT_TIMEOUT_S, encoding="latin-1")
        try:
            await _log_in(client, ftp)
        except CONNECTION_ERRORS as error:
            client.close()
            refusal = _refusal(error, ftp.host)
            if refusal is not None:
                raise refusal from error
            wait_s = backoff.failed()
            if wait_s is None:
                raise UnreachableError(
                    f"the FTP server {ftp.host}:{ftp.port} can't be reached ({cause(error)}): "
                    "check PETSTREAM_FTP_URL and the network"
                ) from error
            await asyncio.sleep(wait_s)
        except BaseException:
            client.close()
            raise
        else:
            return client


async def _log_in(client: Connection, ftp: FtpUrl) -> None:
    async with asyncio.timeout(CONNECT_TIMEOUT_S * 2):
        await client.connect(ftp.host, ftp.port)
        if ftp.tls:
            await _under_tls(client, ftp)
        await client.login(_as_utf_8(ftp.user), _as_utf_8(ftp.password))
        if ftp.directory:
            await client.change_directory(_as_utf_8(ftp.directory))


async def _under_tls(client: Connection, ftp: FtpUrl) -> None:
    try:
        await client.upgrade_to_tls(ssl.create_default_context())
    except aioftp.StatusCodeError as error:
        if (_code(error) or "").startswith("5"):
            raise RefusedError(
                f"the FTP server {ftp.host} offers no TLS, which ftps:// in PETSTREAM_FTP_URL asks "
                "for: no password was sent; ask its operator, or use ftp:// if the network is yours"
            ) from error
        raise


async def _names(client: Connection) -> list[str]:
    """Return the names in the directory as the server spells them."""
    for command in ("NLST", "MLSD", "LIST"):
        try:
            return await _listed(client, command)
        except aioftp.StatusCodeError as error:
            code = _code(error) or ""
            if code in {"450", "550"}:
                return []  # some servers answer so where there are no files
            if not code.startswith("50") or command == "LIST":
                raise
    raise AssertionError("the last command has returned or raised")


async def _listed(client: Connection, command: str) -> list[str]:
    data = await client.data_of(command)
    listed = bytearray()
    try:
        async with (
            asyncio.timeout(_QUIT_S if client.is_answered else SOCKET_TIMEOUT_S),
            aclosing(client.chunks(data)) as chunks,
        ):
            async for block in chunks:
                listed += block
                if len(listed) > _MOST_LISTING_BYTES:
                    raise RefusedError(
                        f"the FTP server's listing is longer than {_MOST_LISTING_BYTES:,} bytes: "
                        "check the path in PETSTREAM_FTP_URL"
                    )
    except TimeoutError:
        if not client.is_answered:
            raise
    finally:
        data.close()
    if not client.is_answered:
        await client.finished()
    return replies.names(listed.decode(client.encoding))


async def _stat(client: Connection, path: str) -> RemoteFile:
    await client.binary()
    size_lines = await _ask(client, f"SIZE {path}")
    time_lines = await _ask(client, f"MDTM {path}")
    size = None if size_lines is None else replies.size(size_lines)
    modified_at = None if time_lines is None else replies.time(time_lines)
    if size is None or modified_at is None:
        facts = replies.facts(await _ask(client, f"MLST {path}") or ())
        size = facts[0] if size is None else size
        modified_at = facts[1] if modified_at is None else modified_at
    if size is not None and modified_at is not None:
        if size > LARGEST_FILE_BYTES:
            raise RefusedError(
                f"the FTP server says that a file of the export has {size:,} bytes: that is no "
                f"export, {LARGEST_FILE_BYTES:,} are the most"
            )
        return RemoteFile(path, size, modified_at)
    if size_lines is None or time_lines is None:
        raise RefusedError(
            "the FTP server can't tell a file's size and time (SIZE, MDTM): without them nobody "
            "can know whether a file is whole; ask its operator"
        )
    raise RefusedError(
        "the FTP server tells a file's size or time (SIZE, MDTM) in a form that can't be read: "
        "ask its operator"
    )


async def _ask(client: Connection, command: str) -> list[str] | None:
    """Return the lines of an answer; None: the server doesn't know the command."""
    try:
        code, lines = await client.command(command, "2xx")
    except aioftp.StatusCodeError as error:
        if (_code(error) or "")[:2] == "55":
            raise FileChangedError("a file went away while the export was read") from error
        if (_code(error) or "").startswith("50"):
            return None
        raise
    return None if code == "202" else list(lines)


def _code(error: Exception) -> str | None:
    if not isinstance(error, aioftp.StatusCodeError):
        return None
    return str(error.received_codes[-1])


def _refusal(error: Exception, host: str) -> RefusedError | None:
    """Return the message for what waiting doesn't mend, or None: it may pass."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return RefusedError(
            f"the FTP server {host} shows a certificate that isn't trusted "
            f"({error.verify_message}): mend it, or use ftp:// if the network is yours"
        )
    if _code(error) == "530":
        return RefusedError(
            f"the FTP server {host} refuses the login: check user and password in "
            "PETSTREAM_FTP_URL (user apikey-KEY; both were e-mailed when the export was enabled)"
        )
    if _code(error) == "550":
        return RefusedError(
            f"the FTP server {host} has no such directory: check the path in PETSTREAM_FTP_URL "
            "(the feed lies in the home directory: none is needed)"
        )
    return None


def _as_utf_8(text: str) -> str:
    """Return text so that UTF-8 goes over a connection that is read as latin-1 (rule 3)."""
    return text.encode().decode("latin-1")
