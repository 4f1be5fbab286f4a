"""Moments and durations in words, and the sentences they and numbers stand in."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from records_of_topics import record

from console.inspect.database_reader import Unavailable
from console.inspect.export_history import published_exports
from console.inspect.status import document, render
from console.inspect.trouble import times
from console.page.operations import front
from console.page.operations.last_look import LastLook
from console.page.operations.trends import Trends
from consumers.admin.lag import GroupLag

NOW: Final = datetime(2026, 11, 23, 12, tzinfo=UTC)
SECONDS = st.floats(-4e8, 4e8, allow_nan=False)
ODD: Final = re.compile(
    r"-0|(?<![\d.,:-])-\d|(?<![\d.,])0 (?:s|min|h|d|months|years) |last 0\b|"
    r"\bnan\b|\bNone\b(?! yet|\.)|"
    r"(?<![\d,.:/])1 (?:pets|orgs|organisations|rows|records|events|removals|exports|notes|"
    r"snapshots|pictures|things|months|years|dead letters)\b"
)
"""What no sentence says: a minus, "0 s ago", "The last 0 exports", "1 pets"."""


@given(SECONDS)
def test_a_moment_is_never_said_with_a_minus_a_nought_or_a_wrong_plural(seconds: float) -> None:
    said = times.ago(NOW - timedelta(seconds=seconds), NOW)
    assert not ODD.search(f"{said} ")
    assert re.fullmatch(r"just now|in \d+ \w+|\d+ \w+ ago", said)
    assert said.startswith("in ") == (seconds <= -10)


@given(SECONDS)
def test_a_duration_is_never_negative_and_has_two_units_at_the_most(seconds: float) -> None:
    for tenths in (True, False):
        said = times.lasting(seconds, tenths=tenths)
        assert not ODD.search(f"{said} ")
        assert re.fullmatch(r"under (0\.)?1 s|\d\.\d s|\d+ \w+( \d+ \w+)?", said)


def _status(*, count: int, now: datetime, exports: bool = True) -> dict[str, Any]:
    """Return how everything stands, with this number of everything."""
    counts = dict.fromkeys(("read", "added", "updated", "unchanged", "removed", "refused"), count)
    completed = record(
        "export.completed", counts={"pets": counts, "orgs": counts}, notes=["a note"] * (3 + count)
    )
    held = record("export.held", removals=["1"] * count)
    gathered = document(
        published=published_exports((record("export.started"), completed, held) if exports else ()),
        letters={"not-json": count} if count else {}, letters_last_day={"row": count},
        lags=[GroupLag("pets", "petstream.pets.v1", 0, 5, 5 + count, count)],
        tables=Unavailable("not reachable"), now=now,
    )  # fmt: skip
    watch = {"part": "watch", "state": "running", "members": [
        {"host": "attic", "process": 1, "since": "2026-11-23T08:12:04Z", "address": "::1"}
    ], "report": {"doing": "reading", "rows": {"pets_1.json": count}}}  # fmt: skip
    return gathered | {"parts": [watch]}


@pytest.mark.parametrize("count", [0, 1, 2])
@pytest.mark.parametrize(
    "now",
    [
        datetime(2026, 11, 23, 8, 12, 4, tzinfo=UTC),  # the moment the export began
        datetime(2026, 11, 23, 6, tzinfo=UTC),  # our clock is behind
        datetime(2026, 11, 24, 17, tzinfo=UTC),
        datetime(2027, 11, 24, tzinfo=UTC),
    ],
)
@pytest.mark.parametrize("exports", [True, False])
def test_no_sentence_of_status_or_the_front_page_is_odd(
    count: int, now: datetime, *, exports: bool
) -> None:
    status = _status(count=count, now=now, exports=exports)
    page = front.page(LastLook(status, None, None, None, Trends())).text or ""
    words = re.sub(r"\s+", " ", re.sub(r"<svg.*?</svg>|<[^>]*>", " ", page, flags=re.DOTALL))
    for text in (render(status), words):
        odd = ODD.search(text)
        assert odd is None, text[max(0, odd.start() - 80) : odd.end() + 40]
