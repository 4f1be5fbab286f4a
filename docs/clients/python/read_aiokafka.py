"""Prints every event of petstream, with aiokafka: pip install aiokafka cramjam."""

import asyncio
import os

from aiokafka import AIOKafkaConsumer

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


async def main() -> None:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=os.environ.get("PETSTREAM_KAFKA", "localhost:9092"),
        group_id=os.environ.get("GROUP", "first-look-aiokafka"),
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        max_partition_fetch_bytes=8 << 20,
        **LOGIN,
    )
    consumer.subscribe(pattern=r"^petstream\..*\.v1")
    async with consumer:
        # 5 seconds without a record end it; a service would go on for ever
        while batches := await consumer.getmany(timeout_ms=5000):
            for records in batches.values():
                for record in records:
                    headers = dict(record.headers)
                    print(
                        record.topic, record.partition, record.offset,
                        headers.get("ce_type", b"").decode(),
                        headers.get("ce_subject", b"").decode(), len(record.value or b""), sep="\t",
                    )  # fmt: skip


asyncio.run(main())
