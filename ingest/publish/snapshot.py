"""Snapshots: what a run states again, and what *completed* may say of it. Pure.

Rule 1: a snapshot is named by a sequence: the base of the run that states every key again. What a
        subscriber lists below it, and isn't in `unstated`, has left the feed.
Rule 2: only good rows state a key again. One that had none keeps what is held of it, and is stated
        at its next good row, by whatever run.
Rule 3: it is announced only by a run whose removals were believed, of pets and organisations: until
        then the run that restated says so (`restated`), and a later one announces it.
Rule 4: each later *completed* carries it on with its own `unstated`: what its lists name and the
        log doesn't list, or only below the snapshot. Where the lists aren't believed, that of the
        one before.
Rule 5: while a snapshot is owed, nothing is carried on: the log isn't what the last one says.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from msgspec import UNSET, UnsetType

from ingest.changes.comparison import Comparison
from ingest.state.debts import Choice
from ingest.state.export_history import ExportHistory
from petstream.events import Unstated
from petstream.sequence import PER_SECOND


class AnnouncedSnapshot(NamedTuple):
    """What *completed* says of a snapshot."""

    restated: int | UnsetType = UNSET
    snapshot: int | UnsetType = UNSET
    unstated: Unstated | UnsetType = UNSET


class Snapshots:
    """The last snapshot there was, and the one that this run makes, if it makes one."""

    def __init__(self, history: ExportHistory, base: int, choice: Choice) -> None:
        """Begin a run of this base."""
        self.own: int | UnsetType = base * PER_SECOND if choice.restating else UNSET
        last = history.last_restated
        self._last = 0 if choice.unpaid == "snapshot" else history.restated_from
        self._was_announced = last is not None and last.snapshot == self._last
        self._unstated: Unstated | UnsetType = UNSET if last is None else last.unstated

    @property
    def below(self) -> int:
        """Below which sequence a key is stated again at its next good row; 0: none is."""
        return self._last if self.own is UNSET else self.own

    def announced(
        self, pets: Comparison, orgs: Comparison, petlist_ids: Iterable[int], *, believed: bool
    ) -> AnnouncedSnapshot:
        """Return what *completed* says, behind all that was published.

        Args:
            pets: the comparison of pets.
            orgs: of organisations; its rows are its list.
            petlist_ids: the ids of the petlist.
            believed: the removals of both were published.
        """
        sequence = self.below
        if not sequence:
            return AnnouncedSnapshot()
        if not believed:
            if self._was_announced and self.own is UNSET:
                return AnnouncedSnapshot(snapshot=sequence, unstated=self._unstated)
            return AnnouncedSnapshot(restated=sequence)
        unstated = Unstated(
            _unstated(pets, petlist_ids, sequence), _unstated(orgs, orgs.present(), sequence)
        )
        return AnnouncedSnapshot(self.own, sequence, unstated)


def _unstated(comparison: Comparison, keys: Iterable[int], sequence: int) -> tuple[int, ...]:
    """Return the keys of a list that the log doesn't list, or only below the snapshot."""
    ledger = comparison.ledger
    listed = frozenset(ledger.listed())
    return tuple(
        sorted(key for key in keys if key not in listed or ledger.sequence(key) < sequence)
    )
