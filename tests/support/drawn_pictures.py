"""Pictures drawn for tests."""

from __future__ import annotations

import io

from PIL import Image


def drawn_picture(
    kind: str = "JPEG", width: int = 60, height: int = 40, **options: object
) -> bytes:
    """Draw a picture whose left half is red; `options` are those of saving."""
    image = Image.new("RGB", (width, height), "white")
    image.paste("red", (0, 0, width // 2, height))
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()
