"""What the views hold, compared with what a simulated history must have led to. Pure.

Rule 1: a difference is named with ids, so that it can be looked into with `petstream explain`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from console.inspect.database_reader import Rows
from lab.simulator import Expected

_PICTURES: Final = """
    SELECT animal_id, count(*) AS pictures, count(*) FILTER (WHERE status = 'stored') AS stored
    FROM petstream.pet_pictures GROUP BY animal_id"""
_HISTORY: Final = """
    SELECT animal_id, array_agg(op ORDER BY sequence) AS ops
    FROM petstream.pet_history GROUP BY animal_id"""
QUERIES: Final[Mapping[str, tuple[str, tuple[Any, ...]]]] = {
    "pets": ("SELECT animal_id, name, org_id FROM petstream.pets", ()),
    "organizations": ("SELECT org_id, name FROM petstream.organizations", ()),
    "pictures": (_PICTURES, ()),
    "removed": ("SELECT animal_id FROM petstream.removed_pets", ()),
    "history": (_HISTORY, ()),
}

_SHOWN: Final = 5


class TableCheck(NamedTuple):
    """What was compared, in words, and what differs (nothing: all is as expected)."""

    compared: tuple[str, ...]
    differences: tuple[str, ...]


def judge(expected: Expected, rows: Rows) -> TableCheck:
    """Compare the rows of `QUERIES` with what is expected."""
    names = {key: row["name"] or None for key, row in expected.pets.items()}
    owners = {key: int(row["orgID"]) for key, row in expected.pets.items()}
    wanted_pictures = {key: len(row["pictures"]) for key, row in expected.pets.items()}
    organizations = {key: row["name"] or None for key, row in expected.orgs.items()}
    ops = {key: [op for _, op in went] for key, went in expected.pet_history.items()}
    pictures = {row["animal_id"]: row["pictures"] for row in rows["pictures"]}
    stored = sum(row["stored"] for row in rows["pictures"])
    differences = (
        *differences_of("pets", names, {row["animal_id"]: row["name"] for row in rows["pets"]}),
        *differences_of(
            "organizations of pets",
            owners,
            {row["animal_id"]: row["org_id"] for row in rows["pets"]},
        ),
        *differences_of(
            "organizations",
            organizations,
            {row["org_id"]: row["name"] for row in rows["organizations"]},
        ),
        *differences_of("pictures", {key: n for key, n in wanted_pictures.items() if n}, pictures),
        *differences_of(
            "removed pets",
            dict.fromkeys(expected.removed, "removed"),
            dict.fromkeys((row["animal_id"] for row in rows["removed"]), "removed"),
        ),
        *differences_of("history", ops, {row["animal_id"]: row["ops"] for row in rows["history"]}),
    )
    compared = (
        f"{len(names):,} pets",
        f"{len(organizations):,} organizations",
        f"{sum(pictures.values()):,} pictures wanted ({stored:,} stored)",
        f"{len(expected.removed):,} removed pets",
        f"{sum(map(len, ops.values())):,} events in the history",
    )
    return TableCheck(compared, differences)


def differences_of(
    what: str, wanted: Mapping[int, object], actual: Mapping[int, object]
) -> Iterable[str]:
    """Say in lines how the values of keys differ from those that are wanted."""
    missing = sorted(wanted.keys() - actual.keys())
    extra = sorted(actual.keys() - wanted.keys())
    other = sorted(key for key in wanted.keys() & actual.keys() if wanted[key] != actual[key])
    if missing:
        yield f"{what}: {len(missing):,} are missing: {_some(missing)}"
    if extra:
        yield f"{what}: {len(extra):,} are there that should not be: {_some(extra)}"
    if other:
        first = other[0]
        yield (
            f"{what}: {len(other):,} differ: {_some(other)}; "
            f"{first} is {actual[first]!r}, not {wanted[first]!r}"
        )


def _some(keys: list[int]) -> str:
    shown = ", ".join(map(str, keys[:_SHOWN]))
    return shown if len(keys) <= _SHOWN else f"{shown}, …"
