"""Snapshots: what a run states again, and what `completed` may say of it. Pure.

Rule 1: a snapshot is named by a sequence: the base of the run that states every key again. What a
        subscriber lists below it, and isn't in `unstated`, has left the feed.
Rule 2: it is announced only by a run whose removals were believed, of pets and organisations: until
        then the run that restated says so (`restated`), and a later one announces it.
Rule 3: each later *completed* carries it on with its own `unstated`: ids of its petlist that the
        log doesn't list, and those the snapshot couldn't state, while they are still below it.
        Where the petlist isn't believed, those of the one before.
Rule 4: while a loss is owed for, nothing is carried on: the log isn't what the snapshot says.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from msgspec import UNSET, UnsetType

from ingest.changes.comparison import Comparison, Restatement
from ingest.state.debts import Choice
from ingest.state.export_history import ExportHistory
from petstream.events import Unstated
from petstream.sequence import PER_SECOND


class ToldSnapshot(NamedTuple):
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
        self._announced = last is not None and last.snapshot is not UNSET
        self._last = 0
        self._unstated = Unstated()
        if last is not None and choice.unpaid != "snapshot":
            sequence = last.snapshot if self._announced else last.restated
            self._last = sequence if isinstance(sequence, int) else 0
            self._unstated = last.unstated if isinstance(last.unstated, Unstated) else Unstated()

    @property
    def of_pets(self) -> Restatement:
        """Which pets are stated again."""
        return self._restatement(self._unstated.pets)

    @property
    def of_orgs(self) -> Restatement:
        """Which organisations are stated again."""
        return self._restatement(self._unstated.orgs)

    def _restatement(self, unstated: Iterable[int]) -> Restatement:
        if self.own is not UNSET:
            return Restatement(below=self.own)
        return Restatement(unstated=frozenset(unstated), snapshot=self._last)

    def told(
        self,
        pets: Comparison,
        orgs: Comparison,
        petlist_ids: AbstractSet[int] | None,
        *,
        believed: bool,
    ) -> ToldSnapshot:
        """Return what *completed* says, behind all that was published.

        Args:
            pets: the comparison of pets.
            orgs: of organisations.
            petlist_ids: the ids of the petlist; None: there is none.
            believed: the removals of both were published.
        """
        if self.own is not UNSET:
            unstated = Unstated(
                _sorted(_below(pets, self.own) | _unknown(pets, petlist_ids)),
                _sorted(_below(orgs, self.own)),
            )
            return ToldSnapshot(self.own, self.own if believed else UNSET, unstated)
        if not self._last:
            return ToldSnapshot()
        if not believed:
            announced = self._last if self._announced else UNSET
            restated = UNSET if self._announced else self._last
            return ToldSnapshot(restated, announced, self._unstated)
        still = {
            key
            for key in self._unstated.pets
            if (petlist_ids is None or key in petlist_ids)
            and pets.ledger.sequence(key) < self._last
        }
        unstated = Unstated(
            _sorted(still | _unknown(pets, petlist_ids)),
            _sorted({key for key in self._unstated.orgs if orgs.ledger.sequence(key) < self._last}),
        )
        return ToldSnapshot(snapshot=self._last, unstated=unstated)


def _below(comparison: Comparison, sequence: int) -> set[int]:
    """Return the listed keys that had no good row: they are held below the snapshot."""
    ledger = comparison.ledger
    return {key for key in ledger.listed() if ledger.sequence(key) < sequence}


def _unknown(pets: Comparison, petlist_ids: AbstractSet[int] | None) -> set[int]:
    """Return the ids of the petlist that the log doesn't list."""
    return set() if petlist_ids is None else set(petlist_ids).difference(pets.ledger.listed())


def _sorted(keys: Iterable[int]) -> tuple[int, ...]:
    return tuple(sorted(keys))
