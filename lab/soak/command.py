"""What commands that let simulated days go by through one daemon have in common."""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from console.embedded import servers
from console.runtime import arguments, signals
from console.runtime.output import note, say


def add_options(
    parser: argparse.ArgumentParser,
    *,
    days: int,
    pets: int,
    seed: int,
    directory: str,
) -> None:
    """Add the options that all of them take, with these defaults."""
    parser.add_argument("--days", type=arguments.positive, default=days, metavar="N")
    parser.add_argument("--pets", type=arguments.positive, default=pets, metavar="N")
    parser.add_argument("--seed", type=int, default=seed, metavar="N")
    parser.add_argument("--json", type=Path, metavar="FILE", help="everything, for programs")
    parser.add_argument(
        "--dir", type=Path, default=Path(directory), metavar="DIR",
        help="emptied at the start, kept at the end: daemon.log is in it",
    )  # fmt: skip


def empty(home: Path, data_dir: Path) -> None:
    """Stop the servers of an earlier run, and remove all that it left."""
    servers.put_away(data_dir)
    if home.exists():
        shutil.rmtree(home)
    data_dir.mkdir(parents=True)


def run_days(days: Callable[[], Awaitable[None]], data_dir: Path) -> int:
    """Let the days go by, then stop the servers; return 0, or the status of what ended them."""

    async def work(_stopping: object) -> int:
        await days()
        return 0

    try:
        return signals.run(work, stopped_status=1, within_s=None)
    finally:
        servers.put_away(data_dir, say=note)


def tell(lines: Iterable[str], document: Mapping[str, Any], json_file: Path | None) -> None:
    """Say the report, and write it as JSON if that is wanted."""
    for line in lines:
        say(line)
    if json_file:
        json_file.write_text(json.dumps(document, indent=1) + "\n", encoding="ascii")
