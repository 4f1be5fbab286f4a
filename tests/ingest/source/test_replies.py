"""F2. Whatever a server answers, reading it raises nothing; what is read is within its bounds."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.source import replies

odd_text = st.text(alphabet=st.characters(max_codepoint=0x2FF)) | st.text(
    alphabet="0123456789,.|!()[]-=;: \r\n\t/\\<>abcdDIRsize=modifytype\xb2\x85"
)


@given(st.lists(odd_text, max_size=5))
def test_f2_no_answer_is_an_error_of_ours(lines: list[str]) -> None:
    """F2: as a fuzzer sees it."""
    port = replies.passive_port(lines)
    assert port is None or 0 < port < 65_536
    size = replies.size(lines)
    assert size is None or 0 <= size < 10**18
    replies.time(lines)
    replies.facts(lines)
    for name in replies.names("\n".join(lines)):
        assert name.strip("\r\n\t ") == name
        assert "\0" not in name
        assert ".." not in name


@pytest.mark.parametrize(
    ("answer", "size"),
    [("1234", 1234), (" 1234 bytes", 1234), ("1,234,567", 1234567), ("-5", None), ("12.5", None),
     ("many", None), ("0", 0), ("9" * 19, None), ("0x1F", None), ("", None), ("\xb2", None)],
)  # fmt: skip
def test_f2_a_size_is_a_whole_number_or_none(answer: str, size: int | None) -> None:
    """F2."""
    assert replies.size([answer]) == size


@pytest.mark.parametrize(
    ("answer", "time"),
    [
        ("20261102080001", datetime(2026, 11, 2, 8, 0, 1, tzinfo=UTC)),
        (" 20261102080001.999 ", datetime(2026, 11, 2, 8, 0, 1, tzinfo=UTC)),
        ("191261102080001", datetime(2026, 11, 2, 8, 0, 1, tzinfo=UTC)),
        ("20261102", None), ("20261302080001", None), ("00000000000000", None),
        ("2026110208000199", None), ("yesterday", None), ("", None),
    ],
)  # fmt: skip
def test_f2_a_file_time_is_of_fourteen_digits_or_none(answer: str, time: datetime | None) -> None:
    """F2."""
    assert replies.time([answer]) == time


def test_f10_only_line_ends_end_a_name() -> None:
    """F10: other signs that Python takes for line ends stand in names of other people's files."""
    listed = "x\x85pets_2.json\r\ny\x1cpets_3.json\nz\x0cpets_4.json\r\n"
    assert replies.names(listed) == ["x\x85pets_2.json", "y\x1cpets_3.json", "z\x0cpets_4.json"]


def test_t14_a_name_that_no_command_can_hold_is_passed_over() -> None:
    """T14: found by fuzzing: one with a carriage return in it ended every look at the server."""
    assert replies.names("in\rside/pets_1.json\r\nx\0y\r\npets_2.json\r\n") == ["pets_2.json"]
    facts = "type=file;size=1; in\rside/pets_1.json\r\n"
    assert replies.names(facts + "-rw-r--r-- 1 a b 12 Nov  2 08:00 \rpets_1.json\r\n") == []


@pytest.mark.parametrize(
    ("answer", "port"),
    [
        ("227 Entering Passive Mode (127,0,0,1,200,7)", 51_207), ("127,0,0,1,4,1", 1_025),
        ("(127,0,0,1,256,7)", None), ("(127,0,0,1,7,256)", None), ("(127,0,0,1,0,0)", None),
        ("229 (|||65535|)", 65_535), ("229 (|||65536|)", None),
    ],
)  # fmt: skip
def test_f2_a_passive_port_is_one_that_there_can_be(answer: str, port: int | None) -> None:
    """F2."""
    assert replies.passive_port([answer]) == port
