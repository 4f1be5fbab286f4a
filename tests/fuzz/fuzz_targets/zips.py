"""Zips, as the feed's files arrive: the one file in them whole, or a broken file.

Rule 1: whatever bytes come, in whatever chunks, the outcome is one and the same.
Rule 2: what comes out is what an independent reader finds in the same zip.
Rule 3: a zip that is cut, or in which a byte differs, never gives other bytes.
"""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from typing import Final

from fuzz_targets.pieces import CONTROL_BYTES, Fuzzed, fuzzed, seed
from ingest.source.listing import base_name, is_logical
from ingest.source.unzip import unzipped
from petstream.errors import BrokenFileError

LONGEST_BYTES: Final = 2_048

_NAMES: Final = ("pets_1.json", "Ab3dEf9h_pets_1.json", "in/a/folder/PETS_12.JSON", "petlist.csv")
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
_MAGIC: Final = b"PK\x03\x04"
_END: Final = b"PK\x05\x06"
_MOST_BYTES: Final = 1_000_000
_HEAD_BYTES: Final = len(_MAGIC)


class _OneWay(io.BytesIO):
    """What can't go back: the writer puts sizes and check sums behind each member."""

    def seekable(self) -> bool:
        """It can't go back."""
        return False


def run(data: bytes) -> None:
    """Read these bytes as a file; then as what is in a zip by the book, cut or changed."""
    given = fuzzed(data)
    if given.is_set(0):
        _read_as_it_is(given)
    else:
        _read_zipped(given)


def _read_as_it_is(given: Fuzzed) -> None:
    out = _outcome([given.payload])
    assert _outcome(given.chunks()) == out, "chunks make another file"
    if not given.payload.startswith((_MAGIC, _END)):
        assert out == given.payload
        return
    members = _members(given.payload)  # by the directory at the end; we read each member's head
    assert out is None or not members or out in members, "another reader finds other bytes"


def _read_zipped(given: Fuzzed) -> None:
    _, form, place, change = given.control
    whole = _zip(given.payload, form)
    out = _outcome([whole])
    is_streamed = not form & 16 or form % 3 != 0  # a stored member's end is where its head says
    assert (out == given.payload) if is_streamed else out in {None, given.payload}
    assert _outcome(Fuzzed(whole, given.control).chunks()) == out, "chunks make another file"
    at = _HEAD_BYTES + place * (len(whole) - _HEAD_BYTES) // 256
    if _END not in given.payload:  # the end of a zip in a zip that isn't packed looks like its own
        assert _outcome([whole[:at]]) is None, "a zip that is cut is taken for whole"
    changed = bytearray(whole)
    changed[at] ^= change or 1
    assert _outcome([bytes(changed)]) in {None, out}, "a changed zip gives other bytes"


def _zip(payload: bytes, form: int) -> bytes:
    made: io.BytesIO = _OneWay() if form & 16 else io.BytesIO()
    with zipfile.ZipFile(made, "w", _METHODS[form % 3]) as archive:
        if form & 32:
            archive.writestr("readme.txt", "hello")
        info = zipfile.ZipInfo(_NAMES[form // 3 % 4], (2026, 11, 2, 3, 0, 0))
        info.compress_type = _METHODS[form % 3]
        with archive.open(info, "w", force_zip64=bool(form & 64)) as member:
            member.write(payload)
        archive.comment = b"made by hand" * bool(form & 128)
    return made.getvalue()


def _members(data: bytes) -> list[bytes]:
    """Return what `zipfile` finds of files of an export, if it can read the zip."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return [
                archive.read(info)
                for info in archive.infolist()
                if is_logical(base_name(info.filename)) and info.file_size <= _MOST_BYTES
            ]
    except Exception:  # noqa: BLE001  whatever it can't read says nothing about us
        return []


def _outcome(chunks: Iterable[bytes]) -> bytes | None:
    """Return what comes out; None: the file is broken."""
    try:
        return _RUNNER.run(_out(chunks))
    except BrokenFileError:
        return None


async def _out(chunks: Iterable[bytes]) -> bytes:
    async def arriving() -> AsyncGenerator[bytes, None]:
        for chunk in chunks:
            yield chunk

    limited = unzipped(arriving(), max_output_bytes=_MOST_BYTES, max_ratio=200)
    async with aclosing(limited) as out:
        return b"".join([chunk async for chunk in out])


_RUNNER: Final = asyncio.Runner()
"""One loop for all: to make one takes longer than to read a small zip."""


def seeds() -> dict[str, bytes]:
    """Return zips of every form, to be read as they are, and what is to be zipped."""
    rows = b'{"animalID":"1","name":"Rex"}\n{"animalID":"2"}\n'
    as_it_is = {
        f"zip-{form}": seed(_zip(rows, form), b"\1\x40\x80\xc0") for form in range(0, 256, 23)
    }
    two = io.BytesIO()
    with zipfile.ZipFile(two, "w") as archive:
        archive.writestr("pets_1.json", rows)
        archive.writestr("pets_2.json", rows)
    zipped = {
        f"rows-{form}": seed(rows, bytes([0, form, form * 7 % 256, 1 << form % 8]))
        for form in range(0, 256, 37)
    }
    return as_it_is | zipped | {
        "two": seed(two.getvalue(), b"\1"),
        "empty": seed(b"PK\5\6" + bytes(18), b"\1"),
        "plain": seed(rows, b"\1\2\3\4"),
        "nothing": bytes(CONTROL_BYTES),
    }  # fmt: skip


WORDS: Final = (
    b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"PK\x06\x06", b"PK\x07\x08", b"pets_1.json",
    b"../", b"\x08\x00", b"\x09\x00", b"\x0c\x00", b"\x63\x00", b"\xff\xff\xff\xff",
    b"\x01\x00\x10\x00", b"\x00\x08", b"\x01\x99\x07\x00", b"BZh9", b"\x03\x00",
)  # fmt: skip
