"""Which stored picture is shown: its path on this server. Pure."""

from __future__ import annotations

import json
from typing import Any, Final

_SMALLEST_WIDTH: Final = 320


def picture_path(thumbnails: Any, width: int = _SMALLEST_WIDTH) -> str | None:
    """Return the path of the picture that `thumbnail` chooses.

    >>> picture_path('{"320": "ab/x.jpg"}')
    '/pictures/ab/x.jpg'
    """
    key = thumbnail(thumbnails, width)
    return None if key is None else f"/pictures/{key}"


def thumbnail(thumbnails: Any, width: int = _SMALLEST_WIDTH) -> str | None:
    """Return the key of the smallest picture that is at least so wide, else of the widest.

    >>> thumbnail('{"320": "a", "960": "b"}', 900), thumbnail("{}"), thumbnail(None)
    ('b', None, None)
    """
    keys: dict[str, str] = (
        json.loads(thumbnails) if isinstance(thumbnails, str) else thumbnails or {}
    )
    widths = sorted(map(int, keys))
    chosen = next((size for size in widths if size >= width), widths[-1] if widths else None)
    return None if chosen is None else keys[str(chosen)]
