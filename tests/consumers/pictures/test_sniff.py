"""What the bytes of pictures are: types, ends, and what is no picture."""

from __future__ import annotations

import io
import struct
import zipfile

import pytest
from drawn_pictures import drawn_picture

from consumers.pictures.retry_policy import RefusedPictureError
from consumers.pictures.sniff import sniff


def refused(data: bytes) -> str:
    with pytest.raises(RefusedPictureError) as error:
        sniff(data)
    return error.value.reason


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP"])
def test_t33_four_types_are_known_by_their_bytes(kind: str) -> None:
    """T33: sniffed, with the dimensions of the header."""
    assert sniff(drawn_picture(kind)) == (f"image/{kind.lower()}", 60, 40)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP"])
def test_t33_a_picture_cut_anywhere_is_refused(kind: str) -> None:
    """T33: truncated; no cut passes, and none raises anything else."""
    whole = drawn_picture(kind)
    for cut in range(1, len(whole) - 1):
        with pytest.raises(RefusedPictureError):
            sniff(whole[:cut])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html><body>no such picture</body></html>", "markup"),
        (b"\xef\xbb\xbf\n <svg xmlns='http://www.w3.org/2000/svg' onload='x()'/>", "markup"),
        (b"<?xml version='1.0'?><svg/>", "markup"),
        (b"%PDF-1.7\n", "not-a-picture"),
        (b"BM" + bytes(60), "not-a-picture"),
        (b'{"error":"no such key"}', "not-a-picture"),
    ],
)
def test_t33_what_is_no_picture_is_refused_by_name(data: bytes, reason: str) -> None:
    """T33: HTML with 200, SVG and the like."""
    assert refused(data) == reason


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
        assert sniff(data) == ("image/png", width, height)
    else:
        assert refused(data) == "too-many-pixels"


def test_t33_a_picture_that_is_something_else_as_well_is_refused() -> None:
    """T33: polyglots."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as zip_file:
        zip_file.writestr("a.html", "hello")
    assert refused(drawn_picture() + archive.getvalue()) == "polyglot"
    assert refused(drawn_picture("GIF") + b"/*<script>alert(1)</script>*/") == "polyglot"
    assert refused(drawn_picture("PNG") + b"more") == "polyglot"
    assert refused(drawn_picture(comment=b"<script>alert(1)</script>")) == "polyglot"
    assert refused(drawn_picture(comment=b"<?php system('x');")) == "polyglot"
