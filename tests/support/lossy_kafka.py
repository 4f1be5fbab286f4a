"""A Kafka that loses what it acknowledged: tails cut off, topics made anew, a directory put back.

Rule 1: a tail is cut as a power cut does it: the broker is killed, pages of its segments that were
        not flushed are gone, and it recovers what is left.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
import struct
from pathlib import Path
from typing import Final

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
        self.start()

    @property
    def access(self) -> KafkaAccess:
        """How to reach it; its address stays."""
        return KafkaAccess(self._address)

    def start(self) -> None:
        """Start it if it isn't up."""
        self._address = servers.ensure_kafka(self._data_dir, for_tests=True)

    async def cut(self, *tails: tuple[TopicPartition, int]) -> None:
        """Lose the records of partitions from an offset on, in one power cut."""

        def lose() -> None:
            self._kill()
            for partition, offset in tails:
                self._cut(partition, offset)
            self.start()

        await asyncio.to_thread(lose)

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
            self._kill()
            shutil.rmtree(self._log)
            shutil.copytree(self._copy, self._log)
            self.start()

        await asyncio.to_thread(replace)

    async def make_anew(self, topic: str, prefix: str) -> None:
        """Delete a topic, and make it again."""
        await delete_topics(self.access, [topic])
        await ensure_topics(self.access, prefix)

    def _kill(self) -> None:
        Server(self._data_dir, "kafka").send(signal.SIGKILL)
        stop(self._data_dir, "kafka")

    def _cut(self, partition: TopicPartition, offset: int) -> None:
        directory = self._log / f"{partition.topic}-{partition.partition}"
        (segment,) = directory.glob("*.log")
        whole, at = segment.read_bytes(), 0
        while at < len(whole):
            base, size = _BATCH.unpack_from(whole, at)
            if base >= offset:
                break
            at += _BATCH.size + size
        assert at < len(whole), f"{partition} has nothing from offset {offset} on"
        segment.write_bytes(whole[:at])
        for pattern in _DERIVED:
            for derived in directory.glob(pattern):
                derived.unlink()
