"""How often a snapshot is asked for, until one pays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from scripted_connection import ScriptedConnection

from consumers.audit import questions
from consumers.audit.folded_log import Log
from consumers.audit.questions import settle_question


@pytest.mark.parametrize(
    ("hours_ago", "at_start", "asked"),
    [(1, False, []), (1, True, [70]), (23, False, []), (25, False, [70])],
)
async def test_a_question_is_asked_again_at_each_start_and_each_day(
    monkeypatch: pytest.MonkeyPatch, hours_ago: int, *, at_start: bool, asked: list[int]
) -> None:
    log, sequences = Log("t."), list[int]()

    async def ask(_connection: Any, _context: Any, sequence: int, **_: Any) -> None:
        sequences.append(sequence)

    monkeypatch.setattr(questions, "ask", ask)
    question = {
        "asked_by": "t.audit", "sequence": 70, "reason": "why",
        "asked_at": datetime.now(UTC) - timedelta(hours=hours_ago),
    }  # fmt: skip
    connection: Any = ScriptedConnection(read_question=question)
    context: Any = None
    await settle_question(connection, context, log, at_start=at_start)
    assert sequences == asked
    log.restated = 80
    await settle_question(connection, context, log, at_start=False)
    assert connection.arguments["drop_question"] == (80,), "a snapshot above it pays"
