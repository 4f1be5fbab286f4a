"""The feed that is measured: two days of the simulator's, as they are or with rows cut to 4.4 KB.

Rule 1: made once for a size and kind, and kept: to make it takes longer than to read it.
Rule 2: a day stands in a folder of its own beside the other, so one FTP server serves both.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from lab.simulator import history, write_export

Kind = Literal["short", "real"]

FIRST_DAY: Final = "first"
USUAL_DAY: Final = "usual"
"""The folders of the days: all pets are new, and some are new, some changed and some gone."""

_LONGEST_HTML, _LONGEST_TEXT = 2_200, 2_000


class MeasuredFeed(NamedTuple):
    """Two exports in a directory: how many pets and organisations, and a pet's mean size in bytes.

    `usual_rows` is how many rows of pets the files of a usual day have on the second.
    """

    directory: Path
    pets: int
    organizations: int
    row_bytes: float
    usual_rows: int


def feed(directory: Path, pets: int, kind: Kind) -> MeasuredFeed:
    """Return the feed of that many pets, made if it isn't there.

    Args:
        directory: where feeds are kept.
        pets: how many.
        kind: ``real`` = as the simulator has them, 7 KB; else one picture and shorter texts.
    """
    home = directory / f"{kind}-{pets}-days"
    made = home.with_suffix(".json")
    if not made.exists():
        shutil.rmtree(home, ignore_errors=True)
        days = history(pets=pets, days=2)
        for number, name in enumerate((FIRST_DAY, USUAL_DAY)):
            write_export(home / name, days, number)
            if kind != "real":
                for file in (home / name).glob("*pets_*.json"):
                    _cut(file)
        first, usual = home / FIRST_DAY, home / USUAL_DAY
        size = sum(file.stat().st_size for file in first.glob("pets_*.json"))
        organizations = sum(_rows(file) for file in first.glob("orgs_*.json")) - 1  # the time stamp
        usual_rows = sum(_rows(file) for file in usual.glob("[nu]*pets_*.json"))  # not pets_n
        figures = [organizations, size / pets, usual_rows]
        made.write_text(json.dumps(figures), encoding="ascii")
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
