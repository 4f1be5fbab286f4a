"""A file's layout by its first bytes, whatever the format; and what of it a decoder is given."""

from __future__ import annotations

from typing import Final

from consumers.pictures.formats import exif, gif, jpeg, png, webp
from consumers.pictures.formats.layout import Layout

_MAX_PROFILE_BYTES: Final = 4 * 1024 * 1024


def read(data: bytes) -> Layout | None:
    """Return what a file is made of; None if it is of none of the four formats.

    Raises:
        IndexError, struct.error, ValueError: it stops, or makes no sense, before any pixels
            (`layout.MALFORMED`).
    """
    if data.startswith(jpeg.MAGIC):
        return jpeg.read(data)
    if data.startswith(png.MAGIC):
        return png.read(data)
    if data.startswith(gif.MAGICS):
        return gif.read(data)
    return webp.read(data) if webp.is_webp(data) else None


def bare(layout: Layout, data: bytes) -> bytes:
    """Return the file without what a decoder could stumble over: metadata, and what is behind."""
    return _BARE[layout.content_type](layout, data)


def profile(layout: Layout, data: bytes) -> bytes:
    """Return the colour profile; empty if there is none, or none that can be had."""
    if layout.content_type == "image/png":
        return png.profile_of(layout, data, _MAX_PROFILE_BYTES)
    return b"".join(span.of(data) for span in layout.profile)[:_MAX_PROFILE_BYTES]


def orientation(layout: Layout, data: bytes) -> int:
    """Return how EXIF says that the picture is to be turned, 1 to 8."""
    return exif.orientation(layout.exif.of(data)) if layout.exif else exif.UPRIGHT


_BARE: Final = {
    "image/jpeg": jpeg.bare, "image/png": png.bare, "image/gif": gif.bare, "image/webp": webp.bare,
}  # fmt: skip
