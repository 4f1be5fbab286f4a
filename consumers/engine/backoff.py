"""Trouble with a server waited out: how long to wait, and when to give up.

Rule 1: only trouble with a server is tried again; every other error goes through.
Rule 2: a one-shot command gives up after 60 s without progress, a daemon never.
Rule 3: a database that can't be written ends a one-shot command at once; a daemon waits, since one
        that is just becoming the primary looks like this.
"""

from __future__ import annotations

import asyncio
import logging
from types import TracebackType
from typing import Final

from consumers.engine.offsets import MovedError
from consumers.engine.postgres import NotWritableError, kind_of
from petstream.errors import PetstreamError, UnreachableError
from petstream.kafka.client import GIVE_UP_AFTER_S, KAFKA_ERRORS
from petstream.waiting import Backoff, Delays, pause

_DELAYS: Final = Delays(0.2, longest_s=15.0, jitter=0.5)

_log = logging.getLogger(__name__)


class Retry:
    """Used as ``async with retry:`` around each try, in a loop that ends on success."""

    def __init__(self, who: str, stopping: asyncio.Event, *, limited: bool) -> None:
        """Retry what `who` does; if `limited`, for `GIVE_UP_AFTER_S` without progress."""
        self._who, self._stopping, self._limited = who, stopping, limited
        self._backoff = Backoff(_DELAYS, give_up_after_s=GIVE_UP_AFTER_S if limited else None)
        self.progressed()

    def progressed(self) -> None:
        """Note progress: delays and the time to give up begin anew."""
        self._backoff.reset()

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
        if error is None or not self._is_worth_a_retry(error):
            return False
        what = str(error) if isinstance(error, PetstreamError) else type(error).__name__
        wait_s = self._backoff.failed()
        if wait_s is None:
            raise UnreachableError(
                f"{self._who}: a server was away for {GIVE_UP_AFTER_S:.0f} s ({what}): "
                "start it and run this again; nothing is lost"
            ) from None  # the cause may name the database's user
        _log.warning("%s: %s; trying again", self._who, what)
        await pause(self._stopping, wait_s)
        return True

    def _is_worth_a_retry(self, error: BaseException) -> bool:
        if isinstance(error, NotWritableError):
            return not self._limited  # rule 3
        return isinstance(error, KAFKA_ERRORS) or kind_of(error) == "transient"
