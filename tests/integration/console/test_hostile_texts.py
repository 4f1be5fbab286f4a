"""Texts that would rule a terminal, in every field that has text, through all commands.

One log and one database hold them: pets, organisations, exports, plans, debts, dead letters.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from handmade_events import export_id
from hostile_line import HostileLine
from hostile_texts import MARK, TEXTS, unprintable

from console.cli.parser import parser, run
from console.inspect.tail import tail
from petstream.settings import KafkaAccess

pytestmark = pytest.mark.servers

COMMANDS: dict[str, list[list[str]]] = {
    "status": [[], ["--json"]],
    "diff": [[export_id(1), export_id(2)], [export_id(1), export_id(2), "--json"]],
    "removals": [["list"], ["list", "--json"], ["show", f"{export_id(2)}.pets"]],
    "dead-letters": [["list"], ["list", "--json"], *(["show", str(number)] for number in range(2))],
    "explain": [*([str(number)] for number in range(1, 11, 2)), ["1", "--json"]],
    "audit": [[], ["--json"]],
    "pictures": [["retry", "--all"], ["retry", "--host", TEXTS["colours"]]],
    "replay": [["pets", "--from-export", TEXTS["colours"]]],
    "doctor": [[]],
}
ELSEWHERE = {
    "tail": "below, by itself: it has no end",
    "ingest": "tests/ingest: what a server says is one line",
    "up": "its lines pass the same door", "consume": "seeds this test",
    "console": "test_hostile_pages.py",
    "down": "no text of the feed", "env": "no text of the feed", "migrate": "no text of the feed",
    "purge": "numbers only", "table-topics": "numbers only", "schemas": "ours",
    "completion": "ours", "simulate": "ours",
}  # fmt: skip


def test_every_command_is_tried_here_or_elsewhere() -> None:
    """A new one is added to the table above."""
    actions: list[Any] = parser(is_whole=True)._actions  # noqa: SLF001  argparse's
    commands: Any = next(each.choices for each in actions if isinstance(each.choices, dict))
    assert set(commands) == COMMANDS.keys() | ELSEWHERE.keys()


def test_s5_no_text_of_the_feed_rules_a_terminal(  # noqa: PLR0913, PLR0917  fixtures
    kafka: str,
    prefix: str,
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """S5: escapes, directions, line ends, elements, entities, in whatever an author writes."""
    hostile = HostileLine(KafkaAccess(kafka), prefix, database_url, tmp_path)
    asyncio.run(hostile.seed())
    monkeypatch.chdir(tmp_path)
    for name, text in {
        "KAFKA": kafka, "TOPIC_PREFIX": prefix, "DATABASE_URL": database_url,
        "DATA_DIR": str(tmp_path), "PICTURES": hostile.settings.pictures or "",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"PETSTREAM_{name}", text)
    capfd.readouterr()
    naming = 0
    for command, variants in COMMANDS.items():
        for arguments in variants:
            words = [command, *arguments]
            naming += MARK in _printed(words, capfd)
    assert naming > 8  # it was there to be shown
    for topic in ("pets", "orgs", "exports", "requests"):
        assert unprintable(asyncio.run(_tailed(hostile, topic, capfd))) == set(), topic


def _printed(words: list[str], capfd: pytest.CaptureFixture[str]) -> str:
    """Run a command; return what it printed, which must be printable, or JSON."""
    with suppress(SystemExit):  # argparse's, about an argument
        run(words)
    printed, notes = capfd.readouterr()
    assert unprintable(printed) | unprintable(notes) == set(), words
    if "--json" in words:
        assert printed.isascii(), words
        json.loads(printed)
    assert printed + notes, words
    return printed + notes


async def _tailed(hostile: HostileLine, topic: Any, capfd: pytest.CaptureFixture[str]) -> str:
    """Return what a tail of the topic prints."""
    printed = ""
    async with asyncio.TaskGroup() as group, asyncio.timeout(60):
        for as_json in (False, True):
            stopping = asyncio.Event()
            task = group.create_task(
                tail(
                    hostile.settings, kafka=hostile.log.access, topic=topic, from_beginning=True,
                    as_json=as_json, stopping=stopping,
                )
            )  # fmt: skip
            seen = ""
            while not seen:
                await asyncio.sleep(0.05)
                seen += capfd.readouterr().out
            stopping.set()
            await task
            printed += seen + capfd.readouterr().out
    return printed
