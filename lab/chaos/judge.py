"""Whether tables, pictures, history and views are what a simulated history must have led to. Pure.

Rule 1: what the site shows is compared column by column: pets, organisations, who left, which
        pictures are wanted, and that each picture that is told to be stored is.
Rule 2: the history has the events of each day, neither more nor less, but for doubted days: those
        whose events the log lost, and those of which no whole export came. Of these it may hold
        some, or the same ones again under the export that made good for it.
Rule 3: a pet that came and left again on doubted days may be unknown: nobody who is left ever knew.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from console.inspect.database_reader import Rows
from ingest.parse import normalise
from ingest.state.export_history import start_of
from lab import expectations
from lab.expectations import TableCheck, differences_of
from lab.simulator import Expected, History, Row
from petstream.fields import COLUMN_NAMES, ORGANIZATION_COLUMNS, PET_COLUMNS
from petstream.model import Organization, Pet

_STORED: Final = """
    SELECT animal_id, position, stored_as, thumbnails::text AS thumbnails, sha256, bytes
    FROM petstream.pet_pictures WHERE status = 'stored'"""
_DUE: Final = """
    SELECT animal_id, count(*) AS due
    FROM petstream.pet_picture AS picture JOIN petstream.pets USING (animal_id)
    WHERE picture.status = 'due' AND coalesce(picture.next_try_at, now()) <= now()
    GROUP BY animal_id"""
_GIVEN_UP: Final = """
    SELECT animal_id, string_agg(DISTINCT concat_ws(': ', status, error), ', ') AS why
    FROM petstream.pet_pictures WHERE status NOT IN ('stored', 'due') GROUP BY animal_id"""
Happened = tuple[int, str]
"""A day, and what happened on it."""

_NO_DAY: Final = -1
QUERIES: Final[Mapping[str, tuple[str, tuple[Any, ...]]]] = {
    **expectations.QUERIES,
    "pets": ("SELECT * FROM petstream.pets", ()),
    "organizations": ("SELECT * FROM petstream.organizations", ()),
    "history": ("SELECT animal_id, export_id, op FROM petstream.pet_history ORDER BY sequence", ()),
    "stored": (_STORED, ()),
    "due": (_DUE, ()),
    "given_up": (_GIVEN_UP, ()),
}


def judge(made: History, wanted: Expected, rows: Rows, doubted: Collection[int]) -> TableCheck:
    """Compare the rows of `QUERIES` with what is expected.

    Args:
        made: the history of the feed.
        wanted: what it must have led to.
        rows: of each query.
        doubted: the days of rules 2 and 3.
    """
    known = {row["animal_id"] for row in rows["removed"]}
    removed = {
        key: day
        for key, day in wanted.removed.items()
        if key in known or not all(at in doubted for at, _ in wanted.pet_history[key])
    }
    states = expectations.judge(
        replace(wanted, removed=removed, pet_history={}), {**rows, "history": []}
    )
    ops, went = _expected_ops(wanted, doubted), _ops(made, wanted, rows["history"], doubted)
    differences = (
        *states.differences,
        *_differing_columns("pets", _pet_columns(wanted.pets), rows["pets"], "animal_id"),
        *_differing_columns(
            "organizations", _organization_columns(wanted.orgs), rows["organizations"], "org_id"
        ),
        *differences_of("history", ops, went),
        *differences_of("pictures that are due", {}, _by_pet(rows["due"], "due")),
        *differences_of("pictures given up", {}, _by_pet(rows["given_up"], "why")),
    )
    events = f"{sum(map(len, ops.values())):,} events in the history"
    return TableCheck((*states.compared[:-1], events), differences)


def _ops(
    made: History,
    wanted: Expected,
    rows: Sequence[Mapping[str, Any]],
    doubted: Collection[int],
) -> dict[int, list[Happened]]:
    """Return what the history says of each pet, but for doubted days."""
    days = {start: day for day, start in enumerate(made.starts)}
    ops: dict[int, list[Happened]] = {}
    for row in rows:
        key, day = row["animal_id"], days.get(start_of(row["export_id"]), _NO_DAY)
        if day not in doubted:
            ops.setdefault(key, []).append((day, _op(wanted, key, row["op"], doubted)))
    return ops


def _expected_ops(wanted: Expected, doubted: Collection[int]) -> dict[int, list[Happened]]:
    ops = {
        key: [(day, _op(wanted, key, op, doubted)) for day, op in happened if day not in doubted]
        for key, happened in wanted.pet_history.items()
    }
    return {key: happened for key, happened in ops.items() if happened}


def _op(wanted: Expected, key: int, op: str, doubted: Collection[int]) -> str:
    """Return an op; whoever comes again is new to those who don't know that it left."""
    forgotten = any(day in doubted for day, _ in wanted.pet_history.get(key, ()))
    return "added" if forgotten and op == "relisted" else op


def _pet_columns(pets: Mapping[int, Row]) -> Iterable[tuple[int, dict[str, Any]]]:
    for key, row in pets.items():
        pet = normalise.normalise_pet(row)
        assert isinstance(pet, Pet)  # noqa: S101  the simulator writes no row that is refused
        yield key, {COLUMN_NAMES.get(name, name): getattr(pet, name) for name in PET_COLUMNS}


def _organization_columns(orgs: Mapping[int, Row]) -> Iterable[tuple[int, dict[str, Any]]]:
    for key, row in orgs.items():
        organization = normalise.normalise_organization(row)
        assert isinstance(organization, Organization)  # noqa: S101  the same
        yield key, {name: getattr(organization, name) for name in ORGANIZATION_COLUMNS}


def _differing_columns(
    what: str,
    wanted: Iterable[tuple[int, dict[str, Any]]],
    rows: Sequence[Mapping[str, Any]],
    key_column: str,
) -> Iterable[str]:
    """Compare what both have: who is missing or too many is said of names."""
    actual = {row[key_column]: row for row in rows}
    should: dict[int, dict[str, Any]] = {}
    shows: dict[int, dict[str, Any]] = {}
    for key, columns in wanted:
        row = actual.get(key, columns)
        others = [name for name in columns if row[name] != columns[name]]
        if others:
            should[key] = {name: columns[name] for name in others}
            shows[key] = {name: row[name] for name in others}
    return differences_of(f"columns of {what}", should, shows)


def _by_pet(rows: Sequence[Mapping[str, Any]], column: str) -> dict[int, object]:
    return {row["animal_id"]: row[column] for row in rows}
