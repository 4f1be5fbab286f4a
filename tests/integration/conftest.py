"""Real servers for the tests: started once, stopped at the end; a database and a prefix a test."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
from lossy_kafka import LossyKafka
from server_homes import put_away

from console.embedded import servers
from consumers.engine.migrate import migrate

# many Kafkas are started here, and none runs for long: the better of Java's compilers would only
# cost what the tests need (4.9 instead of 11.7 s of processor time a new Kafka)
os.environ.setdefault("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")

_TEMPLATE = "petstream_template"


@pytest.fixture(scope="session")
def servers_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the servers of this session keep their data; they're stopped at the end."""
    with put_away(tmp_path_factory.mktemp("servers")) as directory:
        yield directory


@pytest.fixture(scope="session")
def kafka(servers_dir: Path) -> str:
    """The bootstrap address of a real Kafka, which lets in everybody: any client of a test."""
    return servers.ensure_kafka(servers_dir, for_tests=True, authenticated=False).bootstrap


@pytest.fixture(scope="module")  # each topic more makes its restarts slower
def lossy_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LossyKafka]:
    """A Kafka of its own for tests that let it lose what it acknowledged."""
    with put_away(tmp_path_factory.mktemp("lossy")) as directory:
        yield LossyKafka(directory)


@pytest.fixture(scope="session")
def postgres(servers_dir: Path) -> str:
    """The URL of a real Postgres."""
    return servers.ensure_postgres(servers_dir, for_tests=True)


@pytest.fixture(scope="session")
def template(postgres: str) -> str:
    """The name of a migrated database to copy."""
    asyncio.run(_execute(postgres, f"CREATE DATABASE {_TEMPLATE}"))
    asyncio.run(migrate(_url(postgres, _TEMPLATE)))
    return _TEMPLATE


@pytest.fixture
async def database_url(postgres: str, template: str) -> AsyncIterator[str]:
    """The URL of a fresh, migrated database."""
    name = f"test_{secrets.token_hex(4)}"
    await _execute(postgres, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield _url(postgres, name)
    await _execute(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def empty_database(postgres: str) -> AsyncIterator[str]:
    """The URL of a database without tables."""
    name = f"test_{secrets.token_hex(4)}"
    await _execute(postgres, f"CREATE DATABASE {name}")
    yield _url(postgres, name)
    await _execute(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def databases(postgres: str, template: str) -> Iterator[Callable[[], str]]:
    """Makes as many fresh, migrated databases as a test asks for; gives their URLs."""
    made: list[str] = []

    def make() -> str:
        made.append(f"test_{secrets.token_hex(4)}")
        asyncio.run(_execute(postgres, f"CREATE DATABASE {made[-1]} TEMPLATE {template}"))
        return _url(postgres, made[-1])

    yield make
    for name in made:
        asyncio.run(_execute(postgres, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
def prefix() -> str:
    """A prefix of topics and groups that no other test has."""
    return f"t{secrets.token_hex(4)}."


def _url(url: str, database: str) -> str:
    return urlsplit(url)._replace(path=f"/{database}").geturl()


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
