"""Whether a file of rows is what its name says, and sound enough to be believed.

Rule 1: a bad row costs one row, up to max(20, 0.5 %) of a file; with more the file is broken.
Rule 2: content decides: a page instead of rows, pets among the organisations, or nothing at all
        where there must be rows is a broken file, said with its beginning.
Rule 3: what breaks a file is noticed before more of it is published, as far as that is possible.
"""

from __future__ import annotations

import json
from typing import Final

from ingest.changes.comparison import Batch
from ingest.changes.schema_drift import SchemaDrift
from ingest.parse.rows import BadRow
from ingest.source.listing import Part
from petstream.errors import BrokenFileError

ALWAYS_FORGIVEN: Final = 20
FORGIVEN_SHARE: Final = 0.005
"""A file with more bad rows than these two allow is broken."""

FORGIVEN_PETS: Final = 2
FORGIVEN_PETS_SHARE: Final = 0.01
"""How many rows of pets may stand among the organisations."""

_ROWS_A_FILE: Final = 10_000
_SHOWN_BYTES: Final = 40
_WRITERS_FAILURE: Final = (b"false", b"null")  # what its writer makes of a row it can't encode


class FileCheck:
    """The rows of one kind's files, one file after the other, as they are compared."""

    def __init__(self, drift: SchemaDrift) -> None:
        """Prepare; `drift` sees the rows as well, and says what they lack."""
        self.rows = 0
        """Of the file so far."""
        self._drift = drift
        self._name = ""
        self._must_hold_rows = False
        self._bad = 0
        self._first_bad: BadRow | None = None

    def begin(self, part: Part) -> None:
        """Begin a file."""
        self.rows = self._bad = 0
        self._name, self._first_bad = part.name, None
        self._must_hold_rows = part.number == 1 and part.family in {"orgs", "pets"}
        self._drift.begin_file()

    def see_batch(self, batch: Batch) -> None:
        """Count the next rows.

        Raises:
            BrokenFileError: too many are bad, or they are no rows of this family.
        """
        self.rows += batch.rows
        self._bad += len(batch.refused)
        if self._first_bad is None and batch.refused:
            self._first_bad = batch.refused[0].row
        if too_many_bad(self._bad, self.rows, at_end=False):
            raise self._too_many()
        if self._drift.foreign > FORGIVEN_PETS + FORGIVEN_PETS_SHARE * self.rows:
            raise self._broken(f"{self._drift.foreign:,} of its first {self.rows:,} rows are pets")

    def end(self) -> None:
        """Judge the whole file.

        Raises:
            BrokenFileError: it isn't sound.
        """
        if not self.rows and self._must_hold_rows:
            raise self._broken("it is empty")
        bad = self._first_bad
        if bad is not None and self._bad == self.rows and _is_foreign(bad):
            beginning = bad.raw[:_SHOWN_BYTES].decode("utf-8", "replace")
            raise self._broken(f"it holds no rows; it begins with {json.dumps(beginning)}")
        if too_many_bad(self._bad, self.rows, at_end=True):
            raise self._too_many()
        lost = self._drift.broken(self.rows)
        if lost is not None:
            raise self._broken(lost)

    def _too_many(self) -> BrokenFileError:
        return self._broken(f"{self._bad:,} of its first {self.rows:,} rows are bad")

    def _broken(self, why: str) -> BrokenFileError:
        return BrokenFileError(f"{self._name} is broken: {why}")


def too_many_bad(bad: int, rows: int, *, at_end: bool) -> bool:
    """Tell whether a file's bad rows make it a broken file; before its end more may come."""
    counted = rows if at_end else max(rows, _ROWS_A_FILE)
    return bad > max(ALWAYS_FORGIVEN, FORGIVEN_SHARE * counted)


def _is_foreign(bad: BadRow) -> bool:
    return bad.reason == "not-an-object" and not bad.raw.lstrip().startswith(_WRITERS_FAILURE)
