"""`doctor` on the disk and the bucket: data directory and picture store.

Rule 1: nothing is written to the disk; what is put into a bucket is taken out again.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from console.doctor.check_result import CheckResult, State
from consumers.pictures.store.directory import directory_of
from consumers.pictures.store.factory import open_store, probe
from consumers.pictures.store.interface import StoreTroubleError
from petstream.settings import Settings

_GIB: Final = 1024**3
_LOW_BYTES: Final = 5 * _GIB
_TOO_LOW_BYTES: Final = _GIB // 2
_DEADLINE_S: Final = 20.0
_PRIVATE: Final = ("archive", "kafka", "kafka.log", "postgres.log", "postgres.password")
"""What petstream keeps under the data directory for its user alone."""


async def check_stores(settings: Settings) -> list[CheckResult]:
    """Check where raw files and pictures are kept."""
    results = check_directory("data directory", settings.data_dir, "PETSTREAM_DATA_DIR")
    results += check_owner(settings.data_dir, os.geteuid())
    results += check_privacy([Path(".env"), *(settings.data_dir / name for name in _PRIVATE)])
    pictures = settings.pictures
    if pictures is None:
        return results
    if pictures == "off":
        return [*results, CheckResult("pictures", "pass", "pictures are off")]
    if pictures.startswith("s3:"):
        return [*results, await check_bucket(pictures)]
    return [*results, *check_directory("pictures", directory_of(pictures), "PETSTREAM_PICTURES")]


def check_owner(directory: Path, user: int) -> list[CheckResult]:
    """Check that nobody else may put files of theirs in the place of ours; `user`: who we are."""
    try:
        state = directory.stat()
    except OSError:  # it isn't there yet: it will be ours
        return []
    results = []
    if state.st_mode & 0o022:
        what = f"other users may put their files in the place of petstream's in {directory}"
        results.append(CheckResult("privacy", "warn", what, f"chmod go-w {directory}"))
    if user and state.st_uid != user:  # root may look at anybody's
        what = f"{directory} belongs to the user id {state.st_uid}, who may change all in it"
        mend = "set PETSTREAM_DATA_DIR to a directory of this user's own"
        results.append(CheckResult("privacy", "warn", what, mend))
    return results


def check_privacy(paths: Sequence[Path]) -> list[CheckResult]:
    """Check that nobody else may read what is ours; what isn't there can't be read."""
    results = []
    for path in paths:
        try:
            mode = path.stat().st_mode
        except OSError:
            continue
        if mode & 0o077:
            what = f"other users may read {path}"
            results.append(CheckResult("privacy", "warn", what, f"chmod go= {path}"))
    return results


async def check_bucket(url: str) -> CheckResult:
    """Put an object of 32 bytes, get it and delete it: nothing less says that we may."""
    try:
        async with asyncio.timeout(_DEADLINE_S):
            await probe(open_store(url))
    except StoreTroubleError as trouble:
        return CheckResult("pictures", "fail", trouble.what, trouble.mend)
    except (OSError, TimeoutError) as error:
        what = f"{url} doesn't do what it should ({type(error).__name__})"
        return CheckResult("pictures", "fail", what, "see to the server of AWS_ENDPOINT_URL")
    return CheckResult("pictures", "pass", f"{url} takes, gives and deletes")


def check_directory(area: str, path: Path, setting: str) -> list[CheckResult]:
    """Check a directory, or the nearest above it that is there."""
    existing = path.absolute()
    while not existing.exists():
        existing = existing.parent
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        what = f"nothing can be kept in {path}"
        return [CheckResult(area, "fail", what, f"give this user the right to, or mend {setting}")]
    free = shutil.disk_usage(existing).free
    what = f"{path} can be written, {free / _GIB:.1f} GiB free"
    if free < _LOW_BYTES:
        state: State = "fail" if free < _TOO_LOW_BYTES else "warn"
        return [CheckResult(area, state, what, f"make room, or mend {setting}")]
    return [CheckResult(area, "pass", what)]
