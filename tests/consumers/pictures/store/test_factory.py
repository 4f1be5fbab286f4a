"""Which picture store PETSTREAM_PICTURES names."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from consumers.pictures.store.directory import DirectoryStore
from consumers.pictures.store.factory import open_store
from petstream.errors import UsageError


def test_a_directory_needs_nothing_else(tmp_path: Path) -> None:
    assert isinstance(open_store(tmp_path.as_uri()), DirectoryStore)


def test_a_bucket_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "consumers.pictures.store.s3", raising=False)
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(UsageError, match=r"pip install 'petstream\[s3\]'"):
        open_store("s3://pets/pictures")
