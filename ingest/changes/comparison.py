"""Rows of one kind (pets or organisations) against the ledger: what is to be published. Pure.

`Comparison.compare` is the loop: recognise, parse, normalise, judge, encode, remember.

Rule 1: a row whose bytes are known costs a hash and no parsing. Its key is read off the bytes: if
        that were the wrong one, its event wouldn't have come from these very bytes.
Rule 2: rows are judged one by one in the order they are read: chunking changes nothing.
Rule 3: a refused row is never an absent one: it says so, and nothing else follows from it.
Rule 4: a snapshot publishes unchanged rows again, and so does every later run for the keys that it
        couldn't state; they still count as unchanged.
Rule 5: observers are called with what happens, and change nothing of it; but one may refuse to go
        on, before anything of its batch is published.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final, NamedTuple, Protocol

import msgspec
import xxhash
from msgspec import structs

from ingest.changes.change import (
    Change,
    Precedence,
    change_of,
    outdated,
    removal_of,
    restated,
    updated_at,
    wins,
)
from ingest.changes.event import PETS, Facts, Kind, Publication, again, encode_event
from ingest.parse import normalise
from ingest.parse.rows import BadRow, Row, kept_of, parse
from ingest.parse.version import VERSION
from ingest.state.ledger import Ledger
from petstream import codec
from petstream.events import Counts, Source
from petstream.model import Organization, Pet
from petstream.sequence import Family, row_sequence

REPEATED: Final = "an id once more"


class RefusedRow(NamedTuple):
    """A row that is set aside, and the file it stands in."""

    file: str
    row: BadRow


class Batch(NamedTuple):
    """What the next rows of a file come to: records to publish, and rows refused."""

    rows: int
    publications: list[Publication]
    refused: list[RefusedRow]


class RowObserver(Protocol):
    """Is called with each row that was parsed (an unchanged one isn't)."""

    def see_row(self, row: Mapping[str, Any], record: Pet | Organization) -> None:
        """Take a row, and what it was normalised to."""


class BatchObserver(Protocol):
    """Is called with each batch, before anything of it is published."""

    def see_batch(self, batch: Batch) -> None:
        """Take a batch; an exception ends the reading."""


class Comparison:
    """One kind's ledger during one run, which row won for each key, and the counts."""

    def __init__(  # noqa: PLR0913  what a run compares by, and who watches, each by name
        self,
        kind: Kind,
        ledger: Ledger,
        facts: Facts,
        *,
        restate_below: int = 0,
        row_observers: Sequence[RowObserver] = (),
        batch_observers: Sequence[BatchObserver] = (),
    ) -> None:
        """Begin a run over a ledger that was just restored.

        Args:
            kind: pets or organisations.
            ledger: what is known of them.
            facts: of the run.
            restate_below: a key that is held below this sequence is stated again at its next row.
            row_observers: see the rows that are parsed.
            batch_observers: see each batch.
        """
        self.kind = kind
        self.ledger = ledger
        self.facts = facts
        self.counts = Counts()
        self.odd: Counter[str] = Counter()
        self.restated = 0
        """How many keys were stated again."""
        self._restate_below = restate_below
        self._row_observers, self._batch_observers = row_observers, batch_observers
        self._winners: dict[int, Precedence | Family] = {}
        self._rows_read: dict[Family, int] = {}
        self._seed = VERSION * 2 + facts.publish_contacts

    def compare(self, rows: Sequence[Row | BadRow], family: Family, file: str) -> Batch:
        """Return what the next rows of a file come to.

        Raises:
            BrokenFileError: an observer doesn't believe the file.
        """
        batch = Batch(len(rows), [], [])
        raw_digests = self._digests(rows)
        known_keys = self._recognise(rows, raw_digests)
        first = self._rows_read.get(family, 0)
        self._rows_read[family] = first + len(rows)
        known = [key for key in known_keys if key is not None]
        if len(known) == len(rows) and not self._restate_below:
            self._keep_all(known, family)  # nothing in the batch makes another row of it unknown
        else:
            each = list(zip(rows, raw_digests, known_keys, strict=True))
            self._judge_each(batch, each, first, family, file)
        for batch_observer in self._batch_observers:
            batch_observer.see_batch(batch)
        return batch

    def _judge_each(
        self,
        batch: Batch,
        each: Sequence[tuple[Row | BadRow, bytes, int | None]],
        first: int,
        family: Family,
        file: str,
    ) -> None:
        """Judge rows with their digests and the keys that are known, one by one (rule 2)."""
        counts, ledger = self.counts, self.ledger
        objects = self._parse_unknown(each)
        for index, (row, raw_digest, known_key) in enumerate(each, first):
            if known_key is not None and ledger.came_from(known_key, raw_digest):  # still
                self._keep(known_key, family)
                counts.read += 1
                below = self._restate_below
                change = self._restated(known_key, family, index) if below else None
                if change is None:
                    counts.unchanged += 1
                else:
                    source = Source(self.facts.export_id, self.facts.mode, file, row.number)
                    batch.publications.append(
                        self._published(known_key, change, source, raw_digest)
                    )
                continue
            parsed = self._parse(row, objects, family)
            if parsed is None:
                continue
            counts.read += 1
            if isinstance(parsed, BadRow):
                counts.refused += 1
                batch.refused.append(RefusedRow(file, parsed))
                continue
            key, fields = parsed
            record = self._normalise(key, fields)
            for row_observer in self._row_observers:
                row_observer.see_row(fields, record)
            change = self._judge(key, record, family, index)
            if change is None:
                counts.unchanged += 1
                continue
            source = Source(self.facts.export_id, self.facts.mode, file, row.number)
            batch.publications.append(self._published(key, change, source, raw_digest))

    def present(self) -> AbstractSet[int]:
        """Return the keys of the rows that were read so far; it grows with them."""
        return self._winners.keys()

    def removal(self, key: int, sequence: int) -> Publication | None:
        """Return the event that a key left the feed, unless something newer is held of it."""
        held = self.ledger.get(key)
        change = None if held is None else removal_of(self.kind.record, sequence, held)
        if change is None:
            return None
        source = Source(self.facts.export_id, self.facts.mode, self.kind.list_name, 0)
        return self._published(key, change, source)

    def again(self, key: int) -> Publication:
        """Return the held event of a key once more, word for word (its last record isn't it)."""
        held = self.ledger.get(key)
        if held is None:
            raise KeyError(key)
        return again(self.kind, key, held)

    def _digests(self, rows: Sequence[Row | BadRow]) -> list[bytes]:
        """Return each row's digest, in which the normaliser's version is the seed."""
        seed = self._seed
        return [
            b"" if isinstance(row, BadRow) else xxhash.xxh3_128_digest(row.raw, seed)
            for row in rows
        ]

    def _recognise(
        self, rows: Sequence[Row | BadRow], raw_digests: Sequence[bytes]
    ) -> list[int | None]:
        """Return the keys of the rows whose very bytes made the event that is held of them."""
        search, came_from = self.kind.key_in.search, self.ledger.came_from
        known: list[int | None] = []
        for row, raw_digest in zip(rows, raw_digests, strict=True):
            match = search(row.raw) if type(row) is Row else None
            key = None if match is None else int(match[1])
            known.append(key if key is not None and came_from(key, raw_digest) else None)
        return known

    def _keep_all(self, keys: Sequence[int], family: Family) -> None:
        """Note that the keys of a whole batch, which was recognised, are in this export."""
        self.counts.read += len(keys)
        self.counts.unchanged += len(keys)
        once = dict.fromkeys(keys, family)
        if len(once) == len(keys) and self._winners.keys().isdisjoint(once):
            self._winners.update(once)
            return
        for key in keys:
            self._keep(key, family)

    def _keep(self, key: int, family: Family) -> None:
        """Note that the key of a row that was recognised is in this export."""
        winner = self._winners.get(key)
        if winner is None:
            self._winners[key] = family
        else:
            self._count_repeated(winner, family)

    def _parse_unknown(
        self, each: Sequence[tuple[Row | BadRow, bytes, int | None]]
    ) -> dict[int, dict[str, Any] | BadRow]:
        """Parse together the rows that weren't recognised; return them by row number."""
        unknown = [row for row, _, key in each if key is None and isinstance(row, Row)]
        objects = parse(unknown, self.odd)
        return {row.number: parsed for row, parsed in zip(unknown, objects, strict=True)}

    def _parse(
        self, row: Row | BadRow, objects: Mapping[int, dict[str, Any] | BadRow], family: Family
    ) -> tuple[int, dict[str, Any]] | BadRow | None:
        """Return a row's key and fields, or why it is refused; None: it's the time stamp row."""
        if isinstance(row, BadRow):
            return row
        if row.number in objects:
            fields = objects[row.number]
        else:  # it was recognised, but a row before it in this batch has changed its key since
            (fields,) = parse([row])
        if isinstance(fields, BadRow):
            is_stamp = family == "orgs" and normalise.start_stamp_of(fields.raw) is not None
            return None if is_stamp else fields
        key = self.kind.key_of(fields)
        if key is not None:
            return key, fields
        if family == "orgs" and normalise.start_stamp(fields) is not None:
            return None
        message = f"the row has no {self.kind.key_name} of 1 to 18 digits"
        return BadRow(row.number, row.offset, "no-id", message, kept_of(row.raw))

    def _normalise(self, key: int, fields: Mapping[str, Any]) -> Pet | Organization:
        def held() -> Mapping[str, Any] | None:
            entry = self.ledger.get(key)
            if entry is None:
                return None
            return structs.asdict(
                msgspec.convert(entry.event()[self.kind.record], self.kind.type, strict=False)
            )

        record: Pet | Organization | normalise.Rejection
        if self.kind is PETS:
            contacts = self.facts.publish_contacts
            record = normalise.normalise_pet(fields, publish_contacts=contacts, held=held)
        else:
            record = normalise.normalise_organization(fields, held=held)
        if isinstance(record, normalise.Rejection):
            raise TypeError(record.message)  # its id was read before: it can't be refused for it
        return record

    def _restated(self, key: int, family: Family, index: int) -> Change | None:
        """Return a key stated again, if that is wanted: its row is unchanged (rule 4)."""
        if self.ledger.sequence(key) >= self._restate_below:
            return None
        held = self.ledger.get(key)
        if held is None:
            return None
        return restated(self.kind.record, row_sequence(self.facts.base, family, index), held)

    def _judge(
        self, key: int, record: Pet | Organization, family: Family, index: int
    ) -> Change | None:
        """Return what a row changes, unless another row or what is held wins over it."""
        sequence = row_sequence(self.facts.base, family, index)
        row = Precedence(family, record.updated_at if isinstance(record, Pet) else None)
        held = self.ledger.get(key)
        before = self._winners.get(key)
        if before is not None:
            self._count_repeated(before, family)
        if isinstance(before, str):
            stamp = updated_at(held) if held is not None and self.kind is PETS else None
            before = Precedence(before, stamp)
        if not wins(row, before):
            return None
        change = change_of(self.kind.record, codec.encode(record), sequence, held)
        if change is None:
            change = self._restated(key, family, index)
        newer_is_held = change is not None and held is not None and outdated(row, sequence, held)
        # the family is enough, and a quarter of the memory, where the ledger holds this very row
        self._winners[key] = row if newer_is_held else family
        return None if newer_is_held else change

    def _count_repeated(self, winner: Precedence | Family, family: Family) -> None:
        """Count it as odd if a key stands twice in files of the same family."""
        self.odd[REPEATED] += family == (winner if isinstance(winner, str) else winner.family)

    def _published(
        self, key: int, change: Change, source: Source, raw_digest: bytes = b""
    ) -> Publication:
        """Return the event of a change, held as the key's newest, and count it."""
        restates = change.op == "updated" and not change.changed
        publication = encode_event(
            self.kind, self.facts, key, change, source, raw_digest, restated=restates
        )
        if restates:
            self.restated += 1
            self.counts.unchanged += 1
        else:
            setattr(self.counts, change.op, getattr(self.counts, change.op) + 1)
        self.ledger.hold(
            key, change.sequence, change.digest, raw_digest, publication.value,
            listed=change.op != "removed", is_update=change.op == "updated",
        )  # fmt: skip
        return publication
