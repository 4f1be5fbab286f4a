"""A Kafka that loses what it acknowledged: tails cut off, topics made anew, a directory put back.

Rule 1: a tail is cut as a power cut does it: the broker is killed, pages of its segments that were
        not flushed are gone, and it recovers what is left.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
import struct
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions
from members import Server

from console.embedded import servers
from console.embedded.process import stop
from petstream.kafka.admin import delete_topics
from petstream.kafka.client import ensure_topics
from petstream.kafka.records import TopicPartition
from petstream.settings import KafkaAccess

_BATCH: Final = struct.Struct(">qi")
_DERIVED: Final = ("*.index", "*.timeindex", "*.txnindex", "*.snapshot")


class LossyKafka:
    """An embedded Kafka of a test's own."""

    def __init__(self, data_dir: Path) -> None:
        """Start it."""
        self._data_dir = data_dir
        self._log = data_dir / "kafka" / "log"
        self._copy = data_dir / "kafka-copy"
        self._address = ""
        self.start()

    @property
    def access(self) -> KafkaAccess:
        """How to reach it; its address stays."""
        return KafkaAccess(self._address)

    def start(self) -> None:
        """Start it if it isn't up."""
        access = servers.ensure_kafka(self._data_dir, for_tests=True, authenticated=False)
        address = access.bootstrap
        log = self._data_dir / "kafka.log"
        assert self._address in {"", address}, f"it has moved: {log.read_text('utf-8')[-4000:]}"
        self._address = address

    def frozen(self) -> AbstractContextManager[None]:
        """Hold it still meanwhile: connections stay open and nothing answers."""
        return Server(self._data_dir, "kafka").frozen()

    async def cut(self, *tails: tuple[TopicPartition, int]) -> None:
        """Lose the records of partitions from an offset on, in one power cut."""
        await asyncio.to_thread(self.cut_at_once, *tails)

    def cut_at_once(self, *tails: tuple[TopicPartition, int]) -> None:
        """Do so before anything else is done."""
        self.kill()
        for partition, offset in tails:
            assert self._cut(partition, offset), f"{partition} has nothing from {offset} on"
        self.start()

    def cut_back(self, ends: Mapping[TopicPartition, int], *, torn: bool = False) -> int:
        """Lose all that came behind these ends, at once; return how many partitions lost anything.

        Args:
            ends: where partitions are to end; others keep everything.
            torn: half of the first lost batch is still there.
        """
        self.kill()
        lost = sum(self._cut(partition, end, torn=torn) for partition, end in ends.items())
        self.start()
        return lost

    async def raise_partitions(self, topic: str, total: int) -> None:
        """Give a topic more partitions."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self._address)
        await admin.start()
        try:
            await admin.create_partitions({topic: NewPartitions(total)})
        finally:
            await admin.close()

    async def copy(self) -> None:
        """Stop it, copy its directory, start it."""

        def keep() -> None:
            stop(self._data_dir, "kafka")
            shutil.rmtree(self._copy, ignore_errors=True)
            shutil.copytree(self._log, self._copy)
            self.start()

        await asyncio.to_thread(keep)

    async def put_back(self) -> None:
        """Put back the copy that was made last."""

        def replace() -> None:
            self.kill()
            shutil.rmtree(self._log)
            shutil.copytree(self._copy, self._log)
            self.start()

        await asyncio.to_thread(replace)

    async def make_anew(self, topic: str, prefix: str) -> None:
        """Delete a topic, and make it again."""
        await delete_topics(self.access, [topic])
        await ensure_topics(self.access, prefix)

    def kill(self) -> None:
        """End it without warning."""
        Server(self._data_dir, "kafka").send(signal.SIGKILL)
        stop(self._data_dir, "kafka")

    def _cut(self, partition: TopicPartition, offset: int, *, torn: bool = False) -> bool:
        directory = self._log / f"{partition.topic}-{partition.partition}"
        (segment,) = directory.glob("*.log")
        whole, at = segment.read_bytes(), 0
        size = 0
        while at < len(whole):
            base, size = _BATCH.unpack_from(whole, at)
            if base >= offset:
                break
            at += _BATCH.size + size
        if at >= len(whole):
            return False
        segment.write_bytes(whole[: at + size // 2] if torn else whole[:at])
        for pattern in _DERIVED:
            for derived in directory.glob(pattern):
                derived.unlink()
        return True
