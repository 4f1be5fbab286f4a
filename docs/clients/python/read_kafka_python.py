"""Prints every event of petstream, with kafka-python: pip install kafka-python zstandard."""

import os

from kafka import KafkaConsumer

# who we are, as `petstream env` sets it; empty where Kafka asks nobody
NAMES = {
    "security_protocol": "SECURITY_PROTOCOL", "sasl_mechanism": "SASL_MECHANISM",
    "sasl_plain_username": "SASL_USERNAME", "sasl_plain_password": "SASL_PASSWORD",
}  # fmt: skip
LOGIN = {
    key: os.environ[f"PETSTREAM_KAFKA_{name}"]
    for key, name in NAMES.items()
    if f"PETSTREAM_KAFKA_{name}" in os.environ
}

consumer = KafkaConsumer(
    bootstrap_servers=os.environ.get("PETSTREAM_KAFKA", "localhost:9092"),
    group_id=os.environ.get("GROUP", "first-look-kafka-python"),
    auto_offset_reset="earliest",
    enable_auto_commit=False,
    max_partition_fetch_bytes=8 << 20,
    **LOGIN,
    consumer_timeout_ms=5000,  # without a record; a service would go on for ever
)
consumer.subscribe(pattern=r"^petstream\..*\.v1")
for record in consumer:
    headers = dict(record.headers)
    print(
        record.topic, record.partition, record.offset,
        headers.get("ce_type", b"").decode(), headers.get("ce_subject", b"").decode(),
        len(record.value or b""), sep="\t",
    )  # fmt: skip
consumer.close()
