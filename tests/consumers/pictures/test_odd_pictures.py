"""Odd but good pictures, compared by what is seen of them; and bad ones, each with its reason.

How far a thumbnail may be from the drawing, of 255: 6 on the whole, 40 where it is worst; a JPEG of
64 points takes 4 and 22 of that for itself. `tests/support/contact_sheet.py FILE.png` draws them.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable

import pytest
from bad_pictures import bad_pictures
from drawn_pictures import drawn_picture
from odd_gifs_and_webps import gif, odd_gifs_and_webps, webp
from odd_jpegs import BAD_EXIF, jpeg, odd_jpegs
from odd_pngs import GREY, RGBA, Odd, chunk, odd_pngs, png
from PIL import Image
from seen import difference, grey, on_white, opened, scene

from consumers.pictures import thumbnail_process
from consumers.pictures.retry_policy import RefusedPictureError
from consumers.pictures.sniff import sniff
from consumers.pictures.thumbnails import Thumbnailer, thumbnailer

MEAN, WORST = 6, 40
GOOD = [*odd_pngs(), *odd_jpegs(), *odd_gifs_and_webps()]
BAD = list(bad_pictures())


def shown(data: bytes) -> Image.Image:
    """Return what is seen of the fetched bytes."""
    (thumbnail,) = thumbnail_process.thumbnails(data[: sniff(data).end], (64,))
    return opened(thumbnail)


@pytest.mark.parametrize("odd", GOOD, ids=[name for name, _, _ in GOOD])
def test_p1_to_p5_an_odd_but_good_picture_is_seen_as_it_is_meant(odd: Odd) -> None:
    """P1: trailers, pixels; P2: depths; P3: EXIF; P4: ancillary data; P5: missing ends."""
    name, data, meant = odd
    apart = difference(shown(data), meant)
    assert apart.mean <= MEAN, name
    assert apart.worst <= WORST, name


def test_the_corpus_is_large_and_its_drawings_differ() -> None:
    """A picture that is turned, pale, grey or on black is told from the drawing."""
    assert len({name for name, _, _ in GOOD}) == len(GOOD) > 200
    assert len(BAD) > 100
    pale = scene().point(lambda value: 60 + value * 3 // 4)
    dark = scene().point(lambda value: value * 4 // 5)
    black = Image.composite(scene(), Image.new("RGB", scene().size), scene().getchannel("G"))
    turned = [scene().transpose(turn) for turn in Image.Transpose]
    for other in (pale, dark, black, scene().convert("L"), grey(2), *turned):
        apart = difference(opened(jpeg(other)), scene())
        assert apart.mean > MEAN or apart.worst > WORST


async def test_p1_to_p5_no_odd_picture_fells_the_process_that_decodes_it() -> None:
    """P3: with EXIF it couldn't read it died, and the picture failed."""
    async with thumbnailer() as processes:
        made = await asyncio.gather(
            *(processes.make(data[: sniff(data).end], (320, 64)) for _, data, _ in GOOD)
        )
    assert all(len(thumbnails) == 2 for thumbnails in made)


async def reason_of(data: bytes, processes: Thumbnailer) -> str:
    """Return why the fetched bytes are refused; empty if they aren't."""
    try:
        await processes.make(data[: sniff(data).end], (64,))
    except RefusedPictureError as refusal:
        return refusal.reason
    return ""


async def test_t33_bad_pictures_have_the_reasons_that_they_are_to_have() -> None:
    """T33: pages, other formats, sizes, cut ones, polyglots, broken ones."""
    async with thumbnailer() as processes:
        reasons = {name: await reason_of(data, processes) for name, data, _ in BAD}
    assert reasons == {name: reason for name, _, reason in BAD}


CUT: dict[str, Callable[[], bytes]] = {
    "jpeg": jpeg,
    "jpeg, progressive": lambda: jpeg(progressive=True),
    "jpeg, a restart a row": lambda: jpeg(restart_marker_rows=1, subsampling=0),
    "jpeg, a restart a block": lambda: jpeg(restart_marker_blocks=1),
    "jpeg, optimised": lambda: jpeg(optimize=True),
    "jpeg, cmyk": lambda: jpeg(scene().convert("CMYK"), progressive=True),
    "png": lambda: png(scene()),
    "png, interlaced": lambda: png(scene(), interlaced=True),
    "png, grey": lambda: png(scene().convert("L"), GREY, 16),
    "gif": gif,
    "gif, not interlaced": lambda: gif(interlace=0),
    "gif, animated": lambda: gif(
        scene(), save_all=True, append_images=[Image.new("RGB", scene().size)], duration=50
    ),
    "webp": webp,
    "webp, lossless": lambda: webp(lossless=True),
    "webp, animated": lambda: webp(
        scene(), save_all=True, append_images=[Image.new("RGB", scene().size)], duration=50
    ),
}


@pytest.mark.parametrize("kind", CUT)
def test_t33_p5_a_picture_cut_anywhere_is_refused_or_all_of_it_is_seen(kind: str) -> None:
    """T33: truncated. P5: what decodes whole is whole, though its end is missing."""
    whole = CUT[kind]()
    meant = scene().convert("L") if "grey" in kind else scene()
    seen = 0
    for cut in range(1, len(whole)):
        try:
            thumbnail = shown(whole[:cut])
        except (RefusedPictureError, thumbnail_process.CutError):
            continue
        seen += 1
        apart = difference(thumbnail, meant)
        assert apart.mean <= MEAN, cut
        assert apart.worst <= WORST, cut
    assert seen >= 1
    assert seen <= 30


def test_p2_sixteen_bits_of_grey_keep_their_tones() -> None:
    """P2: Pillow cuts off what is brighter than 255 of 65,535: all was white."""
    ramp = Image.linear_gradient("L").resize((96, 64))
    thumbnail = shown(png(ramp, GREY, 16)).convert("L")
    assert difference(thumbnail, ramp).worst <= 3
    dark, bright = thumbnail.getextrema()
    assert (dark < 6, bright > 249) == (True, True)  # type: ignore[operator]  # of one band


@pytest.mark.parametrize("name", BAD_EXIF)
def test_p3_exif_that_cannot_be_read_turns_nothing(name: str) -> None:
    """P3: the picture is kept, unturned; in a PNG and a WebP as well."""
    block = BAD_EXIF[name]
    for data in (webp(exif=block or b"x"), drawn_png_with(block)):
        assert difference(shown(data), scene()).mean <= MEAN


def drawn_png_with(exif: bytes) -> bytes:
    """Return a PNG with EXIF."""
    return png(scene(), before=[chunk(b"eXIf", exif)])


def test_p2_what_is_clear_stands_on_white() -> None:
    """P2: a picture half clear is half as strong."""
    half = scene()
    half.putalpha(128)
    mask = Image.new("L", scene().size, 128)
    assert difference(shown(png(half, RGBA)), on_white(scene(), mask)).mean <= MEAN


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (900, 1), (64, 64), (65, 64)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP"])
def test_a_picture_of_any_shape_is_made_small_and_never_larger(
    kind: str, size: tuple[int, int]
) -> None:
    """One point of colour is one point of that colour."""
    thumbnail = shown(drawn_picture(kind, *size))
    assert max(thumbnail.size) == min(64, max(size))
    assert min(thumbnail.size) >= 1
    assert difference(thumbnail, opened(drawn_picture("PNG", *size))).mean <= 12


@pytest.mark.parametrize("seed", range(3))
def test_t33_whatever_is_damaged_in_a_picture_ends_in_a_reason(seed: int) -> None:
    """T33: bytes changed, lost and said again, anywhere: no error but those that are answered."""
    chance = random.Random(seed)  # noqa: S311  any damage does
    small = [data for _, data, _ in GOOD if len(data) < 20_000]
    ends = Counter(_end_of(damaged(data, chance)) for data in small)
    assert ends["shown"] > 20
    assert ends["refused"] > 20
    assert sum(ends.values()) == len(small) > 180


def damaged(data: bytes, chance: random.Random) -> bytes:
    """Return a picture with a few damages."""
    made = bytearray(data)
    for _ in range(chance.choice((1, 2, 6))):
        at, length = chance.randrange(len(made)), chance.randrange(1, 9)
        before = bytes(made[max(0, at - 30) : at])
        made[at : at + length] = chance.choice((b"", before, chance.randbytes(length)))
        made += b"" if made else b"x"
    return bytes(made)


def _end_of(data: bytes) -> str:
    try:
        header = sniff(data)
        if header.width * header.height < 4_000_000:  # a size may be damaged as well
            thumbnail_process.thumbnails(data[: header.end], (64,))
    except (RefusedPictureError, thumbnail_process.CutError, *thumbnail_process.UNDECODABLE):
        return "refused"
    return "shown"
