"""The kept sabotages: small patches that break the product, each with the tests that should notice.

Rule 1: a list is `tests/sabotage/FOLDER.toml` (dots for slashes), for the files below that folder.
Rule 2: a patch replaces a text that stands in its file exactly once: one that doesn't apply any
        more is a failure, like one that nobody notices.
Rule 3: tests that need servers are said so; they run only when they are asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct, structs

LISTS: Final = "tests/sabotage"


class NotApplicableError(Exception):
    """A patch's old text isn't in its file, or is there more than once."""


class Sabotage(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One patch: `old` becomes `new` in `file`, and some of `tests` should fail."""

    name: str
    """What is broken then, as a sentence without its full stop."""
    file: str
    old: str
    new: str
    tests: tuple[str, ...] = ()
    """What pytest is to run; empty: the list's own."""
    servers: bool = False
    """The tests need real servers."""

    @property
    def folder(self) -> str:
        """Where the file is, by which results are counted."""
        return str(Path(self.file).parent)

    def applied(self, text: str) -> str:
        """Return the file's text with the patch in it.

        Raises:
            NotApplicableError: the old text isn't there exactly once.
        """
        count = text.count(self.old)
        if count != 1:
            raise NotApplicableError(f"its old text is {count} times in {self.file}")
        return text.replace(self.old, self.new)

    def fits(self, pattern: str) -> bool:
        """Return whether a pattern of the command line means this one: by its name or its file."""
        return any(fnmatch(text, pattern) for text in (self.name, self.file, self.folder))


class SabotageList(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of them; `tests` are run for those that name none."""

    sabotages: tuple[Sabotage, ...]
    tests: tuple[str, ...] = ()


def kept(root: Path) -> list[Sabotage]:
    """Return all sabotages of a tree, in the order of their lists."""
    return [
        sabotage for path in sorted((root / LISTS).glob("*.toml")) for sabotage in read_list(path)
    ]


def read_list(path: Path) -> list[Sabotage]:
    """Return the sabotages of one list."""
    listed = msgspec.toml.decode(path.read_bytes(), type=SabotageList)
    return [structs.replace(each, tests=each.tests or listed.tests) for each in listed.sabotages]


def share(sabotages: Sequence[Sabotage], number: int, of: int) -> list[Sabotage]:
    """Return every so manyth, beginning with the `number`-th (from 1): all shares make the whole.

    >>> share("abcdefg", 2, 3)
    ['b', 'e']
    """
    return list(sabotages[number - 1 :: of])
