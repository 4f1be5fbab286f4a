"""What is published of a pet or an organisation: one event as a record. Pure.

Rule 1: the same change of the same export makes the same bytes and the same event id.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple

import msgspec

from ingest.changes.change import Change
from ingest.parse import normalise
from ingest.state.ledger import Entry
from petstream import codec, topics
from petstream.events import Mode, Source
from petstream.model import Organization, Pet


class Kind(NamedTuple):
    """What differs between pets and organisations.

    `key_of` reads a parsed row; `key_in` guesses the key of its bytes, rightly but for odd ones. A
    removal says that its key is missing from `list_name`.
    """

    record: Literal["pet", "organization"]
    plural: Literal["pets", "orgs"]
    list_name: str
    key_name: str
    type: type[Pet | Organization]
    topic: topics.Topic
    key_of: Callable[[Mapping[str, Any]], int | None]
    key_in: re.Pattern[bytes]


PETS: Final = Kind(
    "pet", "pets", "petlist.csv", "animalId", Pet, topics.PETS,
    normalise.pet_id, re.compile(rb'"animalID": ?"?([0-9]{1,18})"?[,}]'),
)  # fmt: skip
ORGS: Final = Kind(
    "organization", "orgs", "orgs", "orgId", Organization, topics.ORGS,
    normalise.organization_id, re.compile(rb'"orgID": ?"?([0-9]{1,18})"?[,}]'),
)  # fmt: skip


class Facts(NamedTuple):
    """What every event of a run says about where it comes from."""

    export_id: str
    base: int
    start: datetime
    mode: Mode
    publish_contacts: bool = False


class Publication(NamedTuple):
    """One record to send."""

    key: str
    value: bytes
    headers: codec.Headers


def encode_event(  # noqa: PLR0913, PLR0917  the parts of one event, put together in one place
    kind: Kind,
    facts: Facts,
    key: int,
    change: Change,
    source: Source,
    raw_digest: bytes = b"",
    *,
    restated: bool = False,
) -> Publication:
    """Return the record of an event.

    Args:
        kind: pets or organisations.
        facts: of the run.
        key: the animal's or organisation's id.
        change: what happened to it.
        source: the row it comes from.
        raw_digest: of the row's bytes; empty where there is no row.
        restated: it says again what was said before.
    """
    value = codec.encode(
        {
            "op": change.op,
            kind.key_name: key,
            "sequence": change.sequence,
            kind.record: msgspec.Raw(change.record),
            "changed": change.changed,
            "old": change.old,
            "firstSeenAt": change.first_seen_at or stamp(facts.start),
            "source": source,
        }
    )
    headers = codec.headers(
        type_=f"{kind.record}.{change.op}",
        subject=f"{kind.record}/{key}",
        sequence=change.sequence,
        export_id=source.export_id,
        digest=change.digest,
        time=facts.start,
        raw_digest=raw_digest,
        restated=restated,
    )
    return Publication(str(key), value, headers)


def again(kind: Kind, key: int, entry: Entry) -> Publication:
    """Return a held event once more, word for word, where the last record of its key isn't it."""
    event = entry.event()
    export_id = event["source"]["exportId"]
    start = datetime.fromisoformat(export_id.partition("Z")[0]).replace(tzinfo=UTC)
    headers = codec.headers(
        type_=f"{kind.record}.{event['op']}",
        subject=f"{kind.record}/{key}",
        sequence=entry.sequence,
        export_id=export_id,
        digest=entry.digest,
        time=start,
        raw_digest=entry.raw_digest,
        restated=event["op"] == "updated" and not event["changed"],
    )
    return Publication(str(key), entry.value(), headers)


@lru_cache(maxsize=64)  # the same one stands in every event of a run
def stamp(time: datetime) -> str:
    """Return a time as events have it: UTC, ISO 8601, whole seconds."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
