"""The petlist is read in every form there may be, and doubted where it must be."""

from __future__ import annotations

import pytest
import xxhash

from ingest.removals.petlist import problems, read_petlist


@pytest.mark.parametrize(
    "data",
    [
        b"1,2,3\n4,5\n", b"1,2,3,\r\n4,5,\r\n", b'"1","2","3"\n"4","5"\n', b"1\n2\n3\n4\n5\n",
        b"\xef\xbb\xbf1, 2, 3,\n\n4,5\n", b"1 2 3 4 5\n", b"1,2,3,4,5",
    ],
)  # fmt: skip
def test_ids_are_found_in_every_form(data: bytes) -> None:
    petlist = read_petlist(data)
    assert petlist.ids == {1, 2, 3, 4, 5}
    assert problems(petlist) == []


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\n", b"animalID\n", b"<html><body>502 Bad Gateway 17</body></html>", b"\x00\x01\x02",
        b"22611034,22611035\n22611036,2261", b"22611034,22611035\n22611036",
        b"22611034,22611035,226", b"22611034,junk,more,rubbish,here\n",
    ],
)  # fmt: skip
def test_a_list_that_is_no_whole_list_is_doubted(data: bytes) -> None:
    """T6, T7, T10: empty, a header, a page, junk, cut inside an id: no list to remove by."""
    assert problems(read_petlist(data))


@pytest.mark.parametrize("separator", [b",", b"\n", b'" "', b"\r\n"])
def test_a_list_of_any_length_is_read_whole(separator: bytes) -> None:
    """It is read by blocks; one junk piece, or an id of too many digits, makes none of another."""
    ids = range(20_000_000, 20_030_000)
    pieces = [b"%d" % number for number in ids]
    pieces[9_000:9_000], pieces[21_000:21_000] = [b"junk"], [b"1" * 19]
    petlist = read_petlist(b'"' + separator.join(pieces) + b'"\n')
    assert (petlist.ids, petlist.rejects, petlist.duplicates) == (frozenset(ids), 2, 0)


def test_every_cut_of_a_list_is_noticed() -> None:
    """T7: wherever a list is cut, but at a line's end, where its ids are right."""
    rows = (b",".join(b"%d" % (22_000_000 + row * 100 + n) for n in range(100)) for row in range(9))
    data = b"\n".join(rows) + b"\n"
    unnoticed = [end for end in range(len(data)) if not problems(read_petlist(data[:end]))]
    line_ends = [at + 1 for at, byte in enumerate(data[:-1]) if byte == ord("\n")]
    first_row = data.index(b"\n") + 1
    assert set(unnoticed) - set(line_ends) <= set(range(first_row + 1))


def test_a_header_is_one_reject_and_forgiven() -> None:
    petlist = read_petlist(b"animalID\n" + b"\n".join(b"%d" % n for n in range(1, 50)) + b"\n")
    assert (petlist.rejects, problems(petlist)) == (1, [])


def test_duplicates_are_counted_and_harmless() -> None:
    """T6: duplicated ids are one."""
    petlist = read_petlist(b"7,7,8\n")
    assert (petlist.ids, petlist.duplicates, problems(petlist)) == (frozenset({7, 8}), 1, [])


def test_t6_the_same_ids_make_the_same_digest_in_whatever_form() -> None:
    """T6: a list seen before is known again, also with other line ends."""
    digests = {
        read_petlist(data).digest for data in (b"7,8\n9\n", b"9,8,7,7\r\n", b'"7"\n"8"\n"9"\n')
    }
    assert len(digests) == 1
    assert read_petlist(b"7,8\n").digest not in digests


def test_the_digest_is_the_one_that_completed_exports_hold() -> None:
    """Of earlier versions too: the same list twice is what holds removals."""
    lines = b"".join(b"%d\n" % number for number in range(10_000))
    assert read_petlist(lines).digest == xxhash.xxh3_128_hexdigest(lines)


@pytest.mark.parametrize(
    "data",
    [
        b"22611034,22611035\n22611036", b"22611034,22611035\r\n22611036,22611037",
        b"22611034\n22611035\n22611036", b"22611034,22611035,\n22611036,",
        b'"22611034","22611035"\n"22611036"', b"1,2,3\n4,5,6\n7,8",
    ],
)  # fmt: skip
def test_f12_a_last_row_without_an_end_is_whole_where_the_size_agrees(data: bytes) -> None:
    """F12: its writer puts line ends between rows, and not behind them."""
    assert problems(read_petlist(data, is_whole=True)) == []
    assert problems(read_petlist(data))


@pytest.mark.parametrize(
    "data",
    [
        b"22611034,22611035\n22611036,22611037,22611038",  # longer than its fellows
        b"22611034,22611035\n22611036,2261", b"22611034,22611035\n226",  # a stump
        b"2261103,22611035\n22611036,2261104",  # in order until the last
        b"22611034,22611035\n22611036,",  # its fellows end without a comma
        b"22611034,22611035,\n22611036",  # its fellows end with one
    ],
)  # fmt: skip
def test_f12_a_last_row_that_differs_from_its_fellows_is_cut(data: bytes) -> None:
    """F12, T7: also where the size agrees: the server's own file may be cut."""
    assert problems(read_petlist(data, is_whole=True))


def test_t6_what_only_begins_with_digits_is_no_id() -> None:
    """T6: a list that was glued together names nobody who isn't in it."""
    petlist = read_petlist(b"11\n12x\n1.3\n-14\n15\n")
    assert petlist.ids == {11, 15}
    assert petlist.rejects == 3


def test_the_same_ids_are_the_same_list_in_whatever_order_and_form() -> None:
    ids = [number << 20 for number in range(60, 0, -1)]  # in a set, each in another's place
    lines = read_petlist("".join(f"{each}\n" for each in ids).encode())
    line = read_petlist((",".join(f'"{each}"' for each in sorted(ids)) + "\n").encode())
    assert lines.ids == line.ids
    assert lines.digest == line.digest
    assert lines.digest != read_petlist("".join(f"{each}\n" for each in ids[1:]).encode()).digest


def test_rows_and_repeated_ids_are_counted() -> None:
    petlist = read_petlist(b"11,12,11\n\n13,junk,12\n")
    assert (petlist.rows, petlist.duplicates, petlist.rejects) == (2, 2, 1)


@pytest.mark.parametrize(("rejects", "doubted"), [(1, False), (3, False), (4, True)])
def test_one_piece_and_one_in_a_thousand_may_be_no_id(rejects: int, *, doubted: bool) -> None:
    """T10: of 2,000 pieces with repeated ids among them, three may be rubbish, and no fourth."""
    ids = [b"%d" % (22_000_000 + number // 2) for number in range(2_000 - rejects)]
    petlist = read_petlist(b",".join([*ids, *[b"junk"] * rejects]) + b"\n")
    lines = [f"{rejects:,} of 2,000 pieces of petlist.csv are no ids"] if doubted else []
    assert problems(petlist) == lines


def test_a_list_without_an_id_has_no_piece_to_spare() -> None:
    lines = ["petlist.csv holds no id", "1 of 1 pieces of petlist.csv are no ids"]
    assert problems(read_petlist(b"animalID\n")) == lines


@pytest.mark.parametrize(
    ("data", "is_whole"),
    [
        (b"22611034,22611035", True),  # the least that has a fellow to compare with
        (b"22611034", False),  # one that has none
        (b"1,2,3,\n4,5,6\n7,8", False),  # ends as the first row doesn't
        (b"22611034,22611035,22611035", False),  # an id like the one before is a stump
    ],
)
def test_a_list_that_ends_without_a_line_end_is_believed_if_its_last_id_is_whole(
    data: bytes, *, is_whole: bool
) -> None:
    """T7: its writer ends no last row, and the server's size says that these are all bytes."""
    assert read_petlist(data, is_whole=True).ends_cleanly is is_whole
