"""A pet's fields, and what changed, in words for a person. Pure."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, NamedTuple

from console.find.pet import FieldChange, HistoryEntry, PetDetails
from console.inspect.trouble import times

FACTS: Final = {
    "color": "Colour", "birthdate": "Born", "altered": "Spayed or neutered",
    "housetrained": "Housetrained", "declawed": "Declawed",
    "adoption_fee": "Adoption fee", "postal_code": "Postal code", "updated_at": "Updated",
    "first_seen_at": "First seen",
}  # fmt: skip
"""Columns that stand among the facts, and what they are called there."""

_CHIPS: Final = ("species", "breed", "sex", "age", "size")
_GOOD_WITH: Final = {"good_with_dogs": "dogs", "good_with_cats": "cats", "good_with_kids": "kids"}
_OPS: Final = {
    "added": "Added to the feed", "updated": "Changed", "removed": "Left the feed",
    "relisted": "Came back",
}  # fmt: skip
_LONG: Final = 160
_TIME: Final = re.compile(
    r"[0-9]{4}-[0-1][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9](Z|[+]00:00)$"
)
_WORD: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class Chip(NamedTuple):
    """A property in a word or two; `level` is ``good``, ``bad`` or nothing."""

    text: str
    level: str = ""


class ChangeInWords(NamedTuple):
    """A field before and after; long ones are folded."""

    label: str
    before: str
    after: str
    is_long: bool


class Day(NamedTuple):
    """An entry of the history, in words."""

    title: str
    op: str
    entry: HistoryEntry
    changes: list[ChangeInWords]


def chips(pet: PetDetails) -> list[Chip]:
    """Return what a person asks first."""
    fields = pet.fields
    said = [Chip(text(fields[name])) for name in _CHIPS if name in fields]
    for name, who in _GOOD_WITH.items():
        if name in fields:
            good = fields[name]
            said.append(Chip(f"{'good' if good else 'not'} with {who}", "good" if good else "bad"))
    if fields.get("special_needs"):
        said.append(Chip("special needs"))
    return said


def facts(pet: PetDetails) -> list[tuple[str, str | datetime]]:
    """Return the facts that are said, with their labels; moments as they are."""
    said = [(label, pet.fields[name]) for name, label in FACTS.items() if name in pet.fields]
    return [(label, fact if isinstance(fact, datetime) else text(fact)) for label, fact in said]


def further(attributes: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return every other field, with its label."""
    return sorted((label_of(name), text(value)) for name, value in attributes.items())


def days(pet: PetDetails) -> list[Day]:
    """Return the history in words, newest first."""
    return [
        Day(
            _OPS.get(entry.op, entry.op),
            entry.op,
            entry,
            _in_words(entry.changes),
        )
        for entry in pet.history
    ]


def why_it_left(pet: PetDetails) -> str:
    """Return why a pet isn't listed."""
    held = {
        "approved": " Its removal was held, and a person approved it.",
        "held": " Its removal was held.",
    }.get(pet.was_held or "", "")
    return (
        f"Export {pet.export_id} didn't name it any more.{held} That doesn't say that it was "
        "adopted: nobody tells why a pet leaves."
    )


def label_of(name: str) -> str:
    """Return an event's field as words.

    >>> label_of("adoptionFee"), label_of("goodWithCats"), label_of("descriptionHtml")
    ('Adoption fee', 'Good with cats', 'Description')
    """
    words = _WORD.sub(" ", name.removesuffix("Html").removesuffix("Text")).lower()
    return words[:1].upper() + words[1:]


def text(value: Any) -> str:
    """Return a value as text: no entities, and nothing is called so.

    >>> text("Fish &amp; Chips"), text(None), text(True), text(["a", "b"])
    ('Fish & Chips', 'nothing', 'yes', 'a, b')
    """
    if value in (None, "", []):
        return "nothing"
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return ", ".join(map(html.unescape, value))
    if isinstance(value, str) and _TIME.match(value):
        value = datetime.fromisoformat(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return times.to_minute(value)
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    return value.isoformat() if isinstance(value, date) else html.unescape(str(value))


def _in_words(changes: Sequence[FieldChange]) -> list[ChangeInWords]:
    """Return the changes; a description is told once, though it comes in two forms."""
    names = {change.field for change in changes}
    twice = "descriptionText" if "descriptionHtml" in names else ""
    return [_change(change) for change in changes if change.field != twice]


def _change(change: FieldChange) -> ChangeInWords:
    if change.field == "pictures":
        before, after = _counted(change.before), _counted(change.after)
    else:
        before, after = text(change.before), text(change.after)
    if change.field == "descriptionHtml":
        before, after = _without_tags(before), _without_tags(after)
    longest = max(len(before), len(after))
    return ChangeInWords(label_of(change.field), before, after, longest > _LONG)


def _counted(pictures: Any) -> str:
    return str(len(pictures)) if isinstance(pictures, list | tuple) else "none"


def _without_tags(markup: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", markup).split()) or "nothing"
