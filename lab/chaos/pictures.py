"""The stored pictures that the tables tell of, looked at in their directory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lab.expectations import differences_of


def differences(store: Path, rows: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    """Say which pictures aren't there, or aren't what their rows say.

    Args:
        store: the directory of pictures.
        rows: of those that are stored, as `judge.QUERIES` asks for them.
    """
    wrong: dict[int, str] = {}
    for row in rows:
        data = _read(store / row["stored_as"])
        if data is None:
            wrong[row["animal_id"]] = f"{row['stored_as']} isn't there"
        elif hashlib.sha256(data).hexdigest() != row["sha256"] or len(data) != row["bytes"]:
            wrong[row["animal_id"]] = f"{row['stored_as']} is another picture than its row says"
        for thumbnail in json.loads(row["thumbnails"] or "{}").values():
            if _read(store / thumbnail) is None:
                wrong[row["animal_id"]] = f"{thumbnail} isn't there"
    return differences_of("stored pictures", {}, wrong)


def _read(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except OSError:
        return None
