"""Why a picture couldn't be fetched, and when to try again.

Rule 1: a reason is a stable word; it stands in the row, and never holds what a host sent.
Rule 2: an address or URL that isn't allowed is never tried again; content a day later, three times.
Rule 3: `missing` makes a picture gone at the third time, and these are days apart.
Rule 4: trouble with a host is tried again for weeks, ever more seldom; the host may say when.
Rule 5: of a picture that can't be had, its next smaller rendition is asked for at once; after mere
        trouble only when that has lasted for a day or so. If none can be had, the refusal counts
        that leaves most to hope for.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final, Literal, NamedTuple

from petstream.waiting import Delays

RefusalKind = Literal["never", "content", "missing", "trouble"]

_DAY_S: Final = 86_400.0
_TROUBLE_DELAYS: Final = Delays(60.0, longest_s=_DAY_S)
_MAX_ATTEMPTS: Final = {"content": 3, "trouble": 30}
_LASTING_ATTEMPTS: Final = 12
"""So many tries take some 35 hours: whoever is still in trouble then may be so for long."""
_BROKEN_OFF: Final = "short"
_MOST_HOPE: Final[tuple[RefusalKind, ...]] = ("trouble", "content", "missing", "never")
MAX_MISSES: Final = 3
"""How often a host must say that a picture isn't there."""


class RefusedPictureError(Exception):
    """A picture that can't be had; `reason` is a stable word."""

    def __init__(
        self, reason: str, kind: RefusalKind = "never", retry_after_s: float | None = None
    ) -> None:
        """Keep why, of what kind it is, and what the host said about trying again."""
        super().__init__(reason)
        self.reason, self.kind, self.retry_after_s = reason, kind, retry_after_s


class RetryDecision(NamedTuple):
    """What a row becomes: `wait_s` None = it isn't tried again."""

    status: Literal["due", "failed", "gone"]
    misses: int
    wait_s: float | None


def asks_for_next(refusal: RefusedPictureError, attempts: int) -> bool:
    """Return whether the next rendition is asked for in the same try."""
    if refusal.kind != "trouble" or refusal.reason == _BROKEN_OFF:
        return True
    return attempts >= _LASTING_ATTEMPTS


def asks_again(refusal: RefusedPictureError) -> bool:
    """Return whether the same is asked for once more at once: a connection may break off once."""
    return refusal.reason == _BROKEN_OFF


def weightiest(refusals: Sequence[RefusedPictureError]) -> RefusedPictureError:
    """Return the refusal that counts of those of a picture's renditions, largest first."""
    if not refusals:
        return RefusedPictureError("no-url")
    return min(refusals, key=lambda refusal: _MOST_HOPE.index(refusal.kind))


def decide_retry(refusal: RefusedPictureError, attempts: int, misses: int) -> RetryDecision:
    """Return what becomes of a picture after its try number `attempts`."""
    if refusal.kind == "never":
        return RetryDecision("failed", misses, None)
    if refusal.kind == "missing":
        if misses + 1 >= MAX_MISSES:
            return RetryDecision("gone", misses + 1, None)
        return RetryDecision("due", misses + 1, _jittered(_DAY_S))
    if refusal.kind == "content":
        again = attempts < _MAX_ATTEMPTS["content"]
        return RetryDecision("failed", misses, _jittered(_DAY_S) if again else None)
    if attempts >= _MAX_ATTEMPTS["trouble"]:
        return RetryDecision("failed", misses, None)
    wait_s = _jittered(_TROUBLE_DELAYS.after(attempts))
    if refusal.retry_after_s is not None:
        wait_s = max(wait_s, min(refusal.retry_after_s, _DAY_S))
    return RetryDecision("due", misses, wait_s)


def retry_after_s(text: str) -> float | None:
    """Read the header Retry-After: seconds or a date.

    >>> retry_after_s("120"), retry_after_s("soon")
    (120.0, None)
    """
    if text.strip().isdecimal() and len(text) < 10:  # noqa: PLR2004  no number of seconds is longer
        return float(text)
    try:
        wait_s = (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()
    except (TypeError, ValueError):
        return None
    return max(0.0, wait_s)


def _jittered(wait_s: float) -> float:
    return wait_s * random.uniform(0.9, 1.3)  # noqa: S311  so that they don't all come at once
