"""Stored pictures, compared with their rows."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from lab.chaos import pictures

DATA = b"a picture"


@pytest.fixture
def row(tmp_path: Path) -> dict[str, Any]:
    """A picture that is stored as its row says, with a thumbnail."""
    (tmp_path / "ab").mkdir()
    (tmp_path / "ab" / "cd.jpg").write_bytes(DATA)
    (tmp_path / "ab" / "small.jpg").write_bytes(b"small")
    return {
        "animal_id": 7,
        "stored_as": "ab/cd.jpg",
        "thumbnails": '{"200": "ab/small.jpg"}',
        "sha256": hashlib.sha256(DATA).hexdigest(),
        "bytes": len(DATA),
    }


def test_a_stored_picture_is_right(tmp_path: Path, row: dict[str, Any]) -> None:
    assert list(pictures.differences(tmp_path, [row])) == []


@pytest.mark.parametrize("gone", ["cd.jpg", "small.jpg"])
def test_a_file_that_is_not_there_is_seen(tmp_path: Path, row: dict[str, Any], gone: str) -> None:
    (tmp_path / "ab" / gone).unlink()
    (said,) = pictures.differences(tmp_path, [row])
    assert f"7 is 'ab/{gone} isn't there'" in said or "should not be: 7" in said


def test_a_file_of_other_bytes_is_seen(tmp_path: Path, row: dict[str, Any]) -> None:
    (tmp_path / "ab" / "cd.jpg").write_bytes(b"a pictura")
    assert list(pictures.differences(tmp_path, [row])) != []
