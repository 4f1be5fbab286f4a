"""Events made by hand and published: pets, organisations, and exports that completed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from msgspec.structs import replace

from petstream import codec, topics
from petstream.events import (
    Counts,
    ExportCounts,
    ExportEvent,
    LogEnd,
    OrganizationEvent,
    PetEvent,
    Source,
    Unstated,
    export_subject,
)
from petstream.kafka.positions import end_behind
from petstream.kafka.reader import read_to_end
from petstream.kafka.records import ProducerRecord, TopicPartition
from petstream.kafka.writer import send_all
from petstream.model import Organization, Pet, Picture, Rendition
from petstream.sequence import PER_SECOND
from petstream.settings import KafkaAccess

START: Final = datetime(2026, 11, 20, 8, 12, 4, tzinfo=UTC)
DAY: Final = timedelta(days=1)


def base_s(day: int) -> int:
    """Return the base of a day's export."""
    return int((START + day * DAY).timestamp())


def sequence(day: int, position: int = 1) -> int:
    """Return a sequence of a day's export."""
    return base_s(day) * PER_SECOND + position


def export_id(day: int) -> str:
    """Return the id of a day's export."""
    return (START + day * DAY).strftime("%Y-%m-%dT%H:%M:%SZ")


class Log:
    """The topics of a prefix, written by hand."""

    def __init__(self, access: KafkaAccess, prefix: str) -> None:
        """Know where they are."""
        self.access, self.prefix = access, prefix
        self._exports_said = 0

    @property
    def pets(self) -> str:
        """The name of pets.v1."""
        return topics.PETS.full_name(self.prefix)

    def pet(  # noqa: PLR0913  what is said of it, each by name
        self, animal_id: int, day: int, *, name: str = "Rex", op: Any = "updated",
        partition: int = 0, restated: bool = False, pictures: Sequence[Picture] = (),
        position: int = 1,
    ) -> ProducerRecord:  # fmt: skip
        """Return an event of a pet; its digest is of the pet, as the ingester's."""
        pet = Pet(animal_id=animal_id, org_id=7, name=name, pictures=tuple(pictures))
        event = PetEvent(
            op=op, animal_id=animal_id, sequence=sequence(day, position), pet=pet,
            first_seen_at=START, source=Source(export_id(day), "daily", "updatedpets_1.json", 1),
        )  # fmt: skip
        return self._record(
            topics.PETS, f"pet.{op}", f"pet/{animal_id}", event, day, codec.encode(pet),
            partition=partition, restated=restated,
        )  # fmt: skip

    def org(
        self, org_id: int, day: int, *, op: Any = "updated", restated: bool = False
    ) -> ProducerRecord:
        """Return an event of an organisation."""
        organization = Organization(org_id=org_id, name="Paws")
        event = OrganizationEvent(
            op=op, org_id=org_id, sequence=sequence(day), organization=organization,
            first_seen_at=START, source=Source(export_id(day), "daily", "orgs_1.json", 1),
        )  # fmt: skip
        return self._record(
            topics.ORGS, f"organization.{op}", f"organization/{org_id}", event, day,
            codec.encode(organization), restated=restated,
        )  # fmt: skip

    async def send(self, *records: ProducerRecord) -> None:
        """Publish records, each a batch of its own."""
        await send_all(self.access, records)

    async def complete(
        self, day: int, *, snapshot: int | None = None, unstated: Unstated | None = None
    ) -> None:
        """Publish that a day's export is completed, with the ends that the log has now."""
        self._exports_said += 1
        ends = await self.ends()
        event = ExportEvent(
            export_id=export_id(day), mode="scrub" if snapshot else "daily", state="completed",
            at=START + day * DAY, counts=ExportCounts(Counts(), Counts()), base=base_s(day),
            end_offsets={str(partition): end.offset for partition, end in ends.items()},
            ends={str(partition): end for partition, end in ends.items()},
        )  # fmt: skip
        if snapshot is not None:
            event = replace(event, snapshot=snapshot, unstated=unstated or Unstated())
        await self.send(
            self._record(
                topics.EXPORTS, "export.completed", export_subject(export_id(day)), event, day,
                b"", number=sequence(day, 10 + self._exports_said),
            )
        )  # fmt: skip

    async def ends(self) -> dict[TopicPartition, LogEnd]:
        """Return where pets.v1 and orgs.v1 end now, and which records are their last."""
        names = [topics.PETS.full_name(self.prefix), topics.ORGS.full_name(self.prefix)]
        ends: dict[TopicPartition, LogEnd] = {}
        async for records in read_to_end(self.access, names):
            ends[records[-1].topic_partition] = end_behind(records[-1])
        return ends

    def _record(  # noqa: PLR0913, PLR0917  the parts of a record
        self, topic: topics.Topic, type_: str, subject: str, event: Any, day: int, digested: bytes,
        *, partition: int = 0, restated: bool = False, number: int | None = None,
    ) -> ProducerRecord:  # fmt: skip
        value = codec.encode(event)
        headers = codec.headers(
            type_=type_, subject=subject,
            sequence=event.sequence if number is None else number,
            export_id=export_id(day), digest=codec.digest(digested or value),
            time=START + day * DAY, restated=restated,
        )  # fmt: skip
        key = subject.partition("/")[2].encode()
        return ProducerRecord(topic.full_name(self.prefix), key, value, headers, partition)


def picture(ident: int) -> Picture:
    """Return a picture."""
    return Picture(ident, 1, START, Rendition(f"https://cdn.example/{ident}.jpg"))
