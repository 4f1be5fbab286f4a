"""The command where only a part of petstream is installed, as processes of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in %(absent)r:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
sys.argv[1:] = %(arguments)r
from console.__main__ import main
main()
"""
SETTINGS = {
    "PYTHONPATH": str(ROOT),
    "PETSTREAM_FTP_URL": "ftp://a:b@127.0.0.1:1/",
    "PETSTREAM_KAFKA": "127.0.0.1:1",
}
SERVER = ("aiokafka", "asyncpg", "aioftp", "aiohttp", "prometheus_client", "rich", "ijson")


def run(
    tmp_path: Path, absent: tuple[str, ...], *arguments: str
) -> subprocess.CompletedProcess[str]:
    program = PROGRAM % {"absent": absent, "arguments": list(arguments)}
    return subprocess.run(  # noqa: S603  ours
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False,
        env=SETTINGS, timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("command", "absent"), [("status", SERVER), ("up", SERVER), ("ingest", ("ijson",))]
)
def test_without_the_server_part_the_command_says_what_to_install(
    tmp_path: Path, command: str, absent: tuple[str, ...]
) -> None:
    done = run(tmp_path, absent, command)
    [line] = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (2, "")
    assert line.startswith("petstream: there is no module ")
    assert line.endswith(": pip install 'petstream[server]'")


def test_what_commands_there_are_is_said_without_the_server_part(tmp_path: Path) -> None:
    done = run(tmp_path, SERVER, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "ingest" in done.stdout


def test_a_module_of_our_own_that_is_missing_is_a_bug(tmp_path: Path) -> None:
    done = run(tmp_path, ("consumers",), "status")
    assert done.returncode == 1
    assert done.stderr.startswith("petstream: this is a bug in petstream: ModuleNotFoundError at ")


@pytest.mark.parametrize("absent", ["lab", "pyftpdlib"])
def test_without_lab_simulate_says_what_to_install(tmp_path: Path, absent: str) -> None:
    done = run(tmp_path, (absent,), "simulate", "--pets", "7")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"petstream: simulate isn't installed (there is no module {absent}): "
        "pip install 'petstream[lab]'\n"
    )


def test_without_lab_there_is_help_for_all_the_rest(tmp_path: Path) -> None:
    done = run(tmp_path, ("lab",), "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "serve simulated exports to practise on" in done.stdout


def test_simulate_is_imported_when_it_is_used(tmp_path: Path) -> None:
    done = run(tmp_path, (), "simulate", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "--fault NAME" in done.stdout
