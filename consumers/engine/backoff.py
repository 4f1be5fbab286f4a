"""Trying again: how long to wait, and when to give up.

Rule 1: only trouble with a server is tried again; every other error goes through.
Rule 2: a one-shot command gives up after 60 s without progress, a daemon never.
"""

from __future__ import annotations

import asyncio
import logging
import random
from contextlib import suppress
from types import TracebackType
from typing import Final

from consumers.engine.offsets import MovedError
from consumers.engine.postgres import kind_of
from consumers.engine.subscription import TROUBLE
from petstream.errors import UnreachableError
from petstream.kafka.client import PATIENCE_S

_FIRST_S: Final = 0.2
_LONGEST_S: Final = 15.0

_log = logging.getLogger(__name__)


class Patience:
    """Used as ``async with patience:`` around each try, in a loop that ends on success."""

    def __init__(self, who: str, stopping: asyncio.Event, *, limited: bool) -> None:
        """Be patient for `who`; if `limited`, for `PATIENCE_S`."""
        self._who, self._stopping, self._limited = who, stopping, limited
        self._since: float | None = None
        self._tries = 0

    def rest(self) -> None:
        """Note progress: patience begins anew."""
        self._since, self._tries = None, 0

    async def __aenter__(self) -> None:
        """Begin a try."""

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _trace: TracebackType | None,
    ) -> bool:
        """Wait and swallow trouble with a server; let everything else through."""
        if isinstance(error, MovedError):
            return True
        if error is None or not (isinstance(error, TROUBLE) or kind_of(error) == "transient"):
            return False
        now = asyncio.get_running_loop().time()
        self._since = now if self._since is None else self._since
        name = type(error).__name__
        if self._limited and now - self._since >= PATIENCE_S:
            raise UnreachableError(
                f"{self._who}: a server was away for {PATIENCE_S:.0f} s ({name}): "
                "start it and run this again; nothing is lost"
            ) from None  # the cause may name the database's user
        longest_s = min(_LONGEST_S, _FIRST_S * 2**self._tries)
        self._tries = min(self._tries + 1, 20)
        _log.warning("%s: %s; trying again", self._who, name)
        await pause(self._stopping, longest_s * random.uniform(0.5, 1))  # noqa: S311  jitter
        return True


async def pause(unless: asyncio.Event, seconds: float) -> None:
    """Wait so long, or until the event is set."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await unless.wait()
