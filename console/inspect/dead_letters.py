"""The dead letters: a list of them, or one whole.

Rule 1: a letter's id is its offset in the topic, which has one partition; its origin does as well.
Rule 2: its bytes are shown escaped: they were refused, nothing is known of them.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from console.inspect import formatting
from console.inspect.trouble import times
from console.runtime.output import print_document, say
from petstream import topics
from petstream.codec import Headers, details_of
from petstream.errors import UsageError
from petstream.kafka.client import ensure_topics
from petstream.kafka.reader import read_topic
from petstream.kafka.records import ConsumerRecord
from petstream.settings import KafkaAccess, Settings

_SHOWN_BYTES = 4_096


async def dead_letters(
    settings: Settings,
    *,
    kafka: KafkaAccess,
    action: Literal["list", "show"],
    ident: str | None,
    as_json: bool = False,
) -> int:
    """Print the dead letters, or the one called `ident`; return the exit status."""
    letters = await read_letters(settings, kafka)
    if action == "list":
        if as_json:
            print_document({"deadLetters": [letter_document(letter) for letter in letters]})
        else:
            say(listing(letters))
        return 0
    if ident is None:
        raise UsageError("which dead letter? For example: petstream dead-letters show 0")
    letter = find_letter(letters, ident)
    if as_json:
        value = _original_value(letter)
        text = None if value is None else b64encode(value).decode()
        print_document(letter_document(letter) | {"valueBase64": text})
    else:
        say(whole(letter))
    return 0


def letter_document(letter: ConsumerRecord) -> dict[str, Any]:
    """Return what is said about a letter, as plain JSON types: its ``dl_`` headers by name."""
    details = {
        name.removeprefix("dl_"): text.decode("utf-8", "replace")
        for name, text in details_of(letter.headers)
        if name.startswith("dl_")
    }
    return {
        "id": letter.offset,
        "publishedAt": letter.published_at.isoformat(timespec="milliseconds"),
        **{name: details.pop(name, None) for name in ("class", "reason", "origin", "message")},
        "details": details,
    }


async def read_letters(settings: Settings, kafka: KafkaAccess) -> list[ConsumerRecord]:
    """Return every dead letter, oldest first."""
    await ensure_topics(kafka, settings.topic_prefix)
    return await read_topic(kafka, topics.DEAD_LETTERS.full_name(settings.topic_prefix))


def find_letter(letters: Iterable[ConsumerRecord], ident: str) -> ConsumerRecord:
    """Return the newest letter with this id or origin.

    Raises:
        UsageError: there is none.
    """
    matches = [
        letter for letter in letters if ident in {str(letter.offset), detail(letter, "origin")}
    ]
    if not matches:
        raise UsageError(
            f"there is no dead letter {formatting.shortened(ident, 80)}: "
            "'petstream dead-letters list' shows those there are"
        )
    return matches[-1]


def detail(letter: ConsumerRecord, name: str) -> str:
    """Return what the letter's ``dl_`` header of this name says, or an empty string."""
    return header(letter.headers, name)


def header(headers: Headers, name: str) -> str:
    """Return what the ``dl_`` header of this name says, or an empty string."""
    return dict(details_of(headers)).get(f"dl_{name}", b"").decode("utf-8", "replace")


def _original_value(letter: ConsumerRecord) -> bytes | None:
    """Return the bytes that were refused; None if there were none, and not just no bytes."""
    return None if detail(letter, "null") else letter.value


def reason_of(letter: ConsumerRecord) -> str:
    """Return why a record was refused."""
    return detail(letter, "reason") or "unknown"


def listing(letters: Sequence[ConsumerRecord]) -> str:
    """Return one line a letter, oldest first."""
    if not letters:
        return "No dead letters."
    lines = ["ID      AT                    WHAT   REASON        ORIGIN"]
    for letter in letters:
        what = formatting.shortened(detail(letter, "class"), 6)
        reason = formatting.shortened(detail(letter, "reason"), 13)
        origin = formatting.shortened(detail(letter, "origin"), 90)
        at = times.to_minute(letter.published_at)
        lines.append(f"{letter.offset:<7} {at}  {what:<6} {reason:<13} {origin}")
    total = len(letters)
    lines.append(f"{total:,} dead letter{'' if total == 1 else 's'}; one whole: "
                 "petstream dead-letters show ID")  # fmt: skip
    return "\n".join(lines)


def whole(letter: ConsumerRecord) -> str:
    """Return one letter: what is said about it, then its bytes."""
    lines = [f"Dead letter {letter.offset}, {times.to_minute(letter.published_at)}"]
    lines.extend(
        f"  {formatting.escaped(name.removeprefix('dl_'))}: "
        f"{formatting.shortened(text.decode('utf-8', 'replace'), 500)}"
        for name, text in details_of(letter.headers)
        if name.startswith("dl_")
    )
    value = _original_value(letter)
    if value is None:
        return "\n".join([*lines, "  The original has no value."])
    more = "" if len(value) <= _SHOWN_BYTES else f", the first {_SHOWN_BYTES:,} shown"
    cut = detail(letter, "cut")
    what = (
        f"The first {len(value):,} bytes of the original's {cut}"
        if cut
        else f"The original, {len(value):,} bytes"
    )
    lines.append(f"  {what}{more}:")
    lines.append(formatting.escaped(value[:_SHOWN_BYTES].decode("utf-8", "backslashreplace")))
    return "\n".join(lines)
