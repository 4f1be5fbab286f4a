"""What an audit believes of a log that grows while it is looked at."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from consumers import audit_log
from consumers.audit_log import Completed, Log, last_completed
from consumers.kafka import Place
from contracts.settings import KafkaAccess
from contracts.topics import EXPORTS, PETS


async def test_an_export_completed_meanwhile_doesnt_look_like_lost_records(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """T47: every look finds one more export, with one more pet, than the look before."""
    pets = PETS.full_name("t.")
    looks = 0

    async def ends(_access: KafkaAccess, names: Sequence[str]) -> dict[Place, tuple[int, int]]:
        nonlocal looks
        looks += 1
        return {Place(name, 0): (0, looks) for name in names}

    async def read(access: KafkaAccess, log: Log, names: list[str]) -> None:
        found = await ends(access, names)
        log.ends |= {place: end for place, (_, end) in found.items()}
        place = Place(EXPORTS.full_name("t."), 0)
        log.completed = Completed(f"export {looks}", place, looks, {f"{pets}/0": looks})

    monkeypatch.setattr(audit_log, "ends", ends)
    monkeypatch.setattr(audit_log, "_read", read)
    log = await last_completed(KafkaAccess("nowhere:1"), "t.")
    assert log.completed is not None
    assert log.lost() == []
