"""The named queries of consumers/sql/*.sql, and of another package's.

Rule 1: a query begins with ``-- name: its_name``; names are unique over all files of a package.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final

from petstream.errors import PetstreamError

_NAME: Final = re.compile(r"^-- name: ([a-z_]+)$", re.MULTILINE)


def query(name: str, package: str = "consumers") -> str:
    """Return the text of a query.

    Raises:
        KeyError: there is no such query.
    """
    return queries(package)[name]


@cache
def queries(package: str = "consumers") -> Mapping[str, str]:
    """Return every query of a package by its name."""
    texts: dict[str, str] = {}
    directory = files(package) / "sql"
    for file in sorted(directory.iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".sql"):
            for name, text in parse(file.read_text(encoding="utf-8")):
                if name in texts:
                    raise PetstreamError(f"two queries are called {name}, one of them in {file}")
                texts[name] = text
    return texts


def parse(text: str) -> list[tuple[str, str]]:
    r"""Return the names and texts of the queries of one file, in its order.

    >>> parse("-- name: one\nSELECT 1;\n")
    [('one', 'SELECT 1')]
    """
    _, *parts = _NAME.split(text)
    return [
        (name, query.strip().removesuffix(";"))
        for name, query in zip(parts[::2], parts[1::2], strict=True)
    ]
