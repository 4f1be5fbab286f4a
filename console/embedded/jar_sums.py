"""The sums of Kafka's jars: each must be, byte for byte, the one that is pinned by its coordinate.

Rule 1: a jar that isn't pinned, or differs, is run by nobody; also one that was fetched long ago.
Rule 2: what was summed once isn't read again as long as its size and time stay the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

from petstream.errors import PetstreamError

_PINS: Final = "jars.sha512"
_MEMO: Final = "jars.checked.json"


def check(jars: Sequence[str], cache_dir: Path) -> None:
    """Compare jars with what is pinned; `cache_dir` remembers that they were.

    Raises:
        PetstreamError: one isn't pinned, differs, or can't be read.
    """
    sums, memo = pinned(), cache_dir / _MEMO
    try:
        now = {jar: _as_it_is(Path(jar), sums) for jar in jars}
        if _remembered(memo) == now:
            return
        wrong = [jar for jar in jars if sum_of(Path(jar)) != sums.get(Path(jar).name)]
    except OSError as error:
        raise PetstreamError(f"Kafka's jars can't be read ({error})") from error
    if wrong:
        raise PetstreamError(_refusal(wrong, sums))
    with suppress(OSError):  # they are summed again then
        part = memo.with_suffix(".part")
        part.write_text(json.dumps(now))
        part.replace(memo)


@cache
def pinned() -> Mapping[str, str]:
    """Return the SHA-512 of each jar that is pinned, by the name of its file."""
    lines = (files(__package__) / _PINS).read_text("ascii").splitlines()
    sums = {}
    for line in lines:
        total, coordinate = line.split()
        _group, artifact, version = coordinate.split(":")
        sums[f"{artifact}-{version}.jar"] = total
    return sums


def sum_of(jar: Path) -> str:
    """Return the SHA-512 of a file."""
    with jar.open("rb") as file:
        return hashlib.file_digest(file, "sha512").hexdigest()


def _as_it_is(jar: Path, sums: Mapping[str, str]) -> list[int | str]:
    """Return what says that a jar, and what it has to be, are still those that were compared."""
    state = jar.stat()
    return [state.st_size, state.st_mtime_ns, sums.get(jar.name, "")]


def _remembered(memo: Path) -> object:
    try:
        return json.loads(memo.read_text())
    except (OSError, ValueError):
        return None


def _refusal(wrong: Iterable[str], sums: Mapping[str, str]) -> str:
    of_each = ", ".join(
        f"{jar} {'has another SHA-512' if Path(jar).name in sums else 'is none of them'}"
        for jar in wrong
    )
    return (
        f"Kafka's jars aren't those that petstream was made with: {of_each}; none is run. Delete "
        "what is named and run this again; if it comes back, the package source isn't to be trusted"
    )
