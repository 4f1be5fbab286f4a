"""Prints every event of petstream, with Confluent's client: pip install confluent-kafka."""

import os

from confluent_kafka import Consumer, KafkaException

# who we are, as `petstream env` sets it; empty where Kafka asks nobody
NAMES = {
    "security.protocol": "SECURITY_PROTOCOL", "sasl.mechanism": "SASL_MECHANISM",
    "sasl.username": "SASL_USERNAME", "sasl.password": "SASL_PASSWORD",
}  # fmt: skip
LOGIN = {
    key: os.environ[f"PETSTREAM_KAFKA_{name}"]
    for key, name in NAMES.items()
    if f"PETSTREAM_KAFKA_{name}" in os.environ
}

consumer = Consumer({
    "bootstrap.servers": os.environ.get("PETSTREAM_KAFKA", "localhost:9092"),
    "group.id": os.environ.get("GROUP", "first-look-confluent"),
    "auto.offset.reset": "earliest",
    "enable.auto.commit": False,
    "fetch.message.max.bytes": 8 << 20,
    **LOGIN,
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
