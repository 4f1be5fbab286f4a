"""Servers of a test run that was killed: the next run stops them and removes their database."""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path

import pytest
from server_homes import put_away, put_away_abandoned


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory whose database lies outside of it, as root's does."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    home, cluster = tmp_path / "home", tmp_path / "elsewhere" / "postgres-1"
    cluster.mkdir(parents=True)
    home.mkdir()
    (home / "postgres.location").write_text(str(cluster))
    return home


def killed_within(home: Path) -> None:
    """Have a process use the directory, and kill it there."""
    child = os.fork()
    if not child:
        with put_away(home):
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)


def test_what_a_killed_run_left_is_put_away_by_the_next(home: Path) -> None:
    killed_within(home)
    assert [*(home.parent / "elsewhere").iterdir()] != []
    assert put_away_abandoned() == [home]
    assert [*(home.parent / "elsewhere").iterdir()] == []
    assert put_away_abandoned() == [], "once"


def test_what_a_run_uses_is_left_alone(home: Path) -> None:
    with put_away(home):
        assert put_away_abandoned() == []
        assert [*(home.parent / "elsewhere").iterdir()] != []
    assert [*(home.parent / "elsewhere").iterdir()] == []
    assert put_away_abandoned() == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_nobody_else_says_what_is_put_away(home: Path) -> None:
    killed_within(home)
    (notes,) = home.parent.glob("petstream-tests-*")
    os.chown(notes, 65534, 65534)
    assert put_away_abandoned() == []
    assert [*(home.parent / "elsewhere").iterdir()] != []
