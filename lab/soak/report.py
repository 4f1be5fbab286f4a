"""What a soak came to: a table of figures, as Markdown, and everything as JSON."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from lab.soak.flatness import Sample, Trend, judged, trends
from lab.soak.plan import SoakDay


class Soaked(NamedTuple):
    """How the days went.

    Attributes:
        days: those that were planned.
        seconds: how long each took that was done.
        samples: of every day.
        compared: what was compared at the end, in words.
        wrong: what is wrong with the tables or the daemon (nothing: all is right).
    """

    days: Sequence[SoakDay]
    seconds: Sequence[float]
    samples: Sequence[Sample]
    compared: Sequence[str]
    wrong: Sequence[str]


def lines(soaked: Soaked) -> Iterator[str]:
    """Return the report, ending with the verdict."""
    drawn = trends(soaked.samples)
    yield "| part | figure | first third | second | last | |"
    yield "|---|---|---|---|---|---|"
    for trend in drawn:
        first, second, last = (_number(value) for value in trend.thirds)
        yield f"| {trend.part} | {trend.figure} | {first} | {second} | {last} | {_verdict(trend)} |"
    yield ""
    yield from (f"wrong: {what}" for what in soaked.wrong)
    if not soaked.wrong:
        yield f"after {len(soaked.seconds)} days the tables are right: {', '.join(soaked.compared)}"
    grown = [trend for trend in drawn if trend.grown]
    for trend in grown:
        yield f"not flat: {trend.part}, {trend.figure}: {trend.grown}"
    if not grown:
        yield "everything is flat"


def right(soaked: Soaked) -> bool:
    """Tell whether the tables are right and everything is flat."""
    return not soaked.wrong and not any(trend.grown for trend in trends(soaked.samples))


def document(soaked: Soaked) -> dict[str, Any]:
    """Return everything that was measured, and on what machine."""
    return {
        "machine": {
            "cores": os.cpu_count(),
            "system": platform.platform(),
            "python": platform.python_version(),
        },
        "right": right(soaked),
        "wrong": list(soaked.wrong),
        "compared": list(soaked.compared),
        "days": [
            {"day": day.number + 1, "what": str(day), "seconds": round(took, 1)}
            for day, took in zip(soaked.days, soaked.seconds, strict=False)
        ],
        "rows": [trend._asdict() for trend in trends(soaked.samples)],
        "samples": [sample._asdict() for sample in soaked.samples],
    }


def _verdict(trend: Trend) -> str:
    if trend.grown:
        return "**grown**"
    return "flat" if judged(trend.part, trend.figure) else "not judged"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"
