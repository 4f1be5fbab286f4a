"""The odd pictures' thumbnails on one sheet, to be looked at: contact_sheet.py FILE.png.

Left what is shown, right what is meant; a red frame where they differ more than the tests allow.
The same bytes, the same sniffing and the same decoding as in earnest.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
if __name__ == "__main__":  # as pytest does
    sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from odd_gifs_and_webps import odd_gifs_and_webps  # noqa: E402  the path comes first
from odd_jpegs import odd_jpegs  # noqa: E402  the same
from odd_pngs import odd_pngs  # noqa: E402  the same
from PIL import Image, ImageDraw, ImageOps  # noqa: E402  the same
from seen import difference, opened  # noqa: E402  the same

from consumers.pictures.sniff import sniff  # noqa: E402  the same
from consumers.pictures.thumbnail_process import thumbnails  # noqa: E402  the same

SIZE: Final = 72
_MEAN, _WORST = 6, 40
_COLUMNS: Final = 9
_CELL: Final = (168, 92)
_CHARS: Final = 27


def contact_sheet() -> Image.Image:
    """Draw all of them."""
    pictures = [*odd_pngs(), *odd_jpegs(), *odd_gifs_and_webps()]
    rows = -(-len(pictures) // _COLUMNS)
    sheet = Image.new("RGB", (_COLUMNS * _CELL[0], rows * _CELL[1]), (235, 235, 235))
    draw = ImageDraw.Draw(sheet)
    for number, (name, data, meant) in enumerate(pictures):
        left, top = number % _COLUMNS * _CELL[0] + 4, number // _COLUMNS * _CELL[1] + 2
        (thumbnail,) = thumbnails(data[: sniff(data).end], (SIZE,))
        shown = opened(thumbnail)
        apart = difference(shown, meant)
        is_good = apart.mean <= _MEAN and apart.worst <= _WORST
        expected = ImageOps.contain(meant.convert("RGB"), (SIZE, SIZE))
        sheet.paste(shown, (left, top + 12))
        sheet.paste(expected, (left + SIZE + 6, top + 12))
        draw.text((left, top), name[:_CHARS], "black" if is_good else "red")
        if not is_good:
            draw.rectangle((left - 2, top, left + _CELL[0] - 6, top + _CELL[1] - 4), outline="red")
    return sheet


if __name__ == "__main__":
    contact_sheet().save(sys.argv[1])
