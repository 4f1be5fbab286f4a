"""The peers on the same files and servers, and the profiler: programs of an environment of its own.

Rule 1: our code needs none of their packages: they are installed beside the feed, once.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
import venv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from console.runtime.processes import python_command
from ingest import compiled
from lab.bench.feed import FIRST_DAY, MeasuredFeed
from lab.bench.measured import Measured
from lab.bench.servers import BenchServers, bring_to_rest, fresh_database, of_day, prepared
from lab.bench.usage import Usage, ended

_ROOT: Final = Path(__file__).parents[2]
_REQUIREMENTS: Final = _ROOT / "requirements" / "peers.txt"
_STEPS: Final[tuple[tuple[str, str, bool], ...]] = (
    ("plain script: first import", "plain_script", True),
    ("plain script: the same files again", "plain_script", False),
    ("dlt: first import", "dlt_pipeline", True),
)
"""The steps of peers: their names, their modules, and whether the database is a new one."""
_SAMPLES_A_S: Final = 250


def installed(directory: Path) -> Path:
    """Return the directory of the programs, installed if they aren't there yet."""
    environment = directory / "peers"
    programs = environment / "bin"
    stamp = environment / "requirements.txt"
    if not stamp.exists() or stamp.read_bytes() != _REQUIREMENTS.read_bytes():
        venv.create(environment, clear=True, with_pip=True)
        command = [str(programs / "pip"), "install", "-q", "--require-hashes", "-r"]
        subprocess.run([*command, str(_REQUIREMENTS)], check=True)  # noqa: S603  that environment's own pip
        stamp.write_bytes(_REQUIREMENTS.read_bytes())
    return programs


def peers(
    around: BenchServers, feed: MeasuredFeed, name: str, programs: Path
) -> Iterator[Measured]:
    """Measure each peer once, from its start to its end."""
    url = ""
    for step, program, is_new in _STEPS:
        if is_new:
            url = asyncio.run(fresh_database(around.database_url, f"peer_{name}"))
        environment = {
            **os.environ, **of_day(FIRST_DAY), "PETSTREAM_DATABASE_URL": url,
            "PYTHONPATH": str(_ROOT), "RUNTIME__LOG_LEVEL": "ERROR",
        }  # fmt: skip
        command = [str(programs / "python"), "-P", "-m", f"lab.bench.peers.{program}"]
        before, began = around.usages(), time.monotonic()
        used = _run(command, environment, step)
        seconds = time.monotonic() - began
        yield Measured(step, feed.pets, seconds, {"script": used} | around.costs_since(before), {})
        asyncio.run(bring_to_rest(url))


def profile(around: BenchServers, programs: Path, directory: Path) -> list[Path]:
    """Draw where the time of a first import goes: a flame graph each of ingest and consume pets."""
    # of what is compiled a profiler would see no function
    environment = prepared(around, "profile") | {compiled.SETTING: "off"}
    drawn = []
    for arguments in (("ingest", "initial"), ("consume", "pets")):
        picture = directory / f"{arguments[0]}.svg"
        recording = [
            str(programs / "py-spy"), "record", "--rate", str(_SAMPLES_A_S), "--output",
            str(picture), "--",
        ]  # fmt: skip
        _run([*recording, *python_command("lab.bench.part", *arguments)], environment, "py-spy")
        drawn.append(picture)
    return drawn


def _run(command: list[str], environment: Mapping[str, str], name: str) -> Usage:
    """Run a program to its end, and return what it has cost."""
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)  # noqa: S603  our own programs
    return ended(process, name)
