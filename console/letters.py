"""The dead letters in words: a list, or one whole.

Rule 1: a letter's id is its offset in the topic, which has one partition; its origin does as well.
Rule 2: its bytes are shown escaped: they were refused, nothing is known of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from console import wording
from console.records import Record, read_topic
from contracts import topics
from contracts.cluster import ensure_topics
from contracts.errors import UsageError
from contracts.settings import KafkaAccess, Settings

_SHOWN_BYTES = 4_096


async def letters(
    settings: Settings, *, kafka: KafkaAccess, action: Literal["list", "show"], ident: str | None
) -> int:
    """Print the dead letters, or the one called `ident`; return the exit status."""
    await ensure_topics(kafka, settings.topic_prefix)
    records = await read_topic(kafka, topics.DEAD_LETTERS.full_name(settings.topic_prefix))
    if action == "list":
        print(listing(records))  # noqa: T201  the command's output
        return 0
    if ident is None:
        raise UsageError("which dead letter? For example: petstream dead-letters show 0")
    found = [one for one in records if ident in {str(one.offset), detail(one, "origin")}]
    if not found:
        raise UsageError(
            f"there is no dead letter {wording.cut(ident, 80)}: "
            "'petstream dead-letters list' shows those there are"
        )
    print(whole(found[-1]))  # noqa: T201  the command's output
    return 0


def detail(record: Record, name: str) -> str:
    """Return what the letter's ``dl_`` header of this name says, or an empty string."""
    found = dict(record.headers).get(f"dl_{name}", b"")
    return found.decode("utf-8", "replace")


def by_reason(records: Iterable[Record]) -> dict[str, int]:
    """Return how many letters there are of each reason, most first."""
    found: dict[str, int] = {}
    for record in records:
        reason = detail(record, "reason") or "unknown"
        found[reason] = found.get(reason, 0) + 1
    return dict(sorted(found.items(), key=lambda one: (-one[1], one[0])))


def listing(records: list[Record]) -> str:
    """Return one line a letter, oldest first."""
    if not records:
        return "No dead letters."
    lines = ["ID      AT (UTC)          WHAT   REASON        ORIGIN"]
    lines.extend(
        f"{one.offset:<7} {wording.stamp(one.published_at)}  "
        f"{wording.cut(detail(one, 'class'), 6):<6} {wording.cut(detail(one, 'reason'), 13):<13} "
        f"{wording.cut(detail(one, 'origin'), 90)}"
        for one in records
    )
    total = len(records)
    lines.append(f"{total:,} dead letter{'' if total == 1 else 's'}; one whole: "
                 "petstream dead-letters show ID")  # fmt: skip
    return "\n".join(lines)


def whole(record: Record) -> str:
    """Return one letter: what is said about it, then its bytes."""
    lines = [f"Dead letter {record.offset}, {wording.stamp(record.published_at)} UTC"]
    lines.extend(
        f"  {wording.plain(name.removeprefix('dl_'))}: "
        f"{wording.cut(text.decode('utf-8', 'replace'), 500)}"
        for name, text in record.headers
        if name.startswith("dl_")
    )
    value = record.value
    if value is None:
        return "\n".join([*lines, "  The original has no value."])
    more = "" if len(value) <= _SHOWN_BYTES else f", the first {_SHOWN_BYTES:,} shown"
    lines.append(f"  The original, {len(value):,} bytes{more}:")
    lines.append(wording.plain(value[:_SHOWN_BYTES].decode("utf-8", "backslashreplace")))
    return "\n".join(lines)
