"""One line of `petstream doctor`: what was looked at, how it is, and how to mend it."""

from __future__ import annotations

from typing import Literal, NamedTuple

State = Literal["pass", "warn", "fail"]


class Finding(NamedTuple):
    """What one check found; no part of it holds a secret."""

    area: str
    state: State
    what: str
    mend: str = ""
