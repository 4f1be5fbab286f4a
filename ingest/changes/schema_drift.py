"""How an export's rows differ from what the feed was known to hold: said once an export. Pure.

Rule 1: only rows that were parsed are observed, which an unchanged one isn't; what every row of
        the feed has is compared, not counted.
Rule 2: a file in which a required key is missing from many rows is broken: it was renamed, or the
        writer fails.
Rule 3: what is new is compared with earlier exports; the first import says what there is.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from petstream.events import Drift
from petstream.fields import fields_of
from petstream.model import Organization, Pet

REQUIRED: Final[dict[type[Pet | Organization], frozenset[str]]] = {
    Pet: frozenset({"animalID", "orgID", "status", "lastUpdated", "name", "species"}),
    Organization: frozenset({"orgID", "name"}),
}
"""Keys that every row of the feed has, filled or not."""

MOST_MISSING: Final = 0.01
"""The share of a file's rows that may lack a required key."""

WATCHED: Final = ("status", "species", "sex", "age", "size")
"""Fields of a pet whose values are few: one never seen before is worth a line."""

_PETS_KEY: Final = "animalID"  # no organisation has it
_NO_PICTURES: Final[list[Any]] = []
_JSON_NAMES: Final = {dict: "an object", list: "a list", str: "text", type(None): "null"}
_FEWEST_MISSING: Final = 10
_MOST_COUNTED: Final = 20_000
_MOST_NAMES: Final = 50
_MOST_VALUES: Final = 200
_LONGEST: Final = 60
_SHOWN: Final = 10
_KNOWN: Final = {record: {field.feed_name for field in fields_of(record)} for record in REQUIRED}

Vocabulary = Mapping[str, Collection[str]]
"""The values of watched fields that earlier exports had."""


class SchemaDrift:
    """What is unusual so far in the rows of one kind, in one run."""

    def __init__(self, record: type[Pet | Organization], vocabulary: Vocabulary) -> None:
        """Begin a run; `vocabulary` is what earlier exports had."""
        self.foreign = 0
        """Rows of the file that are pets, where they should be organisations."""
        self._required = REQUIRED[record]
        self._known = _KNOWN[record]
        self._extra: Counter[str] = Counter()
        self._missing: Counter[str] = Counter()
        self._missing_in_file: Counter[str] = Counter()
        watched = WATCHED if record is Pet else ()
        self._values = {name: {None, *vocabulary.get(name, ())} for name in watched}
        self._watched = tuple(self._values.items())
        self._new: dict[str, list[str]] = {}
        self._key = _PETS_KEY if record is Pet else "orgID"
        self.odd: Counter[str] = Counter()

    def see_row(self, row: Mapping[str, Any], record: Pet | Organization) -> None:
        """Take a row, and what it was normalised to: this is on every changed row's way."""
        if not row.keys() >= self._required:
            self._lacks(row)
        if record.extra:
            self._has_more(record.extra)
        for name, known in self._watched:
            if (value := getattr(record, name)) not in known:
                self._never_seen(name, value)
        if (
            type(row.get(self._key)) is not str
            or type(row.get("pictures", _NO_PICTURES)) is not list
        ):
            self._odd_types(row)

    def begin_file(self) -> None:
        """Count what is missing or foreign anew."""
        self.foreign = 0
        self._missing_in_file.clear()

    def broken(self, rows: int) -> str | None:
        """Say which required keys too many rows of the file lack (rule 2); None: none."""
        most = max(MOST_MISSING * rows, _FEWEST_MISSING - 1)
        lacking = {name: n for name, n in self._missing_in_file.items() if n > most}
        if not lacking:
            return None
        return ", ".join(f"{n:,} of its {rows:,} rows lack {name}" for name, n in lacking.items())

    def drift(self) -> Drift:
        """Return all of it."""
        names = self._extra.most_common(_MOST_NAMES)
        return Drift(
            unknown_fields={_cut(name): n for name, n in names if name not in self._known},
            unfit_values={name: n for name, n in names if name in self._known},
            missing_keys=dict(self._missing),
            new_values={name: tuple(values) for name, values in self._new.items()},
        )

    def _odd_types(self, row: Mapping[str, Any]) -> None:
        """Count what is taken although the feed usually writes it otherwise."""
        for name, usual in ((self._key, str), ("pictures", list)):
            value = row.get(name, usual())
            if type(value) is not usual:
                self.odd[f"{name} as {_JSON_NAMES.get(type(value), 'a number')}"] += 1

    def _has_more(self, extra: Mapping[str, Any]) -> None:
        self.foreign += _PETS_KEY in extra
        if len(self._extra) < _MOST_COUNTED:
            self._extra.update(extra.keys())

    def _lacks(self, row: Mapping[str, Any]) -> None:
        folded = {name.lower().removeprefix("animal") for name in row}
        for name in self._required - row.keys():
            if name.lower().removeprefix("animal") not in folded:  # another case is no loss
                self._missing[name] += 1
                self._missing_in_file[name] += 1

    def _never_seen(self, name: str, value: str) -> None:
        known, cut = self._values[name], _cut(value)
        if cut not in known and len(self._new.get(name, ())) < _MOST_VALUES:
            known.add(cut)
            self._new.setdefault(name, []).append(cut)


def together(pets: Drift, orgs: Drift) -> Drift | None:
    """Return the drift of pets and organisations together; None: there is none."""
    drift = Drift(
        unknown_fields=_sum(pets.unknown_fields, orgs.unknown_fields),
        unfit_values=_sum(pets.unfit_values, orgs.unfit_values),
        missing_keys=_sum(pets.missing_keys, orgs.missing_keys),
        new_values={**pets.new_values, **orgs.new_values},
    )
    return None if drift == Drift() else drift


def notes(drift: Drift | None, *, first: bool) -> Iterator[str]:
    """Say what drifted, a line a kind; on a first import every value is new, which is no news."""
    if drift is None:
        return
    if drift.unknown_fields:
        yield "drift: fields that aren't known: " + _counted(drift.unknown_fields)
    if drift.unfit_values:
        yield "drift: values that don't fit their field: " + _counted(drift.unfit_values)
    if drift.missing_keys:
        yield "drift: keys that are missing: " + _counted(drift.missing_keys)
    for name, values in () if first else drift.new_values.items():
        shown = ", ".join(map(_quoted, values[:_SHOWN]))
        more = f" and {len(values) - _SHOWN} more" if len(values) > _SHOWN else ""
        yield f"drift: {name} was never before {shown}{more}"


def oddities(*counters: Counter[str]) -> Iterator[str]:
    """Say what was taken as it came although the feed usually comes otherwise: one line."""
    odd = sum(counters, Counter[str]())
    if odd:
        yield "odd: " + ", ".join(f"{word} ({n:,})" for word, n in odd.most_common(_SHOWN))


def _counted(counts: Mapping[str, int]) -> str:
    said = [f"{_quoted(name)} ({rows:,} {'row' if rows == 1 else 'rows'})"
            for name, rows in list(counts.items())[:_SHOWN]]  # fmt: skip
    more = [f"{len(counts) - _SHOWN} more"] if len(counts) > _SHOWN else []
    return ", ".join(said + more)


def _sum(pets: Mapping[str, int], orgs: Mapping[str, int]) -> dict[str, int]:
    return dict(Counter(pets) + Counter(orgs))


def _quoted(text: str) -> str:
    """Return a text of the feed on one line, whatever stands in it."""
    return json.dumps(text, ensure_ascii=False) if text.isprintable() else json.dumps(text)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
