"""What `doctor` asks of the disk: data directory and picture store. Writes nothing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from console.finding import Finding
from contracts.settings import Settings

_GIB: Final = 1024**3
_LOW_BYTES: Final = 5 * _GIB
_TOO_LOW_BYTES: Final = _GIB // 2


def store(settings: Settings) -> list[Finding]:
    """Look at where raw files and pictures are kept."""
    found = directory("data directory", settings.data_dir, "PETSTREAM_DATA_DIR")
    pictures = settings.pictures
    if pictures is None:
        return found
    if pictures == "off":
        return [*found, Finding("pictures", "pass", "pictures are off")]
    if pictures.startswith("s3:"):
        what = "the bucket isn't checked here: that can't be done without writing to it"
        return [*found, Finding("pictures", "warn", what, "watch the first pictures in status")]
    path = Path(unquote(urlsplit(pictures).path))
    return [*found, *directory("pictures", path, "PETSTREAM_PICTURES")]


def directory(area: str, path: Path, setting: str) -> list[Finding]:
    """Look at a directory, or at the nearest above it that is there."""
    there = path.absolute()
    while not there.exists():
        there = there.parent
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        what = f"nothing can be kept in {path}"
        return [Finding(area, "fail", what, f"give this user the right to, or mend {setting}")]
    free = shutil.disk_usage(there).free
    what = f"{path} can be written, {free / _GIB:.1f} GiB free"
    if free < _LOW_BYTES:
        state = "fail" if free < _TOO_LOW_BYTES else "warn"
        return [Finding(area, state, what, f"make room, or mend {setting}")]  # type: ignore[arg-type]
    return [Finding(area, "pass", what)]
