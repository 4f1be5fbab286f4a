"""The pictures of a row: a list of `Picture` by position.

Rule 1: a picture is its media id and time; a URL or a file name says nothing about sameness.
Rule 2: the inner objects (original, large, small) win over the older flat URLs.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ingest.parse import values
from petstream.model import Picture, Rendition

_LAST = 1 << 60
_LARGEST_ORDER = (1 << 31) - 1


def pictures(value: Any) -> tuple[Picture, ...]:
    """Return the pictures of a row: list, empty, or an object keyed by index; else `ValueError`."""
    found: dict[object, tuple[int, int, int, dict[str, Any]]] = {}
    for place, element in enumerate(values.elements(value)):
        if not isinstance(element, dict):
            raise values.MisfitError("a picture isn't an object")
        media = _number(element.get("mediaID"))
        order = _number(element.get("mediaOrder"))
        ranked = (_LAST if order is None else order, _LAST if media is None else media)
        found.setdefault(
            ("without id", place) if media is None else media, (*ranked, place, element)
        )
    ranks = sorted(found.values())  # never compares elements: no two have one place
    orders = {order for order, *_ in ranks}
    told = len(orders) == len(ranks) and all(order <= _LARGEST_ORDER for order in orders)
    return tuple(
        _picture(element, order if told else rank)
        for rank, (order, _, _, element) in enumerate(ranks, start=1)
    )


def _picture(element: dict[str, Any], position: int) -> Picture:
    return Picture(
        _number(element.get("mediaID")),
        position,
        _time(element.get("lastUpdated")),
        _rendition(element, "original", ("originalUrl",)),
        _rendition(element, "large", ("largeUrl", "fullsizeUrl")),
        _rendition(element, "small", ("smallUrl", "thumbnailUrl")),
    )


def _rendition(element: dict[str, Any], name: str, urls: tuple[str, ...]) -> Rendition | None:
    inner = element.get(name)
    if not isinstance(inner, dict):
        inner = {}
    url = inner.get("url")
    if not (isinstance(url, str) and url):
        outer = (element.get(one) for one in urls)
        url = next((found for found in outer if isinstance(found, str) and found), None)
        if url is None:
            return None
    return Rendition(
        values.clean(url),
        _pixels(inner.get("resolutionX")),
        _pixels(inner.get("resolutionY")),
        _number(inner.get("fileSize")),
    )


def _pixels(value: Any) -> int | None:
    found = _number(value)
    return found if found is not None and found <= _LARGEST_ORDER else None


def _number(value: Any) -> int | None:
    """Read a number inside a picture; what is none is unknown there, not a reason to refuse."""
    try:
        return values.identifier(value)
    except ValueError:
        return None


def _time(value: Any) -> datetime | None:
    try:
        return values.instant(value)
    except ValueError:
        return None
