"""Every kept sabotage still applies, and what runs them tells who noticed from who didn't."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from sabotage_run import run
from sabotages import LISTS, NotApplicableError, Sabotage, kept, read_list, share

ROOT = Path(__file__).parents[1]
KEPT = kept(ROOT)
FEWEST = 60
PACKAGES = {"petstream", "ingest", "consumers", "console"}

CODE = "def total(a: int, b: int) -> int:\n    return a + b\n"
TEST = (
    "from code_of_ours import total\n\n\n"
    "def test_a_total() -> None:\n    assert total(2, 2) == 4\n\n\n"
    "def test_nothing() -> None:\n    assert True\n"
)
SETTINGS = '[tool.pytest.ini_options]\nmarkers = ["servers: real ones"]\npythonpath = ["."]\n'


@pytest.mark.parametrize("sabotage", KEPT, ids=lambda each: f"{each.file}: {each.name}")
def test_a_kept_sabotage_applies_just_once_and_is_still_a_program(sabotage: Sabotage) -> None:
    before = (ROOT / sabotage.file).read_text("utf-8")
    after = sabotage.applied(before)
    assert after != before
    if sabotage.file.endswith(".py"):
        compile(after, sabotage.file, "exec")


def test_every_package_has_sabotages_and_each_says_what_it_breaks() -> None:
    assert len(KEPT) >= FEWEST
    assert {sabotage.file.partition("/")[0] for sabotage in KEPT} == PACKAGES
    names = Counter(sabotage.name for sabotage in KEPT)
    assert {name for name, number in names.items() if number > 1} == set()
    assert [name for name in names if not re.fullmatch(r"[A-Z0-9.].* .*[^.]", name)] == []


def test_a_list_is_named_after_the_folder_of_its_files() -> None:
    misplaced = [
        f"{path.name}: {sabotage.file}"
        for path in sorted((ROOT / LISTS).glob("*.toml"))
        for sabotage in read_list(path)
        if not sabotage.file.startswith(path.stem.replace(".", "/") + "/")
    ]
    assert misplaced == []


def test_the_tests_that_should_notice_are_there_and_marked_if_they_need_servers() -> None:
    wrong = [
        f"{sabotage.file}: {sabotage.name}: {target}"
        for sabotage in KEPT
        for target in sabotage.tests or ("",)
        if not _is_there(target) or (target.startswith("tests/integration") > sabotage.servers)
    ]
    assert wrong == []


def _is_there(target: str) -> bool:
    path, _, name = target.partition("::")
    if not path or not (ROOT / path).exists():
        return False
    return not name or f"def {name.partition('[')[0]}(" in (ROOT / path).read_text("utf-8")


def test_the_shares_together_are_the_whole_and_none_is_twice() -> None:
    shares = [share(KEPT, number, 7) for number in range(1, 8)]
    together = [sabotage.name for each in shares for sabotage in each]
    assert sorted(together) == sorted(sabotage.name for sabotage in KEPT)


def test_a_text_that_is_there_twice_does_not_apply() -> None:
    sabotage = Sabotage(name="x", file="a.py", old="a", new="b")
    with pytest.raises(NotApplicableError, match="2 times"):
        sabotage.applied("a a")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a work tree of one module and its test."""
    (tmp_path / "code_of_ours.py").write_text(CODE)
    (tmp_path / "test_code.py").write_text(TEST)
    (tmp_path / "pyproject.toml").write_text(SETTINGS)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)  # noqa: S607  whichever there is
    return tmp_path


def broken(new: str, old: str = "a + b", tests: str = "test_code.py") -> Sabotage:
    return Sabotage(name="it is broken", file="code_of_ours.py", old=old, new=new, tests=(tests,))


@pytest.mark.parametrize(
    ("sabotage", "outcome", "detail", "status"),
    [
        (broken("a - b"), "noticed", "test_code.py::test_a_total", 0),
        (broken("a * b"), "survived", "test_code.py", 1),
        (broken("a - b", tests="test_code.py::test_nothing"), "survived", "test_nothing", 1),
        (broken("a - b", old="a / b"), "doesn't apply", "0 times in code_of_ours.py", 1),
        (broken("a +"), "can't run", "test_code.py", 1),
    ],
    ids=["noticed", "survivor", "other test", "another text", "no program"],
)
def test_a_survivor_is_a_failure_and_so_is_what_does_not_apply_or_run(  # noqa: PLR0913, PLR0917  what comes of it
    tree: Path, capsys: pytest.CaptureFixture[str], sabotage: Sabotage, outcome: str, detail: str,
    status: int,
) -> None:  # fmt: skip
    assert run(tree, [sabotage]) == status
    said = capsys.readouterr().out
    assert re.search(
        rf"^{outcome} +code_of_ours.py: it is broken.*\n.*{detail}", said, re.MULTILINE
    )
    assert (tree / "code_of_ours.py").read_text() == CODE


def test_sabotages_of_the_same_size_one_after_the_other_are_each_seen(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A compiled module of the sabotage before, or of the tree itself, is never taken for it."""
    assert run(tree, [broken("a - b"), broken("a * b"), broken("a % b"), broken("b + a")]) == 1
    outcomes = re.findall(r"^(\w+) +code_of_ours", capsys.readouterr().out, re.MULTILINE)
    assert outcomes == ["noticed", "survived", "noticed", "survived"]


def test_tests_that_fail_anyway_notice_nothing(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tree / "test_code.py").write_text(TEST.replace("4", "5"))
    assert run(tree, [broken("a - b")]) == 1
    said = capsys.readouterr().out
    assert "these tests fail without any sabotage" in said
    assert "noticed" not in said


def test_when_the_time_is_up_what_is_left_is_said(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tree, [broken("a - b"), broken("a * b")], within_s=0.0) == 0
    assert "not tried, since the time was up: 2" in capsys.readouterr().out


def test_of_tests_that_just_passed_only_the_sabotages_are_tried(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tree / "test_code.py").write_text(TEST.replace("4", "5"))
    assert run(tree, [broken("a - b")], known_to_pass=True) == 0
    said = capsys.readouterr().out
    assert "noticed" in said
    assert "without any sabotage" not in said
