"""What /metrics tells: what was declared, and nothing else."""

from __future__ import annotations

import re

import pytest

from petstream import metrics, telemetry


def test_every_series_told_was_declared_and_every_declared_metric_is_told() -> None:
    metrics.LOOKS.labels("completed").inc(0)
    told = dict(re.findall(r"^# TYPE (\S+) (\S+)$", telemetry.exposition().decode(), re.MULTILINE))
    assert told == {one.name: one.kind for one in telemetry.DECLARED}


def test_every_metric_says_what_it_means_and_what_to_do() -> None:
    assert all(one.unit and one.meaning and one.remedy for one in telemetry.DECLARED)


def test_a_name_is_declared_once() -> None:
    with pytest.raises(ValueError, match="petstream_ready is declared twice"):
        telemetry.gauge("petstream_ready", "Again.", unit="0 or 1", remedy="None.")
