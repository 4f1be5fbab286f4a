"""Prints every event of petstream, with Confluent's client: pip install confluent-kafka."""

import os

from confluent_kafka import Consumer, KafkaException

consumer = Consumer({
    "bootstrap.servers": os.environ.get("PETSTREAM_KAFKA", "localhost:9092"),
    "group.id": os.environ.get("GROUP", "first-look-confluent"),
    "auto.offset.reset": "earliest",
    "enable.auto.commit": False,
    "fetch.message.max.bytes": 8 << 20,
})  # fmt: skip
consumer.subscribe([r"^petstream\..*\.v1"])
quiet = 0
while quiet < 5:  # seconds without a record; a service would go on for ever
    records = consumer.consume(500, timeout=1)
    quiet = 0 if records else quiet + 1
    for record in records:
        if record.error():
            raise KafkaException(record.error())
        headers = dict(record.headers() or [])
        print(
            record.topic(), record.partition(), record.offset(),
            headers.get("ce_type", b"").decode(), headers.get("ce_subject", b"").decode(),
            len(record.value() or b""), sep="\t",
        )  # fmt: skip
consumer.close()
