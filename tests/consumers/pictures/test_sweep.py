"""The store and the list kept in step, over a real directory."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
from scripted_connection import ScriptedConnection

from consumers.pictures import sweep as sweeping
from consumers.pictures.store.directory import DirectoryStore
from consumers.pictures.store.interface import SHARDS, key_of
from consumers.pictures.sweep import Swept, sweep, sweep_if_due

DAY_S = 86_400


def keys(number: int, shard: str = "ab") -> tuple[str, str]:
    """Return the keys of a picture and its thumbnail."""
    sha256 = f"{shard}{number:062x}"
    return key_of(sha256, "jpg"), key_of(sha256, "jpg", 320)


def rows(*pictures: tuple[str, str]) -> Any:
    """Return what answers which keys are named in a shard."""

    def stored_keys(shard: str) -> list[dict[str, Any]]:
        return [
            {"stored_as": original, "thumbnails": {"320": small}}
            for original, small in pictures
            if original.startswith(shard)
        ]

    return stored_keys


async def stored(directory: Path, *names: str, age_s: float = 3 * DAY_S) -> DirectoryStore:
    """Return a store that has had these for some days."""
    store, then = DirectoryStore(directory), time.time() - age_s
    for name in names:
        await store.put(name, b"x")
        os.utime(directory / name, (then, then))
    return store


async def left(store: DirectoryStore) -> set[str]:
    """Return what is in a store."""
    return {file.key for shard in SHARDS async for file in store.files(shard)}


async def test_files_that_no_row_names_go_when_they_are_a_day_old(tmp_path: Path) -> None:
    named, orphan = keys(1), keys(2)
    store = await stored(tmp_path, *named, *orphan)
    fresh = keys(3)[0]
    await store.put(fresh, b"just written by a worker, whose row comes next")
    assert await sweep(ScriptedConnection(stored_keys=rows(named)), store) == Swept(2, 0)  # type: ignore[arg-type]  # just what is asked of it
    assert await left(store) == {*named, fresh}, "thumbnails of what is named stay as well"


@pytest.mark.parametrize("missing", [0, 1], ids=["original", "thumbnail"])
async def test_a_row_whose_file_is_not_there_is_wanted_again(tmp_path: Path, missing: int) -> None:
    whole, lost = keys(1), keys(2)
    store = await stored(tmp_path, *whole, lost[1 - missing])
    connection = ScriptedConnection(stored_keys=rows(whole, lost))
    assert await sweep(connection, store) == Swept(0, 1)  # type: ignore[arg-type]  # just what is asked of it
    assert connection.arguments["want_lost_pictures"] == ([lost[0]],)


async def test_a_file_that_came_after_its_shard_was_listed_is_not_lost(tmp_path: Path) -> None:
    store, late = await stored(tmp_path), keys(1)

    def stored_keys(shard: str) -> Any:
        for key in late if shard == "ab/" else ():  # a worker, after the shard was listed
            (tmp_path / key).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / key).write_bytes(b"x")
        return rows(late)(shard)

    connection = ScriptedConnection(stored_keys=stored_keys)
    swept = await sweep(connection, store)  # type: ignore[arg-type]  # just what is asked of it
    assert swept == Swept(0, 0)
    assert "want_lost_pictures" not in connection.asked


async def test_of_a_store_that_was_lost_some_thousand_pictures_are_wanted_a_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "_MAX_LOST", 3)
    wanted: list[str] = []

    def want(names: list[str]) -> str:
        wanted.extend(names)
        return f"UPDATE {len(names)}"

    lost = [keys(number, shard) for shard in ("ab", "cd") for number in (1, 2)]
    connection = ScriptedConnection(stored_keys=rows(*lost), want_lost_pictures=want)
    await sweep(connection, await stored(tmp_path))  # type: ignore[arg-type]  # just what is asked of it
    assert wanted == [original for original, _ in lost[:3]]
    everything = [keys(number, "ef") for number in range(9)]
    wanted.clear()
    many = ScriptedConnection(stored_keys=rows(*everything, *lost), want_lost_pictures=want)
    await sweep(many, await stored(tmp_path))  # type: ignore[arg-type]  # just what is asked of it
    assert len(wanted) == 3


async def test_it_is_done_once_a_day_by_whoever_is_first(tmp_path: Path) -> None:
    store = await stored(tmp_path, *keys(1))
    connection = ScriptedConnection()
    assert await sweep_if_due(connection, store) is None  # type: ignore[arg-type]  # just what is asked of it
    assert connection.asked == ["begin_sweep"]
    assert await left(store) == set(keys(1))
    due = ScriptedConnection(begin_sweep=True)
    assert await sweep_if_due(due, store) == Swept(2, 0)  # type: ignore[arg-type]  # just what is asked of it
