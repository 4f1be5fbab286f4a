"""An FTP server with manners: what it answers to each command stands in a table."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from petstream.settings import FtpUrl

USER, PASSWORD, KEY = "apikey-Ab3dEf9h", "canary-password", "Ab3dEf9h"
MODIFIED: Final = "20261102080001"
ORG: Final = b'{"orgID":"17","name":"Paws"}\n'
FILES: Final[Mapping[str, bytes]] = {
    "orgs_1.json": b'{"exported":"2026-11-02 03:00:00"}\n' + ORG,
    "pets_1.json": b"".join(b'{"animalID":"%d"}\n' % n for n in range(2_000)),
    "petlist.csv": b"1,2,3\n",
}
_LINE: Final = "\r\n"


@dataclass
class Manners:
    """How a server behaves; what isn't said is by the book.

    `answers` are whole replies by command, or by command and name. In them `{port}`, `{high}` and
    `{low}` are the data connection's, `{size}` and `{time}` the file's. An empty one closes the
    connection, None says nothing for ever.
    """

    answers: Mapping[str, str | None] = field(default_factory=dict)
    greeting: str = "220 ready"
    listed: Mapping[str, bytes] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=lambda: FILES)
    after_data: str = "226 done"
    before_data: str = "150 here"
    wait_s: Mapping[str, float] = field(default_factory=dict)
    extended_goes_nowhere: bool = False
    endless: str = ""
    """A file that never ends."""
    commands: list[str] = field(default_factory=list)


def names_of(files: Mapping[str, bytes]) -> bytes:
    """Return a listing of names by the book."""
    return "".join(f"{name}\r\n" for name in files).encode()


@asynccontextmanager
async def served(manners: Manners) -> AsyncIterator[FtpUrl]:
    """Serve with these manners, from this very loop."""
    sessions: set[asyncio.Task[None]] = set()
    open_writers: list[asyncio.StreamWriter] = []
    listeners: list[asyncio.Server] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        me = asyncio.current_task()
        assert me is not None
        sessions.add(me)
        open_writers.append(writer)
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await _Session(manners, reader, writer, open_writers, listeners).run()
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield FtpUrl(USER, PASSWORD, "127.0.0.1", server.sockets[0].getsockname()[1], "", tls=False)
    finally:
        server.close()
        for task in sessions:
            task.cancel()
        await asyncio.gather(*sessions, return_exceptions=True)
        for listener in listeners:
            listener.close()
        for writer in open_writers:
            writer.transport.abort()


class _Session:
    def __init__(
        self,
        manners: Manners,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        open_writers: list[asyncio.StreamWriter],
        listeners: list[asyncio.Server],
    ) -> None:
        self.manners, self.reader, self.writer = manners, reader, writer
        self.open_writers, self.listeners = open_writers, listeners
        self.offset, self.port = 0, 0
        self.data: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()

    async def run(self) -> None:
        await self.say(self.manners.greeting)
        while line := await self.reader.readline():
            command, _, value = line.decode("latin-1").strip().partition(" ")
            self.manners.commands.append(command)
            await asyncio.sleep(self.manners.wait_s.get(command, 0))
            answer = self.answer(command, value)
            if answer is None:
                await asyncio.sleep(3_600)
            elif answer == "":
                return
            elif answer == "DATA":
                if not await self.send(command, value):
                    return
            else:
                if command in {"EPSV", "PASV"} and not answer.startswith(("4", "5")):
                    await self.listen(
                        nowhere=self.manners.extended_goes_nowhere and command == "EPSV"
                    )
                await self.say(self.filled(answer, value))

    def answer(self, command: str, value: str) -> str | None:
        by_name = f"{command} {value}"
        if by_name in self.manners.answers:
            return self.manners.answers[by_name]
        if command in self.manners.answers:
            return self.manners.answers[command]
        known = value.removeprefix("./") in self.manners.files
        if command == "REST":
            self.offset = int(value)
            return "350 go on"
        return {
            "USER": "331 password", "PASS": "230 in", "TYPE": "200 ok", "QUIT": "221 bye",
            "EPSV": "229 Entering Extended Passive Mode (|||{port}|)",
            "PASV": "227 Entering Passive Mode (127,0,0,1,{high},{low})",
            "NLST": "DATA", "FEAT": "211-can\r\n SIZE\r\n MDTM\r\n REST STREAM\r\n211 end",
            "MLSD": "DATA" if "MLSD" in self.manners.listed else "502 no",
            "LIST": "DATA" if "LIST" in self.manners.listed else "502 no",
            "SIZE": "213 {size}" if known else "550 no such file",
            "MDTM": "213 {time}" if known else "550 no such file",
            "RETR": "DATA" if known else "550 no such file",
        }.get(command, "502 no")  # fmt: skip

    def filled(self, answer: str, value: str) -> str:
        high, low = divmod(self.port, 256)
        size = len(self.manners.files.get(value.removeprefix("./"), b""))
        marks = {"port": self.port, "high": high, "low": low, "size": size, "time": MODIFIED}
        for mark, meant in marks.items():
            answer = answer.replace(f"{{{mark}}}", str(meant))
        return answer

    async def say(self, answer: str) -> None:
        self.writer.write(answer.encode("latin-1") + b"\r\n")
        await self.writer.drain()

    async def listen(self, *, nowhere: bool) -> None:
        async def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.open_writers.append(writer)
            self.data.put_nowait(writer)
            waiting.close()

        while not self.data.empty():
            self.data.get_nowait()  # of a command that was refused
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        if nowhere:
            listener.close()
            return
        waiting = await asyncio.start_server(connected, sock=listener, start_serving=False)
        self.listeners.append(waiting)
        await waiting.start_serving()

    async def send(self, command: str, value: str) -> bool:
        name = value.removeprefix("./")
        if command == "RETR":
            body = self.manners.files[name][self.offset :]
        else:
            body = self.manners.listed.get(command, names_of(self.manners.files))
        self.offset = 0
        if self.manners.before_data:
            await self.say(self.manners.before_data)
        connection = await self.data.get()
        connection.write(body)
        while self.manners.endless == (name or command):
            connection.write(ORG * 1_000)
            await connection.drain()
        await connection.drain()
        connection.close()
        reply = self.manners.after_data if command == "RETR" else "226 done"
        if reply:
            await self.say(reply)
        return True
