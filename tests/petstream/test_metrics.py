"""What /metrics exposes: what was declared, and nothing else."""

from __future__ import annotations

import re

import pytest

from petstream import metrics


def test_every_series_exposed_was_declared_and_every_declared_metric_is_exposed() -> None:
    metrics.LOOKS.labels("completed").inc(0)
    exposed = dict(re.findall(r"^# TYPE (\S+) (\S+)$", metrics.exposition().decode(), re.MULTILINE))
    assert exposed == {metric.name: metric.kind for metric in metrics.DECLARED}


def test_every_metric_says_what_it_means_and_what_to_do() -> None:
    assert all(metric.unit and metric.meaning and metric.remedy for metric in metrics.DECLARED)


def test_a_name_is_declared_once() -> None:
    with pytest.raises(ValueError, match="petstream_ready is declared twice"):
        metrics.gauge("petstream_ready", "Again.", unit="0 or 1", remedy="None.")
