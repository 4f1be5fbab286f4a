"""Compile the ingester's modules that every row passes: see `ingest.compiled`, which loads them.

Rule 1: they are compiled from a copy of the sources that are installed, and named by its digest.
Rule 2: where the compiler would do something else than Python does, nothing is compiled.
Rule 3: they are put in their place at once, and taken away if another process can't import them.

Usage: scripts/compile   (which brings mypy and setuptools)
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Final

import msgspec

from console.runtime.processes import python_command, python_lines
from ingest import compiled

PACKAGES: Final = ("petstream", "ingest")
LIST_OF_GENERATOR: Final = "Treating generator comprehension as list"
"""What mypyc says where it would make all of what Python makes one by one."""

_OLD_S: Final = 30 * 86_400
_INSTALLED: Final = Path(compiled.__file__).parents[1]
_OPTIONS: Final = ("--strict", "--ignore-missing-imports", "--config-file", os.devnull)


def main() -> None:
    """Compile, and say where it went."""
    with tempfile.TemporaryDirectory(prefix="petstream-compile-") as temporary:
        copy = Path(temporary)
        for package in PACKAGES:
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(_INSTALLED / package, copy / package, ignore=ignored)
        build(copy)
        made = put(copy, compiled.directory())
    check_import()
    print(f"compiled: {made}")  # noqa: T201  the command's output


def build(copy: Path, optimise: int = 3) -> None:
    """Compile the modules in a copy of the sources, where they then lie beside them."""
    files = [f"{name.replace('.', '/')}.py" for name in compiled.MODULES]
    command = python_command("mypyc", *_OPTIONS, *files)
    environment = os.environ | {"MYPYC_OPT_LEVEL": str(optimise), "MYPYC_DEBUG_LEVEL": "0"}
    done = subprocess.run(  # noqa: S603  the pinned compiler
        command, cwd=copy, env=environment, check=False, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    odd = [line for line in done.stdout.splitlines() if LIST_OF_GENERATOR in line]
    if odd:
        raise SystemExit("\n".join(["scripts/compile: not as Python does it:", *odd]))
    if done.returncode:
        raise SystemExit(f"{done.stdout}scripts/compile: it can't be compiled: see above")


def put(copy: Path, directory: Path) -> Path:
    """Put what was compiled where `ingest.compiled` looks for it; older ones go."""
    made = directory / compiled.digest(copy)
    directory.mkdir(mode=0o755, exist_ok=True)
    with _beside(made) as new:
        sums = {}
        for name, path in _modules(copy):
            data = path.read_bytes()
            file = new / f"{name}{compiled.SUFFIX}"
            file.write_bytes(data)
            file.chmod(0o755)
            sums[name] = compiled.check_sum(data)
        manifest = new / compiled.MANIFEST
        stated = compiled.CompiledFiles(f"mypy {version('mypy')}", sums)
        manifest.write_bytes(msgspec.json.encode(stated))
        manifest.chmod(0o644)
    for other in directory.iterdir():  # a process that runs may still load what is older
        if time.time() - other.stat().st_mtime > _OLD_S:
            shutil.rmtree(other)
    return made


def check_import() -> None:
    """See that a process of its own can import every one of them; they go where it can't."""
    program = (
        f"import importlib, sys; [importlib.import_module(name) for name in {compiled.MODULES}]; "
        "from ingest.compiled import FORM; sys.exit(None if FORM.in_use else FORM.what)"
    )
    unset = {"PYTHONPATH", compiled.SETTING}  # the tools are gone when petstream runs
    environment = {name: text for name, text in os.environ.items() if name not in unset}
    done = subprocess.run(  # noqa: S603  our own
        python_lines(program), env=environment, cwd=compiled.directory(), check=False
    )
    if done.returncode:
        shutil.rmtree(compiled.directory())
        raise SystemExit("scripts/compile: what was compiled can't be imported: see above")


@contextmanager
def _beside(made: Path) -> Iterator[Path]:
    """Give a new directory, which takes the place of another one at once."""
    new = Path(tempfile.mkdtemp(prefix=".new-", dir=made.parent))
    try:
        yield new
        new.chmod(0o755)
        if made.exists():
            shutil.rmtree(made)
        new.rename(made)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise


def _modules(copy: Path) -> Iterator[tuple[str, Path]]:
    """Go through what was compiled: each module's, and what they share."""
    for path in sorted(copy.glob(f"*__mypyc{compiled.SUFFIX}")):
        yield path.name.removesuffix(compiled.SUFFIX), path
    for name in compiled.MODULES:
        yield name, copy / f"{name.replace('.', '/')}{compiled.SUFFIX}"


if __name__ == "__main__":
    main()
