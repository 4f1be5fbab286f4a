"""docs/metrics.md, made from the declarations in `petstream.metrics`.

Run ``python -m console.documents.metrics_page`` after a change there; a test compares.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Final

from petstream.metrics import DECLARED

PAGE: Final = Path(__file__).parents[2] / "docs" / "metrics.md"

_HEAD: Final = """\
# Metrics

Made from the code by `python -m console.documents.metrics_page`; a test compares. `/metrics` of
`up`, `ingest --watch`, `consume` and `console` (at `PETSTREAM_CONSOLE`) has them in Prometheus'
text format; with `up`, those of all its parts together. No label ever holds an id, a name or
an address.

| metric | kind, unit | labels | means | what to do |
|---|---|---|---|---|
"""


def page() -> str:
    """Return the whole page."""
    importlib.import_module("petstream.metrics")  # declares them
    return _HEAD + "".join(
        f"| `{metric.name}` | {metric.kind}, {metric.unit} | {', '.join(metric.labels) or 'none'} "
        f"| {metric.meaning} | {metric.remedy} |\n"
        for metric in DECLARED
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
