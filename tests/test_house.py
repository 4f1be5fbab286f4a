"""The rules of the house that no linter knows."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("contracts", "ingest", "consumers", "console")
MODULES = [path for name in PACKAGES for path in sorted((ROOT / name).rglob("*.py"))]
LONGEST = 220
TO_BE_SPLIT = {"console/commands.py"}
"""Longer than the rule allows, and known to be: none may join."""
TOO_VAGUE = {"base", "common", "helper", "helpers", "manager", "misc", "service", "util", "utils"}

TOP_LEVEL = set(PACKAGES) | {
    ".ci", ".dockerignore", ".env.example", ".gitignore", "ARCHITECTURE.md", "CHANGELOG.md",
    "CONTRIBUTING.md", "Dockerfile", "LICENSE", "README.md", "docker-compose.yml", "docs",
    "pyproject.toml", "requirements", "schemas", "scripts", "tests",
}  # fmt: skip

FOREIGN = {
    "a path of somebody's machine": r"(?<![\w.:/-])/(root|home|work|Users)/\w",
    "a package registry": r"\b(pypi|pythonhosted|npmjs|crates|maven|artifactory)\.(org|io|com)\b",
    "where packages come from": r"\b(extra-)?index[-_]url\b|\btrusted[-_]host\b",
}


def test_no_module_is_longer_than_two_screens_and_a_bit() -> None:
    lengths = {_name(path): len(path.read_text("utf-8").splitlines()) for path in MODULES}
    longer = {name: lines for name, lines in lengths.items() if lines > LONGEST}
    assert {name: lines for name, lines in longer.items() if name not in TO_BE_SPLIT} == {}


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
    found = [
        f"{name}:{number}: {line.strip()[:100]}"
        for name in _tracked()
        for number, line in enumerate(_lines(ROOT / name), 1)
        if re.search(FOREIGN[what], line)
    ]
    assert found == []


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
