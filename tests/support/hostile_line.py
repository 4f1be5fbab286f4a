"""A line that holds texts which would rule a terminal or a page, in every field that has text.

One log and one database: pets, organisations, exports, a held plan, a debt, dead letters.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, get_type_hints

import msgspec
from handmade_events import START, Log, base_s, export_id, sequence
from hostile_texts import NUL, TEXTS

from consumers.app import consume
from consumers.registry import NAMES, Name
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

EVERYTHING: Final = "".join(text for kind, text in TEXTS.items() if kind != "long")
"""All of them in one text, but the one that is long."""

MIXED: Final = 500
"""The pet and the organisation in whose fields they all stand."""


class HostileLine:
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
        await self.apply(NAMES)

    async def apply(self, names: Sequence[Name]) -> None:
        """Let consumers apply what there is; dead letters of theirs come with the next time."""
        await consume(
            names, self.settings, kafka=self.log.access, drain=True, stopping=asyncio.Event(),
            database_url=self.settings.database_url or "",
        )  # fmt: skip

    def _records(self) -> Iterator[ProducerRecord]:
        for number, text in (*enumerate(TEXTS.values(), 1), (MIXED, EVERYTHING)):
            pet = self._pet(number, text)
            yield self._of_pet("added", pet, 1, number, None)
            yield self._of_pet("updated", pet, 2, number, text)
            organization = _full(Organization, text, org_id=number, extra={text: text})
            event = OrganizationEvent(
                op="added", org_id=number, sequence=sequence(1, 2_000 + number),
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
        odd = TEXTS["an element"].encode() + b"\xff\xed\xa0\x80\x80"  # no UTF-8
        yield ProducerRecord(self.log.pets, odd, odd, (("ce_type", odd), ("ce_source", odd)))
        yield from self._of_exports()

    def _of_exports(self) -> Iterator[ProducerRecord]:
        counts = ExportCounts(Counts(read=30, added=24, refused=3), Counts(read=24))
        drift = Drift(
            unknown_fields={EVERYTHING: 3}, unfit_values={EVERYTHING: 1},
            missing_keys={EVERYTHING: 2}, new_values={EVERYTHING: (EVERYTHING,)},
        )  # fmt: skip
        plan = Plan(f"{export_id(2)}.pets", 1, 1, (2, 3))
        days: list[tuple[int, Any]] = [
            (1, "completed"), (2, "held"), (2, "completed"), (3, "failed"),
        ]  # fmt: skip
        for day, state in days:
            event = ExportEvent(
                export_id=export_id(day), mode="daily", state=state, base=base_s(day),
                at=START + timedelta(days=day), counts=counts, reason=EVERYTHING,
                notes=(EVERYTHING, *TEXTS.values()), drift=drift,
                files=(FileRead(EVERYTHING, 5, START, 3),), plan=plan if state == "held" else None,
            )  # fmt: skip
            subject = (
                plan_subject(plan.plan_id, 1) if event.plan else export_subject(export_id(day))
            )
            yield self._record(topics.EXPORTS, f"export.{state}", subject, event, day=day)
        decided = PlanEvent(
            plan_id=f"{export_id(1)}.pets", export_id=export_id(1), decision="rejected", at=START,
            by=EVERYTHING, reason=EVERYTHING,
        )  # fmt: skip
        subject = plan_subject(decided.plan_id, 1)
        yield self._record(topics.EXPORTS, "removals.rejected", subject, decided, day=3)
        debt = DebtEvent(
            export_id=export_id(3), owes="snapshot", at=START, reason=EVERYTHING, base=base_s(3),
            partitions=(EVERYTHING,),
        )  # fmt: skip
        yield self._record(topics.EXPORTS, "debt.found", debt_subject(sequence(3)), debt, day=3)
        asked = SnapshotRequest(asked_by=EVERYTHING, sequence=1, at=START, reason=EVERYTHING)
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
