"""The cost of each step beside a committed baseline, on another machine or on another day.

Rule 1: what is compared is CPU time, not time by the clock, as a multiple of what a fixed piece of
        work costs on the same machine: a slower or a busy machine makes both dearer.
Rule 2: it informs. Caches, clocks and neighbours move CPU time by a tenth; nothing fails by it.
"""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from lab.bench.measured import Measured, cpu_us, steps_of

BASELINE: Final = Path(__file__).with_name("baseline.json")
"""CPU µs a row of each process of each step; the calibration's time, and which feed it was."""

_REPEATS: Final = 7
_ROWS: Final = 3_000
_WORTH_SAYING: Final = 0.15
_LEAST_US: Final = 2.0  # a tick of the system's clock is 10 ms: less is noise

Costs = Mapping[str, Mapping[str, float]]
"""CPU µs a row by step and process."""


def calibration_s() -> float:
    """Return the CPU seconds of a fixed piece of work: JSON, dicts, texts and zlib, as in ours."""
    rows = [{f"field{number}": f"text {number * row}" for number in range(60)} for row in range(20)]
    least = float("inf")
    for _ in range(_REPEATS):
        began = time.process_time()
        for at in range(_ROWS):
            encoded = json.dumps(rows[at % len(rows)])
            decoded = json.loads(encoded)
            joined = "".join(text for text in decoded.values() if text.endswith("0"))
            zlib.crc32((joined + encoded).encode())
        least = min(least, time.process_time() - began)
    return least


def costs_of(rounds: Sequence[Measured]) -> dict[str, dict[str, float]]:
    """Return the median CPU µs a row of each process of each step."""
    return {step: cpu_us([run for run in rounds if run.step == step]) for step in steps_of(rounds)}


def baseline() -> dict[str, Any]:
    """Return the committed baseline."""
    before: dict[str, Any] = json.loads(BASELINE.read_text(encoding="ascii"))
    return before


def baseline_of(costs: Costs, calibration: float, pets: int, kind: str) -> str:
    """Return the text of a baseline."""
    return (
        json.dumps(
            {
                "calibration_s": round(calibration, 4),
                "pets": pets,
                "rows": kind,
                "cpu_us": {
                    step: {name: round(used, 1) for name, used in of_step.items()}
                    for step, of_step in costs.items()
                },
            },
            indent=1,
        )
        + "\n"
    )


def compared(costs: Costs, calibration: float, before: Mapping[str, Any]) -> list[str]:
    """Return the costs beside the baseline's as a Markdown table.

    Args:
        costs: CPU µs a row, as measured.
        calibration: of this machine, now, in seconds.
        before: a baseline, measured with the same feed.
    """
    scale = calibration / before["calibration_s"]
    lines = [
        f"this machine takes {scale:.2f} of the baseline's time for the same work",
        "",
        "| step | process | CPU µs a row | of the baseline, scaled | ratio |",
        "|---|---|---|---|---|",
    ]
    for step, of_step in before["cpu_us"].items():
        for name, used_before in of_step.items():
            used = costs.get(step, {}).get(name)
            if used is None:
                lines.append(f"| {step} | {name} | not measured | {used_before * scale:.0f} | |")
            elif max(used, used_before * scale) >= _LEAST_US:
                ratio = used / max(used_before * scale, 0.1)
                mark = _mark(ratio)
                lines.append(
                    f"| {step} | {name} | {used:.0f} | {used_before * scale:.0f} "
                    f"| {ratio:.2f}{mark} |"
                )
    return lines


def _mark(ratio: float) -> str:
    if ratio > 1 + _WORTH_SAYING:
        return " dearer"
    return " cheaper" if ratio < 1 - _WORTH_SAYING else ""
