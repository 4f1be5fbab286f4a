"""What the feed never held before is said once an export; a file that lost a key is broken."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from rows_of_the_feed import org_row, pet_row

from ingest.changes.schema_drift import SchemaDrift, notes, oddities, together
from ingest.parse.normalise import normalise_organization, normalise_pet
from petstream.events import Drift
from petstream.model import Organization, Pet

SEEN = {"status": ("Available",), "species": ("Dog",), "sex": ("Female",), "age": ("Baby",),
        "size": ("Large",)}  # fmt: skip


def drifted(*rows: dict[str, Any], vocabulary: Any = None) -> SchemaDrift:
    """Observe rows of pets."""
    observer = SchemaDrift(Pet, SEEN if vocabulary is None else vocabulary)
    for row in rows:
        pet = normalise_pet(row)
        assert isinstance(pet, Pet)
        observer.see_row(row, pet)
    return observer


def without(row: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return a row without some keys."""
    return {name: value for name, value in row.items() if name not in names}


def test_t28_an_ordinary_row_is_no_drift() -> None:
    """T28: nothing new, nothing said."""
    drift = drifted(pet_row(), pet_row(sex="", age="", size="")).drift()
    assert drift == Drift()
    assert list(notes(together(drift, Drift()), first=False)) == []


def test_t28_an_unknown_field_and_a_value_that_does_not_fit_are_counted() -> None:
    """T28: new keys and changed types are kept in `extra`, and reported."""
    drift = drifted(pet_row(kennel="7"), pet_row(kennel="8", birthdate="soon")).drift()
    assert drift.unknown_fields == {"kennel": 2}
    assert drift.unfit_values == {"birthdate": 1}
    said = "\n".join(notes(drift, first=True))
    assert 'aren\'t known: "kennel" (2 rows)' in said
    assert 'don\'t fit their field: "birthdate" (1 row)' in said


def test_t28_a_value_never_seen_before_is_said_once() -> None:
    """T28: status, species, sex, age, size."""
    observer = drifted(pet_row(species="Alpaca"), pet_row(species="Alpaca"), pet_row(size="Tiny"))
    assert observer.drift().new_values == {"species": ("Alpaca",), "size": ("Tiny",)}
    assert 'drift: species was never before "Alpaca"' in list(notes(observer.drift(), first=False))


def test_t28_a_long_value_is_new_once_and_then_known_by_its_beginning() -> None:
    """T28: it was reported in every export, and without the value."""
    long = "Status " * 12
    first = drifted(pet_row(status=long)).drift()
    (kept,) = first.new_values["status"]
    assert len(kept) == 60
    assert kept in next(notes(first, first=False))
    known = SEEN | {"status": ("Available", kept)}
    assert drifted(pet_row(status=long), pet_row(status=long), vocabulary=known).drift() == Drift()


def test_t28_the_first_import_remembers_values_and_says_nothing_of_them() -> None:
    """T28: everything is new on the first day."""
    drift = drifted(pet_row(), vocabulary={}).drift()
    assert drift.new_values == {name: tuple(values) for name, values in SEEN.items()}
    assert list(notes(drift, first=True)) == []


@pytest.mark.parametrize("name", ["species", "status", "lastUpdated"])
def test_t28_a_file_whose_rows_lost_a_required_key_is_broken(name: str) -> None:
    """T28: a required key missing in more than 1 % of the rows."""
    rows = [without(pet_row(), name)] * 11 + [pet_row()] * 9
    assert drifted(*rows).broken(1_000) == f"11 of its 1,000 rows lack {name}"
    assert drifted(*rows).broken(1_100) is None


def test_t28_a_few_rows_without_a_key_are_no_broken_file() -> None:
    """T28: a missing key means unknown: the row keeps what is held."""
    observer = drifted(*[without(pet_row(), "name")] * 9)
    assert observer.broken(9) is None
    assert observer.drift().missing_keys == {"name": 9}


def test_t28_files_are_judged_one_by_one() -> None:
    """T28: what one file lacks isn't another's fault."""
    observer = drifted(*[without(pet_row(), "name")] * 20)
    observer.begin_file()
    assert observer.broken(20) is None
    assert observer.drift().missing_keys == {"name": 20}


def test_t28_a_key_in_another_spelling_is_not_missing() -> None:
    """T28: the API's names and other cases are known."""
    row = without(pet_row(), "name", "species") | {"animalName": "Rex", "SPECIES": "Dog"}
    assert drifted(row).drift() == Drift()


def test_t28_organisations_are_observed_too() -> None:
    """T28: unknown fields of organisations."""
    observer = SchemaDrift(Organization, {})
    row = org_row(mastodon="@paws")
    organization = normalise_organization(row)
    assert isinstance(organization, Organization)
    observer.see_row(row, organization)
    assert observer.drift().unknown_fields == {"mastodon": 1}


def test_t26_what_the_feed_says_is_one_escaped_line() -> None:
    """T26: names and values of the feed can't break a line, or a terminal."""
    drift = drifted(pet_row(species="Do\ng" + "g" * 100) | {"a\nb\x1b[31m": "x"}).drift()
    for line in notes(drift, first=False):
        assert line.isprintable()
        assert len(line) < 200


def test_many_names_and_values_are_bounded() -> None:
    row = pet_row() | {f"field{n}": "x" for n in range(500)}
    drift = drifted(row, *(pet_row(species=f"S{n}") for n in range(500))).drift()
    assert len(drift.unknown_fields) <= 50
    assert len(drift.new_values["species"]) == 200
    assert all(len(line) < 2_000 for line in notes(drift, first=False))


def test_t22_t28_what_is_taken_though_it_came_oddly_is_counted_by_what_is_odd() -> None:
    """T22, T28: ids as numbers, pictures that are no list, mended text, repeated ids: one line."""
    observer = drifted(pet_row(), pet_row(animalID=5), pet_row(pictures=""), pet_row(pictures={}))
    read = Counter({"byte order mark": 1})
    said = "odd: byte order mark (1), animalID as a number (1), pictures as text (1)"
    assert list(oddities(read, observer.odd)) == [f"{said}, pictures as an object (1)"]
    assert list(oddities(Counter(), drifted(pet_row()).odd)) == []
