"""The dead letters in words: a list, one whole, or what became of those sent back.

Rule 1: a letter's id is its offset in the topic, which has one partition; its origin does as well.
Rule 2: its bytes are shown escaped: they were refused, nothing is known of them.
Rule 3: a row is read again by reading its whole export again, from the archive: what decides
        between rows needs all of them. It is done once an export, the oldest first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Literal

from console.inspect import summary, wording
from console.inspect.kafka_reader import Record, read_topic
from consumers.admin.redrive import Outcome, Returned, send_back
from consumers.engine.subscription import Place
from consumers.engine.subscription import Record as Letter
from petstream import topics
from petstream.codec import Headers
from petstream.errors import UsageError
from petstream.kafka.client import ensure_topics
from petstream.settings import KafkaAccess, Settings

_SHOWN_BYTES = 4_096
_SETTLED: Final[frozenset[Outcome]] = frozenset({"sent", "row", "overtaken"})
_READ_AGAIN: Final = "a row of export {export}, which is read again from the archive"
_SAID: Final[dict[Outcome, str]] = {
    "sent": "sent back to {place}",
    "row": "a row of export {export}, which isn't archived here: the next scrub reads it again and "
    "puts it right",
    "overtaken": "not sent: {topic} has a newer event of its key, so there is nothing to mend",
    "unreadable": "not sent: this version can't read it either ({why})",
    "lost": "not sent: only its beginning is kept here, and {origin} is gone",
    "elsewhere": "not sent: the order of {topic} counts; read it there again: {replay}",
    "left": "left: first see that those sent now are applied (petstream dead-letters list)",
}


async def letters(
    settings: Settings, *, kafka: KafkaAccess, action: Literal["list", "show"], ident: str | None
) -> int:
    """Print the dead letters, or the one called `ident`; return the exit status."""
    records = await _read(settings, kafka)
    if action == "list":
        print(listing(records))  # noqa: T201  the command's output
        return 0
    if ident is None:
        raise UsageError("which dead letter? For example: petstream dead-letters show 0")
    print(whole(_found(records, ident)))  # noqa: T201  the command's output
    return 0


async def replay(
    settings: Settings, *, kafka: KafkaAccess, idents: Sequence[str], every: bool
) -> int:
    """Send parked events back to where they came from, and read exports with refused rows again.

    Returns:
        the exit status.
    """
    if every == bool(idents):
        raise UsageError("which dead letters? petstream dead-letters replay 0 1 (or --all)")
    records = await _read(settings, kafka)
    if every:  # an event that was parked again has more than one
        chosen = list({detail(one, "origin"): one for one in records}.values())
    else:
        chosen = [_found(records, ident) for ident in dict.fromkeys(idents)]
    done = await send_back(kafka, settings.topic_prefix, [_letter(one) for one in chosen])
    archived = await _archived(settings)
    print(returned(done, archived))  # noqa: T201  the command's output
    exports = {_export_of(one.letter.headers) for one in done if one.outcome == "row"}
    for export_id in sorted(exports & archived):
        await _read_again(settings, kafka, export_id)
    return 0 if every or all(one.outcome in _SETTLED for one in done) else 1


async def _archived(settings: Settings) -> frozenset[str]:
    from ingest.source.archive import Archive  # noqa: PLC0415  with ijson and cramjam: only where needed

    return frozenset(await Archive(settings.data_dir / "archive").exports())


async def _read_again(settings: Settings, kafka: KafkaAccess, export_id: str) -> None:
    from ingest.backfill import ingest_again  # noqa: PLC0415  the same

    for line in summary.lines(await ingest_again(settings, kafka, export_id)):
        print(line)  # noqa: T201  the command's output


async def _read(settings: Settings, kafka: KafkaAccess) -> list[Record]:
    await ensure_topics(kafka, settings.topic_prefix)
    return await read_topic(kafka, topics.DEAD_LETTERS.full_name(settings.topic_prefix))


def _found(records: Iterable[Record], ident: str) -> Record:
    found = [one for one in records if ident in {str(one.offset), detail(one, "origin")}]
    if not found:
        raise UsageError(
            f"there is no dead letter {wording.cut(ident, 80)}: "
            "'petstream dead-letters list' shows those there are"
        )
    return found[-1]


def _letter(record: Record) -> Letter:
    place = Place(record.topic, record.partition)
    return Letter(place, record.offset, record.key, record.value, record.headers)


def returned(done: Sequence[Returned], archived: frozenset[str] = frozenset()) -> str:
    """Return one line a letter: what became of it; `archived` exports can be read again."""
    if not done:
        return "No dead letters."
    lines = []
    for one in done:
        origin = _text(one.letter.headers, "origin")
        place, _, offset = origin.rpartition("/")
        export_id = _export_of(one.letter.headers)
        again = one.outcome == "row" and export_id in archived
        said = (_READ_AGAIN if again else _SAID[one.outcome]).format(
            export=export_id,
            origin=origin,
            place=place,
            topic=place.rpartition("/")[0],
            why=one.why,
            replay=f"petstream replay pets --from-offset {place}:{offset}",
        )
        lines.append(f"{one.letter.offset}: {wording.cut(said, 300)}")
    sent = sum(one.outcome == "sent" for one in done)
    lines.append(f"{sent:,} of {len(done):,} sent back; the consumers apply them as they come.")
    return "\n".join(lines)


def detail(record: Record, name: str) -> str:
    """Return what the letter's ``dl_`` header of this name says, or an empty string."""
    return _text(record.headers, name)


def _export_of(headers: Headers) -> str:
    """Return the export of a row: it's what the origin begins with."""
    return _text(headers, "origin").partition("/")[0]


def _text(headers: Headers, name: str) -> str:
    return dict(headers).get(f"dl_{name}", b"").decode("utf-8", "replace")


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
    cut = detail(record, "cut")
    what = (
        f"The first {len(value):,} bytes of the original's {cut}"
        if cut
        else (f"The original, {len(value):,} bytes")
    )
    lines.append(f"  {what}{more}:")
    lines.append(wording.plain(value[:_SHOWN_BYTES].decode("utf-8", "backslashreplace")))
    return "\n".join(lines)
