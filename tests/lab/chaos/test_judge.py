"""The chaos' judge: what it sees, and what a lost log excuses."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from ingest.parse import normalise
from lab.chaos import judge
from lab.simulator import expected, history
from petstream.fields import COLUMN_NAMES, ORGANIZATION_COLUMNS, PET_COLUMNS

DAYS = 5
MADE = history(seed=7, pets=40, days=DAYS, first_day=date(2026, 10, 30))
WANTED = expected(MADE, DAYS - 1)
Rows = dict[str, list[dict[str, Any]]]


@pytest.fixture
def rows() -> Rows:
    """What the tables hold when all is right."""
    pets = []
    for row in WANTED.pets.values():
        pet = normalise.normalise_pet(row)
        pets.append({COLUMN_NAMES.get(name, name): getattr(pet, name) for name in PET_COLUMNS})
    organizations = []
    for row in WANTED.orgs.values():
        organization = normalise.normalise_organization(row)
        organizations.append({name: getattr(organization, name) for name in ORGANIZATION_COLUMNS})
    events = [
        {"animal_id": key, "export_id": f"{MADE.start(day):%FT%TZ}", "op": op, "day": day}
        for key, happened in WANTED.pet_history.items()
        for day, op in happened
    ]
    return {
        "pets": pets,
        "organizations": organizations,
        "pictures": [
            {"animal_id": key, "pictures": len(row["pictures"]), "stored": 0}
            for key, row in WANTED.pets.items()
            if row["pictures"]
        ],
        "removed": [{"animal_id": key} for key in WANTED.removed],
        "history": events,
        "stored": [],
        "due": [],
        "given_up": [],
    }


def said(rows: Rows, *doubted: int) -> str:
    """Return what differs."""
    return "\n".join(judge.judge(MADE, WANTED, rows, frozenset(doubted)).differences)


def of_day(rows: Rows, day: int) -> dict[str, Any]:
    """Return an event of a day."""
    return next(event for event in rows["history"] if event["day"] == day)


def test_tables_as_the_simulator_says_are_right(rows: Rows) -> None:
    assert said(rows) == ""
    compared = judge.judge(MADE, WANTED, rows, frozenset()).compared
    assert compared[-1] == f"{len(rows['history'])} events in the history"


@pytest.mark.parametrize("column", ["name", "description_html", "updated_at", "adoption_fee"])
def test_a_stale_column_of_a_view_is_seen(rows: Rows, column: str) -> None:
    rows["pets"][3][column] = "stale"
    assert f"columns of pets: 1 differ: {rows['pets'][3]['animal_id']}" in said(rows)


def test_a_stale_column_of_an_organization_is_seen(rows: Rows) -> None:
    rows["organizations"][1]["city"] = "stale"
    assert "columns of organizations: 1 " in said(rows)


def test_a_pet_too_many_and_one_that_is_missing_are_seen(rows: Rows) -> None:
    stays = rows["pets"].pop()
    assert f"pets: 1 are missing: {stays['animal_id']}" in said(rows)
    rows["pets"] += [stays, {**stays, "animal_id": 5}]
    assert "pets: 1 are there that should not be: 5" in said(rows)


def test_events_that_are_missing_or_doubled_are_seen_unless_the_day_is_doubted(rows: Rows) -> None:
    missing = of_day(rows, 2)
    rows["history"].remove(missing)
    rows["history"].append(dict(of_day(rows, 3)))
    assert "history: 2 " in said(rows)
    assert "history: 1 " in said(rows, 2)
    assert said(rows, 2, 3) == ""


def test_events_of_an_export_that_never_was_are_seen(rows: Rows) -> None:
    rows["history"].append({**of_day(rows, 2), "export_id": "2026-01-01T08:00:00Z"})
    assert "history: 1 " in said(rows, 2)


def test_a_pet_that_left_must_be_remembered_unless_nobody_can_have_known_it(rows: Rows) -> None:
    key, day = next(iter(WANTED.removed.items()))
    came = WANTED.pet_history[key][0][0]
    rows["removed"] = [row for row in rows["removed"] if row["animal_id"] != key]
    assert "removed pets: 1 are missing" in said(rows)
    assert "removed pets: 1 are missing" in said(rows, day), "it was known before"
    assert "removed pets" not in said(rows, *range(came, day + 1))


def test_pictures_that_are_due_or_given_up_are_seen(rows: Rows) -> None:
    rows["due"] = [{"animal_id": 7, "due": 2}]
    rows["given_up"] = [{"animal_id": 8, "why": "gone: missing"}]
    assert "pictures that are due: 1 are there that should not be: 7" in said(rows)
    assert "pictures given up: 1 are there that should not be: 8" in said(rows)
