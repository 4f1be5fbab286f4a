"""What is recommended about held removals, and why."""

from __future__ import annotations

import pytest

from console.page.operations.advice import OrganizationShare, advise

LIMIT = "229 of 419 pets would go, more than PETSTREAM_REMOVAL_MAX_SHARE=0.1"
CLOSED = [OrganizationShare(701, "Pound Seven", 95, 100), OrganizationShare(9, None, 3, 90)]
SPREAD = [OrganizationShare(number, None, 10, 20) for number in range(8)]


@pytest.mark.parametrize(
    "reason",
    [
        "28 of the 37 pets that this export lists are missing from its petlist",
        "the list is empty",
        "petlist.csv is missing",
        "petlist.csv is the one that came with export 2026-11-02T08:20:17Z",
        "9 of 20 known pets changed in one export, more than 40%",
    ],
)
def test_what_is_wrong_with_the_export_says_reject_whoever_would_go(reason: str) -> None:
    advice = advise(f"{reason}; {LIMIT}", CLOSED)
    assert advice.action == "reject"
    assert advice.reasons == (reason,)


def test_organisations_that_lose_nearly_all_mostly_left() -> None:
    advice = advise(LIMIT, CLOSED)
    assert advice.action == "approve"
    assert advice.reasons == ("95 of the 98 are nearly all that Pound Seven had",)


def test_a_share_of_everybodys_is_waited_for() -> None:
    assert advise(LIMIT, SPREAD).action == "wait"
    assert "8 organisations" in advise(LIMIT, SPREAD).reasons[0]
    assert advise(LIMIT, []).action == "wait"
    emptied = [OrganizationShare(number, None, 20, 20) for number in range(8)]
    assert advise(LIMIT, emptied).action == "wait"
