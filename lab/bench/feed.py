"""The feed that is measured: the simulator's, as it is or with rows cut to 4.4 KB.

Rule 1: made once for a size and kind, and kept: to make it takes longer than to read it.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any, Literal, NamedTuple

from lab.simulator import history, write_export

Kind = Literal["short", "real"]

_LONGEST_HTML, _LONGEST_TEXT = 2_200, 2_000


class MeasuredFeed(NamedTuple):
    """An export in a directory: how many pets and organisations, and a pet's mean size in bytes."""

    directory: Path
    pets: int
    organizations: int
    row_bytes: float


def feed(directory: Path, pets: int, kind: Kind) -> MeasuredFeed:
    """Return the feed of that many pets, made if it isn't there.

    Args:
        directory: where feeds are kept.
        pets: how many.
        kind: ``real`` = as the simulator has them, 7 KB; else one picture and shorter texts.
    """
    home = directory / f"{kind}-{pets}"
    made = directory / f"{kind}-{pets}.json"
    if not made.exists():
        shutil.rmtree(home, ignore_errors=True)
        write_export(home, history(pets=pets, days=1), 0)
        if kind != "real":
            for file in home.glob("*pets_*.json"):
                _cut(file)
        size = sum(file.stat().st_size for file in home.glob("pets_*.json"))
        organizations = sum(_rows(file) for file in home.glob("orgs_*.json")) - 1  # the time stamp
        made.write_text(json.dumps([organizations, size / pets]), encoding="ascii")
    return MeasuredFeed(home, pets, *json.loads(made.read_text(encoding="ascii")))


def _rows(file: Path) -> int:
    return file.read_bytes().count(b"\n")


def _cut(file: Path) -> None:
    times = file.stat()
    shorter = file.with_suffix(".cut")
    with file.open(encoding="ascii") as rows, shorter.open("w", encoding="ascii") as out:
        for row in rows:
            out.write(_dumped(_shorter(json.loads(row))) + "\n")
    shorter.replace(file)
    os.utime(file, (times.st_mtime, times.st_mtime))


def _shorter(row: dict[str, Any]) -> dict[str, Any]:
    return row | {
        "pictures": row["pictures"][:1],
        "description": row["description"][:_LONGEST_HTML],
        "descriptionPlain": row["descriptionPlain"][:_LONGEST_TEXT],
    }


def _dumped(row: dict[str, Any]) -> str:
    return json.dumps(row, separators=(",", ":")).replace("/", "\\/")
