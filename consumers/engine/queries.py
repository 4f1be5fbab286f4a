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


@cache
def several(name: str, rows: int, fixed: int | None = None) -> str:
    """Return a query of ours that writes so many rows at once: Postgres begins it once for all.

    Its parameters are those of one row after the other, each without the one called `fixed`, if
    there is one: it says something of a row to the rest of the statement, and is false for all of
    these.
    """
    text = query(name) if fixed is None else query(name).replace(f"${fixed} ", "false ")
    before, values, behind = re.split(r"(?<=VALUES )(\(.*?\n\))", text, maxsplit=1, flags=re.DOTALL)
    numbers = sorted({int(number) for number in re.findall(r"\$(\d+)", values)})

    def of_row(row: int) -> str:
        first = row * len(numbers) + 1
        return re.sub(r"\$(\d+)", lambda at: f"${first + numbers.index(int(at[1]))}", values)

    return f"{before}{', '.join(map(of_row, range(rows)))}{behind}"


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
