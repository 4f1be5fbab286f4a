"""A log that loses what it acknowledged, and an ingester that writes it and heals it. Pure.

Rule 1: events are made as petstream makes them, of few fields; ids are small, names short.
Rule 2: the ingester may be one that doesn't heal: it reads the feed whole, publishes what differs
        from its log, and says nothing of snapshots. With it what healing is worth is measured.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from msgspec import UNSET, structs

from petstream import codec, topics
from petstream.events import (
    Counts,
    DebtEvent,
    ExportCounts,
    ExportEvent,
    ExportState,
    LogEnd,
    Op,
    OrganizationEvent,
    PetEvent,
    Source,
    Unstated,
    debt_subject,
    export_subject,
)
from petstream.model import Organization, Pet
from petstream.sequence import PER_SECOND, removal_sequence
from petstream.testkit.trials import Record

Place = tuple[str, int]
"""A topic's full name, and the number of a partition."""

PETS: Final = topics.PETS.full_name("petstream.")
ORGS: Final = topics.ORGS.full_name("petstream.")
EXPORTS: Final = topics.EXPORTS.full_name("petstream.")

_START: Final = datetime(2026, 11, 20, 8, 12, 4, tzinfo=UTC)
_PARTITIONS: Final = 3


class ReadableLog:
    """The log as a client finds it at any moment: where its partitions end, and each record."""

    def __init__(self, partitions: Mapping[Place, Sequence[Record]]) -> None:
        """Take the records of each partition, from offset 0 and without a gap."""
        self._partitions = {place: tuple(held) for place, held in partitions.items()}

    def turn_into(self, other: ReadableLog) -> None:
        """Be as another one from now on; whoever holds this isn't told."""
        self._partitions = other._partitions

    @property
    def ends(self) -> dict[Place, int]:
        """The end offset of each topic's partitions."""
        return {place: len(held) for place, held in self._partitions.items()}

    def record_at(self, topic: str, partition: int, offset: int) -> Record | None:
        """Return the record of an offset; None: there is none."""
        held = self._partitions.get((topic, partition), ())
        return held[offset] if 0 <= offset < len(held) else None


class _Held(NamedTuple):
    """What the log says of a subject."""

    sequence: int
    name: str
    listed: bool


class LossyLog:
    """A log, and an ingester that writes its exports; a run is a generator that may be left."""

    def __init__(self, *, heals: bool) -> None:
        """Begin empty; an ingester that doesn't heal reads everything again, and that is all."""
        self.heals: Final = heals
        self._pet_partitions = _PARTITIONS
        self._records: dict[Place, list[Record]] = {(ORGS, 0): [], (EXPORTS, 0): []}
        self._records |= {(PETS, number): [] for number in range(_PARTITIONS)}
        self._at_ms = int(_START.timestamp() * 1000)
        self._snapshot: int | None = None
        self._unstated: set[str] = set()
        self._restating: int | None = None

    def now(self) -> ReadableLog:
        """Return the log as it is."""
        return ReadableLog(self._records)

    def lose(self, kept: Mapping[Place, int]) -> None:
        """Lose what pets and organisations got since it ended there (0 where nothing is named)."""
        for place, held in self._records.items():
            if place[0] != EXPORTS:
                del held[kept.get(place, 0) :]

    def come_again(self, subject: str, lost: ReadableLog) -> None:
        """Append what another log says of a subject: what its writer still had under way."""
        for place, end in lost.ends.items():
            for record in (lost.record_at(*place, offset) for offset in range(end)):
                if record is not None and dict(record.headers)["ce_subject"].decode() == subject:
                    self._append(place, record.key.decode(), record.headers, record.value)

    def raise_partitions(self, count: int) -> None:
        """Give the pets more partitions."""
        self._records |= {(PETS, number): [] for number in range(self._pet_partitions, count)}
        self._pet_partitions = count

    def run(  # noqa: PLR0913  what a feed is like on a day, each by its name
        self,
        day: int,
        pets: Mapping[int, str],
        orgs: Mapping[int, str],
        *,
        snapshot: bool = False,
        unreadable: Collection[int] = (),
        believed: bool = True,
    ) -> Iterator[None]:
        """Publish an export, record by record.

        Args:
            day: of the export.
            pets: of the feed, by id: their names.
            orgs: likewise.
            snapshot: a loss is known, and this run is the one that heals it.
            unreadable: pets whose rows can't be read.
            believed: the petlist: who isn't in the feed is removed.
        """
        start = _START + timedelta(days=day)
        base = int(start.timestamp())
        heals = snapshot and self.heals
        if heals:
            self._snapshot, self._restating = None, base * PER_SECOND
            self._debt(start)
        restated = self._restating if heals else None
        self._export(start, "started", restated=restated)
        yield
        feed = {f"organization/{key}": name for key, name in orgs.items()}
        feed |= {f"pet/{key}": name for key, name in pets.items()}
        unread = {f"pet/{key}" for key in unreadable}
        for position, (subject, name) in enumerate(feed.items()):
            held = self._fold().get(subject)
            unstated = subject in self._unstated and self._snapshot is not None
            op = _op(held, name, self._snapshot or 0 if unstated else restated or 0)
            if op is not None and subject not in unread:
                again = held is not None and op == "updated" and held.name == name
                self._change(start, op, subject, name, base * PER_SECOND + position, again=again)
                yield
        for subject, held in self._fold().items() if believed else ():
            if held.listed and subject not in feed:
                self._change(start, "removed", subject, held.name, removal_sequence(base))
                yield
        if believed and self._restating is not None:
            self._snapshot, known = self._restating, self._fold()
            self._unstated = {
                subject
                for subject in feed
                if subject not in known or known[subject].sequence < self._snapshot
            }
        self._export(start, "completed", restated=restated)

    def owe(self) -> None:
        """Let later runs carry no snapshot: another loss is owed."""
        self._snapshot = self._restating = None

    def _fold(self) -> dict[str, _Held]:
        newest: dict[str, _Held] = {}
        for place, records in self._records.items():
            for record in records if place[0] != EXPORTS else ():
                envelope = codec.decode(record.headers, record.value)
                before = newest.get(envelope.subject)
                if before is None or envelope.sequence > before.sequence:
                    newest[envelope.subject] = _held(envelope)
        return newest

    def _change(  # noqa: PLR0913  the parts of one event
        self,
        start: datetime,
        op: Op,
        subject: str,
        name: str,
        sequence: int,
        *,
        again: bool = False,
    ) -> None:
        family, _, key = subject.partition("/")
        source = Source(_stamp(start), "scrub", "", 0)
        record: Pet | Organization
        event: PetEvent | OrganizationEvent
        if family == "pet":
            record = Pet(animal_id=int(key), name=name)
            event = PetEvent(
                op=op, animal_id=int(key), sequence=sequence, pet=record, first_seen_at=_START,
                source=source,
            )  # fmt: skip
            place = PETS, int(key) % self._pet_partitions
        else:
            record = Organization(org_id=int(key), name=name)
            event = OrganizationEvent(
                op=op, org_id=int(key), sequence=sequence, organization=record,
                first_seen_at=_START, source=source,
            )  # fmt: skip
            place = ORGS, 0
        digest = codec.digest(codec.encode(record))
        headers = codec.headers(
            type_=f"{family}.{op}", subject=subject, sequence=sequence, export_id=_stamp(start),
            digest=digest, time=start, restated=again,
        )  # fmt: skip
        self._append(place, key, headers, codec.encode(event))

    def _export(self, start: datetime, state: ExportState, *, restated: int | None) -> None:
        event = ExportEvent(
            export_id=_stamp(start), mode="scrub", state=state, at=start,
            counts=ExportCounts(Counts(), Counts()), base=int(start.timestamp()),
            restated=UNSET if restated is None else restated,
        )  # fmt: skip
        if state == "completed" and self.heals:
            event = structs.replace(
                event, ends=self._ends(),
                snapshot=UNSET if self._snapshot is None else self._snapshot,
                unstated=UNSET if self._snapshot is None else _unstated(self._unstated),
            )  # fmt: skip
        self._say(start, f"export.{state}", export_subject(_stamp(start)), event)

    def _debt(self, start: datetime) -> None:
        event = DebtEvent(export_id=_stamp(start), owes="snapshot", at=start, reason="a loss")
        self._say(start, "debt.found", debt_subject(int(start.timestamp()) * PER_SECOND), event)

    def _say(
        self, start: datetime, type_: str, subject: str, event: ExportEvent | DebtEvent
    ) -> None:
        value = codec.encode(event)
        sequence = int(start.timestamp()) * PER_SECOND + len(self._records[EXPORTS, 0])
        headers = codec.headers(
            type_=type_, subject=subject, sequence=sequence, export_id=event.export_id,
            digest=codec.digest(value), time=start,
        )  # fmt: skip
        self._append((EXPORTS, 0), event.export_id, headers, value)

    def _append(self, place: Place, key: str, headers: codec.Headers, value: bytes) -> None:
        self._at_ms += 1000
        held = self._records[place]
        held.append(Record(*place, len(held), self._at_ms, key.encode(), value, headers))

    def _ends(self) -> dict[str, LogEnd]:
        ends = {}
        for (topic, partition), held in self._records.items():
            if topic != EXPORTS:
                end = LogEnd(0)
                if held:
                    named = dict(held[-1].headers)["ce_id"].decode()
                    end = LogEnd(len(held), named, held[-1].timestamp)
                ends[f"{topic}/{partition}"] = end
        return ends


def _unstated(subjects: Iterable[str]) -> Unstated:
    split = [subject.split("/") for subject in sorted(subjects)]
    pets, orgs = (
        tuple(int(key) for family, key in split if family == wanted)
        for wanted in ("pet", "organization")
    )
    return Unstated(pets, orgs)


def _op(held: _Held | None, name: str, restated: int) -> Op | None:
    if held is None:
        return "added"
    if not held.listed:
        return "relisted"
    return "updated" if held.name != name or held.sequence < restated else None


def _held(envelope: codec.Envelope) -> _Held:
    event = envelope.event
    if isinstance(event, PetEvent):
        return _Held(envelope.sequence, event.pet.name or "", event.op != "removed")
    if isinstance(event, OrganizationEvent):
        return _Held(envelope.sequence, event.organization.name or "", event.op != "removed")
    raise TypeError(envelope.type)


def _stamp(start: datetime) -> str:
    return start.strftime("%Y-%m-%dT%H:%M:%SZ")
