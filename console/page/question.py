"""A command of petstream, asked by a page: a process of its own, whose lines are the answer.

Rule 1: what folds a whole topic is never done in the server's process: it stays small, and its
        loop turns.
Rule 2: one question at a time, with a deadline; whoever asks meanwhile waits within the same one.
Rule 3: the command reads no ``.env``: it is told the servers that were found, and no secret that
        it doesn't need.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import fields
from typing import Final, NamedTuple

from console.runtime.child import Program, inherited_environment, spawn
from console.runtime.metrics_dir import VARIABLE
from console.runtime.output import STDOUT
from petstream.settings import SETTLED, KafkaAccess, Settings

_FIXED: Final = {SETTLED: "1", "PETSTREAM_CONSOLE": "off", "PETSTREAM_LOG": "plain"}


class Answer(NamedTuple):
    """What a command said. Its exit status is None if it took too long, and was ended."""

    status: int | None
    lines: tuple[str, ...]
    complaint: str


class Desk:
    """Where questions wait for their turn."""

    def __init__(self) -> None:
        """Be free."""
        self._turn = asyncio.Lock()

    async def ask(self, settings: Settings, *arguments: str, within_s: float) -> Answer:
        """Run ``petstream ARGUMENTS`` against these servers, and return what it said."""
        said: list[str] = []
        complained: list[str] = []

        def told(stream: int, line: str) -> None:
            (said if stream == STDOUT else complained).append(line)

        program = Program("console", (sys.executable, "-m", "console", *arguments))
        try:
            async with asyncio.timeout(within_s), self._turn:
                status = await spawn(program, environment(settings), told).wait()
        except TimeoutError:
            complaint = f"there was no answer within {within_s:g} s: the servers are busy or away"
            return Answer(None, (), complaint)
        complaint = "\n".join(complained).replace("petstream: ", "")
        return Answer(status, tuple(said), complaint or f"it ended with status {status}")


def environment(settings: Settings) -> dict[str, str]:
    """Return the environment of a command that asks the same servers."""
    ours = inherited_environment()
    ours.pop(VARIABLE, None)
    found = {
        "PETSTREAM_DATA_DIR": str(settings.data_dir),
        "PETSTREAM_TOPIC_PREFIX": settings.topic_prefix,
    }
    if settings.database_url is not None:
        found["PETSTREAM_DATABASE_URL"] = settings.database_url
    if settings.kafka is not None:
        found["PETSTREAM_KAFKA"] = settings.kafka.bootstrap
        for one in fields(KafkaAccess):
            text = getattr(settings.kafka, one.name)
            if one.name != "bootstrap" and text != one.default:
                found[f"PETSTREAM_KAFKA_{one.name.upper()}"] = text
    return {**ours, **found, **_FIXED}
