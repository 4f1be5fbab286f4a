"""The table of a bench: medians, extremes, bytes."""

from __future__ import annotations

from pathlib import Path

from lab.bench.feed import MeasuredFeed
from lab.bench.measured import Measured, table
from lab.bench.usage import Usage

FEED = MeasuredFeed(Path(), pets=1_000, organizations=10, row_bytes=5_000, usual_rows=90)


def run(seconds: float, cpu_s: float, peak_mb: float) -> Measured:
    return Measured("import", 1_000, seconds, {"ingest": Usage(cpu_s, peak_mb)}, {"folded_s": 0.5})


def test_a_step_is_a_line_of_medians_with_its_extremes() -> None:
    *_, step, within = table([run(1.0, 0.1, 70), run(2.0, 0.2, 90), run(4.0, 0.9, 80)], FEED)
    assert step == "| import | 2.0 | 500 (250-1,000) | 2 | 40 | ingest 200 | ingest 90 |"
    assert within == "| - until the topics were folded | 0.50 | 2,000 | | | | |"
