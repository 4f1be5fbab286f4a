"""Metrics: how one is declared, and how all are told. The only door to prometheus_client.

Rule 1: every metric is declared once, in `petstream.metrics`, with its unit, what it means and what
        to do about it; docs/metrics.md is made from the declarations.
Rule 2: a label's values are few and known: never an id, a name, a file or a URL.
Rule 3: with ``PROMETHEUS_MULTIPROC_DIR`` set before the start, processes share their figures in
        that directory, and each of them tells those of all.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

__all__ = [
    "CONTENT_TYPE",
    "DECLARED",
    "Counter",
    "Declared",
    "Gauge",
    "Histogram",
    "exposition",
    "forget_process",
]

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
"""What `exposition` is, for HTTP."""


@dataclass(frozen=True)
class Declared:
    """A metric as it is declared; `name` is what Prometheus shows, less ``_bucket`` and such."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    unit: str
    meaning: str
    remedy: str
    labels: tuple[str, ...]


DECLARED: Final[list[Declared]] = []
"""Every metric there is, in the order of `petstream.metrics`."""

_REGISTRY: Final = CollectorRegistry()
disable_created_metrics()  # type: ignore[no-untyped-call]  # it would tell of series nobody declared


def counter(
    name: str, meaning: str, *, unit: str, remedy: str, labels: Sequence[str] = ()
) -> Counter:
    """Declare what only grows; its name ends in ``_total``."""
    _declare(Declared(name, "counter", unit, meaning, remedy, tuple(labels)))
    return Counter(name, meaning, labels, registry=_REGISTRY)


def gauge(name: str, meaning: str, *, unit: str, remedy: str, labels: Sequence[str] = ()) -> Gauge:
    """Declare what goes up and down; of several processes, the last to speak is believed."""
    _declare(Declared(name, "gauge", unit, meaning, remedy, tuple(labels)))
    return Gauge(name, meaning, labels, registry=_REGISTRY, multiprocess_mode="mostrecent")


def histogram(  # noqa: PLR0913  a declaration, each by name
    name: str,
    meaning: str,
    *,
    unit: str,
    remedy: str,
    buckets: Sequence[float],
    labels: Sequence[str] = (),
) -> Histogram:
    """Declare what is spread over buckets."""
    _declare(Declared(name, "histogram", unit, meaning, remedy, tuple(labels)))
    return Histogram(name, meaning, labels, registry=_REGISTRY, buckets=buckets)


def exposition() -> bytes:
    """Return every figure in Prometheus' text format."""
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]  # as it is shipped
        return generate_latest(together)
    return generate_latest(_REGISTRY)


def forget_process(pid: int) -> None:
    """Forget what was true of a process only while it lived."""
    mark_process_dead(pid)  # type: ignore[no-untyped-call]  # as it is shipped


def _declare(one: Declared) -> None:
    if any(one.name == other.name for other in DECLARED):
        raise ValueError(f"{one.name} is declared twice")
    DECLARED.append(one)
