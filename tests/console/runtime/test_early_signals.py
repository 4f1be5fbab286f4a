"""Signals that come while a command is only beginning."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SETTINGS = {
    "PETSTREAM_SETTLED": "1",
    "PETSTREAM_FTP_URL": "ftp://a:b@127.0.0.1:1/",
    "PETSTREAM_KAFKA": "127.0.0.1:1",
    "PETSTREAM_DATABASE_URL": "postgresql://a:b@127.0.0.1:1/x",
    "PETSTREAM_CONSOLE": "off",
}
INSTALLED = ["-c", "from console.__main__ import main; main()"]
"""As the script begins that pyproject.toml names."""
DELAYS_S = [0.02 + 0.04 * step for step in range(13)]


def ended(tmp_path: Path, command: list[str], which: signal.Signals, delay_s: float) -> int | str:
    """Start a command, signal it so long after; return its status, or who wrote a traceback.

    Of another status than a signal has, return what it said.
    """
    others = {name: text for name, text in os.environ.items() if "PETSTREAM_" not in name}
    with subprocess.Popen(  # noqa: S603  ours
        [sys.executable, *command], cwd=tmp_path, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        env={**others, **SETTINGS, "PETSTREAM_DATA_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)},
    ) as process:  # fmt: skip
        try:
            time.sleep(delay_s)
            process.send_signal(which)
            said, _ = process.communicate(timeout=30)
        finally:
            process.kill()  # leaving the block waits for it
    if "Traceback" not in said:
        return process.returncode if process.returncode <= 0 else said
    ours = re.search(r'console/__main__\.py", line \d+, in main$', said, re.MULTILINE)
    return "petstream" if ours else "Python"


@pytest.mark.parametrize("which", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(
    "command",
    [["-m", "console", "up"], ["-m", "console", "consume", "pets"], [*INSTALLED, "up"]],
    ids=["up", "consume", "installed"],
)
def test_t50_a_signal_while_it_begins_ends_a_daemon_well(
    tmp_path: Path, command: list[str], which: signal.Signals
) -> None:
    """T50: before Python listens the signal itself ends it, then it is status 0."""

    def try_it(delay_s: float) -> int | str:
        return ended(tmp_path, command, which, delay_s)

    with ThreadPoolExecutor(2) as pool:
        endings = list(pool.map(try_it, DELAYS_S))
    # until `main` is there, Python itself reports Ctrl-C in its own way
    assert set(endings) <= {0, -which, "Python"}
    assert {0, -which} & set(endings)


@pytest.mark.parametrize("which", [signal.SIGTERM, signal.SIGINT])
def test_t50_a_signal_in_the_middle_of_an_import_is_status_0(
    tmp_path: Path, which: signal.Signals
) -> None:
    """T50: dataclasses are made by `exec`, through which no plain KeyboardInterrupt may pass."""
    program = (
        "import os, signal, sys\nfrom console.runtime.exit import ended_well\n"
        f"def command(): exec('os.kill(os.getpid(), {which.value})\\nfor _ in range(9): pass')\n"
        "sys.exit(ended_well(command, daemon=True))\n"
    )
    assert ended_by_itself(tmp_path, program) == 0


def test_who_was_started_to_ignore_ctrl_c_still_does(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "from console.runtime.exit import ended_well\n"
        "def command():\n    os.kill(os.getpid(), signal.SIGINT)\n    return 5\n"
        "sys.exit(ended_well(command, daemon=True))\n"
    )
    assert ended_by_itself(tmp_path, program) == 5


def ended_by_itself(tmp_path: Path, program: str) -> int:
    (tmp_path / "program.py").write_text(program)  # run with -m, as the parts of `up` are
    return subprocess.run(
        [sys.executable, "-m", "program"], cwd=tmp_path, check=False, timeout=30,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ).returncode  # fmt: skip
