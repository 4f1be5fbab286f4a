"""FTP replies and listings, each alone, and as a whole look at a server that says anything.

Rule 1: whatever a server says ends in a listing, or in a line about the server.
Rule 2: what a reply by the book says, we read as the standard library reads it.
Rule 3: a name comes once and never becomes a command of its own.
"""

from __future__ import annotations

import asyncio
import ftplib
import re
from typing import Any, Final, cast
from unittest.mock import patch

from ingest.source import ftp, replies
from ingest.source.ftp import MOST_FILES
from ingest.source.listing import base_name, export_set, is_logical, missing
from petstream.errors import NotReadyError, UnreachableError
from petstream.settings import FtpUrl

LONGEST_BYTES: Final = 2_048

_URL: Final = FtpUrl("apikey-Ab3dEf9h", "canary-password", "ftp.example", 21, "dir", tls=False)
_SEPARATOR: Final = b"\x00\n"
"""Between what the control connection says and what each data connection gives."""

_SECRETS: Final = re.compile(r"Ab3dEf9h|canary-password")


def run(data: bytes) -> None:
    """Read these bytes as replies, as a listing, and as all that a server says."""
    text = data.decode("latin-1")
    lines = text.split("\n")[:50]
    _read_replies(lines)
    names = replies.names(text)
    assert len(set(names)) == len(names)
    for name in names:
        assert not {"\r", "\n"} & set(name), "a name that no command can hold"
        assert "\0" not in name
        assert ".." not in name
        if is_logical(base_name(name)):
            assert base_name(name).isascii()
    control, *transfers = data.split(_SEPARATOR)
    for look in (_listed, _features):
        try:
            _RUNNER.run(look(control, transfers))
        except (NotReadyError, UnreachableError) as error:
            assert not _SECRETS.search(str(error)), "a message tells a secret"  # noqa: PT017  it may also pass


def _read_replies(lines: list[str]) -> None:
    port = replies.passive_port(lines)
    assert port is None or 0 < port < 1 << 16
    size = replies.size(lines)
    assert size is None or 0 <= size < 10**18
    time = replies.time(lines)
    assert time is None or time.tzinfo is not None
    replies.facts(lines)
    for line in lines:
        _read_by_the_book(line)


def _read_by_the_book(line: str) -> None:
    """Compare with the standard library's client, where a line has its form."""
    passive = re.fullmatch(r"227 [A-Za-z ]*\((\d{1,3}(?:,\d{1,3}){5})\)\.?", line, re.ASCII)
    if passive is not None and all(int(each) < 256 for each in passive[1].split(",")):
        _, port = ftplib.parse227(line)  # noqa: S321  what is read in it, no more
        assert replies.passive_port([line[3:]]) == (port or None)
    if re.fullmatch(r"229 [A-Za-z ]*\(\|\|\|\d{1,5}\|\)\.?", line, re.ASCII):
        _, port = ftplib.parse229(line, ("ftp.example", 21))  # noqa: S321  as above
        assert replies.passive_port([line[3:]]) == (port if 0 < port < 1 << 16 else None)
    if re.fullmatch(r"213 \d{1,18}", line, re.ASCII):
        assert replies.size([line[3:]]) == int(line[4:])


async def _listed(control: bytes, transfers: list[bytes]) -> None:
    with _server(control, transfers):
        files = await ftp.listing(_URL, give_up_after_s=0)
    assert len(files) <= MOST_FILES
    for file in files:
        assert is_logical(base_name(file.path))
        assert 0 <= file.size_bytes <= ftp.LARGEST_FILE_BYTES
    export = export_set(files)
    for mode in ("initial", "daily"):
        missing(export, mode)


async def _features(control: bytes, transfers: list[bytes]) -> None:
    with _server(control, transfers):
        await ftp.features(_URL)


def _server(control: bytes, transfers: list[bytes]) -> Any:
    """Stand behind `asyncio.open_connection`; each connection says its bytes, and ends."""
    incoming = iter([control, *transfers])

    async def opened(
        _host: str, port: int, *, limit: int
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        assert 0 < port < 1 << 16
        reader = asyncio.StreamReader(limit=limit)
        reader.feed_data(next(incoming, b""))
        reader.feed_eof()
        return reader, cast("asyncio.StreamWriter", _Writer())

    return patch.object(asyncio, "open_connection", opened)


class _Writer:
    """Takes commands, one a line."""

    @property
    def transport(self) -> _Writer:
        """The connection itself."""
        return self

    def get_extra_info(self, _name: str) -> None:
        """Know nothing of it."""

    def write(self, data: bytes) -> None:
        """Take one command and no more: names can't smuggle another in."""
        assert data.count(b"\n") == 1
        assert data.endswith(b"\r\n")
        assert data.count(b"\r") == 1

    async def drain(self) -> None:
        """Return at once."""

    def close(self) -> None:
        """Be closed."""

    def abort(self) -> None:
        """Be closed."""

    async def wait_closed(self) -> None:
        """Return at once."""

    def is_closing(self) -> bool:
        """Be open."""
        return False


_RUNNER: Final = asyncio.Runner()


def seeds() -> dict[str, bytes]:
    """Return a look at a server by the book, at odd ones, and replies of each form."""
    login = b"220 ready\r\n331 password\r\n230 in\r\n250 there\r\n200 binary\r\n"
    listed = b"229 passive (|||5000|)\r\n150 here\r\n226 done\r\n"
    stat = b"213 1234\r\n213 20261102080001\r\n"
    names = b"orgs_1.json\r\n./Ab3dEf9h_pets_1.json.zip\r\npetlist.csv\r\n"
    facts = b"250-file\r\n size=12;modify=20261102080001.123;type=file; pets_1.json\r\n250 end\r\n"
    like_ls = (
        b"-rw-r--r-- 1 a b 12 Nov  2 08:00 pets_1.json\r\ndrwxr-xr-x 1 a b 0 Nov 2 08:00 x\r\n"
    )
    like_dir = b"11-02-26  08:00AM       1234 Pets_1.JSON\r\n11-02-26  08:00AM  <DIR>  import\r\n"
    bye = b"221 bye\r\n"
    return {
        "by-the-book": login + listed + stat * 3 + bye + _SEPARATOR + names,
        "passive": login + b"500 no\r\n227 ok 127,0,0,1,19,136\r\n125 here\r\n226 ok\r\n" + stat
        + _SEPARATOR + b"\r\n" + _SEPARATOR + like_ls,
        "no-nlst": login + b"229 (|||5000|)\r\n502 no\r\n229 (|||5000|)\r\n150 x\r\n226 y\r\n"
        + b"500 no\r\n500 no\r\n" + facts + _SEPARATOR + b"\r\n" + _SEPARATOR
        + b"type=file;size=1;modify=20261102080001; pets_1.json\r\ntype=cdir; .\r\n",
        "features": login[:38] + b"211-Features:\r\n MDTM\r\n SIZE\r\n211 End\r\n",
        "many-lines": b"220-1 welcome\r\n220x\r\n 220 no\r\n220 go\r\n530 no\r\n",
        "dir": login + listed + stat + _SEPARATOR + like_dir,
        "account": b"120 wait\r\n220 x\r\n331 p\r\n332 account\r\n230 in\r\n550 no directory\r\n",
        "since-1900": b"213 191261102080001\r\n213 size 1,234 bytes\r\n229 Entering (!!!5000!)\r\n",
    }  # fmt: skip


WORDS: Final = (
    b"220 ", b"226 done\r\n", b"227 (1,2,3,4,5,6)\r\n", b"229 (|||5000|)\r\n", b"213 ", b"211-",
    b"250 ", b"331 x\r\n", b"230 x\r\n", b"150 x\r\n", b"125 x\r\n", b"421 x\r\n", b"425 x\r\n",
    b"450 x\r\n", b"500 x\r\n", b"502 x\r\n", b"530 x\r\n", b"550 x\r\n", b"\r\n", b"\x00\n",
    b"20261102080001", b"20261399", b"pets_1.json", b"newpets_2.json.zip", b"petlist.csv",
    b"orgs_1.json", b"-rw-r--r-- ", b"drwxr-xr-x ", b"size=", b"modify=", b"type=dir;", b" -> ",
    b"<DIR>", b"..", b"\xc2\xb2", b"\x85", b"\xff", b"999999999999999999", b"65536", b"256",
)  # fmt: skip
