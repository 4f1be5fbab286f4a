"""Where Kafka and Postgres are: as the settings say, else the embedded ones, started if need be.

Rule 1: a configured server is used as it is; only the embedded database is migrated by itself.
Rule 2: these functions wait for servers: call them before the event loop runs.
Rule 3: what starts servers is imported only where one may have to be started: with it come all of
        Kafka's and Postgres' own, which a command at configured servers would wait for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from petstream.postgres import url as postgres_url
from petstream.settings import KafkaAccess, Settings

Say = Callable[[str], None]


def kafka_of(settings: Settings, say: Say, *, usual_port: bool = False) -> KafkaAccess:
    """Return how to reach Kafka; the embedded one is started if none is configured.

    Args:
        settings: which servers are configured, and where embedded ones keep their data.
        say: takes a line for the person who waits.
        usual_port: an embedded one that never ran takes the port that everybody expects.
    """
    if settings.kafka is not None:
        return settings.kafka
    from console.embedded import servers  # noqa: PLC0415  rule 3

    access = servers.ensure_kafka(settings.data_dir, say=say, usual_port=usual_port)
    return replace(access, compression=settings.kafka_compression)


def database_of(settings: Settings, say: Say, *, usual_port: bool = False) -> str:
    """Return the database's URL; the embedded one is started and migrated (see `kafka_of`)."""
    from consumers.engine.migrate import migrate  # noqa: PLC0415  commands without a database go without

    if settings.database_url is not None:
        return settings.database_url
    from console.embedded import servers  # noqa: PLC0415  rule 3

    url = servers.ensure_postgres(settings.data_dir, say=say, usual_port=usual_port)
    for name in asyncio.run(migrate(url, say=say)):
        say(f"migrated the embedded database: {name}")
    return url


def pages_database_of(settings: Settings, database_url: str | None) -> str | None:
    """Return where pages read, by a login of their own if there is one; None: where all do.

    Args:
        settings: which servers are configured.
        database_url: of the database that is used; the embedded one is migrated.
    """
    if settings.console_database_url is not None or settings.database_url is not None:
        return settings.console_database_url
    if database_url is None:
        return None
    from console.embedded.postgres_logins import logins  # noqa: PLC0415  as above

    return asyncio.run(logins(settings.data_dir, database_url)).console


def address_of(database_url: str) -> str:
    """Return host and port of a database, for a person; nothing else of its URL.

    >>> address_of("postgresql://me:secret@localhost/pets")
    'localhost:5432'
    """
    return str(postgres_url.read(database_url))


def with_picture_store(settings: Settings) -> Settings:
    """Return the settings with a picture store: under the data directory if none is configured."""
    if settings.pictures is not None:
        return settings
    return replace(settings, pictures=(settings.data_dir.absolute() / "pictures").as_uri())


def known_database(settings: Settings, say: Say) -> str | None:
    """Return the database's URL for a command that only looks; None if there never was one."""
    was_there = (settings.data_dir / "postgres.json").exists()
    if settings.database_url is None and not was_there:
        return None
    return database_of(settings, say)
