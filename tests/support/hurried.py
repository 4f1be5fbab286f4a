"""The command `petstream` with short time-outs and small batches, and a place to stop still at.

Run as a program by `members`. What an outage does after a minute can so be seen after seconds.
"""

from __future__ import annotations

import os
import signal
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from console.cli import parser
from consumers.engine import postgres, runner, subscription
from petstream import failpoints
from petstream.kafka import client, reader, writer
from petstream.postgres import url

TIMEOUT_S = 1.0


def small_batches(max_records: int) -> None:
    """Take so few records at once that there is always a batch in hand."""
    setattr(subscription.Subscription.poll, "__defaults__", (500, max_records))  # noqa: B010  as mypy likes


def short_timeouts() -> None:
    """Make every deadline of Kafka and Postgres a few seconds."""

    def consumer(*topics: str, **options: Any) -> AIOKafkaConsumer:
        timeouts = {"session_timeout_ms": 1_500, "heartbeat_interval_ms": 300}
        return AIOKafkaConsumer(*topics, **options, **timeouts, request_timeout_ms=3_000)

    def producer(**options: Any) -> AIOKafkaProducer:
        return AIOKafkaProducer(**options | {"request_timeout_ms": 3_000})

    changes: list[tuple[object, str, object]] = [
        (subscription, "AIOKafkaConsumer", consumer),
        (writer, "AIOKafkaProducer", producer),
        (writer, "_DEADLINE_S", 2 * TIMEOUT_S),
        (reader, "_DEADLINE_S", 2 * TIMEOUT_S),
        (client, "_START_S", 2 * TIMEOUT_S),
        (client, "_STOP_S", TIMEOUT_S),
        (subscription, "_DEADLINE_S", 2 * TIMEOUT_S),
        (subscription, "_COMMIT_S", TIMEOUT_S),
        (runner, "_PROBE_EVERY_S", TIMEOUT_S / 2),
        (url, "_CONNECT_S", TIMEOUT_S),
        (postgres, "_LOOK_S", TIMEOUT_S),
        (postgres, "_COMMAND_S", TIMEOUT_S),
    ]
    for module, name, value in changes:
        assert hasattr(module, name), name
        setattr(module, name, value)


def stop_still(at: str) -> None:
    """Stop with SIGSTOP when a place of `crashes` is passed the first time."""
    assert at in failpoints.PLACES
    before = failpoints.point
    still = [at]

    def point(name: str) -> None:
        before(name)
        if name in still:
            still.clear()
            os.kill(os.getpid(), signal.SIGSTOP)

    setattr(failpoints, "point", point)  # noqa: B010  as mypy likes


if __name__ == "__main__":
    if "TEST_MAX_RECORDS" in os.environ:
        small_batches(int(os.environ["TEST_MAX_RECORDS"]))
    if "TEST_SHORT_TIMEOUTS" in os.environ:
        short_timeouts()
    if "TEST_STILL_AT" in os.environ:
        stop_still(os.environ["TEST_STILL_AT"])
    parser.main()
