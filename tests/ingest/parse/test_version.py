"""A new rule or field makes a new version, which reaches rows that stay as they are."""

from __future__ import annotations

import compileall
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import msgspec
import pytest
from compared_rows import Feed, facts, refolded
from rows_of_the_feed import framed, pet_row

from ingest.changes import comparison
from ingest.changes.comparison import Comparison
from ingest.changes.event import PETS
from ingest.parse.rows import BadRow, Row, parse
from ingest.parse.version import VERSION
from petstream.codec import ROW_DIGEST

ROOT = Path(__file__).parents[3]
SUPPORT = ROOT / "tests" / "support"

_VERSION = "from ingest.parse import version; print(version.VERSION, version.__file__)"

_SCRUB = """
import sys
import msgspec
from compared_rows import facts, refolded
from rows_of_the_feed import framed
from ingest.changes.comparison import Comparison
from ingest.changes.event import PETS, Publication

log, rows = msgspec.msgpack.decode(
    sys.stdin.buffer.read(), type=tuple[list[Publication], list[bytes]]
)
scrubs = []
for day in (1, 2):
    run = Comparison(PETS, refolded(log), facts(day)._replace(mode="scrub"))
    published = run.compare(framed(*rows), "pets", "pets_1.json").publications
    scrubs.append([msgspec.Raw(publication.value) for publication in published])
    log += published
sys.stdout.buffer.write(msgspec.json.encode(scrubs))
"""


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """Return a folder with a copy of the packages, as they are installed."""
    for package in ("petstream", "ingest"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, tmp_path / "site" / package, ignore=ignored)
    return tmp_path / "site"


def run(program: str, packages: Path, *, send: bytes = b"", hash_seed: str = "0") -> bytes:
    """Run a program that imports our packages from there."""
    done = subprocess.run(  # noqa: S603  our own interpreter
        [sys.executable, "-c", program], cwd=packages.parent, input=send, capture_output=True,
        env={**os.environ, "PYTHONPATH": f"{packages}:{SUPPORT}", "PYTHONHASHSEED": hash_seed},
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def version(packages: Path, *, hash_seed: str = "0") -> int:
    """Return the version of a new process, and see that it came from there."""
    number, _, file = run(_VERSION, packages, hash_seed=hash_seed).decode().partition(" ")
    assert file.startswith(str(packages))
    return int(number)


def edit(path: Path, old: str, new: str) -> None:
    """Replace a text that stands once in a module."""
    text = path.read_text("utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), "utf-8")


def test_every_process_and_installation_of_the_same_source_has_the_same_version(
    packages: Path,
) -> None:
    assert {version(packages, hash_seed=seed) for seed in ("0", "1")} == {VERSION}
    for path in packages.rglob("*.py"):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert version(packages) == VERSION
    zipped = packages.parent / "site.zip"
    with ZipFile(zipped, "w") as archive:
        for path in sorted(ROOT.glob("petstream/**/*.py")) + sorted(ROOT.glob("ingest/**/*.py")):
            archive.write(path, path.relative_to(ROOT))
    assert version(zipped) == VERSION


def test_where_only_compiled_modules_are_installed_their_version_is_their_own(
    packages: Path,
) -> None:
    assert compileall.compile_dir(packages, quiet=1, legacy=True)
    for path in packages.rglob("*.py"):
        path.unlink()
    compiled = version(packages)
    assert compiled == version(packages)
    assert 0 < compiled < 1 << 63


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("petstream/model.py", "    goofy: bool | None = None", "    goofy: str | None = None"),
        ("petstream/model.py", "    large: Rendition | None", "    huge: Rendition | None"),
        ("petstream/fields.py", '"size_unit": "sizeUOM"', '"size_unit": "sizeUnit"'),
        ("ingest/parse/values.py", '    "yes": True, "no": False,', '    "yes": True, "n": False,'),
        ("ingest/parse/sanitize.py", 'return b"\\\\x"', 'return b""'),
        ("ingest/parse/normalise.py", 'removeprefix("animal")', 'removeprefix("pet")'),
    ],
)
def test_another_field_or_rule_is_another_version(
    packages: Path, module: str, old: str, new: str
) -> None:
    edit(packages / module, old, new)
    assert version(packages) != VERSION


def scrubs(packages: Path, feed: Feed, *rows: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """Return what two scrubs with those packages publish of rows that stay as they are."""
    sent = msgspec.msgpack.encode((feed.log, [msgspec.json.encode(row) for row in rows]))
    published: list[list[dict[str, Any]]] = msgspec.json.decode(run(_SCRUB, packages, send=sent))
    return published


def test_a_field_that_is_added_reaches_a_pet_whose_row_stays_at_the_next_scrub(
    packages: Path,
) -> None:
    kennel, bare = pet_row(1, kennel="7"), pet_row(2)
    feed = Feed()
    first, _ = feed.read(0, [("pets", [kennel, bare])])
    assert first.pet.extra == {"kennel": "7"}
    assert scrubs(packages, feed, kennel, bare) == [[], []]
    edit(
        packages / "petstream" / "model.py",
        "    needs_foster: bool | None = None\n",
        "    needs_foster: bool | None = None\n    kennel: str | None = None\n",
    )
    (event,), again = scrubs(packages, feed, kennel, bare)
    assert (event["op"], event["animalId"]) == ("updated", 1)
    assert event["pet"]["kennel"] == "7"
    assert sorted(event["changed"]) == ["extra", "kennel"]
    assert event["old"] == {"extra": {"kennel": "7"}, "kennel": None}
    assert again == [], "it is published once"


def test_a_new_version_with_the_same_fields_parses_every_row_and_publishes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = [pet_row(1), pet_row(2, kennel="7"), pet_row(3, name="R\u00e9x", birthdate="soon")]
    feed = Feed()
    with monkeypatch.context() as patch:
        patch.setattr(comparison, "VERSION", 1)  # as it was before it was derived
        assert len(feed.read(0, [("pets", rows)])) == 3
    old_digests = [dict(publication.headers)[ROW_DIGEST] for publication in feed.log]
    parsed: list[Row] = []

    def parse_and_note(rows: Sequence[Row], odd: Counter[str]) -> list[dict[str, Any] | BadRow]:
        parsed.extend(rows)
        return parse(rows, odd)

    monkeypatch.setattr(comparison, "parse", parse_and_note)
    after = Comparison(PETS, refolded(feed.log), facts(1))
    assert after.compare(framed(*rows), "pets", "pets_1.json").publications == []
    assert (after.counts.read, after.counts.unchanged) == (3, 3)
    assert len(parsed) == 3
    monkeypatch.setattr(comparison, "VERSION", 1)
    assert feed.read(1, [("pets", rows)]) == []
    assert len(parsed) == 3, "by the old version each row is recognised"
    assert [dict(publication.headers)[ROW_DIGEST] for publication in feed.log] == old_digests
