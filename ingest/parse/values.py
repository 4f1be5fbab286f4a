"""One value of the feed to one typed value; `ValueError` where it doesn't fit.

Rule 1: strings, numbers and booleans are accepted alike; the caller has dealt with ``""`` and null.
Rule 2: nothing is computed from a number before its size is known (``int(Decimal("1e9999999"))``
        would take minutes).
Rule 3: what a time, a date or an epoch may be, `ingest.parse.plausible` decides.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from ingest.parse import times

_ID = re.compile(r"\s*([0-9]{1,18})\s*", re.ASCII)
_SIZE = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?", re.ASCII)
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_LONGEST_NUMBER = 64
_LONGEST_ID = 18


class MisfitError(ValueError):
    """A value of the feed doesn't fit its field's type."""


def clean(value: str) -> str:
    """Return a string that every store takes: no NUL, no lone surrogate."""
    if "\0" in value:
        value = value.replace("\0", "")
    if value.isascii():
        return value
    try:
        value.encode()  # faster than to search: it's all that surrogates can't do
    except UnicodeEncodeError:
        return _SURROGATE.sub("\ufffd", value)
    return value


def text(value: Any) -> str | None:
    """Return free text as sent; a number as its digits, a boolean as the feed would write it."""
    if isinstance(value, str):
        return clean(value) or None
    if isinstance(value, bool):
        return "Yes" if value else "No"
    return _digits(value)


_FLAGS: Final = {
    "yes": True, "no": False, "1": True, "0": False, "true": True, "false": False, "": None,
}  # fmt: skip


def flag(value: Any) -> bool | None:
    """Return Yes or No as a boolean, whatever its case; ``1``, ``0`` and booleans too."""
    if value == "Yes":
        return True
    if value == "No":
        return False
    folded = _digits(value).strip().lower()
    if folded not in _FLAGS:
        raise MisfitError("neither Yes nor No")
    return _FLAGS[folded]


def identifier(value: Any) -> int:
    """Return an id of 1 to 18 ASCII digits."""
    if isinstance(value, str) and value.isdigit() and value.isascii() and len(value) <= _LONGEST_ID:
        return int(value)
    match = _ID.fullmatch(_digits(value))
    if match is None:
        raise MisfitError("not an id of 1 to 18 digits")
    return int(match[1])


def size(value: Any) -> float | None:
    """Return a size (the unit is a field of its own); the feed's 0 means unset."""
    digits = _digits(value).strip()
    if not _SIZE.fullmatch(digits):
        raise MisfitError("not a size")
    return float(digits) or None


def instant(value: Any) -> datetime | None:
    """Return a point in time that is plausible for a row or a picture."""
    return times.instant(value if type(value) is str else _digits(value))


def day(value: Any) -> date | None:
    """Return a date without a zone that is plausible for a pet."""
    return times.day(_digits(value))


def stamp(value: Any, latest: datetime) -> datetime | None:
    """Return when an export was started; None: the value doesn't say, or isn't to be believed."""
    try:
        return times.stamp(_digits(value), latest)
    except MisfitError:
        return None


def sequence(value: Any) -> tuple[Any, ...]:
    """Return a list as sent, with what every store takes in it."""
    return tuple(plain(element) for element in elements(value))


def elements(value: Any) -> list[Any]:
    """Return the elements of a list, also where PHP made an object with indexes of it."""
    if isinstance(value, dict):
        return [value[key] for key in sorted(value, key=_index)]
    if isinstance(value, list):
        return value
    raise MisfitError("not a list")


def plain(value: Any) -> Any:
    """Return a JSON value of any shape with strings cleaned and numbers of a sensible size."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Decimal) or (isinstance(value, int) and not isinstance(value, bool)):
        return _number(value)
    if isinstance(value, dict):
        return {clean(key): plain(value[key]) for key in value}
    if isinstance(value, list | tuple):
        return [plain(element) for element in value]
    return value


def _index(key: str) -> tuple[int, str]:
    return (int(key), "") if key.isdecimal() and len(key) < _LONGEST_NUMBER else (1 << 62, key)


def _digits(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float | Decimal):
        digits = str(value)
        if len(digits) <= _LONGEST_NUMBER:
            return digits
    raise MisfitError("not a single value")


def _number(value: int | Decimal) -> int | float | str:
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        return value
    digits = str(value)
    if isinstance(value, Decimal) and len(digits) <= 17 and abs(value.adjusted()) < 300:  # noqa: PLR2004  what a float holds
        return float(value)
    return digits[:1_000]
