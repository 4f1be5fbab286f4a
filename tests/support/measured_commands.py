"""Commands as a person runs them, each with its time and its peak of memory.

Run as a program it is the command `petstream`, and leaves its peak behind: what the operating
system tells the parent begins with the parent's own.
"""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
_PEAK_AT = "PEAK_AT"


class Measured(NamedTuple):
    """What a command took, in seconds and MiB, and what it printed."""

    step: str
    seconds: float
    peak_mib: int
    printed: str

    def document(self) -> Any:
        """Return the JSON that it printed."""
        return json.loads(self.printed)


class MeasuredCommands:
    """Runs commands against the same servers, one after the other."""

    def __init__(self, cwd: Path, **settings: str) -> None:
        """Know the settings; none of the shell's are taken."""
        self._cwd = cwd
        self.settings = settings
        self.steps: list[Measured] = []

    def run(self, step: str, *words: str, status: int = 0, **settings: str) -> Measured:
        """Run a command, which must end with this status; `settings` are beside the common ones."""
        peak_at = self._cwd / "peak"
        ours = {name: text for name, text in os.environ.items() if "PETSTREAM_" not in name}
        given = {f"PETSTREAM_{name.upper()}": text
                 for name, text in (self.settings | settings).items()}  # fmt: skip
        began_s = time.monotonic()
        done = subprocess.run(  # noqa: S603  our own command
            [sys.executable, __file__, *words], cwd=self._cwd, text=True, check=False,
            capture_output=True,
            env=ours | given | {"PYTHONPATH": str(ROOT), _PEAK_AT: str(peak_at)},
        )  # fmt: skip
        seconds = time.monotonic() - began_s
        assert done.returncode == status, (step, done.stdout[-2_000:], done.stderr[-2_000:])
        measured = Measured(step, seconds, int(peak_at.read_text()), done.stdout)
        print(f"| {step} | {seconds:.1f} | {measured.peak_mib} |", flush=True)  # noqa: T201  the figures
        self.steps.append(measured)
        return measured


def peak_mib(pid: int | str = "self") -> int:
    """Return the most memory that a living process has had so far, in MiB."""
    status = (Path("/proc") / str(pid) / "status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) // 1024


def _main() -> None:
    from console.cli.parser import main  # noqa: PLC0415  only the program needs it

    try:
        main()
    finally:
        of_children_mib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
        Path(os.environ[_PEAK_AT]).write_text(str(max(peak_mib(), of_children_mib)))


if __name__ == "__main__":
    _main()
