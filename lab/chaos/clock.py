"""A part of petstream with a clock that somebody steps: what a wrong clock of a machine does to it.

Usage: ``python -m lab.chaos.clock FILE WORDS...`` runs ``petstream WORDS...``; the file says how
many seconds its clock is off, and may be written at any moment.

Rule 1: only what Python takes for the time of day is changed: what measures how long something
        takes isn't, nor the stamps that the Kafka client's compiled part puts on records, nor the
        clocks of Kafka and Postgres.
"""

from __future__ import annotations

import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import time_machine

_LOOK_EVERY_S: Final = 0.1


def main(file: Path, words: list[str]) -> None:
    """Run the command line with the clock that the file says."""
    from console.__main__ import main as petstream  # noqa: PLC0415  it reads the command line

    follow(file)
    sys.argv[1:] = words
    petstream()


def step_of(file: Path) -> float:
    """Return by how many seconds the clock shall be off; 0.0: nobody has said anything."""
    try:
        return float(file.read_text("ascii"))
    except (OSError, ValueError):
        return 0.0  # it isn't there, or is just being written


def follow(file: Path) -> threading.Thread:
    """Step the clock of this process whenever the file says so, from now on."""
    stepped = step_of(file)
    start = datetime.now(UTC) + timedelta(seconds=stepped)
    clock = time_machine.travel(start, tick=True).start()

    def keep_looking(before: float) -> None:
        while True:
            time.sleep(_LOOK_EVERY_S)
            wanted = step_of(file)
            if wanted != before:
                clock.shift(timedelta(seconds=wanted - before))
                before = wanted

    thread = threading.Thread(target=keep_looking, args=(stepped,), name="clock", daemon=True)
    thread.start()
    return thread


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
