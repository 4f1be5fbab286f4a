"""Thumbnails made by processes that may die of a picture.

Rule 1: a process that is late, dies or answers nonsense is killed; the next picture gets another.
Rule 2: what can't be decoded to its end isn't a picture: that is how a cut file is noticed.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

from consumers.pictures.retry_policy import RefusedPictureError
from consumers.pictures.sandbox import Mechanism

_DEADLINE_S: Final = 30.0
_PROCESSES: Final = 2
_MAX_FRAME_BYTES: Final = 8 * 1024 * 1024


class Thumbnailer:
    """A few processes, started when first needed; use `thumbnailer`."""

    def __init__(self, deadline_s: float) -> None:
        """Begin without a process."""
        self._deadline_s = deadline_s
        self._idle: list[Process] = []
        self._slots = asyncio.Semaphore(_PROCESSES)

    async def make(self, data: bytes, sizes: Sequence[int]) -> list[bytes]:
        """Return a JPEG for each size, in their order.

        Raises:
            RefusedPictureError: `undecodable`, `truncated`, `memory`, `decoding-died` or
                `decoding-late`.
        """
        async with self._slots:
            process = self._idle.pop() if self._idle else await _start()
            try:
                async with asyncio.timeout(self._deadline_s):
                    result = await _request(process, data, sizes)
            except TimeoutError:
                await _kill(process)
                raise RefusedPictureError("decoding-late", "content") from None
            except (EOFError, OSError, ValueError):
                await _kill(process)
                raise RefusedPictureError("decoding-died", "content") from None
            except asyncio.CancelledError:
                await _kill(process)
                raise
            self._idle.append(process)
        if isinstance(result, str):
            raise RefusedPictureError(result, "content")
        return result

    async def close(self) -> None:
        """Kill the processes."""
        while self._idle:
            await _kill(self._idle.pop())


@asynccontextmanager
async def thumbnailer(deadline_s: float = _DEADLINE_S) -> AsyncGenerator[Thumbnailer, None]:
    """Be ready to make thumbnails."""
    processes = Thumbnailer(deadline_s)
    try:
        yield processes
    finally:
        await processes.close()


async def holding() -> list[Mechanism]:
    """Return what keeps a decoder from doing harm here, and what doesn't: a process tries it.

    Raises:
        OSError, ValueError: it can't be tried.
    """
    process = await _start("sandbox")
    said, _ = await process.communicate()
    return [Mechanism(*each) for each in json.loads(said)]


async def _start(module: str = "thumbnail_process") -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", f"consumers.pictures.{module}",
        stdin=PIPE, stdout=PIPE, stderr=DEVNULL, start_new_session=True,
        env={name: text for name, text in os.environ.items() if name == "PYTHONPATH"},
    )  # fmt: skip


async def _request(process: Process, data: bytes, sizes: Sequence[int]) -> list[bytes] | str:
    """Return the thumbnails, or the reason why there are none."""
    assert process.stdin  # noqa: S101  both are pipes
    head = json.dumps(list(sizes)).encode()
    for frame in (head, data):
        process.stdin.write(len(frame).to_bytes(4, "big"))
        process.stdin.write(frame)
    await process.stdin.drain()
    status = (await _read_frame(process)).decode("ascii")
    if status != "ok":
        await _read_frame(process)
        if status not in {"undecodable", "truncated", "memory"}:
            raise ValueError(status)
        return status
    return [await _read_frame(process) for _ in sizes]


async def _read_frame(process: Process) -> bytes:
    assert process.stdout  # noqa: S101  both are pipes
    length = int.from_bytes(await process.stdout.readexactly(4), "big")
    if length > _MAX_FRAME_BYTES:
        raise ValueError("longer than a thumbnail is")
    return await process.stdout.readexactly(length)


async def _kill(process: Process) -> None:
    with suppress(ProcessLookupError):
        process.kill()
    if process.stdin:
        process.stdin.close()
    await process.wait()
