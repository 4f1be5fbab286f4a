"""The command line: what is understood, and what is refused."""

from __future__ import annotations

import os
import re
from argparse import Namespace
from pathlib import Path

import pytest

from console.cli import parser


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in tuple(os.environ):
        if name.startswith("PETSTREAM_"):
            monkeypatch.delenv(name)


@pytest.mark.parametrize("command", ["ingest", "up"])
def test_a_missing_feed_is_told_before_any_server_is_started(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert parser.run([command]) == 2
    assert capsys.readouterr().err.startswith("petstream: PETSTREAM_FTP_URL: it isn't set")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("flag", ["--allow-older", "--allow-growth"])
@pytest.mark.parametrize("beside", [["--watch"], ["--from-archive", "2026-11-02T08:12:04Z"]])
def test_f13_what_a_person_allows_for_one_run_is_for_no_other(
    flag: str,
    beside: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """F13: and it isn't passed over in silence."""
    monkeypatch.setenv("PETSTREAM_FTP_URL", "ftp://apikey-x:secret@127.0.0.1:1/")
    assert parser.run(["ingest", flag, *beside]) == 2
    assert re.search("goes alone|are for one run", capsys.readouterr().err)


def test_every_wrong_setting_is_told_in_a_line_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PETSTREAM_FTP_URL", "ftp://apikey-x:secret@host:port")
    monkeypatch.setenv("PETSTREAM_SCRUB", "hourly")
    assert parser.run(["status"]) == 2
    lines = capsys.readouterr().err.splitlines()
    names = [line.split(":")[1].strip() for line in lines]
    assert names == ["PETSTREAM_FTP_URL", "PETSTREAM_SCRUB"]
    assert "secret" not in "".join(lines)


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["consume", "dogs"],
        ["explain", "-1"],
        ["explain"],
        ["removals"],
        ["removals", "approve"],
        ["simulate", "--pets", "0"],
        ["simulate", "--fault", "none-such"],
    ],
)
def test_wrong_use_exits_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parser.run(arguments)
    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "daemon"),
    [
        (["up"], True),
        (["ingest"], False),
        (["ingest", "--watch"], True),
        (["consume", "all"], True),
        (["consume", "pets", "--drain"], False),
        (["status", "--json"], False),
        (["tail", "pets"], True),
        (["simulate", "--fault", "missing-petlist", "bad-row", "--fault", "crlf"], True),
    ],
)
def test_the_commands_know_which_of_them_are_daemons(arguments: list[str], *, daemon: bool) -> None:
    assert parser.is_daemon(parser.parser().parse_args(arguments)) is daemon


def test_faults_may_be_named_together_or_one_by_one() -> None:
    options: Namespace = parser.parser().parse_args(
        ["simulate", "--fault", "bad-row", "crlf", "--fault", "no-stamp"]
    )
    assert options.fault == ["bad-row", "crlf", "no-stamp"]


def test_stopping_what_is_stopped_already_is_fine(capsys: pytest.CaptureFixture[str]) -> None:
    assert parser.run(["down"]) == 0
    assert capsys.readouterr().out == "nothing was running\n"


def test_a_decision_about_removals_may_have_a_reason() -> None:
    read = parser.parser().parse_args
    assert read(["removals", "approve", "plan-1", "--reason", "they told us"]).reason == (
        "they told us"
    )
    assert read(["removals", "reject", "plan-1"]).reason is None


@pytest.mark.parametrize("options", [[], ["--all", "--host", "a.example"], ["--all", "--pet", "7"]])
def test_p9_which_pictures_are_tried_again_has_to_be_said(
    options: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """P9: before any server is started."""
    assert parser.run(["pictures", "retry", *options]) == 2
    assert "petstream pictures retry --host" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "words",
    [
        ["status", "HOSTILE"], ["HOSTILE"], ["explain", "-HOSTILE"], ["tail", "HOSTILE"],
        ["removals", "show", "2026-11-20T08:12:04Z.pets", "HOSTILE"], ["purge", "--HOSTILE"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_s5_what_is_said_of_an_argument_is_shown_and_not_obeyed(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """S5: ids are copied out of the texts of strangers."""
    hostile = "\x1b[31mred\u202e"
    with pytest.raises(SystemExit):
        parser.parser().parse_args([word.replace("HOSTILE", hostile) for word in words])
    said = capsys.readouterr().err
    assert "red" in said
    assert said.replace("\n", "").isprintable()
