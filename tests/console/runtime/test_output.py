"""The one door to a terminal."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from console.runtime.output import LogMultiplexer, note, say
from console.runtime.terminal import printable

CONSOLE = Path(__file__).parents[3] / "console"
HOSTILE = {
    "colours": ("\x1b[31mBiscuit", r"\x1b[31mBiscuit"),
    "a title": ("\x1b]0;owned\x07", r"\x1b]0;owned\x07"),
    "C1": ("\x9b2J", r"\x9b2J"),
    "overwrites": ("good\rbad", r"good\rbad"),
    "deletes": ("a\x08\x7f", r"a\x08\x7f"),
    "right to left": ("\u202egnp.exe\u2066", r"\u202egnp.exe\u2066"),
    "invisible": ("a\u200b\U000e0041", r"a\u200b\U000e0041"),
    "half a pair": ("\ud83d", r"\ud83d"),
    "lines": ("Zoë\n\t日本", "Zoë\n\t日本"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_s5_whatever_a_text_holds_a_terminal_shows_it_and_obeys_nothing(
    kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """S5: a pet's species, a server's banner, a header of a stranger's record."""
    text, shown = HOSTILE[kind]
    say(text)
    note(text)
    assert capsys.readouterr() == (f"{shown}\n", f"{shown}\n")


def test_s5_lines_of_several_processes_go_through_the_same_door(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """S5."""
    with LogMultiplexer() as output:
        output.line("\x1b[2J", part="watch")
    assert capfd.readouterr().out == f"watch | \\x1b[2J{os.linesep}"


def test_s5_a_text_of_megabytes_is_escaped_in_one_go() -> None:
    """S5: nothing is quadratic here."""
    assert len(printable("\x1b" * 2_000_000)) == 8_000_000


def test_s5_there_is_no_other_door() -> None:
    """S5: but for the version, before anything is imported, and numbers beside our own names."""
    printing = {
        path.relative_to(CONSOLE).as_posix()
        for path in CONSOLE.rglob("*.py")
        if re.search(r"(?m)^\s*print\(|sys\.std(out|err)\.write", path.read_text("utf-8"))
    }
    assert printing == {"runtime/output.py", "runtime/progress.py", "__main__.py"}
