"""Prints every event as CloudEvents' SDK reads it: pip install cloudevents confluent-kafka."""

import os

from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event
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
    "group.id": os.environ.get("GROUP", "first-look-cloudevents"),
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
        try:
            event = from_binary_event(
                KafkaMessage(dict(record.headers() or []), record.key(), record.value())
            )
        except Exception as error:  # a record that an SDK can't read is what this is here to show
            print(
                record.topic(),
                record.partition(),
                record.offset(),
                "failed:",
                repr(error)[:80],
                sep="\t",
            )
            continue
        print(
            record.topic(), record.partition(), record.offset(),
            event.get_type(), event.get_subject(), len(record.value() or b""), sep="\t",
        )  # fmt: skip
consumer.close()
