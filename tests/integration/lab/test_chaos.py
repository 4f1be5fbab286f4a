"""A chaos of few days, with servers of its own: what `scripts/chaos` does for 30.

Only by `scripts/test --long`: it takes some minutes.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from server_homes import put_away

from lab.chaos.plan import ChaosDay, Cut
from lab.chaos.report import Chaos, lines
from lab.chaos.run import Places, chaos
from lab.simulator import history
from lab.soak.hosts import Hosts

pytestmark = [pytest.mark.servers, pytest.mark.long]

PLAN = [
    ChaosDay(0),
    ChaosDay(1, kept=frozenset({"postgres"})),
    ChaosDay(2, killed=("up", "kafka"), clock_step_s=-40 * 86_400, after_s=0.5),
    ChaosDay(
        3,
        cut=Cut(("exports.v1", "pets.v1"), since=2, is_torn=True),
        tables_of=1,
        is_mending_killed=True,
        after_s=3,
    ),
    ChaosDay(4, unread="cut-file"),
    ChaosDay(5),
]


async def test_days_with_kills_losses_and_older_tables_end_right_each_day(tmp_path: Path) -> None:
    places = Places(tmp_path)
    places.data.mkdir()
    with Hosts(tmp_path / "feed") as hosts, put_away(places.data):
        made = history(
            seed=7, pets=60, days=len(PLAN), first_day=date(2026, 10, 30),
            pictures_url=hosts.pictures_url, key=hosts.key,
        )  # fmt: skip
        outcomes, wrong = await chaos(PLAN, made, hosts, places, {}, has_small_disk=False)
    assert wrong == []
    assert [bool(outcome.compared) for outcome in outcomes] == [True] * 4 + [False, True]
    said = "\n".join(lines(Chaos(7, PLAN, outcomes, wrong, is_disk_filled=False)))
    assert "right after each of 5 of 6 days on which a whole export came" in said
    assert "came: 4, 5, 6\n" in said, "days whose events were lost, or that nobody could read"
    said_by_daemon = (tmp_path / "daemon.log").read_text("utf-8")
    assert said_by_daemon.count("petstream is up") >= 3, "killed, and after the power cut"
    assert hosts.ftp.password not in said_by_daemon
