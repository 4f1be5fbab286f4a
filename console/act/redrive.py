"""`dead-letters replay`: sends dead letters back to where they came from.

Rule 1: a row is read again by reading its whole export again, from the archive: what decides
        between rows needs all of them. It is done once an export, the oldest first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from console.inspect import formatting, summary
from console.inspect.dead_letters import detail, find_letter, header, read_letters
from console.runtime.output import note, print_document, say
from consumers.admin import redrive as dead_events
from consumers.admin.redrive import Redriven, RedriveOutcome
from petstream.codec import Headers
from petstream.errors import UsageError
from petstream.settings import KafkaAccess, Settings

_SETTLED: Final[frozenset[RedriveOutcome]] = frozenset({"sent", "row", "overtaken", "before"})
_READ_AGAIN: Final = "a row of export {export}, which is read again from the archive"
_MESSAGES: Final[dict[RedriveOutcome, str]] = {
    "sent": "sent back to {place}",
    "row": "a row of export {export}, which isn't archived here: the next scrub reads it again and "
    "puts it right",
    "overtaken": "not sent: {topic} has a newer event of its key, so there is nothing to mend",
    "unreadable": "not sent: this version can't read it either ({why})",
    "lost": "not sent: only its beginning is kept here, and {origin} is gone",
    "elsewhere": "not sent: the order of {topic} counts; read it there again: {replay}",
    "before": "not sent: it was sent back before; refused again, it has another letter",
    "left": "left: first see that those sent now are applied (petstream dead-letters list)",
}


async def redrive(
    settings: Settings,
    *,
    kafka: KafkaAccess,
    idents: Sequence[str],
    every: bool,
    as_json: bool = False,
) -> int:
    """Send dead events back to where they came from, and read exports with refused rows again.

    Returns:
        the exit status.
    """
    if every == bool(idents):
        raise UsageError("which dead letters? petstream dead-letters replay 0 1 (or --all)")
    letters = await read_letters(settings, kafka)
    if every:  # an event that was refused again has more than one
        chosen = list({detail(letter, "origin"): letter for letter in letters}.values())
    else:
        chosen = [find_letter(letters, ident) for ident in dict.fromkeys(idents)]
    results = await dead_events.redrive(
        kafka, settings.topic_prefix, chosen, again=len(idents) == 1
    )
    archived = await _archived(settings)
    if as_json:
        print_document({"results": [result_document(result, archived) for result in results]})
    else:
        say(report(results, archived))
    exports = {_export_of(result.letter.headers) for result in results if result.outcome == "row"}
    for export_id in sorted(exports & archived):
        await _read_again(settings, kafka, export_id, note if as_json else say)
    return 0 if every or all(result.outcome in _SETTLED for result in results) else 1


async def _archived(settings: Settings) -> frozenset[str]:
    from ingest.source.archive import Archive  # noqa: PLC0415  with ijson and zstandard: only where needed

    return frozenset(await Archive(settings.data_dir / "archive").exports())


async def _read_again(
    settings: Settings, kafka: KafkaAccess, export_id: str, say_line: Callable[[str], None]
) -> None:
    from ingest.backfill import ingest_again  # noqa: PLC0415  the same

    for line in summary.lines(await ingest_again(settings, kafka, export_id)):
        say_line(line)


def result_document(result: Redriven, archived: frozenset[str]) -> dict[str, Any]:
    """Return what became of a letter, as plain JSON types."""
    export_id = _export_of(result.letter.headers)
    return {
        "id": result.letter.offset,
        "origin": header(result.letter.headers, "origin"),
        "outcome": result.outcome,
        "why": result.why or None,
        "isReadAgain": result.outcome == "row" and export_id in archived,
    }


def report(results: Sequence[Redriven], archived: frozenset[str] = frozenset()) -> str:
    """Return one line a letter: what became of it; `archived` exports can be read again."""
    if not results:
        return "No dead letters."
    lines = []
    for result in results:
        origin = header(result.letter.headers, "origin")
        place, _, offset = origin.rpartition("/")
        export_id = _export_of(result.letter.headers)
        is_read_again = result.outcome == "row" and export_id in archived
        message = (_READ_AGAIN if is_read_again else _MESSAGES[result.outcome]).format(
            export=export_id,
            origin=origin,
            place=place,
            topic=place.rpartition("/")[0],
            why=result.why,
            replay=f"petstream replay pets --from-offset {place}:{offset}",
        )
        lines.append(f"{result.letter.offset}: {formatting.shortened(message, 300)}")
    sent = sum(result.outcome == "sent" for result in results)
    lines.append(f"{sent:,} of {len(results):,} sent back; the consumers apply them as they come.")
    return "\n".join(lines)


def _export_of(headers: Headers) -> str:
    """Return the export of a row: it's what the origin begins with."""
    return header(headers, "origin").partition("/")[0]
