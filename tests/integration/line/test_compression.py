"""PETSTREAM_KAFKA_COMPRESSION: what lies in the log's segments, and that two clients read it."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import confluent_kafka
import pytest
from live_files import compressions
from server_homes import put_away

from console.embedded.endpoints import kafka_of
from ingest.publish.publisher import Publisher
from petstream import topics
from petstream.kafka.client import ensure_topics
from petstream.kafka.reader import read_topic
from petstream.kafka.records import ProducerRecord
from petstream.kafka.writer import send_all
from petstream.settings import SETTLED, Compression, load

CODES = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
"""The lowest bits of a batch's attributes, as Kafka's protocol defines them."""

VALUE = b'{"name": "Rex"}' * 200


@pytest.mark.parametrize("compression", [None, *get_args(Compression)])
async def test_records_are_compressed_as_the_setting_says_and_both_clients_read_them(
    compression: str | None, kafka: str, servers_dir: Path, prefix: str
) -> None:
    chosen = {} if compression is None else {"PETSTREAM_KAFKA_COMPRESSION": compression}
    access = load({SETTLED: "1", "PETSTREAM_KAFKA": kafka, **chosen}).kafka
    assert access is not None
    wanted = (topics.ORGS, topics.DEAD_LETTERS)
    published, sent = (topic.full_name(prefix) for topic in wanted)
    await ensure_topics(access, prefix, wanted=wanted)
    async with Publisher(access) as publisher:  # as the ingester does
        await publisher.send(published, "701", VALUE, (("ce_id", b"1"),))
    # as dead letters, the outbox of picture events and redriven events do
    await send_all(access, [ProducerRecord(sent, b"702", VALUE, (("ce_id", b"2"),), 0)])
    for topic in (published, sent):
        assert compressions(servers_dir, topic) == {CODES[compression or "zstd"]}
        (record,) = await read_topic(access, topic)
        assert record.value == VALUE
        assert read_with_another_client(kafka, topic) == VALUE


def test_the_embedded_kafka_is_written_to_as_the_setting_says(tmp_path: Path) -> None:
    with put_away(tmp_path) as home:  # one of its own: asking who is there, it replaces an open one
        settings = load({SETTLED: "1", "PETSTREAM_DATA_DIR": str(home),
                         "PETSTREAM_KAFKA_COMPRESSION": "lz4"})  # fmt: skip
        assert kafka_of(settings, print).compression == "lz4"


def read_with_another_client(kafka: str, topic: str) -> bytes | None:
    """Return the value of a topic's first record, as librdkafka reads it."""
    consumer = confluent_kafka.Consumer({"bootstrap.servers": kafka, "group.id": "reads alone"})
    try:
        consumer.assign([confluent_kafka.TopicPartition(topic, 0, 0)])
        message = consumer.poll(20)
        assert message is not None
        return message.value()
    finally:
        consumer.close()
