"""A feed row (a dict) to a `Pet` or an `Organization`, or the reason why it can't be one.

Rule 1: only a missing or senseless id refuses a row; a value that doesn't fit its type goes to
        `extra` as sent, and its field is unknown.
Rule 2: ``""``, null and the feed's zeros clear a field; a *missing* key keeps what is held.
Rule 3: whenever the same row would come out differently, the normaliser has another version (see
        `ingest.parse.version`): every row is parsed again, as the raw digests are seeded with it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any, Final, NamedTuple

from ingest.parse import contacts, pictures, values
from petstream.fields import CONTACT_FIELDS, Field, fields_of
from petstream.model import Organization, Pet, Picture


class Rejection(NamedTuple):
    """Why a row is no pet or organisation: a stable word, and a sentence."""

    reason: str
    message: str


Held = Callable[[], Mapping[str, Any] | None]
"""Gives the record that is held for the row's key, as attributes, when a row lacks keys."""

_Known = tuple[str, Callable[[Any], Any]]
_TEXT: Final = values.text
_FLAG: Final = values.flag
_LONGEST_STAMP_ROW_BYTES: Final = 1_000
_EVER: Final = datetime.max.replace(tzinfo=UTC)

_CONVERTERS: Final[dict[Any, Callable[[Any], Any]]] = {
    str | None: values.text,
    bool | None: values.flag,
    float | None: values.size,
    date | None: values.day,
    datetime | None: values.instant,
    tuple[Picture, ...]: pictures.pictures,
    tuple[Any, ...]: values.sequence,
}


def _known(record: type[Pet | Organization], ids: tuple[str, ...]) -> dict[str, _Known]:
    def converter(field: Field) -> Callable[[Any], Any]:
        return (
            values.identifier
            if field.attribute in ids
            else _CONVERTERS.get(field.type, values.text)
        )

    return {field.feed_name: (field.attribute, converter(field)) for field in fields_of(record)}


_PET: Final = _known(Pet, ("animal_id", "org_id"))
_ORGANIZATION: Final = _known(Organization, ("org_id",))
_PET_LOWER: Final = {name.lower(): name for name in _PET}
_ORGANIZATION_LOWER: Final = {name.lower(): name for name in _ORGANIZATION}


def pet_id(row: Mapping[str, Any]) -> int | None:
    """Return the animal id of a row, or None where it has none that makes sense."""
    return _id_of(row, "animalID")


def organization_id(row: Mapping[str, Any]) -> int | None:
    """Return the organisation id of a row, or None where it has none that makes sense."""
    return _id_of(row, "orgID")


def normalise_pet(
    row: Mapping[str, Any], *, publish_contacts: bool = False, held: Held = lambda: None
) -> Pet | Rejection:
    """Return the pet of a row of pets_n, newpets_n or updatedpets_n."""
    if pet_id(row) is None:
        return Rejection("no-id", "the row has no animalID of 1 to 18 digits")
    attributes = _convert(row, _PET, _PET_LOWER, held)
    if publish_contacts:
        for name in CONTACT_FIELDS:
            attributes.setdefault(name, None)
        return Pet(**attributes)
    for name in CONTACT_FIELDS:
        attributes.pop(name, None)
    return Pet(**_without_contacts(attributes, _PET))


def normalise_organization(
    row: Mapping[str, Any], *, held: Held = lambda: None
) -> Organization | Rejection:
    """Return the organisation of a row of orgs_n."""
    if organization_id(row) is None:
        return Rejection("no-id", "the row has no orgID of 1 to 18 digits")
    attributes = _convert(row, _ORGANIZATION, _ORGANIZATION_LOWER, held)
    return Organization(**_without_contacts(attributes, _ORGANIZATION))


def _without_contacts(attributes: dict[str, Any], known: Mapping[str, _Known]) -> dict[str, Any]:
    """Leave out of `extra` whatever may be a contact: keys that no field has, and misfits."""
    extra = attributes.get("extra")
    if not extra:
        return attributes
    kept = {
        name: contacts.without_contacts(value)
        for name, value in extra.items()
        if (name in known and known[name][0] not in CONTACT_FIELDS)
        or not contacts.is_contact(name, value)
    }
    return {**attributes, "extra": kept}


def start_stamp_of(raw: bytes, latest: datetime = _EVER) -> datetime | None:
    """Return the export's start from a row of orgs_n that is no object: a list, or bare text."""
    if len(raw) > _LONGEST_STAMP_ROW_BYTES:
        return None
    try:
        return start_stamp(json.loads(raw), latest)
    except (ValueError, RecursionError):
        return None


def start_stamp(row: Any, latest: datetime = _EVER) -> datetime | None:
    """Return the export's start from the row of orgs_n that says it, under whatever key.

    Of several times it is the last that isn't later than `latest`: the last export's may stand
    beside this one's, and a day beside the time.
    """
    stamps = [values.stamp(value, latest) for value in _single_values(row)]
    return max(filter(None, stamps), default=None)


def _single_values(value: Any) -> Iterator[Any]:
    """Go through the values in an object or a list, and in what is in it."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if not isinstance(value, list):
        yield value
        return
    for element in value:
        yield from _single_values(element)


def _id_of(row: Mapping[str, Any], name: str) -> int | None:
    value = row.get(name)
    if value is None:
        lower = name.lower()
        value = next((v for k, v in row.items() if k.lower() == lower), None)
    try:
        return values.identifier(value)
    except ValueError:
        return None


def _convert(
    row: Mapping[str, Any], known: Mapping[str, _Known], lower: Mapping[str, str], held: Held
) -> dict[str, Any]:
    attributes: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    if row.keys() != known.keys():  # rare: everything else is on every row's way
        row, extra, attributes = _reconciled(row, known, lower, held)
    for name, value in row.items():
        if value == "" or value is None:
            continue
        attribute, convert = known[name]
        # nearly every value is one of these two: no call for what the converters would say
        if convert is _TEXT:
            if type(value) is str and value.isascii() and "\0" not in value:
                attributes[attribute] = value
                continue
        elif convert is _FLAG and (value == "Yes" or value == "No"):  # noqa: PLR1714  no hash for it
            attributes[attribute] = value == "Yes"
            continue
        try:
            attributes[attribute] = convert(value)
        except ValueError:
            extra[name] = values.plain(value)
    odd = pictures.odd_pictures(attributes.get("pictures", ()), row.get("pictures") or [])
    if odd:
        extra["pictures"] = odd
    if extra:
        attributes["extra"] = dict(sorted(extra.items()))
    return attributes


def _reconciled(
    row: Mapping[str, Any], known: Mapping[str, _Known], lower: Mapping[str, str], held: Held
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Return the row under known names, what it says beside them, and what is held of the rest."""
    named: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for name, value in row.items():
        ours = name if name in known else _other_name(name, row, lower)
        if ours is None:
            extra[values.clean(name)] = values.plain(value)
        elif ours not in named or (value != "" and value is not None):
            named[ours] = value
    missing = known.keys() - named.keys()
    before = (held() or {}) if missing else {}
    kept = {known[name][0] for name in missing} & before.keys()
    return named, extra, {attribute: before[attribute] for attribute in kept}


def _other_name(name: str, row: Mapping[str, Any], lower: Mapping[str, str]) -> str | None:
    """Find a field by another case or its API name (``animalName``), unless the row has both."""
    folded = name.lower()
    ours = lower.get(folded) or lower.get(folded.removeprefix("animal"))
    return None if ours is None or ours in row else ours
