"""A log that lost what it acknowledged: whatever was lost, everybody ends in the truth of the feed.

The protocol, as a model: no code of the product runs here. Rules
that are left out break it (`RULES_OUT`): so each of them is needed. A seed that fails tells its
story, with the faults that it needs. More: ``scripts/test --long tests/model``.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import pytest
from log_loss.faults import AFTER_THE_RUNS, SUBSCRIBERS, Fault, Kind, Late
from log_loss.rules import Rules
from log_loss.search import simulate, tell
from profiles import rounds

SEEDS = rounds(200, long=5_000)
SEEDS_OF_A_CASE = max(5, SEEDS // 40)

KINDS = {
    "any": Kind(),
    "no scrub": Kind(scrub=False),
    "sharp": Kind(scrub=False, sharp=True),
    "quiet": Kind(scrub=False, quiet=True),
}


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_was_lost_everybody_ends_in_the_truth_of_the_feed(kind: str) -> None:
    for seed in range(SEEDS * 3 // 8):
        outcome = simulate(seed, Rules(), KINDS[kind])
        assert outcome.violation is None, tell(seed, Rules(), KINDS[kind])


def test_without_a_loss_nothing_is_asked_restated_or_swept() -> None:
    for seed in range(SEEDS // 4):
        outcome = simulate(seed, Rules(), Kind(losses=False, scrub=False))
        assert outcome.violation is None, tell(seed, Rules(), Kind(losses=False, scrub=False))
        done = {what: outcome.world.counts[what] for what in ("asked", "restated", "swept")}
        assert done == {"asked": 0, "restated": 0, "swept": 0}, seed


def test_snapshots_leave_strangers_better_off() -> None:
    wrong: Counter[str] = Counter()
    for seed in range(SEEDS // 4):
        with_them = simulate(seed, Rules(), Kind())
        without = simulate(seed, Rules(snapshots=False), Kind())
        wrong["old"] += len(with_them.wrong["old"])
        wrong["simple"] += len(with_them.wrong["simple"])
        wrong["old, without snapshots"] += len(without.wrong["old"])
        wrong["old, made worse"] += bool(with_them.wrong["old"] - without.wrong["old"])
    assert wrong["old"] <= wrong["old, without snapshots"], wrong
    assert wrong["old, made worse"] <= SEEDS // 40, wrong
    assert wrong["simple"] <= SEEDS // 100, wrong


PETS_CUT = (("pets", 0), 3), (("pets", 1), 3), (("pets", 2), 3)
TAILS_CUT = (*PETS_CUT, (("orgs", 0), 2), (("exports", 0), 4))
LOSS = Fault(2, "cut", AFTER_THE_RUNS, more=TAILS_CUT)

CASES: dict[str, list[Fault]] = {
    "the directory is put back": [Fault(4, "put back", 0, more=4)],
    "tails are cut before the consumers run": [
        *(Fault(day, "offline", 0, who) for day in (3, 4) for who in ("ours", "r5")),
        LOSS,
    ],
    "acknowledged records are lost in mid-run": [Fault(2, "cut", 6, more=PETS_CUT)],
    "pets are made anew": [Fault(3, "made anew", 4, "pets")],
    "organisations are made anew": [Fault(3, "made anew", 4, "orgs")],
    "exports are made anew": [Fault(3, "made anew", 4, "exports")],
    "a dead leader's batch arrives after its successor completed": [
        Fault(2, "kill", 5, more=(0, Late(1, 20, 3)))
    ],
    "a dead leader's completed arrives a day late": [
        LOSS,
        Fault(3, "kill", 17, more=(0, Late(1, 20, 1))),
    ],
    "a republication before a missed day": [Fault(1, "republication"), Fault(2, "no run")],
    "partitions are added": [Fault(3, "partitions added", 5), LOSS],
    "partitions are added, and the directory is put back": [
        Fault(3, "partitions added", 5),
        Fault(4, "put back", 3, more=3),
    ],
    "the petlist is missing in the snapshot's export": [LOSS, Fault(3, "petlist", more="none")],
    "rows are refused in the snapshot's export": [
        LOSS,
        Fault(3, "refused", more=frozenset({0, 1, 2, 3, 100})),
    ],
    "removals are held in the snapshot's export": [LOSS, Fault(3, "petlist", more="short")],
    "organisations are held in the snapshot's export": [LOSS, Fault(3, "orgs short")],
    "pets_n is missing after the loss": [LOSS, Fault(3, "pets_n missing")],
    "two losses in a row": [LOSS, Fault(3, "cut", 9, more=PETS_CUT)],
    "a position without a record": [Fault(2, "position of 0.1", 0, "ours", 1.0), LOSS],
    "a consumer is back from a dump older than the snapshot": [
        LOSS,
        *(Fault(4, "restored", AFTER_THE_RUNS, who, 4) for who in ("ours", "r5", "simple")),
    ],
    "a subscriber begins in the middle of a snapshot": [
        LOSS,
        *(Fault(3, "emptied", 8, who) for who in ("ours", "r5", "simple")),
    ],
    "a member sleeps through the loss": [LOSS, Fault(3, "member asleep", more=0)],
} | {
    f"a snapshot is killed at step {step}, and run again the next day": [
        LOSS,
        *(Fault(3, "kill", step, more=(attempt, None)) for attempt in range(3)),
    ]
    for step in (1, 2, 3, 6, 12, 18)
}


@pytest.mark.parametrize("case", CASES)
def test_a_known_case_ends_right(case: str) -> None:
    for seed in range(SEEDS_OF_A_CASE):
        for kind in (Kind(), Kind(scrub=False, quiet=True)):
            story: list[str] = []
            outcome = simulate(seed, Rules(), kind, CASES[case], story)
            assert outcome.violation is None, "\n".join([f"seed {seed}", *story])


@dataclass(frozen=True)
class Broken:
    """A violation that was met without a rule."""

    without: dict[str, Any]
    kind: str
    seed: int
    violation: str
    faults: list[Fault] | None = None
    """None: the schedule of the seed."""


ALONE = [Fault(day, "offline", 0, who) for day in range(1, 6) for who in SUBSCRIBERS]
"""Nobody reads, so nobody asks: the ingester must know what it owes."""

LAST_RECORDS = (("pets", 0), 1), (("pets", 1), 1)
IN_MID_RUN = [Fault(2, "cut", 7, more=LAST_RECORDS), Fault(4, "cut", 6, more=LAST_RECORDS), *ALONE]
OWED_FOR_LONG = [Fault(2, "cut", 99, more=LAST_RECORDS), Fault(3, "pets_n missing"), *ALONE]

EACH_CUT = (("pets", 0), 2), (("pets", 1), 2), (("pets", 2), 2)
REFUSED = [
    Fault(2, "cut", AFTER_THE_RUNS, more=EACH_CUT),
    Fault(3, "refused", more=frozenset(range(12))),
]

RULES_OUT = {
    "no snapshots": Broken({"snapshots": False}, "no scrub", 1, "ours"),
    "a position without a record is sure": Broken({"unnamed_is_unsure": False}, "sharp", 78, "r5"),
    "no look when a session begins": Broken({"session_check": False}, "no scrub", 27, "history"),
    "no look after a broken connection": Broken(
        {"reconnect_check": False}, "no scrub", 69, "history"
    ),
    "no look at probes": Broken({"probe_check": False}, "no scrub", 138, "history"),
    "no look at ends": Broken({"ends_check": False}, "no scrub", 7, "log", OWED_FOR_LONG),
    "debts aren't written down": Broken({"debts_stay": False}, "no scrub", 7, "log", OWED_FOR_LONG),
    "a lost answer is taken for one": Broken(
        {"acknowledgements_fall": False, "acknowledgements_jump": False},
        "no scrub", 67, "log", IN_MID_RUN,
    ),
    "ends are measured": Broken(
        {"ends": "measured", "read_back": False}, "no scrub", 4, "log", IN_MID_RUN
    ),
    "a missed day isn't noticed": Broken({"gap_between_starts": False}, "no scrub", 14, "log"),
    "a base is always taken again": Broken({"base_again": "always"}, "no scrub", 97, "snapshots"),
    "a base that doesn't pay is taken again": Broken(
        {"resumed_pays": False}, "no scrub", 144, "snapshots"
    ),
    "a snapshot's base is below the clock": Broken(
        {"clock": "none"}, "no scrub", 127, "snapshots", [Fault(2, "put back", 7, more=4)]
    ),
    "what has no good row is restated from the ledger": Broken(
        {"restate_from_ledger": True}, "no scrub", 34, "log", REFUSED
    ),
    "what wasn't restated waits for a change": Broken(
        {"next_good_row": False}, "no scrub", 0, "ours swept", REFUSED
    ),
    "organisations are never unstated": Broken(
        {"unstated_orgs": False}, "no scrub", 42, "r5 swept"
    ),
    "the petlist alone is believed": Broken({"both_believed": False}, "no scrub", 39, "ours swept"),
    "strangers don't ask": Broken({"requests_of_r5": False}, "quiet", 161, "r5"),
    "pets are never unstated": Broken({"unstated_pets": False}, "no scrub", 44, "ours swept"),
    "what is listed below the snapshot is stated": Broken(
        {"unstated_below": False}, "no scrub", 42, "r5 swept"
    ),
}  # fmt: skip


@pytest.mark.parametrize("rule", RULES_OUT)
def test_a_rule_left_out_is_noticed(rule: str) -> None:
    broken = RULES_OUT[rule]
    kind, rules = KINDS[broken.kind], replace(Rules(), **broken.without)
    outcome = simulate(broken.seed, rules, kind, broken.faults)
    assert outcome.violation is not None
    assert outcome.violation.kind == broken.violation
    assert simulate(broken.seed, Rules(), kind, broken.faults).violation is None
