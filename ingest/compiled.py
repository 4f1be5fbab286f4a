"""The modules that every row passes, compiled to machine code, where `scripts/compile` has done so.

Rule 1: what runs is what the sources say. Compiled modules never lie beside their sources, but in a
        directory whose name is the digest of the sources that are installed, and of what Python's
        extension modules are called here. Anything else, and the directory isn't found.
Rule 2: all of them or none: they call each other directly. Their check sums are compared before any
        is loaded, and what they share is loaded first. Where one is broken, or Python can't load
        it, plain Python runs, and `FORM` says why.
Rule 3: they are part of the installation (`sys.prefix`), as it is writable by whoever made it:
        what others may change isn't loaded.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Final, NamedTuple

import msgspec
import xxhash

from petstream.errors import UsageError
from petstream.settings import texts

MODULES: Final = (
    "ingest.parse.contacts",
    "ingest.parse.framing",
    "ingest.parse.normalise",
    "ingest.parse.pictures",
    "ingest.parse.plausible",
    "ingest.parse.rows",
    "ingest.parse.sanitize",
    "ingest.parse.times",
    "ingest.parse.values",
    "ingest.state.ledger",
    "ingest.changes.change",
    "ingest.changes.comparison",
    "ingest.changes.event",
)
"""What is compiled: together, so that they call each other without Python between."""

SETTING: Final = "PETSTREAM_COMPILED"
MANIFEST: Final = "manifest.json"
SUFFIX: Final = EXTENSION_SUFFIXES[0]

_INSTALLED: Final = Path(__file__).parents[1]
_SOURCES: Final = ("petstream", "ingest/parse", "ingest/state", "ingest/changes")
"""The folders of the modules, and of all that they import of ours: types, and what is constant."""

_OTHERS_WRITE: Final = 0o022


def directory() -> Path:
    """Return where compiled modules lie, of whatever sources."""
    return Path(sys.prefix) / "petstream-compiled"


def digest(root: Path = _INSTALLED) -> str:
    """Return what names the compiled modules of the sources below `root`."""
    total = xxhash.xxh3_128(f"{SUFFIX} {sys.implementation.cache_tag} {MODULES}".encode())
    for folder in _SOURCES:
        for path in sorted((root / folder).glob("*.py")):
            source = path.read_bytes()
            total.update(f"\n{folder}/{path.name} {len(source)}\n".encode())
            total.update(source)
    return total.hexdigest()


def check_sum(data: bytes) -> str:
    """Return the check sum of a file, as the manifest has it."""
    return xxhash.xxh3_128_hexdigest(data)


class CompiledFiles(msgspec.Struct, frozen=True):
    """What stands beside compiled modules: by what they were made, and the sum of each file."""

    compiler: str
    files: dict[str, str]


class Form(NamedTuple):
    """Which form the modules have, in words; is there a compiled one that is broken?"""

    in_use: bool
    what: str
    is_broken: bool = False


def load() -> Form:
    """Have Python load the compiled modules, if there are any of just these sources."""
    if not directory().exists():
        return Form(in_use=False, what="plain Python; nothing is compiled")
    if _is_off():
        return Form(in_use=False, what=f"plain Python, by {SETTING}=off")
    made = directory() / digest()
    if not made.exists():
        what = "plain Python; what is compiled is of other sources, or for another Python"
        return Form(in_use=False, what=what)
    try:
        compiler, files = _checked(made)
        (shared,) = files.keys() - {*MODULES}
        sys.modules[shared] = _loaded(shared, files[shared])
    except (OSError, ValueError, ImportError, SystemError, msgspec.MsgspecError) as error:
        why = " ".join(str(error).split())
        what = f"plain Python; what is compiled in {made} can't be used: {why}"
        return Form(in_use=False, what=what, is_broken=True)
    sys.meta_path.insert(0, _Finder(files))
    return Form(in_use=True, what=f"compiled modules ({compiler})")


def _is_off() -> bool:
    try:
        return texts().get(SETTING, "").strip() == "off"
    except UsageError:
        return False  # whoever needs the settings says what is wrong with them


def _checked(made: Path) -> tuple[str, dict[str, Path]]:
    """Return the compiler, and the file of each module, or raise `ValueError`."""
    ours = {0, os.geteuid(), Path(sys.prefix).stat().st_uid}
    stated = msgspec.json.decode((made / MANIFEST).read_bytes(), type=CompiledFiles)
    files = {name: made / f"{name}{SUFFIX}" for name in stated.files}
    if not files.keys() > {*MODULES}:
        raise ValueError(f"{MANIFEST} lacks some of them")
    for path in (made.parent, made, made / MANIFEST, *files.values()):
        state = path.stat()
        if state.st_uid not in ours or state.st_mode & _OTHERS_WRITE:
            raise ValueError(f"others may change {path}")
    for name, path in files.items():
        if check_sum(path.read_bytes()) != stated.files[name]:
            raise ValueError(f"{path.name} isn't as it was made")
    return stated.compiler, files


def _loaded(name: str, path: Path) -> ModuleType:
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path.name} is no extension module")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class _Finder:
    """Finds the compiled modules by their names."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._files = files

    def find_spec(
        self, name: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where a module is, if it is one of these."""
        path = self._files.get(name)
        return None if path is None else spec_from_file_location(name, path)


FORM: Final = load()
"""Of this process, from its first import of `ingest` on."""
