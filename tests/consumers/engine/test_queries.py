"""The named queries."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from consumers.engine import queries as query_texts
from consumers.engine.queries import parse, queries, several
from consumers.pets.current import STATE_COLUMNS
from petstream.errors import PetstreamError
from petstream.fields import COLUMN_NAMES, ORGANIZATION_COLUMNS, PET_COLUMNS


def columns_of(name: str) -> list[str]:
    columns = re.search(r"AS held \(([^)]*)\)", queries()[name])
    assert columns is not None
    return [column.strip() for column in columns[1].split(",")]


def test_a_file_is_cut_into_its_queries() -> None:
    text = "-- A heading.\n\n-- name: one\n-- Says one.\nSELECT 1;\n\n-- name: two\nSELECT 2;\n"
    assert parse(text) == [("one", "-- Says one.\nSELECT 1"), ("two", "SELECT 2")]


def test_every_query_says_what_it_does() -> None:
    assert all(text.startswith("-- ") for text in queries().values())


def test_a_pet_is_written_in_the_order_of_its_columns() -> None:
    own = [COLUMN_NAMES.get(name, name) for name in PET_COLUMNS]
    assert columns_of("upsert_pet") == [
        *own,
        "description_rendered",
        *STATE_COLUMNS,
        "removed_at",
        "listed",
    ]


def test_an_organisation_is_written_in_the_order_of_its_columns() -> None:
    wanted = [*ORGANIZATION_COLUMNS, *STATE_COLUMNS, "removed_at", "listed"]
    assert columns_of("upsert_organization") == wanted


def test_no_two_queries_have_one_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sql").mkdir()
    for file in ("a", "b"):
        (tmp_path / "sql" / f"{file}.sql").write_text("-- name: twice\n-- Says it.\nSELECT 1;\n")
    monkeypatch.setattr(query_texts, "files", lambda _package: tmp_path)
    with pytest.raises(PetstreamError, match="two queries are called twice"):
        query_texts.queries.__wrapped__()


def test_rows_of_one_statement_have_their_parameters_one_after_the_other() -> None:
    text = several("upsert_organization", 3, 21)
    values = text[text.index("VALUES") : text.index("ON CONFLICT")]
    numbers = [int(number) for number in re.findall(r"\$(\d+)", values)]
    assert sorted(set(numbers)) == list(range(1, 64))  # twenty and the time of removal, thrice
    assert [at for at, number in enumerate(numbers) if numbers[at - 1] == number] == [21, 43, 65]
    assert "WHEN false AND held.listed" in text
    assert "$" not in text[text.index("ON CONFLICT") :]
    history = several("record_pet_event", 3)
    assert [int(number) for number in re.findall(r"\$(\d+)", history)] == list(range(1, 25))
