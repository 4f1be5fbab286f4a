"""How events are put into words for a terminal. Pure.

Rule 1: what comes from the feed is escaped: no control character ever reaches the terminal.
Rule 2: long texts are cut; a text that is missing is said to be so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

SHORT: Final = 40
"""Texts up to this length are shown whole in one-line changes."""

ARROW: Final = "→"


def plain(text: str) -> str:
    r"""Return a text with everything escaped that isn't printable.

    >>> plain("Bis\x1b[31mcuit\n")
    'Bis\\x1b[31mcuit\\n'
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in text
    )


def cut(text: str, most: int) -> str:
    """Return a text on one line, escaped, and cut to `most` characters.

    >>> cut("a long story", 7)
    'a long…'
    """
    shown = plain(text)
    return shown if len(shown) <= most else shown[: most - 1] + "…"


def stamp(time: datetime) -> str:
    """Return a time for people: UTC, to the minute.

    >>> stamp(datetime(2026, 11, 23, 8, 12, 4, tzinfo=UTC))
    '2026-11-23 08:12'
    """
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M")


def value(found: Any, most: int = SHORT) -> str:
    """Return one value of a record in words.

    >>> value("250"), value(True), value(None), value([1, 2])
    ('250', 'yes', 'nothing', '2 entries')
    """
    if found is None or found == "":
        return "nothing"
    if isinstance(found, bool):
        return "yes" if found else "no"
    if isinstance(found, list | tuple | dict):
        return f"{len(found)} {'entry' if len(found) == 1 else 'entries'}"
    return cut(str(found), most)


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
    return f"{plain(name)} {value(before, most)} {ARROW} {value(now, most)}"


def brief(record: Mapping[str, Any], names: Iterable[str], old: Mapping[str, Any]) -> str:
    """Return all changes on one line; long texts and lists by their name only."""
    return ", ".join(
        change(name, old.get(name), record.get(name))
        if _is_short(old.get(name)) and _is_short(record.get(name))
        else plain(name)
        for name in names
    )


def who(record: Mapping[str, Any]) -> str:
    """Return a pet's or an organisation's name, quoted.

    >>> who({"name": "Biscuit"})
    '"Biscuit"'
    """
    name = record.get("name")
    return f'"{cut(str(name), SHORT)}"' if name else "(no name)"


def counts(found: Mapping[str, Any]) -> str:
    """Return the counts of an export that aren't zero, ``read`` first.

    >>> counts({"read": 3, "added": 0, "updated": 1})
    '3 read, 1 updated'
    """
    said = [f"{number:,} {name}" for name, number in found.items() if number]
    return ", ".join(said) or "nothing read"


def _is_short(found: Any) -> bool:
    return found is None or (
        isinstance(found, str | bool | int | float) and len(str(found)) <= SHORT
    )


def _pictures(before: Sequence[Any], now: Sequence[Any]) -> str:
    had, has = _ids(before), _ids(now)
    said = [f"{len(before)} {ARROW} {len(now)}"]
    said.extend(f"+{one}" for one in has if one not in had)
    said.extend(f"-{one}" for one in had if one not in has)
    if len(said) == 1:
        said.append("same ones, other order, time or address")
    return f"{said[0]} ({', '.join(said[1:])})"


def _ids(pictures: Sequence[Any]) -> list[Any]:
    return [one.get("id") for one in pictures if isinstance(one, dict)]
