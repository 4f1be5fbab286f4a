"""The rules of the house that no linter knows."""

from __future__ import annotations

import ast
import io
import re
import shutil
import subprocess
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from named_tuples import NamedTuples

ROOT = Path(__file__).parents[1]
PACKAGES = ("petstream", "ingest", "consumers", "console", "lab")
MODULES = [path for name in PACKAGES for path in sorted((ROOT / name).rglob("*.py"))]
TESTS = sorted((ROOT / "tests").rglob("*.py"))
FOLDERS = sorted({path.parent for path in MODULES})
LONGEST = 400
MOST_IN_A_FOLDER = 14
TOO_VAGUE = {"base", "common", "helper", "helpers", "manager", "misc", "service", "util", "utils"}

TOP_LEVEL = set(PACKAGES) | {
    ".ci", ".dockerignore", ".env.example", ".gitignore", "ARCHITECTURE.md", "CHANGELOG.md",
    "CONTRIBUTING.md", "Dockerfile", "LICENSE", "README.md", "docker-compose.yml", "docs",
    "pyproject.toml", "requirements", "schemas", "scripts", "tests",
}  # fmt: skip

SAY_NOTHING = {"one", "found", "told"}
BUDGET = {"code": 2, "tests": 0}
"""How often they are bound: in the code by a field of the feed, and by what a trial of the testkit
found."""

OF_A_PACKAGE = {
    "tests/petstream/test_html_corpus.py": "attacks on petstream.html",
    "tests/petstream/kafka/test_certificates_in_words.py": "diagnosis, by handshakes in memory",
    "tests/petstream/test_versions.py": "events and schemas of earlier versions",
    "tests/ingest/changes/test_repeated_ids.py": "comparison and change together",
    "tests/consumers/pictures/test_odd_pictures.py": "the formats, sniff and the process together",
    "tests/console/doctor/test_checks.py": "all checks alike",
    "tests/console/embedded/test_abandoned_homes.py": "the servers of tests that were killed",
    "tests/console/embedded/test_embedded_config.py": "both servers' configuration",
    "tests/console/runtime/test_early_signals.py": "the whole command, while it is imported",
    "tests/console/test_main.py": "console/__main__.py",
    "tests/lab/simulator/test_servers.py": "the FTP and the picture server",
}
"""Test modules that are of no module of their name, and of what they are."""

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


def test_no_folder_is_a_flat_shelf() -> None:
    sizes = Counter(_name(path.parent) for path in MODULES if path.name != "__init__.py")
    assert {name: size for name, size in sizes.items() if size > MOST_IN_A_FOLDER} == {}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_module_begins_by_saying_what_it_is(path: Path) -> None:
    said = ast.get_docstring(ast.parse(path.read_text("utf-8")))
    assert said
    assert said.splitlines()[0].rstrip().endswith((".", ":", "?")) or len(said.splitlines()) > 1


def test_modules_are_nouns_that_mean_something() -> None:
    words = {_name(path): set(path.stem.split("_")) for path in MODULES}
    assert {name for name, parts in words.items() if parts & TOO_VAGUE} == set()


@pytest.mark.parametrize("path", FOLDERS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_folder_says_in_one_sentence_what_it_is(path: Path) -> None:
    said = ast.get_docstring(ast.parse((path / "__init__.py").read_text("utf-8"))) or ""
    assert re.fullmatch(r"[^.?!\n]+(?:[.](?=\S)[^.?!\n]+)*[.?]", said), said


def test_no_class_has_the_name_of_another() -> None:
    places: dict[str, list[str]] = {}
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(_name(path))
    twice = {name: paths for name, paths in places.items() if len(paths) > 1}
    assert twice == {}


@pytest.mark.parametrize("part", BUDGET)
def test_names_say_what_they_hold(part: str) -> None:
    """`one`, `found` and `told` fit everything, so they say nothing."""
    paths = MODULES if part == "code" else TESTS
    bound = [
        f"{_name(path)}:{line}: {name}"
        for path in paths
        for line, name in _bound(ast.parse(path.read_text("utf-8")))
        if name in SAY_NOTHING
    ]
    assert len(bound) <= BUDGET[part], "\n".join(bound)


def test_what_binds_a_name_is_seen() -> None:
    source = (
        "def f(one, *told): found = 1\nfor one in (): pass\n"
        "a = [0 for one in ()]\nself.told = 1\nwith x as found: pass\n"
        "async def one(): pass\n"
    )
    bound = [name for _, name in _bound(ast.parse(source)) if name in SAY_NOTHING]
    assert sorted(bound) == ["found", "found", "one", "one", "one", "one", "told", "told"]


def test_no_tuple_is_read_by_position_where_it_has_names() -> None:
    trees = {path: ast.parse(path.read_text("utf-8")) for path in MODULES}
    named = NamedTuples(trees.values())
    by_position = [
        f"{_name(path)}:{line}: {source}"
        for path, tree in trees.items()
        for line, source in named.read_by_position(tree)
    ]
    assert by_position == []


@pytest.mark.parametrize(
    ("body", "by_position"),
    [
        ("return pair[0]", True),
        ("return pair[:1]", True),
        ("first, *rest = pair", True),
        ("return pair.left", False),
        ("return [each[1] for each in pairs]", True),
        ("for each in pairs: each[0]", True),
        ("made = Pair(1, 2)\n    return made[0]", True),
        ("made = pair_of()\n    return made[0]", True),
        ("return pairs[0]", False),
    ],
)
def test_what_reads_a_named_tuple_by_position_is_seen(body: str, *, by_position: bool) -> None:
    source = (
        "class Pair(NamedTuple):\n    left: int\n    right: int\n"
        "def pair_of() -> Pair: ...\n"
        f"def read(pair: Pair, pairs: Sequence[Pair]):\n    {body}\n"
    )
    tree = ast.parse(source)
    assert bool(NamedTuples([tree]).read_by_position(tree)) == by_position


def test_no_pattern_needs_a_newer_python_than_we_ask_for() -> None:
    """Python 3.11.0 to 3.11.4, as Debian 12 has it, loses matches behind a possessive group."""
    possessive = re.compile(r"[])}][*+?][+]|[(][?]>")
    assert possessive.search("(?:a b)*" + "+ c")
    used_in = [path for path in MODULES if possessive.search(path.read_text())]
    assert used_in == []


def test_tests_mirror_the_tree() -> None:
    tested = [path for name in PACKAGES for path in sorted((ROOT / "tests" / name).rglob("*.py"))]
    mirrored = {path: ROOT / path.relative_to(ROOT / "tests") for path in tested}
    assert {_name(path) for path in tested if not mirrored[path].parent.is_dir()} == set()
    of_no_module = {
        _name(path)
        for path, module in mirrored.items()
        if path.name.startswith("test_")
        and not module.with_name(path.name.removeprefix("test_")).exists()
    }
    assert of_no_module == set(OF_A_PACKAGE)


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


def test_no_file_holds_both_sides_of_a_merge() -> None:
    open_ = [
        f"{name}:{number}"
        for name in _tracked()
        for number, line in enumerate(_lines(ROOT / name), 1)
        if re.match(r"(<{7}|>{7}) ", line)
    ]
    assert open_ == []


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


def _bound(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Return the names that are bound, and where: variables, arguments, attributes, functions."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield node.lineno, name
            case ast.arg(arg=name):
                yield node.lineno, name
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
                yield node.lineno, name
            case ast.MatchStar(name=str(name)):
                yield node.lineno, name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield node.lineno, name
            case ast.ClassDef(name=name):
                yield node.lineno, name


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
