"""What is seen of a picture: a drawing that shows every mistake, and how far two pictures differ.

The drawing has another colour in each corner, so that turned, mirrored, cut and shifted pictures
differ from it, and a scale of greys, so that lost tones do.
"""

from __future__ import annotations

import io
from typing import Final, NamedTuple

from PIL import Image, ImageChops, ImageDraw, ImageStat

WIDTH: Final = 96
HEIGHT: Final = 64
_CELLS: Final = (12, 8)


class Difference(NamedTuple):
    """How far two pictures are apart, of 255: on the whole, and where it is worst."""

    mean: float
    worst: float


def scene(width: int = WIDTH, height: int = HEIGHT) -> Image.Image:
    """Draw the picture, in thirteen colours."""
    image = Image.new("RGB", (width, height), (208, 48, 40))
    draw = ImageDraw.Draw(image)
    half, middle = width // 2, height // 2
    draw.rectangle((half, 0, width, middle - 1), (40, 176, 64))
    draw.rectangle((0, middle, half - 1, height), (40, 64, 208))
    for step in range(8):
        left = half + step * (width - half) // 8
        right = half + (step + 1) * (width - half) // 8 - 1
        draw.rectangle((left, middle, right, height), (step * 255 // 7,) * 3)
    draw.rectangle((width // 12, height // 8, width // 4, height // 4), (240, 224, 48))
    return image


def grey(depth: int = 8) -> Image.Image:
    """Draw it in greys, of so many bits."""
    most = (1 << min(depth, 8)) - 1
    return scene().convert("L").point(lambda value: (value >> 8 - min(depth, 8)) * 255 // most)


def on_white(image: Image.Image, mask: Image.Image) -> Image.Image:
    """Return how a picture looks where the mask is 0: white."""
    return Image.composite(image.convert("RGB"), Image.new("RGB", image.size, "white"), mask)


def corner() -> Image.Image:
    """Return a mask that hides the lower left corner."""
    mask = Image.new("L", (WIDTH, HEIGHT), 255)
    mask.paste(0, (0, HEIGHT // 2, WIDTH // 2, HEIGHT))
    return mask


def opened(data: bytes) -> Image.Image:
    """Open a picture of ours."""
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def difference(shown: Image.Image, meant: Image.Image) -> Difference:
    """Compare what is shown with what is meant, both as large as what is shown."""
    if abs(shown.width * meant.height - shown.height * meant.width) > max(*shown.size, *meant.size):
        return Difference(255.0, 255.0)  # of another shape
    expected = meant.convert("RGB").resize(shown.size, Image.Resampling.LANCZOS)
    apart = ImageChops.difference(shown.convert("RGB"), expected)
    cells = apart.resize(_CELLS, Image.Resampling.BOX)
    worst = max(int(high) for _, high in cells.getextrema())  # type: ignore[misc]  # of three bands
    return Difference(sum(ImageStat.Stat(apart).mean) / 3, float(worst))
