"""A record as it lies in its topic, and as it is sent; no client is loaded for these."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from msgspec import Struct

from petstream.codec import Headers


class TopicPartition(NamedTuple):
    """A partition of a topic, under its full name."""

    topic: str
    partition: int

    def __str__(self) -> str:
        """Return it as exports.v1 and dead letters name it: ``topic/partition``."""
        return f"{self.topic}/{self.partition}"


class Bounds(NamedTuple):
    """The offset of a partition's first record, and the one its next record will get."""

    begin: int
    end: int


class ConsumerRecord(Struct, frozen=True, gc=False):
    """One record of a topic, as bytes; thousands are made for each poll."""

    topic_partition: TopicPartition
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp_ms: int = 0

    @property
    def topic(self) -> str:
        """The topic's full name."""
        return self.topic_partition.topic

    @property
    def partition(self) -> int:
        """The partition's number."""
        return self.topic_partition.partition

    @property
    def origin(self) -> str:
        """Where it lies, as dead letters name it: ``topic/partition/offset``."""
        return f"{self.topic_partition}/{self.offset}"

    @property
    def published_at(self) -> datetime:
        """When it was published."""
        return datetime.fromtimestamp(self.timestamp_ms / 1000, UTC)


class ProducerRecord(Struct, frozen=True, gc=False):
    """One record to send; without `partition` its key decides."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers
    partition: int | None = None
