"""Compiled modules only ever run in the place of just their own sources, or plain Python does."""

from __future__ import annotations

import ast
import os
import shutil
import sys
from pathlib import Path

import msgspec
import pytest

from ingest import compiled
from ingest.compiled import MANIFEST, MODULES, SUFFIX, CompiledFiles, check_sum, digest, load

ROOT = Path(__file__).parents[2]
SHARED = "shared__mypyc"


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the directory of just these sources, in an installation of its own."""
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setenv("PETSTREAM_COMPILED", "on")
    directory = compiled.directory() / digest()
    directory.mkdir(parents=True)
    return directory


def put_files(made: Path, content: bytes = b"no machine code") -> None:
    """Put files there that have the sums that are stated."""
    names = [*MODULES, SHARED]
    for name in names:
        (made / f"{name}{SUFFIX}").write_bytes(content)
    manifest = CompiledFiles("a compiler", dict.fromkeys(names, check_sum(content)))
    (made / MANIFEST).write_bytes(msgspec.json.encode(manifest))
    for path in (made.parent, made, *made.iterdir()):
        path.chmod(0o755)


def refused() -> str:
    """Return why plain Python runs although something is there that was compiled of its sources."""
    finders = [*sys.meta_path]
    state = load()
    assert (state.in_use, state.is_broken) == (False, True)
    assert sys.meta_path == finders
    assert SHARED not in sys.modules
    assert "\n" not in state.what
    return state.what


def test_without_anything_compiled_plain_python_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert load() == (False, "plain Python; nothing is compiled", False)


def test_what_is_compiled_of_other_sources_is_not_found(made: Path) -> None:
    put_files(made)
    made.rename(made.with_name("0" * 32))
    assert load() == (
        False, "plain Python; what is compiled is of other sources, or for another Python", False,
    )  # fmt: skip


def test_a_setting_switches_it_off(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_files(made)
    monkeypatch.setenv("PETSTREAM_COMPILED", "off")
    assert load() == (False, "plain Python, by PETSTREAM_COMPILED=off", False)


def test_a_setting_of_dotenv_switches_it_off(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_files(made)
    monkeypatch.delenv("PETSTREAM_COMPILED")
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("PETSTREAM_COMPILED=off\n", "ascii")
    assert load().what == "plain Python, by PETSTREAM_COMPILED=off"


def test_a_file_that_python_cannot_load_ends_in_plain_python(made: Path) -> None:
    """As of another libc: the sums are right."""
    put_files(made)
    assert f"{SHARED}{SUFFIX}" in refused()


@pytest.mark.parametrize("name", [MODULES[0], SHARED])
def test_a_file_that_changed_ends_in_plain_python(made: Path, name: str) -> None:
    put_files(made)
    (made / f"{name}{SUFFIX}").write_bytes(b"no machine cod")
    assert f"{name}{SUFFIX} isn't as it was made" in refused()


@pytest.mark.parametrize("name", [MODULES[-1], SHARED])
def test_a_file_that_lacks_ends_in_plain_python(made: Path, name: str) -> None:
    put_files(made)
    (made / f"{name}{SUFFIX}").unlink()
    assert f"{name}{SUFFIX}" in refused()


@pytest.mark.parametrize("manifest", [b"", b"{", b"[]", b'{"compiler":"a","files":{}}'])
def test_a_manifest_that_is_broken_ends_in_plain_python(made: Path, manifest: bytes) -> None:
    put_files(made)
    (made / MANIFEST).write_bytes(manifest)
    assert refused()


@pytest.mark.parametrize("what", ["..", ".", MANIFEST, f"{SHARED}{SUFFIX}"])
@pytest.mark.parametrize("mode", [0o775, 0o757])
def test_s13_what_others_may_change_is_not_loaded(made: Path, what: str, mode: int) -> None:
    put_files(made)
    (made / what).chmod(mode)
    assert "others may change" in refused()


def test_s13_what_belongs_to_another_user_is_not_loaded(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_files(made)
    if os.geteuid() == 0:
        os.chown(made / MANIFEST, 65_534, 65_534)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
        monkeypatch.setattr(sys, "prefix", "/")
        monkeypatch.setattr(compiled, "directory", lambda: made.parent)
    assert "others may change" in refused()


def _imports(name: str) -> set[str]:
    """Return the modules of ours that a module imports."""
    path = ROOT / f"{name.replace('.', '/')}.py"
    imported: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            imported |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
    ours = {name for name in imported if name.partition(".")[0] in {"petstream", "ingest"}}
    return {name for name in ours if (ROOT / f"{name.replace('.', '/')}.py").is_file()}


def test_another_source_of_a_module_or_of_what_it_imports_is_another_digest(tmp_path: Path) -> None:
    known, wanted = set(MODULES), {*MODULES}
    while wanted:
        wanted = {name for module in wanted for name in _imports(module)} - known
        known |= wanted
    assert len(known) > len(MODULES)
    for package in ("petstream", "ingest"):
        shutil.copytree(ROOT / package, tmp_path / package)
    digests = {digest(tmp_path)}
    for number, name in enumerate(sorted(known), 2):
        path = tmp_path / f"{name.replace('.', '/')}.py"
        text = path.read_text("utf-8")
        path.write_text(text[:3] + text[3].swapcase() + text[4:], "utf-8")  # as long as before
        digests.add(digest(tmp_path))
        assert len(digests) == number, f"{name} isn't part of it"
