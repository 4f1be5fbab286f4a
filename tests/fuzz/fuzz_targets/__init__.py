"""What is fuzzed: plain functions of bytes that raise where the product breaks a promise."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Final, NamedTuple

from fuzz_targets import descriptions, events, ftp, petlists, rows, settings, zips


class Target(NamedTuple):
    """A target, what it begins with, and what the fuzzer may write."""

    run: Callable[[bytes], None]
    seeds: Callable[[], Mapping[str, bytes]]
    words: Sequence[bytes]
    longest_bytes: int
    what: str


def _target(module: ModuleType) -> Target:
    what = (module.__doc__ or "").partition("\n")[0]
    return Target(module.run, module.seeds, module.WORDS, module.LONGEST_BYTES, what)


TARGETS: Final[Mapping[str, Target]] = {
    "rows": _target(rows),
    "petlist": _target(petlists),
    "zip": _target(zips),
    "events": _target(events),
    "descriptions": _target(descriptions),
    "ftp": _target(ftp),
    "settings": _target(settings),
}
