"""Rows of one kind (pets or organisations) against the ledger: what is to be published. Pure.

Rule 1: a row whose bytes are known costs a hash and no parsing. Its key is read off the bytes: if
        that were the wrong one, its event wouldn't have come from these very bytes.
Rule 2: rows are judged one by one in the order they are read: chunking changes nothing.
Rule 3: a refused row is never an absent one: it says so, and nothing else follows from it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final, NamedTuple

import msgspec
import xxhash
from msgspec import structs

from ingest.changes.change import Change, Spoken, change, outdated, speaks, updated_at
from ingest.changes.event import PETS, Facts, Kind, Publication, again, publication
from ingest.parse import normalise
from ingest.parse.rows import KEPT_OF_BAD_BYTES, BadRow, Row, parse
from ingest.state.ledger import Ledger
from petstream import codec
from petstream.events import Counts, Source
from petstream.model import Organization, Pet
from petstream.sequence import Family, row_sequence

REPEATED: Final = "an id once more"


class Refused(NamedTuple):
    """A row that is set aside, with its place."""

    file: str
    row: BadRow


class Place(NamedTuple):
    """Where a row stands: family, file, row number in it, and index over the family's files."""

    family: Family
    file: str
    number: int
    nth: int


class Comparison:
    """One kind's ledger during one run, who spoke for each key, and the counts."""

    def __init__(self, kind: Kind, ledger: Ledger, facts: Facts) -> None:
        """Begin a run over a ledger that was just folded."""
        self.kind = kind
        self.ledger = ledger
        self.facts = facts
        self.counts = Counts()
        self.spoken: dict[int, Spoken | Family] = {}
        self.position: dict[Family, int] = {}
        self.odd: Counter[str] = Counter()
        self._seed = normalise.VERSION * 2 + facts.publish_contacts

    def compare(
        self, rows: Sequence[Row | BadRow], family: Family, file: str
    ) -> tuple[list[Publication], list[Refused]]:
        """Return what the next rows of a file mean: events to publish, and rows refused."""
        digests = [
            b"" if isinstance(row, BadRow) else xxhash.xxh3_128_digest(row.raw, self._seed)
            for row in rows
        ]
        known = list(map(self._recognised, rows, digests))
        new = [
            row
            for row, key in zip(rows, known, strict=True)
            if key is None and isinstance(row, Row)
        ]
        parsed = {row.number: found for row, found in zip(new, parse(new, self.odd), strict=True)}
        publications: list[Publication] = []
        refused: list[Refused] = []
        for row, key, raw_digest in zip(rows, known, digests, strict=True):
            index = self.position.get(family, 0)
            self.position[family] = index + 1
            if key is not None and self.ledger.came_from(key, raw_digest):  # still
                if self._before(key, family) is None:
                    self.spoken[key] = family
                self.counts.read += 1
                self.counts.unchanged += 1
                continue
            found = self._one(row, raw_digest, parsed, Place(family, file, row.number, index))
            if isinstance(found, BadRow):
                refused.append(Refused(file, found))
                self.counts.read += 1
                self.counts.refused += 1
            elif found is not None:
                publications.append(found)
        return publications, refused

    def present(self) -> AbstractSet[int]:
        """Return the keys that this export's rows hold, as they are found."""
        return self.spoken.keys()

    def removal(self, key: int, sequence: int, file: str) -> Publication | None:
        """Return the event that a key left the feed, unless something newer is held of it."""
        held = self.ledger.get(key)
        if held is None or not held.listed or held.sequence >= sequence:
            return None
        event = held.event()
        record = codec.encode(event[self.kind.record])
        made = Change("removed", sequence, ("listed",), {"listed": True}, event["firstSeenAt"])
        self.counts.removed += 1
        source = Source(self.facts.export_id, self.facts.mode, file, 0)
        return self._publish(key, made, record, held.digest, b"", source)

    def again(self, key: int) -> Publication:
        """Return the held event of a key once more, word for word (its last record isn't it)."""
        held = self.ledger.get(key)
        if held is None:
            raise KeyError(key)
        return again(self.kind, key, held)

    def _recognised(self, row: Row | BadRow, raw_digest: bytes) -> int | None:
        """Return the key of a row whose very bytes made the event that is held of it."""
        found = None if isinstance(row, BadRow) else self.kind.key_in.search(row.raw)
        if found is None:
            return None
        key = int(found[1])
        return key if self.ledger.came_from(key, raw_digest) else None

    def _one(
        self,
        row: Row | BadRow,
        raw_digest: bytes,
        parsed: Mapping[int, dict[str, Any] | BadRow],
        place: Place,
    ) -> Publication | BadRow | None:
        if isinstance(row, BadRow):
            return row
        found = parsed[row.number] if row.number in parsed else parse([row])[0]
        if isinstance(found, BadRow):
            return found
        key = self.kind.key_of(found)
        if key is None:
            if place.family == "orgs" and normalise.start_stamp(found) is not None:
                return None  # the time stamp row is no organisation
            message = f"the row has no {self.kind.key_name} of 1 to 18 digits"
            return BadRow(row.number, row.offset, "no-id", message, row.raw[:KEPT_OF_BAD_BYTES])
        self.counts.read += 1
        return self._judge(key, self._normalise(key, found), raw_digest, place)

    def _judge(
        self, key: int, record: Pet | Organization, raw_digest: bytes, place: Place
    ) -> Publication | None:
        spoken = Spoken(place.family, record.updated_at if isinstance(record, Pet) else None)
        held = self.ledger.get(key)
        sequence = row_sequence(self.facts.base, place.family, place.nth)
        before = self._before(key, place.family)
        if isinstance(before, str):
            stamp = updated_at(held) if held is not None and self.kind is PETS else None
            before = Spoken(before, stamp)
        if not speaks(spoken, before):
            self.counts.unchanged += 1
            return None
        value = codec.encode(record)
        digest = codec.digest(value)
        made = change(
            sequence=sequence, digest=digest, value=value, record=self.kind.record, held=held
        )
        newer_is_held = made is not None and held is not None and outdated(spoken, sequence, held)
        # the family is enough, and a quarter of the memory, where the ledger holds this very row
        self.spoken[key] = spoken if newer_is_held else place.family
        if made is None or newer_is_held:
            self.counts.unchanged += 1
            return None
        setattr(self.counts, made.op, getattr(self.counts, made.op) + 1)
        source = Source(self.facts.export_id, self.facts.mode, place.file, place.number)
        return self._publish(key, made, value, digest, raw_digest, source)

    def _before(self, key: int, family: Family) -> Spoken | Family | None:
        """Return who spoke for a key in this export; it's odd if its own family did."""
        before = self.spoken.get(key)
        if before is not None:
            self.odd[REPEATED] += family == (before if isinstance(before, str) else before.family)
        return before

    def _normalise(self, key: int, row: Mapping[str, Any]) -> Pet | Organization:
        def held() -> Mapping[str, Any] | None:
            entry = self.ledger.get(key)
            if entry is None:
                return None
            return structs.asdict(
                msgspec.convert(entry.event()[self.kind.record], self.kind.type, strict=False)
            )

        found: Pet | Organization | normalise.Rejection
        if self.kind is PETS:
            contacts = self.facts.publish_contacts
            found = normalise.normalise_pet(row, publish_contacts=contacts, held=held)
        else:
            found = normalise.normalise_organization(row, held=held)
        if isinstance(found, normalise.Rejection):
            raise TypeError(found.message)  # its id was read above: it can't be refused for it
        return found

    def _publish(  # noqa: PLR0913, PLR0917  the parts of one event
        self,
        key: int,
        made: Change,
        record: bytes,
        digest: str,
        raw_digest: bytes,
        source: Source,
    ) -> Publication:
        found = publication(
            self.kind, self.facts, key, made,
            record=record, digest=digest, raw_digest=raw_digest, source=source,
        )  # fmt: skip
        listed = made.op != "removed"
        self.ledger.hold(key, made.sequence, digest, raw_digest, found.value, listed=listed)
        return found
