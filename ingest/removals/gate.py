"""The removal gate: which keys left the feed, and whether that may be believed. Pure.

Rule 1: "could not look" is never "empty": without a whole list nothing is removed.
Rule 2: a key that this export lists itself is kept, whatever the petlist says.
Rule 3: what doesn't pass is held as a plan for a person; everything else flows.
Rule 4: an export that changes more than a day can (the feed may be blanking everything) is
        published, for it may be true; but it removes nobody. What counts is pets that were known
        and listed before: a first import can't exceed the rate. A run that was cut short counts as
        well: what it published is in the ledger.
Rule 5: a shelter that loses nearly all its pets at once is worth a note, and no reason to hold.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from collections.abc import Set as AbstractSet
from typing import Any, Final, NamedTuple

import msgspec

from ingest.changes.comparison import Batch
from ingest.state.ledger import Ledger
from petstream.setting_values import SMALLEST_FOR_SHARE, RemovalLimits

MOST_CHANGED: Final = 0.40
MOST_WITHOUT_PICTURES: Final = 0.05
"""The shares of the known pets that may change, and lose all their pictures, in one export."""

FEWEST_PETS: Final = 50
MOST_LOST: Final = 0.90
"""An organisation of so many pets that loses more than this share of them is reported."""

_SHARE_IN_LIST: Final = 0.98
_FEWEST_WITHOUT_PICTURES: Final = 5
_UPDATED: Final = b'{"op":"updated",'
_RESTATED: Final = b'"changed":[],"old":{},'  # a snapshot states it again: nothing has changed
_NO_PICTURES: Final = b'"pictures":[],'
_PICTURES: Final = b'"pictures":[{'  # in the old values, where the record's own are none


class GateDecision(NamedTuple):
    """What leaves, and why it is held (None: it passes)."""

    removals: tuple[int, ...]
    reason: str | None
    contradictions: int = 0


def judge(  # noqa: PLR0913  the things the rules speak of, each by name
    *,
    listed: Collection[int],
    present: AbstractSet[int] | None,
    in_rows: AbstractSet[int],
    problems: Collection[str],
    limits: RemovalLimits,
    seen_with: str | None = None,
    seen_last: bool = False,
    what: str = "pets",
) -> GateDecision:
    """Judge the removals of an export.

    Args:
        listed: the keys the ledger holds as listed.
        present: the keys of the petlist (or of the orgs files); None: there is no list.
        in_rows: the keys of the rows that this export holds.
        problems: what is wrong with the list itself.
        limits: the settings ``PETSTREAM_REMOVAL_MAX_SHARE`` and ``…_COUNT``.
        seen_with: the earlier export that came with just this list, if one did. A small feed may
            well have the same pets twice; but then the list lacks nobody.
        seen_last: that was the last export: whoever would go was missing on that day already.
        what: the plural for the reason.
    """
    if present is None:
        return GateDecision((), "; ".join(problems) or "the list is missing")
    absent = [key for key in listed if key not in present]
    removals = tuple(sorted(key for key in absent if key not in in_rows))
    contradictions = len(in_rows - present)
    reasons = list(problems)
    if not present:
        reasons.append("the list is empty")
    if in_rows and contradictions > (1 - _SHARE_IN_LIST) * len(in_rows):
        reasons.append(
            f"{contradictions:,} of the {len(in_rows):,} {what} that this export lists "
            "are missing from its petlist"
        )
    if seen_with is not None and (contradictions or (removals and not seen_last)):
        reasons.append(f"petlist.csv is the one that came with export {seen_with}")
    reasons += limits.passed(len(removals), len(listed), what)
    return GateDecision(removals, "; ".join(reasons) or None, contradictions)


class ChangeRate:
    """The change-rate guard: what an export does to the pets that were known before it."""

    def __init__(self, ledger: Ledger, base: int, *, read_before: bool) -> None:
        """Begin; `read_before`: an earlier run of this export may have published some of it."""
        self.known = sum(1 for _ in ledger.listed())
        self.changed = 0
        self.without_pictures = 0
        if read_before:
            for entry in ledger.updates_of(base):
                self._count(entry.value())

    def see_batch(self, batch: Batch) -> None:
        """Count the events of pets that changed, and of those that have no picture any more."""
        for publication in batch.publications:
            self._count(publication.value)

    def problems(self) -> list[str]:
        """Say what isn't believable."""
        return rate_problems(
            known=self.known, changed=self.changed, without_pictures=self.without_pictures
        )

    def _count(self, value: bytes) -> None:
        """Take the bytes for what they say: a quote inside a text of the feed is escaped."""
        if value.startswith(_UPDATED) and _RESTATED not in value:
            self.changed += 1
            self.without_pictures += _NO_PICTURES in value and _PICTURES in value


def rate_problems(*, known: int, changed: int, without_pictures: int) -> list[str]:
    """Say what an export did to more of the known pets than is believable.

    Args:
        known: pets listed before the run.
        changed: of how many of them something changed.
        without_pictures: how many lost all their pictures.
    """
    if known < SMALLEST_FOR_SHARE:
        return []
    problems = []
    if changed > MOST_CHANGED * known:
        problems.append(
            f"{changed:,} of {known:,} known pets changed in one export, more than "
            f"{MOST_CHANGED:.0%}"
        )
    most = max(MOST_WITHOUT_PICTURES * known, _FEWEST_WITHOUT_PICTURES - 1)
    if without_pictures > most:
        problems.append(
            f"{without_pictures:,} of {known:,} known pets lost all their pictures in one export, "
            f"more than {MOST_WITHOUT_PICTURES:.0%}"
        )
    return problems


def mass_removals(pets: Ledger, removals: Collection[int]) -> list[str]:
    """Say which organisations lose nearly all of many pets, before the removals are made.

    (What isn't removed is read only where an organisation loses so many: it is every pet.)
    """
    if len(removals) <= FEWEST_PETS * MOST_LOST:
        return []
    lost = _by_organization(pets, removals)
    many = {org for org, number in lost.items() if number > FEWEST_PETS * MOST_LOST}
    if not many:
        return []
    gone = frozenset(removals)
    staying = _by_organization(pets, [key for key in pets.listed() if key not in gone])
    return [
        f"organization {org} loses {lost[org]:,} of its {lost[org] + staying[org]:,} pets"
        for org in sorted(many)
        if lost[org] + staying[org] >= FEWEST_PETS
        and lost[org] > MOST_LOST * (lost[org] + staying[org])
    ]


def _by_organization(pets: Ledger, keys: Collection[int]) -> Counter[int]:
    entries = (pets.get(key) for key in keys)
    owners = (_OWNED.decode(entry.value()).pet.org_id for entry in entries if entry is not None)
    return Counter(owner for owner in owners if owner is not None)


class _OwnedPet(msgspec.Struct):
    org_id: Any = msgspec.field(name="orgId", default=None)


class _Owned(msgspec.Struct):
    """All that is read of an event."""

    pet: _OwnedPet


_OWNED: Final = msgspec.json.Decoder(_Owned)
