"""Texts that would rule a terminal, in every field that has text, through all commands.

One log and one database hold them: pets, organisations, exports, plans, debts, dead letters.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, get_type_hints

import msgspec
import pytest
from handmade_events import START, Log, base_s, export_id, sequence
from hostile_texts import MARK, NUL, TEXTS, unprintable

from console.cli.parser import parser, run
from console.inspect.tail import tail
from consumers.app import consume
from consumers.registry import NAMES
from petstream import topics
from petstream.events import (
    Counts,
    DebtEvent,
    Drift,
    ExportCounts,
    ExportEvent,
    FileRead,
    OrganizationEvent,
    PetEvent,
    Plan,
    PlanEvent,
    SnapshotRequest,
    Source,
    debt_subject,
    export_subject,
    plan_subject,
    request_subject,
)
from petstream.kafka.client import ensure_topics
from petstream.kafka.records import ProducerRecord
from petstream.model import Organization, Pet, Picture, Rendition
from petstream.settings import KafkaAccess, Settings

pytestmark = pytest.mark.servers

KINDS = list(TEXTS)
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
    "up": "its lines pass the same door", "consume": "seeds this test", "console": "the pages",
    "down": "no text of the feed", "env": "no text of the feed", "migrate": "no text of the feed",
    "purge": "numbers only", "table-topics": "numbers only", "schemas": "ours",
    "completion": "ours", "simulate": "ours",
}  # fmt: skip


class Hostile:
    """The servers that hold the texts."""

    def __init__(self, access: KafkaAccess, prefix: str, database_url: str, home: Path) -> None:
        """Know where they are."""
        self.log = Log(access, prefix)
        self._positions = itertools.count(1)
        self.settings = Settings(
            topic_prefix=prefix, kafka=access, database_url=database_url, data_dir=home,
            pictures=(home / "pictures").as_uri(),
        )  # fmt: skip

    async def seed(self) -> None:
        """Publish all, and let the consumers apply it."""
        await ensure_topics(self.log.access, self.log.prefix)
        await self.log.send(*self._records())
        await consume(
            NAMES, self.settings, kafka=self.log.access, drain=True, stopping=asyncio.Event(),
            database_url=self.settings.database_url or "",
        )  # fmt: skip

    def _records(self) -> Iterator[ProducerRecord]:
        for number, text in enumerate(TEXTS.values(), 1):
            pet = self._pet(number, text)
            yield self._of_pet("added", pet, 1, number, None)
            yield self._of_pet("updated", pet, 2, number, text)
            organization = _full(Organization, text, org_id=number, extra={text: text})
            event = OrganizationEvent(
                op="added", org_id=number, sequence=sequence(1, 500 + number),
                organization=organization, first_seen_at=START, source=_source(1, text),
            )  # fmt: skip
            yield self._record(topics.ORGS, "organization.added", f"organization/{number}", event)
        yield self._of_pet("removed", self._pet(1, TEXTS["colours"]), 2, 900, None)
        yield self._of_pet("added", self._pet(999, NUL), 1, 901, None)
        yield from (
            ProducerRecord(
                self.log.pets, text.encode(), text.encode(), ((f"ce_{text[:40]}", text.encode()),)
            )
            for text in (TEXTS["colours"], TEXTS["an element"], TEXTS["a header"], NUL)
        )
        yield from self._of_exports()

    def _of_exports(self) -> Iterator[ProducerRecord]:
        everything = "".join(text for kind, text in TEXTS.items() if kind != "long")
        counts = ExportCounts(Counts(read=30, added=24, refused=3), Counts(read=24))
        drift = Drift(
            unknown_fields={everything: 3}, unfit_values={everything: 1},
            missing_keys={everything: 2}, new_values={everything: (everything,)},
        )  # fmt: skip
        plan = Plan(f"{export_id(2)}.pets", 1, 1, (2, 3))
        days: list[tuple[int, Any]] = [
            (1, "completed"), (2, "held"), (2, "completed"), (3, "failed"),
        ]  # fmt: skip
        for day, state in days:
            event = ExportEvent(
                export_id=export_id(day), mode="daily", state=state, base=base_s(day),
                at=START + timedelta(days=day), counts=counts, reason=everything,
                notes=(everything, *TEXTS.values()), drift=drift,
                files=(FileRead(everything, 5, START, 3),), plan=plan if state == "held" else None,
            )  # fmt: skip
            subject = (
                plan_subject(plan.plan_id, 1) if event.plan else export_subject(export_id(day))
            )
            yield self._record(topics.EXPORTS, f"export.{state}", subject, event, day=day)
        decided = PlanEvent(
            plan_id=f"{export_id(1)}.pets", export_id=export_id(1), decision="rejected", at=START,
            by=everything, reason=everything,
        )  # fmt: skip
        subject = plan_subject(decided.plan_id, 1)
        yield self._record(topics.EXPORTS, "removals.rejected", subject, decided, day=3)
        debt = DebtEvent(
            export_id=export_id(3), owes="snapshot", at=START, reason=everything, base=base_s(3),
            partitions=(everything,),
        )  # fmt: skip
        yield self._record(topics.EXPORTS, "debt.found", debt_subject(sequence(3)), debt, day=3)
        asked = SnapshotRequest(asked_by=everything, sequence=1, at=START, reason=everything)
        yield self._record(
            topics.REQUESTS, "snapshot.requested", request_subject("x"), asked, day=1
        )

    def _pet(self, number: int, text: str) -> Pet:
        pictures = tuple(
            Picture(number * 10 + at, at, START, Rendition(url))
            for at, url in enumerate((text, f"https://cdn.example/{text}"), 1)
        )
        pet: Pet = _full(
            Pet, text, animal_id=number, org_id=number % len(TEXTS), pictures=pictures,
            videos=(text, {"a": text}), video_urls=(text,), extra={text: text},
            description_html=text, pet_url=text,
        )  # fmt: skip
        return pet

    def _of_pet(
        self, op: Any, pet: Pet, day: int, position: int, old: str | None
    ) -> ProducerRecord:
        event = PetEvent(
            op=op, animal_id=pet.animal_id, sequence=sequence(day, position), pet=pet,
            changed=() if old is None else ("name", "species", old[:99]),
            old={} if old is None else {"name": old, old[:99]: old}, first_seen_at=START,
            source=_source(day, TEXTS["colours"]),
        )  # fmt: skip
        return self._record(topics.PETS, f"pet.{op}", f"pet/{pet.animal_id}", event, day=day)

    def _record(
        self, topic: topics.Topic, type_: str, subject: str, event: Any, day: int = 1
    ) -> ProducerRecord:
        number = None if hasattr(event, "sequence") else sequence(day, next(self._positions))
        return self.log._record(topic, type_, subject, event, day, b"", number=number)  # noqa: SLF001  of what Log has no method for


def _source(day: int, text: str) -> Source:
    return Source(export_id(day), "daily", text, 1)


def _full(of: Any, text: str, **given: Any) -> Any:
    """Return a pet or an organisation with this text in each field that may hold one."""
    texts = {name: text for name, hint in get_type_hints(of).items() if "str" in str(hint)}
    fields = {field.name for field in msgspec.structs.fields(of)}
    odd = {"pictures", "videos", "video_urls", "extra", "description_html"}
    return of(**dict.fromkeys(texts.keys() & fields - odd, text) | given)


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
    hostile = Hostile(KafkaAccess(kafka), prefix, database_url, tmp_path)
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


async def _tailed(hostile: Hostile, topic: Any, capfd: pytest.CaptureFixture[str]) -> str:
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
