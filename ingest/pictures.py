"""The pictures of a row: a list of `Picture` by position.

Rule 1: a picture is its media id and time; a URL or a file name says nothing about sameness.
Rule 2: the inner objects (original, large, small) win over the older flat URLs.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from msgspec import structs

from contracts.model import Picture, Rendition
from ingest import values

_LAST = 1 << 60
_LARGEST_ORDER = (1 << 31) - 1


class _Ranked(NamedTuple):
    order: int
    media: int
    place: int
    picture: Picture


def pictures(value: Any) -> tuple[Picture, ...]:
    """Return the pictures of a row: list, empty, or an object keyed by index; else `ValueError`."""
    found: dict[object, _Ranked] = {}
    for place, element in enumerate(values.elements(value)):
        if not isinstance(element, dict):
            raise values.MisfitError("a picture isn't an object")
        picture = _picture(element)
        order = _lenient(values.identifier, element.get("mediaOrder"))
        key = ("without id", place) if picture.id is None else picture.id
        media = _LAST if picture.id is None else picture.id
        found.setdefault(key, _Ranked(_LAST if order is None else order, media, place, picture))
    ranked = sorted(found.values(), key=lambda one: one[:3])
    orders = {one.order for one in ranked}
    told = len(orders) == len(ranked) and all(order <= _LARGEST_ORDER for order in orders)
    return tuple(
        structs.replace(one.picture, position=one.order if told else rank)
        for rank, one in enumerate(ranked, start=1)
    )


def _picture(element: dict[str, Any]) -> Picture:
    return Picture(
        id=_lenient(values.identifier, element.get("mediaID")),
        position=0,
        updated_at=_lenient(values.instant, element.get("lastUpdated")),
        original=_rendition(element, "original", ("originalUrl",)),
        large=_rendition(element, "large", ("largeUrl", "fullsizeUrl")),
        small=_rendition(element, "small", ("smallUrl", "thumbnailUrl")),
    )


def _rendition(element: dict[str, Any], name: str, urls: tuple[str, ...]) -> Rendition | None:
    inner = element.get(name)
    if not isinstance(inner, dict):
        inner = {}
    candidates = (inner.get("url"), *(element.get(url) for url in urls))
    url = next((found for found in candidates if isinstance(found, str) and found), None)
    if url is None:
        return None
    return Rendition(
        url=values.clean(url),
        width=_pixels(inner.get("resolutionX")),
        height=_pixels(inner.get("resolutionY")),
        bytes=_lenient(values.identifier, inner.get("fileSize")),
    )


def _pixels(value: Any) -> int | None:
    found = _lenient(values.identifier, value)
    return found if found is not None and found <= _LARGEST_ORDER else None


def _lenient(read: Any, value: Any) -> Any:
    """Read a value inside a picture; what doesn't fit is unknown there, not a reason to refuse."""
    if value is None or value == "":
        return None
    try:
        return read(value)
    except ValueError:
        return None
