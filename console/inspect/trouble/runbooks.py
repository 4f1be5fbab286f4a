"""The pages of docs/ops about alerts, as the console shows them: what it means, and what to do.

Rule 1: docs/ops is the one source. `runbooks.json` is made from it
        (`python -m console.documents.runbooks_document`), since a package has no docs; a test
        compares.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import msgspec


class Runbook(msgspec.Struct, frozen=True):
    """What docs/ops says about an alert; texts are Markdown: links, and code in backticks."""

    alert: str
    severity: str
    page: str
    """The name of its page, without its ending."""
    means: str
    look: tuple[str, ...]
    mend: tuple[str, ...]
    over: str


def runbook(alert: str) -> Runbook:
    """Return what is said about an alert.

    Raises:
        KeyError: there is no such alert.
    """
    return runbooks()[alert]


@cache
def runbooks() -> Mapping[str, Runbook]:
    """Return all of them, by the alert's name."""
    text = (files("console.inspect.trouble") / "runbooks.json").read_bytes()
    return {entry.alert: entry for entry in msgspec.json.decode(text, type=tuple[Runbook, ...])}
