"""Completion and `--version`, in the shells themselves where they are on this machine."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from console.cli import parser

ROOT = Path(__file__).parents[3]
TRIED = {
    "bash": """
source {script}
complete_for() {{
  COMP_WORDS=("$@"); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); COMPREPLY=()
  $(complete -p petstream | sed 's/.*-F \\([^ ]*\\).*/\\1/') petstream "${{COMP_WORDS[-1]}}" ""
  printf '%s\\n' "${{COMPREPLY[@]}}"
}}
complete_for petstream dead
complete_for petstream removals app
complete_for petstream tail --from
""",
    "fish": """
source {script}
complete --do-complete "petstream dead"
complete --do-complete "petstream removals app"
complete --do-complete "petstream tail --from"
""",
    # zsh completes in a terminal only: one of its own
    "zsh": """
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell 'fpath=({home} $fpath); autoload -Uz compinit; compinit -u -d {home}/dump'
zpty -w shell 'PS1=; echo READY'
zpty -r -m shell out '*READY*READY*'
for begun in 'petstream dead' 'petstream removals app' 'petstream tail --from'; do
  zpty -n -w shell "$begun"$'\\t'
  sleep 1
  zpty -r -t shell out && print -r -- "$out"
  zpty -n -w shell $'\\C-u'
done
""",
}


@pytest.mark.parametrize("shell", TRIED)
def test_a_shell_completes_commands_actions_and_options(
    shell: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell} here")
    assert parser.run(["completion", shell]) == 0
    script = tmp_path / "_petstream"
    script.write_text(capsys.readouterr().out, encoding="utf-8")
    done = subprocess.run(  # noqa: S603  ours
        [shell, "-c", TRIED[shell].format(script=script, home=tmp_path)],
        capture_output=True, text=True, timeout=60, check=False,
        env={"PATH": "/usr/bin:/bin:/usr/local/bin", "HOME": str(tmp_path), "TERM": "dumb"},
    )  # fmt: skip
    for word in ("dead-letters", "approve", "--from-beginning"):
        assert word in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("missing", ["", "aiokafka"])
def test_the_version_is_that_of_the_package_and_needs_no_part_of_it(missing: str) -> None:
    program = (
        f"import sys; sys.modules[{missing!r}] = None; sys.argv = ['petstream', '--version']\n"
        "from console.__main__ import main; main()"
    )
    done = subprocess.run(  # noqa: S603  ours
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"petstream {version('petstream')}\n"


@pytest.mark.parametrize(
    "arguments",
    [["removals"], ["removals", "approve"], ["dead-letters", "replay"], ["env"], ["completion"]],
)
def test_help_says_what_a_command_and_each_of_its_actions_does(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parser.run([*arguments, "--help"])
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    usage, _, described = printed.partition("\n\n")
    assert usage.startswith(f"usage: petstream {' '.join(arguments)}")
    assert len(described.partition("\n\n")[0]) > 20
    if arguments == ["removals"]:
        lines = [line.split() for line in printed.splitlines()]
        said = {line[0] for line in lines if len(line) > 3}
        assert {"list", "show", "approve", "reject"} <= said
