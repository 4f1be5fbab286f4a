"""Where the embedded servers are, as environment variables, and in files for Kafka's tools.

Rule 1: nothing is started: what doesn't run isn't named.
Rule 2: the secrets are those without which nobody gets in; the files are their owner's alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from console.embedded import kafka_door, servers
from console.embedded.process import write_private
from petstream.errors import PetstreamError
from petstream.settings import KafkaAccess, kafka_variables

PROPERTIES: Final = "kafka-client.properties"
"""What Kafka's own tools and other Java clients take as their configuration."""

KCAT: Final = "kcat.conf"
"""What kcat takes by itself, in the words of librdkafka; right until Kafka is started again."""


def variables(data_dir: Path, topic_prefix: str) -> dict[str, str]:
    """Return the variables by name; write the files that two of them name.

    Raises:
        PetstreamError: no server runs.
    """
    running = servers.running(data_dir)
    values: dict[str, str] = {}
    if running.kafka is not None:
        values |= kafka_variables(running.kafka) | {"PETSTREAM_TOPIC_PREFIX": topic_prefix}
        home, visitor = data_dir.absolute(), kafka_door.for_visitors(data_dir, running.kafka)
        write_private(home / PROPERTIES, _lines(_of_java(running.kafka)))
        write_private(home / KCAT, _lines(_of_librdkafka(visitor)))
        values["KAFKA_CLIENT_PROPERTIES"] = str(home / PROPERTIES)
        values["KCAT_CONFIG"] = str(home / KCAT)
    if running.database_url is not None:
        values["PETSTREAM_DATABASE_URL"] = running.database_url
        values |= _of_libpq(running.database_url)
    if not values:
        raise PetstreamError(
            f"no embedded server of {data_dir} runs: 'petstream up' or 'petstream ingest' starts it"
        )
    return values


def _of_libpq(url: str) -> dict[str, str]:
    """Return the parts of a URL, for psql and for whoever makes another kind of URL of them."""
    parts = urlsplit(url)
    return {
        "PGHOST": parts.hostname or "",
        "PGPORT": str(parts.port),
        "PGDATABASE": parts.path.removeprefix("/"),
        "PGUSER": unquote(parts.username or ""),
        "PGPASSWORD": unquote(parts.password or ""),
    }


def _of_java(access: KafkaAccess) -> dict[str, str]:
    if access.sasl_password is None:
        return _everywhere(access)
    return _everywhere(access) | {
        "sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required "
            f'username="{access.sasl_username}" password="{access.sasl_password}";'
        )
    }


def _of_librdkafka(access: KafkaAccess) -> dict[str, str]:
    if access.sasl_password is None:
        return _everywhere(access)
    return _everywhere(access) | {
        "sasl.username": str(access.sasl_username),
        "sasl.password": access.sasl_password,
    }


def _everywhere(access: KafkaAccess) -> dict[str, str]:
    protocol = {
        "bootstrap.servers": access.bootstrap,
        "security.protocol": access.security_protocol,
    }
    if access.sasl_password is None:
        return protocol
    return protocol | {"sasl.mechanism": access.sasl_mechanism}


def _lines(properties: dict[str, str]) -> str:
    return "".join(f"{name}={value}\n" for name, value in properties.items())
