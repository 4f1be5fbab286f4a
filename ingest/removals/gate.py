"""The removal gate: which keys left the feed, and whether that may be believed.

Rule 1: "could not look" is never "empty": without a whole list nothing is removed.
Rule 2: a key that this export lists itself is kept, whatever the petlist says.
Rule 3: what doesn't pass is held as a plan for a person; everything else flows.
"""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Set as AbstractSet
from typing import Final, NamedTuple

SMALLEST_FOR_SHARE: Final = 20
"""The share limit counts from this many listed keys up: of three pets, one may well go."""

_SHARE_IN_LIST: Final = 0.98


ALWAYS_FORGIVEN: Final = 20
FORGIVEN_SHARE: Final = 0.005
"""A file with more bad rows than these two allow is broken."""

_ROWS_A_FILE: Final = 10_000


class Limits(NamedTuple):
    """How many removals pass: a share of the listed keys, and a number."""

    max_share: float
    max_count: int


class Verdict(NamedTuple):
    """What leaves, and why it is held (None: it passes)."""

    removals: tuple[int, ...]
    reason: str | None
    contradictions: int = 0


def too_many_bad(bad: int, rows: int, *, at_end: bool) -> bool:
    """Tell whether a file's bad rows make it a broken file; before its end more may come."""
    counted = rows if at_end else max(rows, _ROWS_A_FILE)
    return bad > max(ALWAYS_FORGIVEN, FORGIVEN_SHARE * counted)


def judge(  # noqa: PLR0913  the things the rules speak of, each by name
    *,
    listed: Collection[int],
    present: AbstractSet[int] | None,
    spoken: AbstractSet[int],
    problems: Collection[str],
    limits: Limits,
    seen_with: str | None = None,
    seen_last: bool = False,
    what: str = "pets",
) -> Verdict:
    """Judge the removals of an export.

    Args:
        listed: the keys the ledger holds as listed.
        present: the keys of the petlist (or of the orgs files); None: there is no list.
        spoken: the keys of the rows that this export holds.
        problems: what is wrong with the list itself.
        limits: the settings ``PETSTREAM_REMOVAL_MAX_SHARE`` and ``…_COUNT``.
        seen_with: the earlier export that came with just this list, if one did. A small feed may
            well have the same pets twice; but then the list lacks nobody.
        seen_last: that was the last export: whoever would go was missing on that day already.
        what: the plural for the reason.
    """
    if present is None:
        return Verdict((), "; ".join(problems) or "the list is missing")
    absent = [key for key in listed if key not in present]
    removals = tuple(sorted(key for key in absent if key not in spoken))
    contradictions = len(spoken - present)
    reasons = list(problems)
    if not present:
        reasons.append("the list is empty")
    if spoken and contradictions > (1 - _SHARE_IN_LIST) * len(spoken):
        reasons.append(
            f"{contradictions:,} of the {len(spoken):,} {what} that this export lists "
            "are missing from its petlist"
        )
    if seen_with is not None and (contradictions or (removals and not seen_last)):
        reasons.append(f"petlist.csv is the one that came with export {seen_with}")
    if len(removals) > limits.max_count:
        reasons.append(
            f"{len(removals):,} {what} would go, more than PETSTREAM_REMOVAL_MAX_COUNT="
            f"{limits.max_count}"
        )
    if len(listed) >= SMALLEST_FOR_SHARE and len(removals) > limits.max_share * len(listed):
        reasons.append(
            f"{len(removals):,} of {len(listed):,} {what} would go, more than "
            f"PETSTREAM_REMOVAL_MAX_SHARE={limits.max_share:g}"
        )
    return Verdict(removals, "; ".join(reasons) or None, contradictions)
