"""What is compiled, of a copy, comes to the same as plain Python, byte by byte."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from profiles import rounds

from ingest.compiled import SUFFIX
from lab import compile_ingest

ROOT = Path(__file__).parents[2]
SUPPORT = (ROOT / "tests" / "support", ROOT / "tests" / "fuzz")

_COMPILER = shutil.which(os.environ.get("CC", "cc"))
_HEADER = Path(sysconfig.get_path("include")) / "Python.h"

pytestmark = pytest.mark.skipif(
    _COMPILER is None or not _HEADER.exists(), reason="no C compiler, or no headers of Python, here"
)


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a copy of the packages, and what was compiled of them."""
    directory = tmp_path_factory.mktemp("installation")
    copy, site = directory / "copy", directory / "site"
    for package in ("petstream", "ingest"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, copy / package, ignore=ignored)
        shutil.copytree(ROOT / package, site / package, ignore=ignored)
    compile_ingest.build(copy, optimise=0)
    compile_ingest.put(copy, directory / "petstream-compiled")
    return directory


def run(installation: Path, program: str, *, form: str) -> str:
    """Run a program that imports the packages of an installation."""
    paths = [str(installation / "site"), *map(str, SUPPORT)]
    begin = f"import sys; sys.prefix = {str(installation)!r}; sys.path[:0] = {paths!r}; "
    done = subprocess.run(  # noqa: S603  our own interpreter
        [sys.executable, "-P", "-c", begin + program], cwd=installation, check=False, text=True,
        env={**os.environ, "PYTHONHASHSEED": "0", "PETSTREAM_COMPILED": form}, capture_output=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


_STATE = (
    "from ingest import compiled; from ingest.parse import values; "
    "print(compiled.FORM.what, values.__file__)"
)


def test_compiled_modules_come_to_the_same_byte_by_byte(installation: Path) -> None:
    """On all that was ever found by the fuzzer, on odd values, and on days that are drawn."""
    program = f"import compared_forms; compared_forms.main('1', '{rounds(80, long=5_000)}')"
    plain = run(installation, program, form="off").splitlines()
    fast = run(installation, program, form="on").splitlines()
    assert plain[0] == "plain Python, by PETSTREAM_COMPILED=off"
    assert fast[0].startswith("compiled modules (mypy ")
    assert fast[1:] == plain[1:]
    assert len(set(plain)) > 100


def test_the_normaliser_has_the_same_version_in_either_form(installation: Path) -> None:
    program = "from ingest.parse.version import VERSION; print(VERSION)"
    versions = {run(installation, program, form=form) for form in ("on", "off")}
    assert len(versions) == 1


def test_changed_sources_run_and_not_what_was_compiled_of_older_ones(installation: Path) -> None:
    assert "compiled modules" in run(installation, _STATE, form="on")
    path = installation / "site" / "ingest" / "parse" / "values.py"
    before = path.read_text("utf-8")
    try:
        path.write_text(before.replace('"neither Yes nor No"', '"maybe"'), "utf-8")
        program = (
            f"{_STATE}\ntry:\n    values.flag('perhaps')\nexcept ValueError as error: print(error)"
        )
        what, said = run(installation, program, form="on").splitlines()
        assert what == (
            f"plain Python; what is compiled is of other sources, or for another Python {path}"
        )
        assert said == "maybe"
    finally:
        path.write_text(before, "utf-8")
    assert SUFFIX in run(installation, _STATE, form="on")
