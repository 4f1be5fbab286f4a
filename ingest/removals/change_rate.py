"""An export that changes more than a day can: the feed may be blanking everything. Pure.

Rule 1: what is counted is pets that were known and listed before; a first import can't upset them.
Rule 2: such an export is published, for it may be true; but nobody is removed on its word.
Rule 3: a run that was cut short counts as well: what it published is in the ledger.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ingest.changes.event import Publication
from ingest.removals.gate import SMALLEST_FOR_SHARE
from ingest.state.ledger import Ledger
from petstream.sequence import base_of

MOST_CHANGED: Final = 0.40
MOST_WITHOUT_PICTURES: Final = 0.05
"""The shares of the known pets that may change, and lose all their pictures, in one export."""

_FEWEST_WITHOUT_PICTURES: Final = 5
_UPDATED: Final = b'{"op":"updated",'
_NO_PICTURES: Final = b'"pictures":[],'
_PICTURES: Final = b'"pictures":[{'  # in the old values, where the record's own are none


class Toll:
    """What an export does to the pets that were known before it, as far as it was read."""

    def __init__(self, ledger: Ledger, base: int, *, read_before: bool) -> None:
        """Begin; `read_before`: an earlier run of this export may have published some of it."""
        self.known = sum(1 for _ in ledger.listed())
        self.changed = 0
        self.without_pictures = 0
        if read_before:
            for _key, entry in ledger.items():  # noqa: PERF102  a ledger is no dict
                if base_of(entry.sequence) == base:
                    self._count(entry.value())

    def take(self, publications: Iterable[Publication]) -> None:
        """Count the events of pets that changed, and of those that have no picture any more."""
        for one in publications:
            self._count(one.value)

    def problems(self) -> list[str]:
        """Say what isn't believable."""
        return upheaval(
            known=self.known, changed=self.changed, without_pictures=self.without_pictures
        )

    def _count(self, value: bytes) -> None:
        """Take the bytes for what they say: a quote inside a text of the feed is escaped."""
        if value.startswith(_UPDATED):
            self.changed += 1
            self.without_pictures += _NO_PICTURES in value and _PICTURES in value


def upheaval(*, known: int, changed: int, without_pictures: int) -> list[str]:
    """Say what an export did to more of the known pets than is believable.

    Args:
        known: pets listed before the run.
        changed: of how many of them something changed.
        without_pictures: how many lost all their pictures.
    """
    if known < SMALLEST_FOR_SHARE:
        return []
    found = []
    if changed > MOST_CHANGED * known:
        found.append(
            f"{changed:,} of {known:,} known pets changed in one export, more than "
            f"{MOST_CHANGED:.0%}"
        )
    most = max(MOST_WITHOUT_PICTURES * known, _FEWEST_WITHOUT_PICTURES - 1)
    if without_pictures > most:
        found.append(
            f"{without_pictures:,} of {known:,} known pets lost all their pictures in one export, "
            f"more than {MOST_WITHOUT_PICTURES:.0%}"
        )
    return found
