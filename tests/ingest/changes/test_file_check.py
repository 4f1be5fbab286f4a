"""A file is what its name says, or it is broken."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from compared_rows import facts
from rows_of_the_feed import framed, org_row, pet_row

from ingest.changes.comparison import Comparison
from ingest.changes.event import ORGS, PETS
from ingest.changes.file_check import FileCheck
from ingest.changes.schema_drift import SchemaDrift
from ingest.parse.rows import Row
from ingest.source.listing import Part, RemoteFile
from ingest.state.ledger import Ledger
from petstream.errors import BrokenFileError
from petstream.sequence import Family

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
PAGE = [b"<!DOCTYPE html>", b"<html><body>", b"<h1>503\x1b[31m</h1>", b"</body></html>"]


def check(family: Family, rows: list[Row], *, number: int = 1, at_once: int = 100) -> FileCheck:
    """Read the rows of a file through a comparison, as a run does."""
    kind = ORGS if family == "orgs" else PETS
    drift = SchemaDrift(kind.type, {})
    file_check = FileCheck(drift)
    comparison = Comparison(
        kind, Ledger(), facts(), row_observers=(drift,), batch_observers=(file_check,)
    )
    file_check.begin(Part(family, number, RemoteFile("x", 1, NOW)))
    for start in range(0, len(rows), at_once):
        comparison.compare(rows[start : start + at_once], family, "x")
    file_check.end()
    return file_check


def pets(number: int, **changes: Any) -> list[dict[str, Any]]:
    """Return rows of pets."""
    return [pet_row(key, **changes) for key in range(1, number + 1)]


@pytest.mark.parametrize("family", ["orgs", "pets", "updatedpets"])
def test_t10_a_page_instead_of_rows_is_broken_and_its_beginning_is_escaped(family: Family) -> None:
    """T10: HTML under the name of a file of rows."""
    with pytest.raises(BrokenFileError, match="it holds no rows; it begins with") as caught:
        check(family, framed(*PAGE))
    assert '"<!DOCTYPE html>"' in str(caught.value)
    with pytest.raises(BrokenFileError) as caught:
        check(family, framed(b"\x1b[31m\xff\x00 <p>\n"))
    assert str(caught.value).isprintable()


def test_t10_pets_under_the_name_of_organisations_are_broken() -> None:
    """T10: content isn't what the name says: both have an orgID."""
    with pytest.raises(
        BrokenFileError, match=r"orgs_1\.json is broken: 50 of its first 50 rows are"
    ):
        check("orgs", framed(*pets(50)))
    with pytest.raises(BrokenFileError, match="rows are bad"):
        check("pets", framed(*(org_row(key) for key in range(1, 50))))


def test_t10_an_empty_file_is_broken_where_there_must_be_rows() -> None:
    """T10: nothing new today is no fault; no pet at all is."""
    for family in ("orgs", "pets"):
        with pytest.raises(BrokenFileError, match="it is empty"):
            check(family, [])
    assert check("newpets", []).rows == 0
    assert check("updatedpets", []).rows == 0
    assert check("pets", [], number=2).rows == 0


@pytest.mark.parametrize(("bad", "rows", "broken"), [
    (20, 100, False), (21, 100, True), (50, 10_000, False), (51, 10_000, True),
])  # fmt: skip
def test_t18_a_file_may_have_some_bad_rows(bad: int, rows: int, *, broken: bool) -> None:
    """T18: up to max(20, 0.5 %) are dead-lettered, with more the file is broken."""
    good = json.dumps(pet_row(1)).encode()
    lines = framed(*[b"false"] * bad, *[good] * (rows - bad))
    if broken:
        with pytest.raises(BrokenFileError, match="rows are bad"):
            check("pets", lines)
    else:
        assert check("pets", lines).rows == rows


def test_t18_the_only_row_may_be_the_bad_one() -> None:
    """T18: a writer that fails at one row writes `false`: that is one row, not the file."""
    assert check("updatedpets", framed(b"false")).rows == 1
    assert check("updatedpets", framed(b'{"animalID":"7","name":"cu')).rows == 1


def test_t28_a_file_that_lost_a_key_is_broken() -> None:
    """T28: a required key missing from more than 1 % of the rows."""
    rows = [{name: value for name, value in row.items() if name != "status"} for row in pets(12)]
    with pytest.raises(BrokenFileError, match="12 of its 12 rows lack status"):
        check("pets", framed(*rows))
