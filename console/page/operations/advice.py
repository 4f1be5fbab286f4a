"""What speaks for and against held removals: a recommendation, with its reasons. Pure.

Rule 1: it never decides: a person does. It says what the gate saw, and what that mostly means.
Rule 2: whatever is wrong with the list itself says *reject*: who is missing from a list that isn't
        whole hasn't left. That an export changes too much says the same.
Rule 3: where only a limit is passed, it counts who leaves: a few organisations that lose nearly
        all they have mostly closed or moved; the same share of everybody's is a list that is short.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

_LIMIT: Final = "more than PETSTREAM_REMOVAL_MAX_"
_NEARLY_ALL: Final = 0.9
_MOST_OF_IT: Final = 0.8
_FEW: Final = 5


class OrganizationShare(NamedTuple):
    """An organisation in a plan: how many of its listed pets would go."""

    org_id: int | None
    name: str | None
    leaving: int
    listed: int

    @property
    def share(self) -> float:
        """The share of its pets that would go."""
        return self.leaving / max(1, self.listed)


class Advice(NamedTuple):
    """What is recommended, in a sentence, and why."""

    action: Literal["reject", "approve", "wait"]
    sentence: str
    reasons: tuple[str, ...]


def seen(reason: str | None) -> tuple[str, ...]:
    """Return what the gate saw, a line each.

    >>> seen("the list is empty; 9 of 20 pets would go")
    ('the list is empty', '9 of 20 pets would go')
    """
    return tuple(part for part in (reason or "").split("; ") if part)


def advise(reason: str | None, shares: Sequence[OrganizationShare]) -> Advice:
    """Return what to do about a plan.

    Args:
        reason: why it is held, in the gate's words.
        shares: its organisations, those that lose most first; none where nothing is known of them.
    """
    against = [line for line in seen(reason) if _LIMIT not in line]
    if against:
        return Advice(
            "reject",
            "Reject: what is wrong with the export itself says that these haven't left.",
            tuple(against),
        )
    leaving = sum(share.leaving for share in shares)
    emptied = [share for share in shares if share.share >= _NEARLY_ALL]
    by_emptied = sum(share.leaving for share in emptied)
    if leaving and by_emptied >= _MOST_OF_IT * leaving and len(emptied) <= _FEW:
        names = ", ".join(share.name or f"organisation {share.org_id}" for share in emptied)
        return Advice(
            "approve",
            "Approve, if you know or can ask that these organisations left.",
            (f"{by_emptied:,} of the {leaving:,} are nearly all that {names} had",),
        )
    if not shares:
        return Advice(
            "wait",
            "Wait for the next export: nothing more is known here.",
            ("a plan that is right comes again with it, and this one expires",),
        )
    spread = f"they are of {len(shares):,} organisations"
    emptied_words = (
        f"{len(emptied):,} of them would lose nearly all" if emptied else "none loses nearly all"
    )
    return Advice(
        "wait",
        "Wait for the next export, or reject: a list that is short looks like this.",
        (f"{spread}, and {emptied_words}", "a plan that is right comes again with the next export"),
    )
