"""A command that serves the console, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
SAYS = "status and metrics: "


def begun(cwd: Path, *command: str, **settings: str) -> subprocess.Popen[str]:
    """Start a command (`console` if none is named) with these settings and no others."""
    ours = {name: text for name, text in os.environ.items() if "PETSTREAM_" not in name}
    given = {f"PETSTREAM_{name.upper()}": text for name, text in settings.items()}
    return subprocess.Popen(  # noqa: S603  our own command
        [sys.executable, "-m", "console", *(command or ("console",))], cwd=cwd, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env=ours | {"PYTHONPATH": str(ROOT)} | given,
    )  # fmt: skip


@contextmanager
def serving(cwd: Path, *command: str, **settings: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the console's URL, and what else it prints; on SIGTERM it must end with status 0."""
    said: list[str] = []
    with begun(cwd, *command, **{"console": "127.0.0.1:0", **settings}) as process:
        try:
            assert process.stdout
            for line in iter(process.stdout.readline, ""):
                if line.startswith(SAYS):
                    yield line.removeprefix(SAYS).strip(), said
                    break
                said.append(line)
            process.terminate()
            rest, _ = process.communicate(timeout=20)
            said.append(rest)
        finally:
            process.kill()
    assert process.returncode == 0, "".join(said)
