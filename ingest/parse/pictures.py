"""The pictures of a row, and what in them is odd.

Rule 1: a picture is its media id and time; a URL or a file name says nothing about sameness. Its
        inner objects (original, large, small) win over the older flat URLs.
Rule 2: what doesn't fit inside a picture is unknown there, and kept as sent: it costs no picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from ingest.parse import values
from petstream.model import Picture, Rendition

_LAST = 1 << 60
_LARGEST_ORDER = (1 << 31) - 1
_USUAL_DIGITS: Final = 9
_MOST_ODD: Final = 100
_RENDITIONS: Final = ("original", "large", "small")


def pictures(value: Any) -> tuple[Picture, ...]:
    """Return the pictures of a row by position: of a list, or of an object keyed by index."""
    by_media: dict[object, tuple[int, int, int, int | None, dict[str, Any]]] = {}
    for place, element in enumerate(values.elements(value)):
        if not isinstance(element, dict):
            raise values.MisfitError("a picture isn't an object")
        media = _whole_number(element.get("mediaID"))
        order = _whole_number(element.get("mediaOrder"))
        ranked = (_LAST if order is None else order, _LAST if media is None else media, place)
        by_media.setdefault(
            ("without id", place) if media is None else media, (*ranked, media, element)
        )
    ranks = sorted(by_media.values())  # never compares elements: no two have one place
    orders = {order for order, _, _, _, _ in ranks}
    ordered = len(orders) == len(ranks) and max(orders, default=0) <= _LARGEST_ORDER
    return tuple(
        [  # faster than a generator
            _picture(element, media, order if ordered else rank)
            for rank, (order, _, _, media, element) in enumerate(ranks, start=1)
        ]
    )


def odd_pictures(read: tuple[Picture, ...], value: Any) -> list[dict[str, Any]]:
    """Return what in a row's pictures doesn't fit, as sent, beside the picture's id.

    Args:
        read: the pictures that came of it: where nothing is unknown, nothing is looked for.
        value: the pictures as sent.
    """
    if all(map(_is_known, read)):
        return []
    odd = [dict(_misfits(element)) for element in values.elements(value)]
    return [
        {"mediaID": values.plain(element.get("mediaID"))} | misfits
        for element, misfits in zip(values.elements(value), odd, strict=True)
        if misfits
    ][:_MOST_ODD]


def _is_known(picture: Picture) -> bool:
    return (
        picture.id is not None
        and picture.updated_at is not None
        and _is_measured(picture.original)
        and _is_measured(picture.large)
        and _is_measured(picture.small)
    )


def _is_measured(rendition: Rendition | None) -> bool:
    return rendition is None or (
        rendition.bytes is not None and rendition.width is not None and rendition.height is not None
    )


def _misfits(element: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, read in (
        ("mediaID", _whole_number), ("mediaOrder", _whole_number), ("lastUpdated", _time),
    ):  # fmt: skip
        value = element.get(name)
        if read(value) is None and not _says_nothing(value):
            yield name, values.plain(value)
    for rendition in _RENDITIONS:
        inner = element.get(rendition)
        if not isinstance(inner, dict):
            continue
        for name, read in (
            ("resolutionX", _pixels), ("resolutionY", _pixels), ("fileSize", _whole_number),
        ):  # fmt: skip
            value = inner.get(name)
            if read(value) is None and not _says_nothing(value):
                yield f"{rendition}.{name}", values.plain(value)


def _says_nothing(value: Any) -> bool:
    return value is None or str(value).strip() in {"", "0"}


def _picture(element: dict[str, Any], media: int | None, position: int) -> Picture:
    return Picture(
        media,
        position,
        _time(element.get("lastUpdated")),
        _rendition(element, "original", ("originalUrl",)),
        _rendition(element, "large", ("largeUrl", "fullsizeUrl")),
        _rendition(element, "small", ("smallUrl", "thumbnailUrl")),
    )


def _rendition(element: dict[str, Any], name: str, flat_names: tuple[str, ...]) -> Rendition | None:
    inner = element.get(name)
    if not isinstance(inner, dict):
        inner = {}
    url = inner.get("url")
    if not (isinstance(url, str) and url):
        flat_urls = [element.get(flat) for flat in flat_names]
        urls = [flat for flat in flat_urls if isinstance(flat, str) and flat]
        if not urls:
            return None
        url = urls[0]
    return Rendition(
        values.clean(url),
        _pixels(inner.get("resolutionX")),
        _pixels(inner.get("resolutionY")),
        _whole_number(inner.get("fileSize")),
    )


def _pixels(value: Any) -> int | None:
    number = _whole_number(value)
    return number if number is not None and number <= _LARGEST_ORDER else None


def _whole_number(value: Any) -> int | None:
    """Read a number inside a picture; what is none is unknown there."""
    if type(value) is str and value.isdigit() and value.isascii() and len(value) <= _USUAL_DIGITS:
        return int(value)  # nearly every one: `identifier` says the same
    try:
        return values.identifier(value)
    except ValueError:
        return None


def _time(value: Any) -> datetime | None:
    try:
        return values.instant(value)
    except ValueError:
        return None
