"""A producer without Kafka: batches that are full when a test says so, and a broker that fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Final

from aiokafka.errors import KafkaConnectionError

from ingest.publish.log_ends import Acknowledgement
from petstream.events import LogEnd
from petstream.kafka.records import ProducerRecord, TopicPartition
from petstream.settings import KafkaAccess

PLACE: Final = TopicPartition("t", 0)


class ScriptedBroker:
    """What came to it, by producer; `fail` says at which steps it is away."""

    def __init__(self, records_a_batch: int = 2) -> None:
        """Begin with an empty log."""
        self.records_a_batch = records_a_batch
        self.logs: list[list[bytes]] = []
        """The keys that each producer has handed over, in their order."""
        self.acknowledged = 0
        self.most_in_flight = 0
        self.ended: list[str] = []
        self.fail: Callable[[str], bool] = lambda _step: False
        self.opened_s_ago = 0.0
        self.tells_partitions_at_once = True

    def away_once_at(self, step: str, nth: int = 1) -> None:
        """Be away when a step is done for the n-th time, and never again."""
        times = iter(range(1, 1_000))

        def fail(name: str) -> bool:
            return name == step and next(times) == nth

        self.fail = fail
        self.tells_partitions_at_once = step != "partition"

    def reach(self, step: str) -> None:
        """Be asked for something."""
        if self.fail(step):
            raise KafkaConnectionError(step)

    @property
    def handed_over(self) -> int:
        """How many records came."""
        return sum(map(len, self.logs))

    def producer(self, _access: KafkaAccess) -> ScriptedProducer:
        """Return another producer, as `ingest.publish.producer.Producer` is made."""
        self.logs.append([])
        return ScriptedProducer(self, self.logs[-1])


class ScriptedBatch:
    """A batch of so many records."""

    def __init__(self, broker: ScriptedBroker, topic: str, partition: int) -> None:
        """Begin empty."""
        self.records: list[ProducerRecord] = []
        self.begun_s = asyncio.get_running_loop().time() - broker.opened_s_ago
        self._broker, self._place = broker, TopicPartition(topic, partition)

    def add(self, record: ProducerRecord) -> bool:
        """Take a record if there is room."""
        if len(self.records) == self._broker.records_a_batch:
            return False
        self.records.append(record)
        return True

    async def acknowledged(self) -> Acknowledgement:
        """Wait for nothing, unless the broker is away."""
        self._broker.reach("acknowledge")
        first = self._broker.acknowledged
        self._broker.acknowledged += len(self.records)
        return Acknowledgement(self._place, first, LogEnd(self._broker.acknowledged, "id", 1))

    def forget(self) -> None:
        """Be given up."""


class ScriptedProducer:
    """Hands batches over to the broker."""

    def __init__(self, broker: ScriptedBroker, log: list[bytes]) -> None:
        """Hand over to this log."""
        self._broker, self._log = broker, log

    async def start(self) -> None:
        """Connect."""
        self._broker.reach("start")

    async def partition(self, _topic: str, _key: bytes | None) -> int:
        """Return the only one there is."""
        self._broker.reach("partition")
        return PLACE.partition

    def known_partition(self, _topic: str, _key: bytes | None) -> int | None:
        """Return it, unless the broker has to be asked each time."""
        return PLACE.partition if self._broker.tells_partitions_at_once else None

    def batch(self, topic: str, partition: int) -> ScriptedBatch:
        """Begin a batch."""
        return ScriptedBatch(self._broker, topic, partition)

    async def send(self, batch: ScriptedBatch) -> None:
        """Hand a batch over."""
        self._broker.reach("send")
        self._log.extend(_keys(batch.records))
        in_flight = self._broker.handed_over - self._broker.acknowledged
        self._broker.most_in_flight = max(self._broker.most_in_flight, in_flight)

    async def stop(self) -> None:
        """Close, in order."""
        self._broker.ended.append("stopped")

    async def abandon(self) -> None:
        """Close, and send nothing more."""
        self._broker.ended.append("abandoned")


def _keys(records: list[ProducerRecord]) -> Iterator[bytes]:
    return (record.key or b"" for record in records)
