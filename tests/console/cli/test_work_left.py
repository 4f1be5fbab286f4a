"""How far consumers are, of what they have before them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from console.cli.work_left import WorkCount, WorkDone, reporting
from petstream.errors import UnreachableError


def test_what_never_had_any_is_not_reported_and_what_is_done_stays() -> None:
    count = WorkCount()
    assert count.see({"pets": 100, "images": 0}) == {"pets": WorkDone(0, 100)}
    assert count.see({"pets": 40, "images": 0}) == {"pets": WorkDone(60, 100)}
    assert count.see({"pets": 0})["pets"] == WorkDone(100, 100)


def test_what_comes_meanwhile_makes_the_total_greater_and_undoes_nothing() -> None:
    count = WorkCount()
    count.see({"pets": 100})
    count.see({"pets": 40})
    assert count.see({"pets": 70}) == {"pets": WorkDone(60, 130)}
    assert count.see({"pets": 30}) == {"pets": WorkDone(100, 130)}


async def test_a_server_that_is_away_is_passed_over_and_the_end_ends_it() -> None:
    looks = 0
    reported: list[tuple[object, ...]] = []
    seen = asyncio.Event()

    async def look() -> Mapping[str, int]:
        nonlocal looks
        looks += 1
        if looks == 1:
            raise UnreachableError("Kafka is away")
        return {"pets": 10, "pictures": 5}

    def report(*values: object) -> None:
        reported.append(values)
        if len(reported) > 1:
            seen.set()

    async with reporting(look, report):
        async with asyncio.timeout(60):
            await seen.wait()
    assert reported[:2] == [("pets", 0, 10, "records"), ("pictures", 0, 5, "pictures")]
    before = looks
    await asyncio.sleep(0)
    assert looks == before
