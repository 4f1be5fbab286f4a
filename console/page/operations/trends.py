"""What only repeated looks tell: how fast work goes, when it is done, and whether it stands still.

Rule 1: rates are of the last minutes that were looked at, by a clock that only goes forward.
Rule 2: consumers stand still who have work before them that became no less for five minutes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from console.inspect.trouble.conditions import RepeatedLooks

_WINDOW_S: Final = 180.0
_STALLED_S: Final = 300.0
_EVERY_S: Final = 3_600.0
_HOURS: Final = 24
_FEWEST_HOURS: Final = 6
_SLOWEST: Final = 0.01


class Progress(NamedTuple):
    """How far some work is: numbers of what is counted; None: not known."""

    done: int
    total: int | None
    per_s: float | None

    @property
    def left_s(self) -> float | None:
        """How long the rest takes at this rate."""
        if self.total is None or not self.per_s or self.per_s < _SLOWEST:
            return None
        return max(0, self.total - self.done) / self.per_s


class _Sample(NamedTuple):
    at_s: float
    numbers: Mapping[str, int]


class Trends:
    """Numbers of the last looks."""

    def __init__(self) -> None:
        """Know of none."""
        self._samples: deque[_Sample] = deque()
        self._hours: deque[_Sample] = deque(maxlen=_HOURS)
        self._least: dict[str, _Sample] = {}
        self._stalled_s: dict[str, float] = {}

    def see(self, status: Mapping[str, Any], now_s: float) -> None:
        """Take a look's numbers; `now_s` by a clock that only goes forward."""
        sample = _Sample(now_s, numbers_of(status))
        self._samples.append(sample)
        while now_s - self._samples[0].at_s > _WINDOW_S:
            self._samples.popleft()
        if not self._hours or now_s - self._hours[-1].at_s >= _EVERY_S:
            self._hours.append(sample)
        self._see_lags(status["lag"], now_s)

    def trend(self) -> RepeatedLooks:
        """Return what conditions are judged by."""
        due_before = None
        if len(self._hours) > _FEWEST_HOURS:
            due_before = self._hours[0].numbers.get("pictures.due")
        return RepeatedLooks(dict(self._stalled_s), due_before)

    def per_s(self, name: str) -> float | None:
        """Return by how much a number grew a second lately (below 0: it became less)."""
        known = [sample for sample in self._samples if name in sample.numbers]
        if len(known) < 2:  # noqa: PLR2004  a rate is of two
            return None
        first, last = known[0], known[-1]
        seconds = last.at_s - first.at_s
        return (last.numbers[name] - first.numbers[name]) / seconds if seconds > 0 else None

    def _see_lags(self, lags: list[Mapping[str, Any]], now_s: float) -> None:
        behind: dict[str, int] = {}
        for entry in lags:
            behind[entry["consumer"]] = behind.get(entry["consumer"], 0) + entry["lag"]
        self._stalled_s.clear()
        for consumer, lag in behind.items():
            before = self._least.get(consumer)
            if not lag or before is None or lag < before.numbers["lag"]:
                self._least[consumer] = _Sample(now_s, {"lag": lag})
            elif now_s - before.at_s >= _STALLED_S:
                self._stalled_s[consumer] = now_s - before.at_s


def numbers_of(status: Mapping[str, Any]) -> dict[str, int]:
    """Return what can grow: work done by each consumer, pictures by status, rows read."""
    numbers: dict[str, int] = {}
    for entry in status["lag"]:
        name = f"position.{entry['consumer']}"
        numbers[name] = numbers.get(name, 0) + entry["position"]
    for name, count in (status["pictures"] or {}).items():
        numbers[f"pictures.{name}"] = count
    numbers["pictures.done"] = sum(
        count for name, count in (status["pictures"] or {}).items() if name not in {"due", "off"}
    )
    rows = rows_read(status)
    return numbers if rows is None else numbers | {"rows": rows}


def rows_read(status: Mapping[str, Any]) -> int | None:
    """Return how many rows of an export are read so far; None: none is being read, as is known."""
    for part in status.get("parts", []):
        report = part["report"] if part["state"] == "running" else None
        if part["part"] == "watch" and report is not None and report["doing"] == "reading":
            rows: dict[str, int] = report.get("rows", {})
            return sum(rows.values())
    return None


def reading(status: Mapping[str, Any], trends: Trends) -> Progress | None:
    """Return how far the export is that is being read; as many rows are expected as last time."""
    rows = rows_read(status)
    newest = status["exports"][0] if status["exports"] else None
    if rows is None or newest is None or newest["state"] != "started":
        return None
    before = (
        sum(export["counts"][entity]["read"] for entity in ("pets", "orgs"))
        for export in status["exports"][1:]
        if export["state"] == "completed" and export["mode"] == newest["mode"]
    )
    total = next(before, None)
    per_s = trends.per_s("rows")
    return Progress(rows, total if total and total >= rows else None, per_s or None)


def catching_up(status: Mapping[str, Any], trends: Trends) -> dict[str, Progress]:
    """Return how far each consumer is that has work before it."""
    progress: dict[str, Progress] = {}
    for entry in status["lag"]:
        before = progress.get(entry["consumer"], Progress(0, 0, None))
        per_s = trends.per_s(f"position.{entry['consumer']}")
        progress[entry["consumer"]] = Progress(
            before.done + entry["position"], (before.total or 0) + entry["end"], per_s
        )
    return {name: step for name, step in progress.items() if step.done < (step.total or 0)}


def picturing(status: Mapping[str, Any], trends: Trends) -> Progress | None:
    """Return how far the pictures are; None: none is due, or nothing is known."""
    pictures = status["pictures"]
    if not pictures or not pictures["due"]:
        return None
    total = sum(count for name, count in pictures.items() if name != "off")
    return Progress(total - pictures["due"], total, trends.per_s("pictures.done"))
