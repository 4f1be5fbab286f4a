"""Leases: how long the next leader waits, when a proof is too old, which processes have died."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from ingest.leadership.lease import (
    LEFTOVERS_S,
    SESSION_S,
    Lease,
    fresh,
    has_died,
    lease_of,
    this_process,
    wait_s,
)

MOST = SESSION_S + LEFTOVERS_S
DIED = Lease("host:1/ab", "boot 1 2", 1_000.0)


def test_a_lease_is_read_as_it_was_left() -> None:
    assert lease_of(DIED.text()) == DIED


@pytest.mark.parametrize("text", ["", "{", "[]", '{"name":"x"}', "null", '{"other":1}'])
def test_what_is_no_lease_of_ours_is_none(text: str) -> None:
    assert lease_of(text) is None


def test_after_a_leader_that_left_nobody_waits() -> None:
    assert wait_s(DIED._replace(left=True), now=1_000.0, died_here=False) == 0
    assert wait_s(None, now=1_000.0, died_here=False) == 0


def test_after_one_that_ended_without_a_word_the_next_waits_until_its_records_are_refused() -> None:
    assert wait_s(DIED, now=1_000.0, died_here=False) == MOST
    assert wait_s(DIED, now=1_000.0 + MOST - 5, died_here=False) == 5
    assert wait_s(DIED, now=1_000.0 + MOST + 1, died_here=False) == 0
    assert wait_s(DIED, now=1_000.0, died_here=True) == 0


def test_a_clock_that_was_set_back_makes_nobody_wait_for_ever() -> None:
    assert wait_s(DIED, now=0.0, died_here=False) == MOST


@pytest.mark.parametrize(
    ("now", "good"),
    [
        ((100.0, 1000.0), True),
        ((100.0 + SESSION_S / 2, 1000.0), False),
        ((100.0, 1000.0 + SESSION_S), False),  # the machine slept: only the wall's clock went on
        ((101.0, 900.0), False),  # the wall's clock was set back: ask Kafka
    ],
)
def test_a_proof_counts_while_it_is_young_by_both_clocks(
    now: tuple[float, float], *, good: bool
) -> None:
    assert fresh((100.0, 1000.0), now) is good


def test_only_a_process_of_this_machine_is_known_to_have_died() -> None:
    if not this_process().split(" ")[0]:
        pytest.skip("this system doesn't tell")
    program = "from ingest.leadership.lease import this_process; print(this_process())"
    gone = subprocess.run(  # noqa: S603  our own code
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    ).stdout.strip()
    assert has_died(gone)
    assert not has_died(this_process())
    machine, pid, started = this_process().split(" ")
    assert pid == str(os.getpid())
    assert has_died(f"{machine} {pid} {int(started) - 1}")  # the number was given out again
    assert not has_died(f"another{machine} {pid} 1")
    assert not has_died("")
