"""Whether an export brings more that is new than any day can: then it isn't believed. Pure.

Rule 1: what counts is what would be published as added; a first import has bounds of its own, and
        what an export had before may come again, whatever the log has lost.
Rule 2: it is noticed before the batch that is too much is published.
Rule 3: a feed may really grow so: then a person says so, for the one run that reads it.
"""

from __future__ import annotations

from typing import Final

from ingest.changes.comparison import Batch
from ingest.state.ledger import Ledger
from petstream.errors import BrokenFileError

ALWAYS_BELIEVED: Final = 20_000
"""New pets or organisations of one export; with more, no more than are known already."""

MOST_AT_FIRST: Final = {"pets": 1_000_000, "orgs": 100_000}
"""The whole feed has some 64,000 pets and 6,200 organisations."""

_ADDED: Final = b'{"op":"added",'


class GrowthCheck:
    """How many pets, or organisations, an export brings that nobody knew."""

    def __init__(
        self, ledger: Ledger, plural: str, *, most_read: int, allowed: bool = False
    ) -> None:
        """Begin over a ledger that was just restored.

        Args:
            ledger: what is known; a log that lost records knows less than there was.
            plural: of what.
            most_read: how many rows of them a completed export had at the most; 0: there was none,
                and what a first import that broke off has left is no measure.
            allowed: a person says that the feed has grown: anything is believed.
        """
        self._known = max(len(ledger), most_read)
        self._most = most_added(self._known if most_read else 0, plural)
        self._plural, self._allowed = plural, allowed
        self._added = 0

    def see_batch(self, batch: Batch) -> None:
        """Count what is new.

        Raises:
            BrokenFileError: it is more than can be believed.
        """
        self._added += sum(
            publication.value.startswith(_ADDED) for publication in batch.publications
        )
        if self._added > self._most and not self._allowed:
            raise BrokenFileError(
                f"more than {self._most:,} new {self._plural} beside the {self._known:,} that "
                "are known: no day brings so many; if the feed has really grown, read it with "
                "--allow-growth"
            )


def most_added(known: int, plural: str) -> int:
    """Return how many new ones of an export are believed."""
    return max(ALWAYS_BELIEVED, known) if known else MOST_AT_FIRST[plural]
