"""The ingester's only door to FTP: a listing, a file's bytes, and what the server supports.

Rule 1: a connection is never used again after an error, and its end is bounded: no QUIT to a server
        that has stopped answering.
Rule 2: size and time (MDTM, UTC) are asked before and after; bytes received = SIZE, or the file is
        read on from where it was cut. What the server says (226 or not) proves nothing.
Rule 3: a connection is read as latin-1, in which any byte is a character; what we send is UTF-8.
Rule 4: no message names the user, the password, the directory or a file by its own name.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from typing import Final

import aioftp

from ingest.source.connection import SOCKET_TIMEOUT_S, Connection, RestRefusedError
from ingest.source.listing import RemoteFile, is_logical
from petstream.errors import NotReadyError, PetstreamError, UnreachableError
from petstream.settings import FtpUrl
from petstream.waiting import Backoff, Delays

__all__ = [
    "CONNECTION_ERRORS", "Connection", "FileChangedError", "RestRefusedError", "blocks", "cause",
    "connect", "features", "listing", "verify_unchanged",
]  # fmt: skip

BLOCK_BYTES: Final = 256 * 1024
CONNECT_TIMEOUT_S: Final = 20.0
GIVE_UP_AFTER_S: Final = 60.0
_LOG_IN_AGAIN: Final = Delays(0.5, longest_s=5.0, factor=1.25)
"""How long a server may be away before a command gives up."""

_QUIT_S: Final = 5.0
_MOST_LISTING_BYTES: Final = 4 * 1024 * 1024
CONNECTION_ERRORS: Final = (OSError, TimeoutError, EOFError, aioftp.AIOFTPException)


class FileChangedError(NotReadyError):
    """A file isn't the one that was listed any more: it was written anew."""


@asynccontextmanager
async def connect(
    ftp: FtpUrl, *, give_up_after_s: float = GIVE_UP_AFTER_S
) -> AsyncIterator[Connection]:
    """Log in, waiting for a server that is away, and be out again in bounded time.

    Raises:
        PetstreamError: the login was refused, or there is no such directory.
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
    """Return the export's files in the feed's directory, with sizes and times in UTC."""
    try:
        async with connect(ftp, give_up_after_s=give_up_after_s) as client:
            names = await _names(client)
            return [
                await _stat(client, name) for name in names if is_logical(name.rpartition("/")[2])
            ]
    except CONNECTION_ERRORS as error:
        raise UnreachableError(
            f"the FTP server {ftp.host} gives no listing ({cause(error)}): try again later"
        ) from error


async def blocks(client: Connection, file: RemoteFile, offset: int) -> AsyncGenerator[bytes, None]:
    """Return a file's bytes from an offset on (REST); the connection is spent afterwards."""
    async with asyncio.timeout(SOCKET_TIMEOUT_S):
        data = await client.data_of(f"RETR {file.path}", offset)
    try:
        async with aclosing(client.chunks(data, BLOCK_BYTES)) as chunks:
            async for block in chunks:
                yield block
        async with asyncio.timeout(_QUIT_S):
            await data.finish()
    finally:
        data.close()
        client.close()  # out of step after a transfer that didn't end by the book


async def features(ftp: FtpUrl, *, give_up_after_s: float = 0) -> frozenset[str] | None:
    """Log in and return the commands that the server supports (FEAT); None: it doesn't say.

    Raises:
        PetstreamError: the login was refused, or the server can't be reached.
    """
    async with connect(ftp, give_up_after_s=give_up_after_s) as client:
        try:
            _, lines = await client.command("FEAT", "211")
        except aioftp.StatusCodeError as error:
            if (_code(error) or "").startswith("5"):
                return None
            raise
    words = (line.split() for line in lines[1:-1])
    return frozenset(command[0].upper() for command in words if command)


async def verify_unchanged(client: Connection, file: RemoteFile) -> None:
    """Raise `FileChangedError` unless a file still has its size and time."""
    if await _stat(client, file.path) != file:
        raise FileChangedError("a file was written anew while it was read")


def cause(error: Exception) -> str:
    """Return what failed without the server's words: they may hold a name with the API key."""
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
            raise PetstreamError(
                f"the FTP server {ftp.host} offers no TLS, which ftps:// in PETSTREAM_FTP_URL asks "
                "for: no password was sent; ask its operator, or use ftp:// if the network is yours"
            ) from error
        raise


async def _names(client: Connection) -> list[str]:
    """Return the names in the directory as the server spells them (NLST: every server has it)."""
    try:
        data = await client.data_of("NLST")
    except aioftp.StatusCodeError as error:
        if _code(error) in {"450", "550"}:
            return []  # some servers answer so where there are no files
        raise
    listed = bytearray()
    chunks = client.chunks(data, BLOCK_BYTES)
    async with data, asyncio.timeout(SOCKET_TIMEOUT_S), aclosing(chunks):
        async for block in chunks:
            listed += block
            if len(listed) > _MOST_LISTING_BYTES:
                raise PetstreamError(
                    f"the FTP server's listing is longer than {_MOST_LISTING_BYTES:,} bytes: "
                    "check the path in PETSTREAM_FTP_URL"
                )
    lines = listed.decode(client.encoding).splitlines()
    return [line for line in lines if line and "\0" not in line and ".." not in line]


async def _stat(client: Connection, path: str) -> RemoteFile:
    size = await _ask(client, f"SIZE {path}")
    modified = await _ask(client, f"MDTM {path}")
    if size is None or modified is None:
        raise PetstreamError(
            "the FTP server can't tell a file's size and time (SIZE, MDTM): without them nobody "
            "can know whether a file is whole; ask its operator"
        )
    try:
        return RemoteFile(path, _size(size), _time(modified))
    except ValueError:
        raise PetstreamError(
            "the FTP server tells a file's size or time (SIZE, MDTM) in a form that can't be read: "
            "ask its operator"
        ) from None


async def _ask(client: Connection, command: str) -> str | None:
    if command.startswith("SIZE"):
        await client.command("TYPE I", "2xx")  # servers refuse SIZE in ASCII mode
    try:
        answer = await client.command(command, "213")
    except aioftp.StatusCodeError as error:
        if (_code(error) or "")[:2] == "55":
            raise FileChangedError("a file went away while the export was read") from error
        if (_code(error) or "").startswith("50"):
            return None
        raise
    return str(answer[1][0]).strip()


def _code(error: Exception) -> str | None:
    if not isinstance(error, aioftp.StatusCodeError):
        return None
    return str(error.received_codes[-1])


def _refusal(error: Exception, host: str) -> PetstreamError | None:
    """Return the message for what waiting doesn't mend, or None: it may pass."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return PetstreamError(
            f"the FTP server {host} shows a certificate that isn't trusted "
            f"({error.verify_message}): mend it, or use ftp:// if the network is yours"
        )
    if _code(error) == "530":
        return PetstreamError(
            f"the FTP server {host} refuses the login: check user and password in "
            "PETSTREAM_FTP_URL (user apikey-KEY; both were e-mailed when the export was enabled)"
        )
    if _code(error) == "550":
        return PetstreamError(
            f"the FTP server {host} has no such directory: check the path in PETSTREAM_FTP_URL "
            "(the feed lies in the home directory: none is needed)"
        )
    return None


def _size(answer: str) -> int:
    """Return a file's size in bytes from the answer to SIZE."""
    if not re.fullmatch(r"[0-9]{1,15}", answer):
        raise ValueError("not a size")
    return int(answer)


def _time(answer: str) -> datetime:
    """Return a file's time from the answer to MDTM, which is UTC."""
    return datetime.strptime(answer[:14], "%Y%m%d%H%M%S").replace(tzinfo=UTC)


def _as_utf_8(text: str) -> str:
    """Return text so that UTF-8 goes over a connection that is read as latin-1 (rule 3)."""
    return text.encode().decode("latin-1")
