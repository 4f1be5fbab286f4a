"""How far long work is, as a person at a terminal sees it."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

import pytest

from console.runtime.progress import adding_up, figures, has_bars, shown

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


class Terminal(io.StringIO):
    """Looks like a terminal."""

    def isatty(self) -> bool:
        """Say that it is one."""
        return True


@pytest.fixture(autouse=True)
def _terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return iter(())


def _drawn(terminal: Terminal) -> str:
    return ESCAPE.sub("", terminal.getvalue())


def test_a_bar_says_of_how_much_and_one_without_an_end_only_how_much() -> None:
    terminal = Terminal()
    with shown("rows", terminal) as report:
        report("all files", 2_500_000, 130_000_000, "bytes")
        report("pets_1.json", 1_234)
    assert "2.5 of 130.0 MB" in _drawn(terminal)
    assert "1,234 rows" in _drawn(terminal)


@pytest.mark.parametrize("seconds", [0.0, 0.4, 59.9, 60.0, 3_599.0, 90_000.0])
def test_the_time_left_is_never_negative_and_needs_an_end_and_a_rate(seconds: float) -> None:
    said = figures(10, 10 + int(seconds), "records", 1.0)
    assert re.search(r"· (\d+ h )?\d+ (s|min)( \d+ s)? left$", said)
    assert figures(20, 10, "records", 1.0).endswith("· 0 s left")
    assert "left" not in figures(10, None, "records", 1.0)
    assert "left" not in figures(10, 20, "records", None)
    assert "left" not in figures(10, 20, "records", 0.0)


def test_without_colours_there_are_none_and_a_dumb_terminal_and_a_program_get_no_bars(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = Terminal()
    monkeypatch.setenv("NO_COLOR", "1")
    with shown("rows", terminal) as report:
        report("pets", 3, 4)
    assert "3 of 4 rows" in _drawn(terminal)
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", terminal.getvalue())
    for_program = Terminal()
    with shown("rows", for_program, for_program=True) as report:
        report("pets", 3, 4)
    monkeypatch.setenv("TERM", "dumb")
    dumb = Terminal()
    assert not has_bars(dumb)
    with shown("rows", dumb) as report:
        report("pets", 3, 4)
    assert (for_program.getvalue(), dumb.getvalue()) == ("", "")


def test_in_a_log_a_plain_line_comes_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.runtime.progress._PLAIN_EVERY_S", 0.0)
    log = io.StringIO()
    with shown("events", log) as report:
        more = adding_up(report)
        more("pets", 1_000)
        more("pets", 500)
        report("all files", 1_000_000, 4_000_000, "bytes")
    assert log.getvalue().splitlines() == [
        "pets: 1,000 events", "pets: 1,500 events", "all files: 1.0 of 4.0 MB",
    ]  # fmt: skip
