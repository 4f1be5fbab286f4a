"""Formats values of events for a terminal. Pure.

Rule 1: what comes from the feed is escaped: no control character ever reaches the terminal.
Rule 2: long texts are shortened; a missing text is called so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

SHORT: Final = 40
"""Texts up to this length are shown whole in one-line changes."""

ARROW: Final = "→"


def escaped(text: str) -> str:
    r"""Return a text with everything escaped that isn't printable.

    >>> escaped("Bis\x1b[31mcuit\n")
    'Bis\\x1b[31mcuit\\n'
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in text
    )


def shortened(text: str, most: int) -> str:
    """Return a text on one line, escaped, and shortened to `most` characters.

    >>> shortened("a long story", 7)
    'a long…'
    """
    line = escaped(text)
    return line if len(line) <= most else line[: most - 1] + "…"


def counted(count: int, plural: str) -> str:
    """Return a number of things.

    >>> counted(1, "pets"), counted(1200, "orgs"), counted(1, "removals of pets")
    ('1 pet', '1,200 orgs', '1 removal of pets')
    """
    noun, space, rest = plural.partition(" ")
    return f"{count:,} {noun.removesuffix('s') if count == 1 else noun}{space}{rest}"


def value(field: Any, most: int = SHORT) -> str:
    """Return one field of a record in words.

    >>> value("250"), value(True), value(None), value([1, 2])
    ('250', 'yes', 'nothing', '2 entries')
    """
    if field is None or field == "":
        return "nothing"
    if isinstance(field, bool):
        return "yes" if field else "no"
    if isinstance(field, list | tuple | dict):
        return f"{len(field)} {'entry' if len(field) == 1 else 'entries'}"
    return shortened(str(field), most)


def changes(
    record: Mapping[str, Any], names: Iterable[str], old: Mapping[str, Any], most: int = SHORT
) -> list[str]:
    """Return each change as ``name old → new``, in the event's order."""
    return [change(name, old.get(name), record.get(name), most) for name in names]


def change(name: str, before: Any, now: Any, most: int = SHORT) -> str:
    """Return one change.

    >>> change("adoptionFee", "250", "200")
    'adoptionFee 250 → 200'
    """
    if name == "pictures":
        return f"pictures {_pictures(before or (), now or ())}"
    return f"{escaped(name)} {value(before, most)} {ARROW} {value(now, most)}"


def brief_changes(record: Mapping[str, Any], names: Iterable[str], old: Mapping[str, Any]) -> str:
    """Return all changes on one line; long texts and lists by their name only."""
    return ", ".join(
        change(name, old.get(name), record.get(name))
        if _is_short(old.get(name)) and _is_short(record.get(name))
        else escaped(name)
        for name in names
    )


def quoted_name(record: Mapping[str, Any]) -> str:
    """Return a pet's or an organisation's name, quoted.

    >>> quoted_name({"name": "Biscuit"})
    '"Biscuit"'
    """
    name = record.get("name")
    return f'"{shortened(str(name), SHORT)}"' if name else "(no name)"


def counts(numbers: Mapping[str, Any]) -> str:
    """Return the counts of an export that aren't zero, ``read`` first.

    >>> counts({"read": 3, "added": 0, "updated": 1})
    '3 read, 1 updated'
    """
    parts = [f"{number:,} {name}" for name, number in numbers.items() if number]
    return ", ".join(parts) or "nothing read"


def _is_short(field: Any) -> bool:
    return field is None or (
        isinstance(field, str | bool | int | float) and len(str(field)) <= SHORT
    )


def _pictures(before: Sequence[Any], now: Sequence[Any]) -> str:
    old_ids, new_ids = _ids(before), _ids(now)
    details = [f"+{picture_id}" for picture_id in new_ids if picture_id not in old_ids]
    details += [f"-{picture_id}" for picture_id in old_ids if picture_id not in new_ids]
    if not details:
        details.append("same ones, other order, time or address")
    return f"{len(before)} {ARROW} {len(now)} ({', '.join(details)})"


def _ids(pictures: Sequence[Any]) -> list[Any]:
    return [picture.get("id") for picture in pictures if isinstance(picture, dict)]
