"""What a process that we start may import, and what of our environment it gets."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from console.runtime.processes import (
    environment_of_parts,
    environment_of_servers,
    python_command,
)

ROOT = Path(__file__).parents[3]


def test_s13_nothing_in_the_working_directory_is_imported(tmp_path: Path) -> None:
    """S13: `petstream up` is begun anywhere, and a file there may have a module's name."""
    for name in ("random.py", "console/__init__.py", "petstream/__init__.py", "msgspec.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("raise SystemExit('imported')\n")
    done = subprocess.run(  # noqa: S603  our own command
        python_command("console", "up", "--help"), cwd=tmp_path, check=False, capture_output=True,
        text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_s13_no_other_command_line_of_python_is_made() -> None:
    """S13: whoever starts one of our modules asks `python_command`."""
    sources = [path for part in ("petstream", "ingest", "consumers", "console", "lab")
               for path in (ROOT / part).rglob("*.py")]  # fmt: skip
    using = {path.name for path in sources if "sys.executable" in path.read_text("utf-8")}
    assert using == {"processes.py", "thumbnails.py"}, "the second can't import the first"
    scripts = [path.read_text("utf-8") for path in (ROOT / "scripts").iterdir() if path.is_file()]
    lines = re.findall(r"python\"? .*-m lab\..*", "\n".join(scripts))
    assert len(lines) == 4
    assert all(" -P -m lab." in line for line in lines)


def test_s2_only_variables_that_are_known_by_name_are_passed_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """S2: settings of ours aren't, nor are secrets that others keep in the environment."""
    ours = {"PETSTREAM_FTP_URL": "ftp://k:p@h/", "PETSTREAM_CONSOLE_TOKEN": "t", "DB_PASSWORD": "x",
            "NOTIFY_SOCKET": "/n", "PGPORT": "1", "LC_ALL": "de_DE", "AWS_SECRET_ACCESS_KEY": "a",
            "https_proxy": "p", "JAVA_TOOL_OPTIONS": "-Dx", "TMPDIR": "/t"}  # fmt: skip
    for name, text in ours.items():
        monkeypatch.setenv(name, text)
    assert ours.keys() & environment_of_servers() == {"TMPDIR"}
    assert ours.keys() & environment_of_servers("JAVA_TOOL_OPTIONS") == {
        "TMPDIR", "JAVA_TOOL_OPTIONS"
    }  # fmt: skip
    assert ours.keys() & environment_of_parts() == {
        "TMPDIR", "JAVA_TOOL_OPTIONS", "LC_ALL", "AWS_SECRET_ACCESS_KEY", "https_proxy"
    }  # fmt: skip
