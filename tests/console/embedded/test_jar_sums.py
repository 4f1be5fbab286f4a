"""Kafka's jars are run only if they are those that are pinned."""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path

import pytest

from console.embedded import jar_sums, jars
from petstream.errors import PetstreamError

NAMES = ("kafka-1.0.jar", "scala-2.13.jar")


@pytest.fixture
def fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Return two jars that are pinned."""
    paths = [tmp_path / name for name in NAMES]
    for path in paths:
        path.write_bytes(path.name.encode())
    sums = {path.name: hashlib.sha512(path.name.encode()).hexdigest() for path in paths}
    monkeypatch.setattr(jar_sums, "pinned", lambda: sums)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return paths


def checked(paths: list[Path]) -> None:
    jar_sums.check([str(path) for path in paths], paths[0].parent)


def test_s12_jars_as_they_are_pinned_are_run_and_read_only_once(
    fetched: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """S12: 100 MB are summed once, not at each start."""
    checked(fetched)
    read: list[Path] = []
    monkeypatch.setattr(jar_sums, "sum_of", read.append)
    checked(fetched)
    assert read == []


@pytest.mark.parametrize("when", ["fetched", "run before"])
@pytest.mark.parametrize("size", ["same", "other"])
def test_s12_a_jar_that_differs_is_refused_in_one_line_that_names_it(
    fetched: list[Path], when: str, size: str
) -> None:
    """S12: by a mirror, or by a disk, and also after it was run for a year."""
    if when == "run before":
        checked(fetched)
    fetched[1].write_bytes(b"x" * (len(NAMES[1]) + (size == "other")))
    os.utime(fetched[1], ns=(1, 1))
    for _ in range(2):  # nor is it forgotten
        with pytest.raises(PetstreamError, match=r"^Kafka's jars aren't those") as refused:
            checked(fetched)
        assert f"{fetched[1]} has another SHA-512; none is run" in str(refused.value)
        assert NAMES[0] not in str(refused.value)
        assert "\n" not in str(refused.value)


def test_s12_a_jar_that_nobody_pinned_is_refused(fetched: list[Path]) -> None:
    """S12: a resolver that found another version."""
    more = fetched[0].with_name("log4j-2.0.jar")
    more.write_bytes(b"")
    with pytest.raises(PetstreamError, match=r"log4j-2.0.jar is none of them"):
        checked([*fetched, more])


def test_s12_with_other_pins_jars_are_read_again(
    fetched: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """S12: a later petstream pins others, and the memo is of an earlier one."""
    checked(fetched)
    monkeypatch.setattr(jar_sums, "pinned", lambda: dict.fromkeys(NAMES, "0" * 128))
    with pytest.raises(PetstreamError, match=r"has another SHA-512.* has another SHA-512"):
        checked(fetched)


def test_s12_what_was_fetched_wrongly_is_neither_run_nor_remembered(
    fetched: list[Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """S12: and the next run asks again."""
    fetched[0].write_bytes(b"evil")
    monkeypatch.setattr(jars, "_resolve", lambda _cache: [str(path) for path in fetched])
    for _ in range(2):
        with pytest.raises(PetstreamError, match=r"kafka-1.0.jar has another SHA-512"):
            jars.classpath(tmp_path, lambda _line: None)
    fetched[0].write_bytes(NAMES[0].encode())
    assert jars.classpath(tmp_path, lambda _line: None) == [str(path) for path in fetched]
    (memo,) = (tmp_path / "cache" / "petstream").glob("org*.json")
    assert json.loads(memo.read_text()) == [str(path) for path in fetched]
    fetched[0].write_bytes(b"evil later")
    with pytest.raises(PetstreamError, match=r"kafka-1.0.jar has another SHA-512"):
        jars.classpath(tmp_path, lambda _line: None)


def test_s12_every_jar_is_pinned_by_its_coordinate() -> None:
    """S12: the three that are asked for, and what comes with them."""
    sums = jar_sums.pinned()
    for coordinate in (jars.KAFKA, jars.CLIENTS, jars.LOGGING):
        _group, artifact, version = coordinate.split(":")
        assert f"{artifact}-{version}.jar" in sums
    assert len(sums) > 40
    assert [name for name, total in sums.items() if not re.fullmatch("[0-9a-f]{128}", total)] == []
    assert len(set(sums.values())) == len(sums)
