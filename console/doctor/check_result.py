"""One line of `petstream doctor`: what was checked, how it is, and how to mend it."""

from __future__ import annotations

from typing import Literal, NamedTuple

State = Literal["pass", "warn", "fail"]


class CheckResult(NamedTuple):
    """The result of one check; no part of it holds a secret."""

    area: str
    state: State
    what: str
    mend: str = ""
