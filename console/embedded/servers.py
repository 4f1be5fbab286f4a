"""A real Kafka and a real Postgres for people who have none: started when needed, found again.

Rule 1: they outlive the command that started them, and are stopped by `down`.
Rule 2: they listen on loopback only, and keep everything under the data directory.
Rule 3: two commands that start at once get the same server (a file lock).

Usage, also from inside an event loop (both block until the server answers)::

    kafka = ensure_kafka(settings.data_dir, say=print)            # KafkaAccess("127.0.0.1:PORT", …)
    database_url = ensure_postgres(settings.data_dir, say=print)  # "postgresql://petstream:…@…"
    running(settings.data_dir)                                    # asks, starts nothing
    down(settings.data_dir)                                       # ["kafka", "postgres"]

In tests: once a session, in a directory of its own, with ``for_tests=True``; then ``down``.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from console.embedded import kafka, kafka_door
from console.embedded.process import locked, recorded, stop
from petstream.errors import UsageError
from petstream.settings import KafkaAccess, private_directory

Say = Callable[[str], None]

KAFKA_PORT: Final = 9092
POSTGRES_PORT: Final = 5432


@dataclass(frozen=True)
class Servers:
    """Where the embedded servers of a data directory listen; None = not running."""

    kafka: KafkaAccess | None
    database_url: str | None


def _silent(_line: str) -> None:
    """Say nothing."""


def ensure_kafka(
    data_dir: Path,
    *,
    say: Say = _silent,
    for_tests: bool = False,
    usual_port: bool = False,
    authenticated: bool = True,
) -> KafkaAccess:
    """Return how to reach the embedded Kafka, starting it if need be.

    Args:
        data_dir: where it keeps its log; made if missing.
        say: takes a line for the person who waits.
        for_tests: short time-outs, so that a restart after SIGKILL takes 4 s instead of 14.
        usual_port: one that never ran listens at 9092, if that is free; else at any port.
        authenticated: it asks who is there; without that it is for tests only.

    Raises:
        PetstreamError: there is no Java, no package source, or Kafka didn't start.
    """
    at_first = KAFKA_PORT if usual_port else 0
    with _alone(data_dir, "kafka"):
        return kafka.start(
            data_dir,
            say=say,
            for_tests=for_tests,
            at_first=at_first,
            authenticated=authenticated,
        )


def ensure_postgres(
    data_dir: Path, *, say: Say = _silent, for_tests: bool = False, usual_port: bool = False
) -> str:
    """Return the URL of the embedded Postgres, starting it if need be.

    Args:
        data_dir: where it keeps its data; made if missing.
        say: takes a line for the person who waits.
        for_tests: no fsync.
        usual_port: one that never ran listens at 5432, if that is free; else at any port.

    Raises:
        PetstreamError: Postgres didn't start; the message names its log.
    """
    from console.embedded import postgres  # noqa: PLC0415  Kafka alone does without its client

    at_first = POSTGRES_PORT if usual_port else 0
    with _alone(data_dir, "postgres"):
        return postgres.start(data_dir, say=say, for_tests=for_tests, at_first=at_first)


def running(data_dir: Path) -> Servers:
    """Return what runs now, without starting anything."""
    from console.embedded import postgres  # noqa: PLC0415  as above

    broker, database = recorded(data_dir, "kafka"), recorded(data_dir, "postgres")
    return Servers(
        kafka=kafka_door.access(data_dir, broker.port) if broker else None,
        database_url=postgres.url(data_dir, database.port) if database else None,
    )


def down(data_dir: Path, *, say: Say = _silent) -> list[str]:
    """Stop what runs; return the names of what was stopped."""
    stopped = []
    for name in ("kafka", "postgres"):
        if recorded(data_dir, name) is None:
            continue
        say(f"stopping {name}")
        with locked(data_dir, name):
            if stop(data_dir, name):
                stopped.append(name)
    return stopped


def put_away(data_dir: Path, *, say: Say = _silent) -> None:
    """Stop what runs, and remove what lies outside of the directory: it is about to be deleted."""
    from console.embedded import postgres  # noqa: PLC0415  as above

    down(data_dir, say=say)
    database = postgres.home(data_dir)
    if not database.is_relative_to(data_dir.resolve()):  # root's
        shutil.rmtree(database, ignore_errors=True)
        (data_dir / "postgres.location").unlink()


def _alone(data_dir: Path, name: str) -> AbstractContextManager[None]:
    try:
        private_directory(data_dir, ours=False)
        (data_dir / f"{name}.lock").touch()
    except OSError as error:
        raise UsageError(
            f"nothing can be kept in {data_dir} ({error.strerror}): "
            "set PETSTREAM_DATA_DIR to a directory of yours, for example ./.petstream"
        ) from error
    return locked(data_dir, name)
