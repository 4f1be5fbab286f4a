"""A soak of few days: everything that a long one does happens once."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from lab.simulator import history
from lab.soak import report
from lab.soak.hosts import Hosts
from lab.soak.plan import SoakDay
from lab.soak.run import soak

pytestmark = pytest.mark.servers

PLAN = [
    SoakDay(0),
    SoakDay(1, "cut-file", killed="pets", after_s=0.5),
    SoakDay(2, "missing-petlist", zipped=True, away="feed", restart="end"),
    SoakDay(3),
]
PARTS = {"up", "watch", "pets", "images", "deletions", "postgres"}


async def test_t49_t50_days_with_a_fault_a_kill_and_a_restart_end_with_the_right_tables(
    kafka: str, empty_database: str, prefix: str, tmp_path: Path
) -> None:
    """T49, T50: `scripts/soak` runs 200 such days and wants memory, files and sockets flat."""
    values = {
        "PETSTREAM_KAFKA": kafka,
        "PETSTREAM_DATABASE_URL": empty_database,
        "PETSTREAM_TOPIC_PREFIX": prefix,
    }
    with Hosts(tmp_path / "feed") as hosts:
        made = history(
            seed=7, pets=60, days=len(PLAN), first_day=date(2026, 10, 30),
            pictures_url=hosts.pictures_url, key=hosts.key,
        )  # fmt: skip
        soaked = await soak(PLAN, made, hosts, tmp_path, values)
    assert soaked.wrong == []
    assert len(soaked.seconds) == len(PLAN)
    assert soaked.compared[0].endswith(" pets")
    assert {(sample.day, sample.part) for sample in soaked.samples} == {
        (day, part) for day in range(len(PLAN)) for part in PARTS
    }
    pids = {
        part: {sample.pid for sample in soaked.samples if sample.part == part} for part in PARTS
    }
    assert len(pids["watch"]) == len(pids["up"]) == 2, "stopped and started"
    assert len(pids["pets"]) == 3, "killed as well"
    assert all(sample.figures["files"] > 0 for sample in soaked.samples if sample.pid)
    assert report.document(soaked)["days"][1]["what"] == "cut-file, kill -9 of pets"
    said = (tmp_path / "daemon.log").read_text("utf-8")
    assert "pets was killed by SIGKILL" in said
    assert hosts.ftp.password not in said
    assert hosts.key not in said
