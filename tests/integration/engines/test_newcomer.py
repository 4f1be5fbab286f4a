"""From an empty directory to the pets in an engine's table, by typing what the pages say."""

from __future__ import annotations

import logging
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

LACKING = [program for program in ("java", "mvn", "psql") if shutil.which(program) is None]

pytestmark = [
    pytest.mark.servers,
    pytest.mark.long,
    pytest.mark.skipif(bool(LACKING), reason=f"{' and '.join(LACKING)} isn't there"),
]

ROOT = Path(__file__).parents[3]
WITHIN_S = 600.0

_log = logging.getLogger(__name__)


def typed(page: Path) -> list[str]:
    """Return what a page has a newcomer type, block by block."""
    return re.findall(r"```sh\n(.*?)```", page.read_text("utf-8"), re.DOTALL)


def until(what: str, so: Callable[[], bool], said: Callable[[], str]) -> None:
    """Look each half second."""
    began = time.monotonic()
    while not so():
        assert time.monotonic() - began < WITHIN_S, f"not within {WITHIN_S:.0f} s: {what}; {said()}"
        time.sleep(0.5)


@contextmanager
def terminal(lines: str, home: Path, log: Path) -> Iterator[None]:
    """Type lines into a shell of its own, and end all that they began."""
    with log.open("w") as screen:
        shell = subprocess.Popen(  # noqa: S603  our pages
            ["bash", "-c", lines], cwd=home, stdout=screen, stderr=screen,  # noqa: S607  the same
            stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            yield
        finally:
            os.killpg(shell.pid, signal.SIGTERM)
            shell.wait(60)


@pytest.mark.parametrize("engine", ["connect", "flink"])
def test_the_lines_of_the_pages_lead_to_the_pets_in_the_engines_table(
    engine: str, tmp_path: Path
) -> None:
    began = time.monotonic()
    clone = ["git", "clone", "-q", str(ROOT), str(tmp_path / "petstream")]
    subprocess.run(clone, check=True)  # noqa: S603  our own repository
    home, demo, log = tmp_path / "petstream", tmp_path / "demo.log", tmp_path / "engine.log"
    begin, fetch, sink, look = typed(home / "docs" / "engines" / engine / "README.md")
    with terminal(f"exec {begin.strip()} --pets 60", home, demo):
        until("petstream is up", lambda: "petstream is up" in demo.read_text(), demo.read_text)
        _log.info("petstream is up after %.0f s", time.monotonic() - began)
        looking = f"while sleep 1; do {look.strip()}; done"
        with terminal(f"set -e\n{fetch}\n{sink}\nset +e\n{looking}", home, log):
            until("the same numbers", lambda: len(set(numbers(log))) == 1, log.read_text)
            first = numbers(log)[0]
            _log.info("%s: %s rows after %.0f s", engine, first, time.monotonic() - began)
            until("another day", lambda: numbers(log)[-1] != first, log.read_text)
            until("the same again", lambda: len(set(numbers(log))) == 1, log.read_text)
    assert int(first) >= 60


def numbers(log: Path) -> list[str]:
    """Return what the last answer of psql that is whole shows."""
    rows = re.findall(r"^ +(\d+(?: +\| +\d+)+)$\n\(1 row\)", log.read_text(), re.MULTILINE)
    return re.findall(r"\d+", rows[-1]) if rows else ["nothing", "yet"]
