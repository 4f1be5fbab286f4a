"""An FTP server that misbehaves by a script."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ingest.source.download import stream
from ingest.source.listing import RemoteFile
from petstream.settings import FtpUrl

USER, PASSWORD, KEY = "apikey-Ab3dEf9h", "canary-password", "Ab3dEf9h"


DATA = b"".join(b'{"animalID":"%d"}\n' % n for n in range(20_000, 40_000))


AT = datetime(2026, 11, 2, 8, 0, 1, tzinfo=UTC)


NAME = f"{KEY}_pets_1.json"


@dataclass
class Script:
    """What the server does wrong; `cuts` are spent one a transfer, the rest is as it should be."""

    data: bytes = DATA
    cuts: list[tuple[int, str]] = field(default_factory=list)  # bytes sent, and how it ends
    ignores_rest: bool = False
    refuses_rest: bool = False
    drips: bool = False
    drip_s: float = 0.01
    epsv: bytes = b""  # how EPSV is refused
    lacks: str = ""  # a command that the server doesn't know
    commands: list[str] = field(default_factory=list)
    open: int = 0  # control connections
    most_open: int = 0
    greetings: list[bytes] = field(default_factory=lambda: [b"220 ready"])
    names: bytes = NAME.encode() + b"\r\n"
    endless_names: bool = False
    size: bytes | None = None
    login: bytes = b"230 in"
    goodbye: bytes = b"226 done"  # after a list or a whole file
    swapped_after: int = 0  # transfers after which the file has another time
    transfers: int = 0
    offsets: list[int] = field(default_factory=list)


@asynccontextmanager
async def scripted(script: Script) -> AsyncIterator[FtpUrl]:
    """Serve FTP by a script, from this very loop."""
    sessions: set[asyncio.Task[None]] = set()
    writers: list[asyncio.StreamWriter] = []
    listeners: list[asyncio.Server] = []

    async def session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        me = asyncio.current_task()
        assert me is not None
        sessions.add(me)
        script.open += 1
        script.most_open = max(script.open, script.most_open)
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await _Session(script, reader, writer, writers, listeners).run()
        script.open -= 1
        writer.close()

    server = await asyncio.start_server(session, "127.0.0.1", 0)
    try:
        yield FtpUrl(USER, PASSWORD, "127.0.0.1", server.sockets[0].getsockname()[1], "", tls=False)
    finally:
        server.close()
        for task in sessions:
            task.cancel()
        await asyncio.gather(*sessions, return_exceptions=True)
        for listener in listeners:
            listener.close()  # nobody may have connected
        for connection in writers:
            connection.close()
            with contextlib.suppress(OSError):
                await connection.wait_closed()


class _Session:
    def __init__(
        self,
        script: Script,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        writers: list[asyncio.StreamWriter],
        listeners: list[asyncio.Server],
    ) -> None:
        self.script, self.reader, self.writer = script, reader, writer
        self.writers, self.listeners = writers, listeners
        writers.append(writer)
        self.offset = 0
        self.data: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()

    async def run(self) -> None:
        script = self.script
        greeting = script.greetings.pop(0) if len(script.greetings) > 1 else script.greetings[0]
        await self.say(greeting)
        while line := await self.reader.readline():
            command, _, value = line.decode().strip().partition(" ")
            script.commands.append(command)
            if command == "EPSV" and script.epsv:
                await self.say(script.epsv)
            elif command in {"EPSV", "PASV"}:
                await self.listen(command)
            elif command == "QUIT" and script.lacks == "QUIT-reply":
                await asyncio.sleep(3_600)
            elif command == script.lacks or (command == "REST" and script.refuses_rest):
                await self.say(b"502 no")
            elif command == "NLST":
                await self.send_names()
            elif command == "RETR":
                if not await self.send_file():
                    return
            elif command == "REST":
                self.offset = 0 if script.ignores_rest else int(value)
                script.offsets.append(int(value))
                await self.say(b"350 go on")
            else:
                await self.say(self.answer(command))

    def answer(self, command: str) -> bytes:
        script = self.script
        swapped = script.swapped_after and script.transfers >= script.swapped_after
        return {
            "USER": b"331 password", "PASS": script.login, "TYPE": b"200 ok", "QUIT": b"221 bye",
            "SIZE": b"213 " + (script.size or b"%d" % len(script.data)),
            "MDTM": b"213 20261102090000" if swapped else b"213 20261102080001",
        }.get(command, b"502 no")  # fmt: skip

    async def say(self, line: bytes) -> None:
        self.writer.write(line + b"\r\n")
        await self.writer.drain()

    async def listen(self, command: str) -> None:
        async def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.writers.append(writer)
            self.data.put_nowait(writer)
            waiting.close()

        listener = socket.create_server(("127.0.0.1", 0))
        # with a socket of ours nothing is awaited before it is known who closes it
        waiting = await asyncio.start_server(connected, sock=listener, start_serving=False)
        self.listeners.append(waiting)
        await waiting.start_serving()
        port = waiting.sockets[0].getsockname()[1]
        if command == "PASV":
            await self.say(b"227 there (10,255,255,1,%d,%d)" % divmod(port, 256))
        else:
            await self.say(b"229 passive (|||%d|)" % port)

    async def send_names(self) -> None:
        await self.say(b"150 names")
        connection = await self.data.get()
        connection.write(self.script.names)
        while self.script.endless_names:
            connection.write(b"x" * 65_536 + b"\r\n")
            await connection.drain()
        connection.close()
        await self.say(self.script.goodbye)

    async def send_file(self) -> bool:
        script = self.script
        script.transfers += 1
        stop, end = script.cuts.pop(0) if script.cuts else (len(script.data), "")
        await self.say(b"150 bytes")
        connection = await self.data.get()
        while script.drips:
            connection.write(script.data[self.offset : self.offset + 1])
            self.offset += 1
            await connection.drain()
            await asyncio.sleep(script.drip_s)
        connection.write(script.data[self.offset : self.offset + stop])
        await connection.drain()
        self.offset = 0
        if end == "stall":
            await asyncio.sleep(3_600)
        if end == "reset":
            connection.transport.abort()
            return False
        connection.close()
        if end == "no reply":
            await asyncio.sleep(3_600)
        if end == "close":
            return False
        await self.say(end.encode() or script.goodbye)
        return True


def remote(data: bytes = DATA) -> RemoteFile:
    """Return the file as it was listed."""
    return RemoteFile(NAME, len(data), AT)


async def received(ftp: FtpUrl, file: RemoteFile) -> bytes:
    """Read a file to its end."""
    async with asyncio.timeout(30), aclosing(stream(ftp, file)) as blocks:
        return b"".join([block async for block in blocks])


def assert_no_secret(error: BaseException) -> None:
    """See that a message names neither user, nor password, nor the key."""
    assert not [secret for secret in (USER, PASSWORD, KEY) if secret in f"{error}"]
