"""Which events of several are sent back, over a log that is a list."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime

import pytest
from handmade_events import Log

from consumers.admin import redrive as admin_redrive
from consumers.admin.redrive import MAX_EVENTS, redrive
from consumers.engine.dead_letters import RefusedRecord, encode
from petstream import topics
from petstream.kafka.records import Bounds, ConsumerRecord, ProducerRecord, TopicPartition
from petstream.settings import KafkaAccess

PREFIX = "t."
ACCESS = KafkaAccess("nowhere:1")
PETS = TopicPartition(topics.PETS.full_name(PREFIX), 0)
LETTERS = TopicPartition(topics.DEAD_LETTERS.full_name(PREFIX), 0)


class ListedLog:
    """A partition of pets.v1, and the letters of those that a consumer refused."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Stand in for Kafka's."""
        self.records: list[ConsumerRecord] = []
        self.letters: list[ConsumerRecord] = []
        monkeypatch.setattr(admin_redrive, "bounds", self._bounds)
        monkeypatch.setattr(admin_redrive, "read", self._read)
        monkeypatch.setattr(admin_redrive, "send_all", self.send)

    async def send(self, _access: object, records: Sequence[ProducerRecord]) -> None:
        """Take records."""
        for sent in records:
            self.records.append(
                ConsumerRecord(PETS, len(self.records), sent.key, sent.value, sent.headers)
            )

    def refuse(self, record: ConsumerRecord) -> None:
        """Make a letter of a record."""
        letter = encode(
            RefusedRecord(record, "refused", "no"), LETTERS.topic, "pets",
            datetime(2026, 11, 29, tzinfo=UTC),
        )  # fmt: skip
        self.letters.append(
            ConsumerRecord(LETTERS, len(self.letters), letter.key, letter.value, letter.headers)
        )

    async def sent_back(self, *, again: bool = False) -> list[int]:
        """Send all letters back; return whose events went."""
        before = len(self.records)
        await redrive(ACCESS, PREFIX, self.letters, again=again)
        return [int(record.key or b"") for record in self.records[before:]]

    async def _bounds(self, _access: object, _topics: object) -> dict[TopicPartition, Bounds]:
        return {PETS: Bounds(0, len(self.records))}

    async def _read(self, _access: object, _ends: object) -> AsyncIterator[list[ConsumerRecord]]:
        yield list(self.records)


@pytest.fixture
async def log(monkeypatch: pytest.MonkeyPatch) -> ListedLog:
    """A log of which each of 25 events was refused."""
    log, made = ListedLog(monkeypatch), Log(ACCESS, PREFIX)
    await log.send(ACCESS, [made.pet(animal_id, 0) for animal_id in range(1, 26)])
    for record in tuple(log.records):
        log.refuse(record)
    return log


async def test_of_several_those_that_were_sent_back_before_are_passed_over(log: ListedLog) -> None:
    sent = [await log.sent_back() for _ in range(4)]
    assert sent == [[*range(1, 11)], [*range(11, 21)], [*range(21, 26)], []]


async def test_what_was_refused_again_is_sent_again_once(log: ListedLog) -> None:
    del log.letters[3:]
    assert await log.sent_back() == [1, 2, 3]
    log.refuse(log.records[-2])
    assert await log.sent_back() == [2]
    assert await log.sent_back() == []


async def test_one_that_is_named_alone_is_sent_as_often_as_it_is_asked_for(log: ListedLog) -> None:
    del log.letters[1:]
    assert await log.sent_back(again=True) == await log.sent_back(again=True) == [1]


async def test_no_more_are_sent_at_a_time_than_a_consumer_bears(log: ListedLog) -> None:
    assert len(await log.sent_back()) == MAX_EVENTS


async def test_an_event_that_a_newer_one_overtook_is_told_apart(log: ListedLog) -> None:
    await log.send(ACCESS, [Log(ACCESS, PREFIX).pet(1, 1, name="Rexa")])
    results = await redrive(ACCESS, PREFIX, log.letters[:2], again=False)
    assert [result.outcome for result in results] == ["overtaken", "sent"]
