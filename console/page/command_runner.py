"""Runs a petstream command for a page, as a process of its own.

Rule 1: what reads a whole topic is never done in the server's process: it stays small, and its
        loop turns.
Rule 2: one command at a time, with a deadline; whoever asks meanwhile waits within the same one,
        unless many do already.
Rule 3: the command reads no ``.env``: it gets the servers that are known, and no secret that it
        doesn't need.
Rule 4: what a page reads of a command is the JSON document that it prints with ``--json``, parsed
        as a whole; other output is only shown to the person who asked.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final, NamedTuple

from console.runtime.child import Program, spawn
from console.runtime.output import STDOUT
from console.runtime.processes import environment_of_parts, python_command
from petstream.settings import SETTLED, Settings, kafka_variables

_MOST_WAITING: Final = 8
_FIXED: Final = {SETTLED: "1", "PETSTREAM_CONSOLE": "off", "PETSTREAM_LOG": "plain"}


class CommandResult(NamedTuple):
    """How a command ended, and what it printed.

    Attributes:
        status: the exit status; None if it took too long, and was ended.
        document: what it printed with ``--json``; None if that was no whole document.
        error: what it printed on stderr, or another line about how it ended.
        printed: what it printed on stdout without ``--json``, for a person.
    """

    status: int | None
    document: Any
    error: str
    printed: str = ""


class CommandRunner:
    """Runs one command at a time."""

    def __init__(self) -> None:
        """Wait for the first."""
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def run(self, settings: Settings, *arguments: str, within_s: float) -> CommandResult:
        """Run ``petstream ARGUMENTS`` against these servers."""
        printed: list[str] = []
        errors: list[str] = []

        def keep(stream: int, line: str) -> None:
            (printed if stream == STDOUT else errors).append(line)

        program = Program("console", python_command("console", *arguments))
        if self._waiting >= _MOST_WAITING:
            return CommandResult(None, None, "others have asked already: try again in a minute")
        self._waiting += 1
        try:
            async with asyncio.timeout(within_s), self._turn:
                status = await spawn(program, environment(settings), keep).wait()
        except TimeoutError:
            error = f"there was no answer within {within_s:g} s: the servers are busy or away"
            return CommandResult(None, None, error)
        finally:
            self._waiting -= 1
        error = "\n".join(errors).replace("petstream: ", "")
        is_json = "--json" in arguments
        document = _parsed(printed) if is_json else None
        said = "" if is_json else "\n".join(printed)
        return CommandResult(status, document, error or f"it ended with status {status}", said)


def environment(settings: Settings) -> dict[str, str]:
    """Return the environment of a command that uses the same servers."""
    servers = {
        "PETSTREAM_DATA_DIR": str(settings.data_dir),
        "PETSTREAM_TOPIC_PREFIX": settings.topic_prefix,
    }
    if settings.database_url is not None:
        servers["PETSTREAM_DATABASE_URL"] = settings.database_url
    if settings.kafka is not None:
        servers |= kafka_variables(settings.kafka)
    return {**environment_of_parts(), **servers, **_FIXED}


def _parsed(lines: list[str]) -> Any:
    """Return the document; a line that is very long comes in pieces, so nothing goes between."""
    try:
        return json.loads("".join(lines))
    except ValueError:
        return None
