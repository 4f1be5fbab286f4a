"""The consumers there are: whatever lists them, or the topics they read, asks here.

Rule 1: it costs nothing to import: the command line needs the names, and no client for them.
Rule 2: what each consumer runs stands in `consumers.app`; the type checker finds one left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from petstream.topics import DEAD_LETTERS, EXPORTS, ORGS, PETS, Topic

Name = Literal["pets", "deletions", "images", "tables"]


class Registered(NamedTuple):
    """Which topics a consumer reads, and what it keeps."""

    topics: tuple[Topic, ...]
    keeps: str


CONSUMERS: Final[Mapping[Name, Registered]] = {
    "pets": Registered(
        (PETS, ORGS, EXPORTS, DEAD_LETTERS),
        "what is listed, the history, exports, held removals and dead letters",
    ),
    "deletions": Registered((PETS, ORGS), "what left the feed"),
    "images": Registered((PETS,), "the list of pictures, and the pictures on it"),
    "tables": Registered((PETS, ORGS, EXPORTS), "the table topics, for engines beside petstream"),
}

NAMES: Final[tuple[Name, ...]] = ("pets", "deletions", "images")
"""Those that are always there."""

EVERY: Final[tuple[Name, ...]] = tuple(CONSUMERS)
"""Those, and what a setting adds."""


def names_of(*, table_topics: bool) -> tuple[Name, ...]:
    """Return the consumers that there are, as `PETSTREAM_TABLE_TOPICS` says.

    >>> names_of(table_topics=True)
    ('pets', 'deletions', 'images', 'tables')
    """
    return EVERY if table_topics else NAMES


def group_of(consumer: str, prefix: str) -> str:
    """Return the consumer's group in Kafka.

    >>> group_of("pets", "petstream.")
    'petstream.pets'
    """
    return f"{prefix}{consumer}"


def topics_of(consumer: Name, prefix: str) -> tuple[str, ...]:
    """Return the full names of the topics it reads.

    >>> topics_of("deletions", "petstream.")
    ('petstream.pets.v1', 'petstream.orgs.v1')
    """
    return tuple(topic.full_name(prefix) for topic in CONSUMERS[consumer].topics)
