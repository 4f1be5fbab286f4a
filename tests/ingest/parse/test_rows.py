"""Bytes become the same rows however they are chunked, and a bad row costs one row."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import tracemalloc
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rows_of_the_feed import framed, pet_row

from ingest.parse.framing import ArrayFramer, LineFramer
from ingest.parse.rows import (
    LONGEST_ROW_BYTES,
    MENDED,
    WINDOWS_1252,
    BadRow,
    Row,
    RowFramer,
    assert_backend,
    parse,
    parsed_with_care,
)
from lab.simulator import history
from lab.simulator.shapes import encode


def all_rows(data: bytes, *cuts: int) -> tuple[list[Row | BadRow], RowFramer]:
    """Frame a file that arrives cut at these places."""
    framer = RowFramer()
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    rows: list[Row | BadRow] = []
    for begin, end in pairwise(places):
        rows += framer.feed(data[begin:end])
    return rows + framer.finish(), framer


LINES = b'{"a":"1"}\n\r\n{"b":"\\"]}{["}\r\n  {"c":[{"d":[]}]}\n'
ARRAY = b' [ {"a":"1"},\n{"b":"\\"]}{["} , {"c":[{"d":[]}]}\n]\n'
BOM = b"\xef\xbb\xbf"


@pytest.mark.parametrize("data", [LINES, ARRAY, BOM + LINES, LINES.rstrip(), BOM + ARRAY])
def test_lines_and_an_array_hold_the_same_rows(data: bytes) -> None:
    rows, framer = all_rows(data)
    assert [row.raw for row in rows] == [b'{"a":"1"}', b'{"b":"\\"]}{["}', b'{"c":[{"d":[]}]}']
    assert not framer.cut_last
    assert all(data[row.offset :].startswith(row.raw) for row in rows)
    assert [row.number for row in rows] == [1, 2, 3]


@settings(max_examples=300)
@given(st.sampled_from([LINES, ARRAY, BOM + LINES, BOM + ARRAY]), st.lists(st.integers(0, 99)))
def test_chunking_never_changes_what_is_framed(data: bytes, cuts: list[int]) -> None:
    assert all_rows(data, *cuts)[0] == all_rows(data)[0]


@pytest.mark.parametrize("whole", [LINES, ARRAY])
def test_a_file_cut_anywhere_inside_a_row_is_known_to_be_cut(whole: bytes) -> None:
    data = whole.rstrip()
    last = data.rindex(b'{"c"')
    for end in range(last + 1, data.rindex(b"}")):
        assert all_rows(data[:end])[1].cut_last, data[:end]


def test_an_array_without_its_end_is_cut_even_between_rows() -> None:
    assert all_rows(b'[{"a":1},{"b":2}')[1].cut_last
    assert all_rows(b'[{"a":1},')[1].cut_last


def test_an_empty_file_has_no_rows_and_is_not_cut() -> None:
    for data in (b"", b"\n\n", BOM):
        rows, framer = all_rows(data)
        assert (rows, framer.cut_last) == ([], False)


@pytest.mark.parametrize("form", ["lines", "array"])
def test_a_row_longer_than_4_mib_is_set_aside_and_its_neighbours_arrive(form: str) -> None:
    giant = b'{"x":"' + b"a" * (LONGEST_ROW_BYTES + 10) + b'"}'
    rows_of_file = [b'{"a":1}', giant, b'{"b":2}']
    data = b"\n".join(rows_of_file) if form == "lines" else b"[" + b",".join(rows_of_file) + b"]"
    framer = RowFramer()
    rows: list[Row | BadRow] = []
    for begin in range(0, len(data), 65_536):
        rows += framer.feed(data[begin : begin + 65_536])
    rows += framer.finish()
    assert [row.raw for row in rows if isinstance(row, Row)] == [b'{"a":1}', b'{"b":2}']
    (bad,) = [row for row in rows if isinstance(row, BadRow)]
    assert (bad.reason, bad.number, bad.offset) == ("too-long", 2, data.index(giant))
    assert len(bad.raw) <= 2_048


@pytest.mark.parametrize("make", [LineFramer, ArrayFramer])
@pytest.mark.parametrize("mark", [b"", BOM])
def test_t12_what_is_kept_of_a_long_row_is_the_same_however_it_arrives(
    make: type[LineFramer | ArrayFramer], mark: bytes
) -> None:
    """T12: found by fuzzing: a chunk that ended early in the row left nothing but that of it."""
    longest = 2_500
    for length in (longest - 1, longest, longest + 1, longest + 2, longest + 3, 9_000):
        row = b'{"x":"' + (b"0123456789" * 1_000)[: length - 8] + b'"}'
        data = mark + (b"[" + row + b"]" if make is ArrayFramer else row + b"\r\n") + b"\n"
        whole = make(longest).feed(data)
        assert [piece[1:] for piece in whole] == [
            (row, length) if length <= longest else (row[:2_048], max(length, whole[0][2]))
        ]
        for cut in (1, 3, 4, 9, 100, 2_048, 2_052, 2_501, 2_504, len(data) - 2):
            framer = make(longest)
            assert framer.feed(data[:cut]) + framer.feed(data[cut:]) == whole, (length, cut)


@pytest.mark.parametrize("behind", [b"}", b',{"animalID":"2"}]', b"]", b"<b>Warning</b>", b"[]"])
def test_t18_what_stands_behind_the_end_of_an_array_is_noticed(behind: bytes) -> None:
    """T18: found by fuzzing: a row with a bracket too many hid the rows behind it."""
    whole = b'[{"animalID":"1"}]'
    for blanks in (b"", b"\n", b" \r\n"):
        data = whole + blanks + behind + b"\n"
        for cut in range(len(data)):
            rows, framer = all_rows(data, cut, cut + 1)
            assert [row.raw for row in rows] == [b'{"animalID":"1"}']
            assert framer.goes_on
        assert not all_rows(whole + blanks, len(whole))[1].goes_on


@pytest.mark.parametrize("cut", range(8))
def test_what_is_odd_about_a_file_is_seen_however_it_arrives(cut: int) -> None:
    """Found by fuzzing: only the first chunk was looked at."""
    for data, odd in (
        (BOM + b'{"a":1}\r\n', ("byte order mark", "carriage returns")),
        (BOM + b'{"a":1}', ("byte order mark",)),
        (b'{"a":1}\r\n{"a":1}\n', ("carriage returns",)),
        (b'{"a":1}\n{"b":"\xef\xbb\xbf"}\n', ()),
    ):
        framer = all_rows(data, cut, cut + 5)[1]
        assert framer.odd == odd


@given(st.lists(st.integers(0, 10), max_size=8))
def test_parsing_together_equals_parsing_one_by_one(kinds: list[int]) -> None:
    odd = [
        json.dumps(pet_row(1)).encode(), b'{"a":"\\ud83d\\ude00"}', b"false", b"{}",
        b'{"a":"\\ud800"}',
        b'{"a":1}{"b":2}', b'{"a":"\xff"}', b'{"cut":"', b'{"a":"x\ty"}',
        b'{"many":[' + b"[]," * 70 + b"0]}", b'{"deep":' + b"[" * 70,
    ]  # fmt: skip
    rows = framed(*(odd[kind] for kind in kinds))
    assert parse(rows) == [parse([row])[0] for row in rows]


_PIECES = st.sampled_from(
    [
        b'{"a":"', b'"}', b"x" * 200, b"\\u0000", b"\\ud83d\\ude00", b"\\ud83d", b"\\ude00",
        b"\\\\", b"\\", b"\x00", b"\x1f", b"\xff", b"\xc3\xa9", b"\xed\xa0\x80", b'","b":',
        b"[" * 20, b"]" * 20, b"1" * 400, b'{"k":', b"}", b"\t", b"\x0b", b" ", b"null",
    ]
)  # fmt: skip


@settings(max_examples=500)
@given(st.lists(st.lists(_PIECES, max_size=9).map(b"".join), min_size=1, max_size=5))
def test_the_fast_way_and_the_careful_one_come_to_the_same(raws: list[bytes]) -> None:
    rows = framed(*(raw for raw in raws if raw.strip(b" \t\r\x0b\x0c")))
    odd, odd_with_care = Counter[str](), Counter[str]()
    assert parse(rows, odd) == parsed_with_care(rows, odd_with_care)
    assert odd == odd_with_care


def test_a_row_of_many_pictures_costs_its_neighbours_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """To take all rows with care costs as much as parsing them: one in fifty has so many."""
    monkeypatch.setattr("ingest.parse.rows.parsed_with_care", None)
    many = b'{"pictures":[' + b",".join([b'{"original":{}}'] * 40) + b"]}"
    plain, pictured, again = parse(framed(b'{"a":1}', many, b'{"a":2}'))
    assert (plain, again) == ({"a": 1}, {"a": 2})
    assert pictured == {"pictures": [{"original": {}}] * 40}


def test_every_row_of_a_simulated_export_comes_to_the_same_both_ways() -> None:
    feed = history(pets=150, days=1)
    rows = [Row(1, 0, encode(row)) for row in feed.truth(0).pets.values()]
    assert parse(rows) == parsed_with_care(rows)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"false", "not-an-object"), (b"null", "not-an-object"), (b'["a"]', "not-an-object"),
        (b"<br />Warning: mysql", "not-an-object"), (b'{"a":', "not-json"),
        (b'{"a":1}{"b":2}', "not-json"), (b'{"a":1} x', "not-json"),
        (b'{"a":' + b"1" * 5_000 + b"}", "digits"), (b'{"a":' + b"[" * 60_000, "depth"),
        (b'{"a":' * 100 + b"1" + b"}" * 100, "depth"),
        (b"{" + b",".join(b'"%d":1' % n for n in range(30_000)) + b"}", "keys"),
    ],
)  # fmt: skip
def test_a_bad_row_is_refused_with_a_stable_reason(raw: bytes, reason: str) -> None:
    good, (row,) = framed(b'{"a":1}'), framed(raw)
    before, bad, after = parse([*good, row, *good])
    assert (before, after) == ({"a": 1}, {"a": 1})
    assert isinstance(bad, BadRow)
    assert bad.reason == reason


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b'{"a":"x\\u0000y"}', "xy"), (b'{"a":"x\\ud800y"}', "x\ufffdy"),
        (b'{"a":"x\\udc00\\ud800y"}', "x\ufffd\ufffdy"), (b'{"a":"\\ud83d\\ude00"}', "\U0001f600"),
        (b'{"a":"\\\\ud800"}', "\\ud800"), (b'{"a":"\\\\\\ud800"}', "\\\ufffd"),
        (b'{"a":"x\xffy"}', "x\ufffdy"), (b'{"a":"x\x00y"}', "xy"),
        (b'{"a":"caf\xc3\xa9"}', "café"),
        (b'{"a":"it\xc3\xa2\xe2\x82\xac\xe2\x84\xa2s"}', "it\u00e2\u20ac\u2122s"),
    ],
)  # fmt: skip
def test_odd_text_survives_in_a_form_that_every_store_takes(raw: bytes, text: str) -> None:
    assert parse(framed(raw)) == [{"a": text}]


@pytest.mark.parametrize("before", [0, 1, 41, 42, 43, 249, 250, 251, 999, 7_777])
def test_a_long_number_is_found_wherever_it_begins(before: int) -> None:
    raw = b'{"a":"' + b"x" * before + b'","b":' + b"1" * 1_000 + b"}"
    (bad,) = parse(framed(raw))
    assert isinstance(bad, BadRow)
    assert bad.reason == "digits"


@pytest.mark.parametrize("hidden", [b"\x00", b"\x1f", b"\\u0000"])
def test_t24_what_mending_joins_is_judged_as_the_parser_sees_it(hidden: bytes) -> None:
    long_number = b'{"a":' + hidden.join([b"9" * 900] * 6) + b"}"
    deep = b'{"a":"\\\x00"","b":' + b"[" * 4_000
    parsed = parse(framed(long_number, deep))
    assert [bad.reason for bad in parsed if isinstance(bad, BadRow)] == ["digits", "depth"]


@pytest.mark.parametrize(
    "text", [b"\\u00\\u000000", b"\\ud8\\u000000", b"\\\x00u0000", b"\\\x00ud800", b"\\u\x000000"]
)
def test_t22_removing_one_nul_never_makes_another(text: bytes) -> None:
    (parsed,) = parse(framed(b'{"a":"' + text + b'"}'))
    assert isinstance(parsed, BadRow) or parsed["a"] in {"", "\ufffd"}


@pytest.mark.parametrize("step", [1, 1_000, 65_536])
@pytest.mark.parametrize("data", [b"\n" * 20_000 + b'{"a":1}\n', b" " * 9_000 + b'[{"a":1}]'])
def test_a_file_that_begins_with_endless_blanks_is_framed_alike_however_it_comes(
    data: bytes, step: int
) -> None:
    assert all_rows(data, *range(0, len(data), step))[0] == all_rows(data)[0]


def test_blanks_at_the_beginning_are_not_kept() -> None:
    tracemalloc.start()
    framer = RowFramer()
    for _ in range(200):
        assert framer.feed(b"\n" * 1_000) == []
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 100_000


def test_the_fast_parser_is_the_one_that_runs() -> None:
    assert_backend()


_KILLERS = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
from ingest.parse.rows import Row, RowFramer, parse
for raw in (b'{"a":' + b'7' * 4301 + b'}', b'{"a":-' + b'7' * 100_000 + b'}',
            b'{"a":' + b'[' * 200_000, b'{"a":' * 50_000,
            b'{' + b','.join(b'"k%d":1' % n for n in range(1_000_000)) + b'}',
            b'{"a":1e999999999}', b'{"a":' + bytes(1).join([b'9' * 999] * 5) + b'}',
            b'{"a":"' + b'\\\\ud800' * 100_000 + b'"}'):
    parse([Row(1, 0, raw)])
framer = RowFramer()
for _ in range(1_600):
    framer.feed(b'x' * 65_536)
print(len(framer.finish()), "row of 100 MB")
"""


def test_what_kills_parsers_leaves_a_process_with_1_gib_of_address_space_alive() -> None:
    done = subprocess.run(  # noqa: S603  our own interpreter
        [sys.executable, "-c", _KILLERS], capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stdout) == (0, "1 row of 100 MB\n"), done.stderr


@pytest.mark.parametrize(
    ("sent", "text"),
    [(b"a\tb", "a\tb"), (b"a\rb", "a\rb"), (b"a\r\tb\x1f", "a\r\tb"), (b"\\\\\tb", "\\\tb"),
     (b'say \\"\t\\"', 'say "\t"')],
)  # fmt: skip
def test_f7_a_raw_tab_or_carriage_return_in_a_text_stays_what_it_is(sent: bytes, text: str) -> None:
    """F7, T22: the row isn't refused, and is counted as mended."""
    odd: Counter[str] = Counter()
    raw = b'{\t"a":\t"' + sent + b'",\t"b" :\r1}'
    assert parse(framed(raw), odd) == [{"a": text, "b": 1}]
    assert odd == {MENDED: 1}


def test_f7_a_raw_line_end_in_a_text_of_the_array_form_stays_what_it_is() -> None:
    """F7: there it splits no row."""
    rows, _ = all_rows(b'[{"a":"x\ny"},\n{"a":"z"}]')
    assert parse([row for row in rows if isinstance(row, Row)]) == [{"a": "x\ny"}, {"a": "z"}]


def test_f7_a_file_full_of_tabs_is_not_broken() -> None:
    """F7: 25 of 2,000 rows made it so."""
    rows = framed(*[b'{"animalID":"1","a":"x\ty"}' if n % 8 else b'{"a":"z"}' for n in range(200)])
    assert not [row for row in parse(rows) if isinstance(row, BadRow)]


@pytest.mark.parametrize("high", [b"\xe9", b"\xe9\xff", b"\xc3\xa9\xff"])
def test_f9_a_large_row_that_is_not_utf_8_costs_no_seconds(high: bytes) -> None:
    """F9: it took more than five, as the parser scanned a text again for each of its buffers."""
    raw = b'{"animalID":"1","a":"' + high * (3_500_000 // len(high)) + b'"}'
    began_s = time.process_time()
    (parsed,) = parse(framed(raw))
    assert time.process_time() - began_s < 2.5
    assert isinstance(parsed, dict)


@pytest.mark.parametrize("chunk_bytes", [1, 2, 3, 7, 1_000])
@pytest.mark.parametrize(
    ("data", "kinds"),
    [
        (b'[{"a":1},false,{"b":2}]', "dwd"),
        (b'[{"a":1} , null ,\n{"b":2}, null]\n', "dwdw"),
        (b"[false]", "w"), (b'[null,{"a":1}]', "wd"), (b'[ true , {"a":1}]', "wd"),
        (b'[{"a":1},"text, with ] and } and \\" in it",{"b":2}]', "dwd"),
        (b'[{"a":1},17,-1.5e3,{"b":2}]', "dwwd"),
        (b'[{"a":1},[1,[2]],{"b":[3]}]', "dwd"),
        (b"[]", ""), (b"[ ]", ""), (b'[{"a":"]"}]', "d"),
    ],
)  # fmt: skip
def test_f11_an_element_that_is_no_object_is_counted_and_refused(
    data: bytes, kinds: str, chunk_bytes: int
) -> None:
    """F11: as in lines, however the bytes come."""
    rows, framer = all_rows(data, *range(chunk_bytes, len(data), chunk_bytes))
    parsed = parse([row for row in rows if isinstance(row, Row)])
    assert "".join("d" if isinstance(each, dict) else "w" for each in parsed) == kinds
    assert {each.reason for each in parsed if isinstance(each, BadRow)} <= {"not-an-object"}
    assert framer.rows == len(kinds)
    assert not framer.cut_last


@pytest.mark.parametrize("data", [b'[{"a":1},fal', b'[{"a":1},"text', b'[{"a":1},17', b'[{"a":1},'])
def test_f11_an_array_cut_in_such_an_element_is_cut(data: bytes) -> None:
    """F11."""
    rows, framer = all_rows(data)
    assert framer.cut_last
    assert [row.raw for row in rows] == [b'{"a":1}']


@pytest.mark.parametrize(
    ("sent", "text", "word"),
    [
        (b"caf\xe9", "café", WINDOWS_1252), (b"it\x92s 20\x80", "it\u2019s 20\u20ac", WINDOWS_1252),
        (b"\x93Bo\x94 \x96 a\xf1o", "\u201cBo\u201d \u2013 año", WINDOWS_1252),
        (b"x\x81y\x8d", "x\ufffdy\ufffd", WINDOWS_1252),
        (b"caf\xc3\xa9 \xe9", "café \ufffd", MENDED),  # UTF-8 that is damaged
        (b"\xf0\x9f\x90\xb6 \x92", "\U0001f436 \ufffd", MENDED),
        (b"x\xff\xfey", "x\ufffd\ufffdy", WINDOWS_1252),  # a byte order mark is no letter
        (b"\xed\xa0\x80", "\ufffd\ufffd\ufffd", MENDED),
    ],
)  # fmt: skip
def test_f12_a_row_that_holds_no_utf_8_is_windows_1252_and_counted(
    sent: bytes, text: str, word: str
) -> None:
    """F12: what Windows writes is read as it was meant; UTF-8 that is damaged isn't."""
    odd: Counter[str] = Counter()
    assert parse(framed(b'{"a":"' + sent + b'"}'), odd) == [{"a": text}]
    assert odd == {word: 1}
