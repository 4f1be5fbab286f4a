"""What an audit believes of a log that grows while it is looked at."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import pytest

from consumers.audit import folded_log
from consumers.audit.folded_log import Completed, Log, folded, last_completed
from petstream.kafka.records import Bounds, TopicPartition
from petstream.settings import KafkaAccess
from petstream.topics import EXPORTS, PETS


@pytest.mark.parametrize("look", [last_completed, folded])
async def test_an_export_completed_meanwhile_doesnt_look_like_lost_records(
    monkeypatch: pytest.MonkeyPatch, look: Callable[[KafkaAccess, str], Awaitable[Log]]
) -> None:
    """T47: every look finds one more export, with one more pet, than the look before."""
    pets = PETS.full_name("t.")
    looks = 0

    async def bounds(_access: KafkaAccess, names: Sequence[str]) -> dict[TopicPartition, Bounds]:
        nonlocal looks
        looks += 1
        return {TopicPartition(name, 0): Bounds(0, looks) for name in names}

    async def read(access: KafkaAccess, log: Log, names: list[str]) -> None:
        read_bounds = await bounds(access, names)
        log.ends |= {place: end for place, (_, end) in read_bounds.items()}
        place = TopicPartition(EXPORTS.full_name("t."), 0)
        if place.topic in names:
            # what is read, is read after the ends were asked for, and by then there is more
            at = looks + (len(names) > 1)
            log.completed = Completed(f"export {at}", place, at, {f"{pets}/0": at})

    monkeypatch.setattr(folded_log, "bounds", bounds)
    monkeypatch.setattr(folded_log, "_read", read)
    log = await look(KafkaAccess("nowhere:1"), "t.")
    assert log.completed is not None
    assert log.lost() == []
