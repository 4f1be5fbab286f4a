"""The rules of the house that no linter knows."""

from __future__ import annotations

import ast
import io
import re
import shutil
import subprocess
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("petstream", "ingest", "consumers", "console", "lab")
MODULES = [path for name in PACKAGES for path in sorted((ROOT / name).rglob("*.py"))]
LONGEST = 400
TOO_VAGUE = {"base", "common", "helper", "helpers", "manager", "misc", "service", "util", "utils"}

TOP_LEVEL = set(PACKAGES) | {
    ".ci", ".dockerignore", ".env.example", ".gitignore", "ARCHITECTURE.md", "CHANGELOG.md",
    "CONTRIBUTING.md", "Dockerfile", "LICENSE", "README.md", "docker-compose.yml", "docs",
    "pyproject.toml", "requirements", "schemas", "scripts", "tests",
}  # fmt: skip

EXCEPTION = re.compile(
    r"(ruff: )?noqa(: [A-Z]+[0-9]+(, [A-Z]+[0-9]+)*)?|type: ignore(\[[a-z, -]+\])?|pragma: [a-z ]+"
)
LAYOUT = "fmt: skip"

FOREIGN = {
    "a path of somebody's machine": r"(?<![\w.:/-])/(root|home|work|Users)/\w",
    "a package registry": r"\b(pypi|pythonhosted|npmjs|crates|maven|artifactory)\.(org|io|com)\b",
    "where packages come from": r"\b(extra-)?index[-_]url\b|\btrusted[-_]host\b",
}


def test_no_module_is_longer_than_400_lines() -> None:
    lengths = {_name(path): len(path.read_text("utf-8").splitlines()) for path in MODULES}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST} == {}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_module_begins_by_saying_what_it_is(path: Path) -> None:
    said = ast.get_docstring(ast.parse(path.read_text("utf-8")))
    assert said
    assert said.splitlines()[0].rstrip().endswith((".", ":", "?")) or len(said.splitlines()) > 1


def test_modules_are_nouns_that_mean_something() -> None:
    words = {_name(path): set(path.stem.split("_")) for path in MODULES}
    assert {name for name, parts in words.items() if parts & TOO_VAGUE} == set()


def test_the_top_level_is_as_agreed() -> None:
    assert {name.split("/")[0] for name in _tracked()} - TOP_LEVEL == set()


@pytest.mark.parametrize("what", FOREIGN)
def test_nothing_names_what_belongs_to_one_machine(what: str) -> None:
    foreign = [
        f"{name}:{number}: {line.strip()[:100]}"
        for name in _tracked()
        for number, line in enumerate(_lines(ROOT / name), 1)
        if re.search(FOREIGN[what], line)
    ]
    assert foreign == []


@pytest.mark.parametrize(
    ("line", "bare"),
    [
        ("x = 1  # noqa: S101", True),
        ("x = 1  # noqa: S101, B008  # fmt: skip", True),
        ("x = 1  # type: ignore[misc]", True),
        ("x = 1  # noqa: S101  it was just made", False),
        ("x = 1  # type: ignore[misc]  # it ships no types", False),
        ('x = "# noqa: S101"', False),
    ],
)
def test_an_exception_without_its_reason_is_seen(line: str, *, bare: bool) -> None:
    assert bool(_bare(line)) == bare


def test_every_exception_to_a_rule_says_why() -> None:
    unexplained = [
        f"{name}: {comment}"
        for name in _tracked()
        if name.endswith(".py")
        for comment in _bare((ROOT / name).read_text("utf-8"))
    ]
    assert unexplained == []


def _bare(source: str) -> list[str]:
    """Return the comments that except something from a rule, and don't say why."""
    read = io.StringIO(f"{source}\n").readline
    tokens = tokenize.generate_tokens(read)
    comments = [
        token.string.replace(LAYOUT, "") for token in tokens if token.type == tokenize.COMMENT
    ]
    excepted = [comment for comment in comments if EXCEPTION.search(comment)]
    return [comment for comment in excepted if not EXCEPTION.sub("", comment).strip("# ")]


def _tracked() -> list[str]:
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("not a git clone")
    listed = subprocess.run(  # noqa: S603  a fixed command
        [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8").splitlines()
    except UnicodeDecodeError:
        return []


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()
