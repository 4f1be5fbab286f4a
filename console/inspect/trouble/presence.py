"""Which parts are alive, as Kafka knows it: by the members of their groups, whatever the lag.

Rule 1: who is in a group is alive: Kafka throws out within seconds whoever says nothing.
Rule 2: a part that was there once and has no member now is missing, also where all is applied:
        nobody would apply what comes next. One that was never there isn't missed.
Rule 3: the watch of the feed leaves word in its group what it does (`WatchReport`): it stays when
        the watch is gone, and then says when it was seen last.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from consumers.registry import NAMES, Name, group_of
from petstream.kafka.client import unreachable
from petstream.kafka.groups import Group, describe_each, read_name
from petstream.settings import KafkaAccess

WATCH: Final = "watch"
INGEST: Final = "ingest"


class WatchReport(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What the watch of the feed does.

    Attributes:
        at: when this was said.
        doing: ``looking``, ``reading``, ``resting`` or ``waiting``.
        why: what it waits for, in its own words.
        since: when the look began that it is at, or since when it has waited for the same.
        rows: rows read of each file, by its name, while it reads.
    """

    at: datetime
    doing: str
    why: str | None = None
    since: datetime | None = None
    rows: dict[str, int] = {}


def watch_group(prefix: str) -> str:
    """Return the group that the watch of the feed is in while it runs.

    >>> watch_group("petstream.")
    'petstream.watch'
    """
    return f"{prefix}{WATCH}"


def report_of(text: str) -> WatchReport | None:
    """Return what a watch left in its group; None: nothing that can be read."""
    try:
        return msgspec.json.decode(text, type=WatchReport)
    except msgspec.DecodeError:
        return None


async def parts(
    access: KafkaAccess, prefix: str, consumers: Sequence[Name] = NAMES
) -> list[dict[str, Any]]:
    """Return each part and who runs it, as plain JSON types.

    Raises:
        UnreachableError: Kafka is away.
    """
    names = {WATCH: watch_group(prefix), INGEST: f"{prefix}ingest"}
    names |= {name: group_of(name, prefix) for name in consumers}
    async with unreachable(access, "its groups were read"):
        groups = await describe_each(access, names.values())
    return parts_document({name: groups[group] for name, group in names.items()})


def parts_document(groups: Mapping[str, Group]) -> list[dict[str, Any]]:
    """Return each part and who runs it, of its group."""
    return [_part(name, group) for name, group in groups.items()]


def _part(name: str, group: Group) -> dict[str, Any]:
    report = _last_report(group) if name == WATCH else None
    known = report is not None if name == WATCH else bool(group.committed)
    if name == INGEST:
        known = False  # it is there only while an export is read
    return {
        "part": name,
        "state": "running" if group.members else "missing" if known else "absent",
        "members": [_member(member.name, member.address) for member in group.members],
        "report": None if report is None else msgspec.to_builtins(report),
    }


def _last_report(group: Group) -> WatchReport | None:
    reports: Iterable[WatchReport | None] = (
        report_of(committed.metadata) for committed in group.committed.values()
    )
    return next((report for report in reports if report is not None), None)


def _member(name: str, address: str) -> dict[str, Any]:
    member = read_name(name)
    since = None if member.since is None else member.since.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "host": member.host,
        "process": member.process,
        "since": since,
        "address": address,
    }
