"""What the ingester makes of hostile and drawn rows, as text, in its compiled or its plain form.

Run as a program it prints a line for each case, with all that came of it in its digest; two
processes of different forms print the same.
"""

from __future__ import annotations

import hashlib
import json
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from compared_rows import facts
from fuzz_targets import TARGETS
from fuzz_targets.pieces import fuzzed
from rows_of_the_feed import org_row, pet_row, picture

from ingest import compiled
from ingest.changes.comparison import Comparison
from ingest.changes.event import ORGS, PETS, Kind, Publication
from ingest.changes.schema_drift import SchemaDrift
from ingest.parse import contacts, normalise, pictures, plausible, times, values
from ingest.parse.rows import BadRow, Row, RowFramer
from ingest.state.ledger import Ledger
from petstream.sequence import Family, removal_sequence

_KEPT: Final = Path(__file__).parents[1] / "fuzz" / "kept" / "rows"
_TEXTS: Final = (
    "", " ", "0", "00", "0.0", "45.5", "1e9", "-1", "Yes", "YES", "no", "true", "Maybe", "1", "7 ",
    "\u0667", "\u00b2", "1755230411", "1755230411000", "1755230411000000", "20261120", "20261320",
    "20261120030001", "2026-11-20T03:00:01Z", "20261120T0300", "11/20/2026 3:00 PM EST",
    "Fri, 20 Nov 2026 03:00:01 +0100", "Fri Nov 20 03:00:01 CST 2026", "November 20, 2026",
    "03/04/26", "0000-00-00 00:00:00", "9999-12-31", "1899-12-30", "0001-01-01", "9" * 18,
    "9" * 19, "9" * 70, "Rex\0", "\ud800", "R\u00e9x \U0001f600", "a@b.org", "617-555-0123", "<b>",
    "x" * 3_000, "[1]", "{}", "null",
)  # fmt: skip
_VALUES: Final[tuple[Any, ...]] = (
    None, True, False, 0, 1, -7, 10**18, 10**25, 2**63, 0.5, 1e300, [], [""], ["a", 1, None], {},
    {"0": "a", "10": "b", "2": "c"}, {"email": "a@b.org", "deep": {"phone": "1"}},
    [[[[[["deep"]]]]]], [{"mediaID": "7"}], [{"mediaID": "x", "large": {"fileSize": "-"}}, 3],
    {"1": {"mediaID": "8", "originalUrl": "http://x/8.jpg"}}, *_TEXTS,
)  # fmt: skip
_NAMES: Final = ("ANIMALNAME", "animalStatus", "Status", "fosterEmail", "kennel", "\ud83d", "owner")
_BYTES: Final = (
    b"\0", b"\t", b"\r", b"\x0b", b"\xe9", b"\xc3\xa9", b"\xff", b"\\u0000", b"\\ud83d", b"\\u",
    b"\\ud83d\\ude00", b'"', b"{", b"}", b"[", b"]", b",", b"9" * 1_200, b"[" * 40, b"\xef\xbb\xbf",
)  # fmt: skip


def outcomes(seed: int, drawn: int) -> Iterator[tuple[str, str]]:
    """Return a name and all that came of it, for each case."""
    yield from _of_functions()
    for title, data in _findings():
        given = fuzzed(data)
        for kind in (PETS, ORGS):
            yield f"{title} as {kind.plural}", _of_files(kind, [[*given.chunks()]], seed)
    draw = random.Random(seed)  # noqa: S311  no secret
    for number in range(drawn):
        kind = draw.choice((PETS, PETS, ORGS))
        days = [[_file(draw, kind)] for _ in range(draw.randint(1, 3))]
        yield f"drawn {number}", _of_files(kind, days, number)


def _findings() -> Iterator[tuple[str, bytes]]:
    yield from TARGETS["rows"].seeds().items()
    for path in sorted(_KEPT.glob("*")):
        yield path.name, path.read_bytes()


def _of_functions() -> Iterator[tuple[str, str]]:
    """Each converter with each value: what it returns, or raises."""
    converters: tuple[Callable[[Any], Any], ...] = (
        values.text, values.flag, values.identifier, values.size, values.instant, values.day,
        values.sequence, values.elements, values.plain, pictures.pictures, normalise.start_stamp,
        contacts.without_contacts,
    )  # fmt: skip
    of_texts: tuple[Callable[[str], Any], ...] = (
        values.clean, times.instant, times.day, plausible.usual_instant, plausible.instant_of,
        plausible.day_of, plausible.compact_time, lambda text: contacts.is_contact(text, text),
        lambda text: times.stamp(text, datetime(2027, 1, 1, tzinfo=UTC)),
        lambda text: normalise.start_stamp_of(text.encode("utf-8", "replace")),
        lambda text: contacts.bytes_without_contacts(text.encode("utf-8", "replace")),
    )  # fmt: skip
    for number, convert in enumerate(converters):
        yield f"converter {number}", repr([_tried(convert, value) for value in _VALUES])
    for number, of_text in enumerate(of_texts):
        yield f"function of text {number}", repr([_tried(of_text, text) for text in _TEXTS])


def _tried(function: Callable[[Any], Any], value: Any) -> object:
    try:
        return function(value)
    except Exception as error:  # noqa: BLE001  whatever it is, it is what came of it
        return type(error).__name__, str(error)


def _file(draw: random.Random, kind: Kind) -> bytes:
    """Draw a file: rows of few keys with odd values, and odd bytes in some of them."""
    rows = []
    for _ in range(draw.randint(1, 12)):
        key = draw.randint(1, 6)
        row = pet_row(key) if kind is PETS else org_row(key)
        if kind is PETS:
            row["lastUpdated"] = str(1755230411 + draw.randint(0, 2))
            row["pictures"] = [picture(102900001 + n, n) for n in range(draw.randint(0, 3))]
        for _ in range(draw.choice((0, 0, 1, 4))):
            row[draw.choice((*row, *_NAMES))] = draw.choice(_VALUES)
        for _ in range(min(len(row) - 1, draw.choice((0, 0, 0, 1, 30)))):
            del row[draw.choice([*row])]
        raw = json.dumps(row, ensure_ascii=draw.random() < 0.7).encode("utf-8", "surrogatepass")
        for _ in range(draw.choice((0, 0, 0, 1, 2))):
            at = draw.randrange(len(raw))
            raw = raw[:at] + draw.choice(_BYTES) + raw[at + draw.randint(0, 2) :]
        rows.append(raw)
    joined = draw.choice((b"\n", b"\r\n", b"\n\n")).join(rows)
    return draw.choice((joined, joined, b"[" + b",".join(rows) + b"]", b"\xef\xbb\xbf" + joined))


def _of_files(kind: Kind, days: Sequence[Sequence[bytes]], seed: int) -> str:
    """Read a file a day, each by a ledger that is folded from the log, and say what came of it."""
    draw = random.Random(seed)  # noqa: S311  no secret
    log: list[Publication] = []
    said: list[object] = []
    for day, chunks in enumerate(days):
        rows, framer = _framed(chunks, draw.randint(1, 900))
        ledger = Ledger(place=lambda key: key % 3)
        for record in log:
            ledger.fold(record.key.encode(), record.headers, record.value, draw.randint(0, 2))
        given = facts(day)._replace(publish_contacts=draw.random() < 0.5)
        drift = SchemaDrift(kind.type, {})
        restated = draw.choice((0, 0, given.base * 4_000_000))
        run = Comparison(kind, ledger, given, restate_below=restated, row_observers=(drift,))
        families: tuple[Family, ...] = ("pets", "updatedpets") if kind is PETS else ("orgs",)
        new: list[Publication] = []
        size = draw.randint(1, 8)
        for at in range(0, len(rows), size):
            made = run.compare(rows[at : at + size], draw.choice(families), "file.json")
            new += made.publications
            said.append(made)
        for key in draw.sample(range(1, 7), 2):
            removal = run.removal(key, removal_sequence(given.base))
            new += [] if removal is None else [removal]
        new += [run.again(key) for key in sorted(ledger.stale)]
        log += new
        said += [
            rows, framer.cut_last, framer.goes_on, framer.odd, new, run.counts,
            sorted(run.odd.items()), run.restated, sorted(run.present()), drift.drift(),
            sorted(ledger.listed()),
            [(key, entry[:-1], entry.value()) for key, entry in ledger.items()],
            [entry[:-1] for entry in ledger.updates_of(given.base)], sorted(ledger.stale),
            ledger.kept(b""), ledger.highest_sequence, ledger.newest_start,
        ]  # fmt: skip
    return repr(said)


def _framed(chunks: Sequence[bytes], step: int) -> tuple[list[Row | BadRow], RowFramer]:
    framer = RowFramer()
    rows: list[Row | BadRow] = []
    for chunk in chunks:
        for at in range(0, len(chunk), step):
            rows += framer.feed(chunk[at : at + step])
    return rows + framer.finish(), framer


def main(seed: str, drawn: str) -> None:
    """Print a line for each case."""
    print(compiled.FORM.what)  # noqa: T201  the result
    for name, came in outcomes(int(seed), int(drawn)):
        digest = hashlib.sha256(came.encode("utf-8", "surrogatepass")).hexdigest()
        print(digest, name)  # noqa: T201  the same


if __name__ == "__main__":
    main(*sys.argv[1:])
