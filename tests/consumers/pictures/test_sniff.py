"""What the bytes of pictures are: types, ends, and what is no picture."""

from __future__ import annotations

import struct
import time

import pytest
from bad_pictures import bad_pictures
from drawn_pictures import drawn_picture
from odd_gifs_and_webps import spelled_gif, spelled_webp
from odd_jpegs import spelled_jpeg
from odd_pngs import MARKUP, TRAILERS, chunk, png, spelled_scene

from consumers.pictures.retry_policy import RefusedPictureError
from consumers.pictures.sniff import sniff


def refused(data: bytes) -> str:
    with pytest.raises(RefusedPictureError) as error:
        sniff(data)
    return error.value.reason


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP"])
def test_t33_four_types_are_known_by_their_bytes(kind: str) -> None:
    """T33: sniffed, with the dimensions of the header."""
    header = sniff(drawn_picture(kind))
    assert header[:3] == (f"image/{kind.lower()}", 60, 40)
    assert header.end == len(drawn_picture(kind))


def huge(kind: str) -> bytes:
    side = 30_000
    if kind == "PNG":
        return drawn_picture("PNG").replace(
            struct.pack(">II", 60, 40), struct.pack(">II", side, side)
        )
    if kind == "GIF":
        return drawn_picture("GIF").replace(
            struct.pack("<HH", 60, 40), struct.pack("<HH", side, side), 1
        )
    return drawn_picture().replace(struct.pack(">HH", 40, 60), struct.pack(">HH", side, side))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF"])
def test_t33_more_pixels_than_the_cap_are_refused_from_the_header(kind: str) -> None:
    """T33: 30,000 x 30,000."""
    assert refused(huge(kind)) == "too-many-pixels"


@pytest.mark.parametrize(
    ("width", "height", "allowed"),
    [(8_000, 8_000, True), (8_000, 8_001, False), (16_384, 3_906, True), (16_385, 10, False)],
)
def test_t33_neither_the_pixels_nor_a_side_may_pass_the_cap(
    width: int, height: int, *, allowed: bool
) -> None:
    """T33: 64 million pixels, 16,384 on a side."""
    data = drawn_picture("PNG").replace(
        struct.pack(">II", 60, 40), struct.pack(">II", width, height)
    )
    if allowed:
        assert (sniff(data).width, sniff(data).height) == (width, height)
    else:
        assert refused(data) == "too-many-pixels"


BAD = [bad for bad in bad_pictures() if bad[2] != "undecodable"]


@pytest.mark.parametrize(("_name", "data", "reason"), BAD, ids=[name for name, _, _ in BAD])
def test_t33_what_is_no_picture_is_refused_by_name(_name: str, data: bytes, reason: str) -> None:
    """T33: HTML with 200, SVG, HEIC, sizes, polyglots; of cut ones only a decoder can tell some."""
    try:
        sniff(data)
    except RefusedPictureError as refusal:
        assert refusal.reason == reason  # noqa: PT017  not all are refused here
    else:
        assert reason == "truncated"


SPELLED = {
    "png": png(spelled_scene(), level=0),
    "jpeg": spelled_jpeg(),
    "gif": spelled_gif(),
    "webp": spelled_webp(),
}


@pytest.mark.parametrize("kind", SPELLED)
def test_p1_what_pixels_spell_by_chance_is_nothing(kind: str) -> None:
    """P1: of 190,000 pictures of 1 MB some 200 have `<svg` somewhere in their pixels."""
    data = SPELLED[kind]
    assert MARKUP in data
    assert sniff(data).end == len(data)


@pytest.mark.parametrize("behind", TRAILERS.values(), ids=TRAILERS)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP"])
def test_p1_what_stands_behind_the_end_is_cut_off(kind: str, behind: bytes) -> None:
    """P1: trailers of cameras, line breaks, a second picture: the first one is the picture."""
    whole = drawn_picture(kind)
    assert (whole + behind)[: sniff(whole + behind).end] == whole


def test_p1_a_word_that_only_begins_like_a_tag_is_no_markup() -> None:
    """P1: metadata of a megabyte has such words by chance as well."""
    text = b"<svgx <scripture <htmlish <?phpx <bodywork"
    assert sniff(drawn_picture(comment=text)).end == len(drawn_picture(comment=text))
    assert refused(drawn_picture(comment=b"<ScRiPt\t>")) == "polyglot"


def test_t33_a_file_full_of_ends_of_archives_costs_no_time() -> None:
    """T33: 190,000 comments with a signature in each, and thousands that reach to the end."""
    comment = b"\xff\xfe\0\x18PK\5\6" + b"\1" * 18
    table, whole = bytearray(b"\xff\xdb\xff\xff" + bytes(65_533)), drawn_picture()
    for at in range(8, 65_000, 22):
        to_end = len(table) - at - 22 + len(whole) - 2
        table[at : at + 22] = b"PK\5\6" + bytes(16) + struct.pack("<H", min(to_end, 65_535))
    data = whole[:2] + comment * 190_000 + bytes(table) + whole[2:]
    began_s = time.process_time()
    assert sniff(data).width == 60
    assert time.process_time() - began_s < 30, "of the processor: it would be minutes"


@pytest.mark.parametrize("kind", ["JPEG", "GIF", "PNG"])
def test_endless_parts_cost_no_endless_walk(kind: str) -> None:
    """A file of 25 MiB of the smallest parts there may be."""
    whole = drawn_picture(kind)
    part = {"JPEG": b"\xff\xfe\0\2", "GIF": b"!\xfe\0", "PNG": chunk(b"puPy")}[kind]
    at = {"JPEG": 2, "GIF": whole.find(b","), "PNG": 33}[kind]
    began_s = time.process_time()
    assert refused(whole[:at] + part * (24 * 1024**2 // len(part)) + whole[at:]) == "truncated"
    assert time.process_time() - began_s < 30, "of the processor: it would be minutes"
