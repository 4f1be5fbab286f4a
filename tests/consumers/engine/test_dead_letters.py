"""What a dead letter holds, how large it may be, and when there are too many (T44)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec import structs

from consumers.engine.dead_letters import (
    MAX_LETTER_BYTES,
    Original,
    RefusalLimit,
    RefusedRecord,
    decode,
    encode,
    original,
    size_of,
)
from petstream import codec
from petstream.errors import PetstreamError
from petstream.kafka.records import ConsumerRecord, TopicPartition
from petstream.sequence import microseconds
from petstream.topics import MAX_MESSAGE_BYTES

TOPIC = "petstream.dead-letters.v1"
NOW = datetime(2026, 11, 23, 9, 40, tzinfo=UTC)
HEADERS = (("ce_specversion", b"1.0"), ("ce_exportid", b"export-1"), ("x", b"\xff\0"))


def record(offset: int = 7, **changes: Any) -> ConsumerRecord:
    made = ConsumerRecord(
        TopicPartition("petstream.pets.v1", 3), offset, b"41", b"{not json", HEADERS
    )
    return structs.replace(made, **changes)


def letter_of(sent: ConsumerRecord, message: str = "it doesn't fit") -> ConsumerRecord:
    """Return the dead letter of a record, as it is read again."""
    letter = encode(RefusedRecord(sent, "value", message), TOPIC, "petstream.pets", NOW)
    assert letter.topic == TOPIC
    return ConsumerRecord(TopicPartition(TOPIC, 0), 0, letter.key, letter.value, letter.headers)


@pytest.mark.parametrize("digits", ["9" * 5_000, "\u00b2", "-1", "", "\u0661"])
def test_t24_a_letter_with_numbers_that_are_none_is_read_all_the_same(digits: str) -> None:
    """T24: Python refuses to read numbers of thousands of digits: the redrive ended with it."""
    letter = letter_of(record(value=b"{}"))
    cut = structs.replace(letter, headers=(*letter.headers, ("dl_cut", digits.encode())))
    assert original(cut) == Original(record(value=b"{}"), None)
    for origin in (f"t/0/{digits}", f"t/{digits}/0"):
        headers = (*letter.headers, ("dl_origin", origin.encode()))
        assert original(structs.replace(letter, headers=headers)) is None


@pytest.mark.parametrize(
    "sent",
    [
        record(),
        record(key=None),
        record(value=None),
        record(value=b""),
        record(headers=()),
        record(headers=(("dl_class", b"row"), ("dl_origin", b"elsewhere/0/0"), ("x", b"1"))),
        record(headers=(("x", b"1"), ("x", b"2"))),
        record(topic_partition=TopicPartition("a.b-c_d", 12)),
    ],
)
def test_t44_a_letter_gives_back_the_record_as_it_came(sent: ConsumerRecord) -> None:
    assert original(letter_of(sent)) == Original(sent, None)


def test_a_letter_s_headers_are_ascii_and_say_what_they_are() -> None:
    sent = record(key=b"\xff 4", headers=(*HEADERS, ("h\xe9", b"50 %\n"), ("ce_exportid", b"\xff")))
    letter = letter_of(sent, "caf\xe9\n")
    assert all(name.isascii() and text.isascii() for name, text in letter.headers)
    assert all(text.decode().isprintable() for _, text in letter.headers)
    assert dict(letter.headers)["content-type"] == b"application/octet-stream"
    assert dict(letter.headers)["dl_message"] == b"caf%C3%A9%0A"
    assert decode(letter).error == "caf\xe9\n"
    assert original(letter) == Original(sent, None)


def test_each_letter_has_an_id_of_its_own() -> None:
    """Also when the same record is refused by two, or again, or after it was sent back."""

    def ident(offset: int = 7, group: str = "petstream.pets", later_us: int = 0) -> bytes:
        now = NOW + timedelta(microseconds=later_us)
        letter = encode(RefusedRecord(record(offset), "value", ""), TOPIC, group, now)
        return dict(letter.headers)["ce_id"]

    idents = [ident(), ident(8), ident(group="petstream.images"), ident(later_us=1)]
    assert len(set(idents)) == len(idents)
    assert ident() == ident()


@pytest.mark.parametrize(
    "headers", [(), (("ce_exportid", b""),), (("ce_exportid", b"//"),), (("ce_exportid", b"/x"),)]
)
def test_the_id_of_a_letter_never_begins_with_a_slash(headers: codec.Headers) -> None:
    """Whatever a stranger's record calls its export: an id isn't to look like an absolute path."""
    letter = letter_of(record(headers=headers))
    ident = dict(letter.headers)["ce_id"].decode()
    rest = f"event/petstream.pets.v1/3/7/petstream.pets/{microseconds(NOW)}"
    assert ident in {rest, f"x/{rest}"}


@pytest.mark.parametrize("size", [0, MAX_MESSAGE_BYTES])
def test_the_letter_of_a_record_without_a_value_has_one(size: int) -> None:
    """Values are never null: whoever takes the length of each one doesn't stumble over a letter."""
    without = record(value=None, headers=(("x", b"x" * size),))
    letter = letter_of(without)
    assert letter.value == b""
    kept = original(letter)
    assert kept is not None
    assert kept.record.value is None
    before_0_2 = structs.replace(letter_of(record()), value=None)
    assert original(before_0_2) == Original(record(value=None), None)


def test_a_letter_of_a_feed_row_holds_no_event() -> None:
    row = ConsumerRecord(
        TopicPartition("d", 0), 0, b"", b"{", (("dl_class", b"row"), ("dl_origin", b"X/p.json/1"))
    )
    assert original(row) is None
    assert original(structs.replace(row, headers=())) is None


@pytest.mark.parametrize("spare", [0, 1, 500, 1_024, 2_048, 4_096])
def test_t44_a_record_at_kafkas_limit_becomes_a_letter_and_says_what_is_missing(spare: int) -> None:
    """T44: the letter's own headers made it larger than Kafka takes."""
    size = MAX_MESSAGE_BYTES - spare
    sent = record(value=b"x" * (size - size_of(record(value=b""))))
    letter = letter_of(sent, "m" * 5_000)
    assert size_of(letter) <= MAX_LETTER_BYTES
    kept = original(letter)
    assert kept is not None
    assert (sent.value or b"").startswith(kept.record.value or b"!")
    if kept.cut_bytes is None:
        assert kept.record == sent
    else:
        assert kept.cut_bytes == len(sent.value or b"")
        assert len(kept.record.value or b"") > MAX_LETTER_BYTES - 10_000, "no more than need be"


def test_t44_huge_headers_and_keys_are_cut_as_well() -> None:
    headers = tuple((f"h{number}" * 100, b"y" * 3_000) for number in range(5_000))
    letter = letter_of(record(headers=headers, key=b"k" * 10**6, value=b"v" * 100))
    assert size_of(letter) <= MAX_LETTER_BYTES
    assert dict(letter.headers)["dl_cut"] == b"100"
    assert letter.value == b"v" * 100


def test_a_letter_that_fits_is_not_cut() -> None:
    assert "dl_cut" not in dict(letter_of(record(value=b"x" * 10**6)).headers)


def refuse(limit: RefusalLimit, seen: int, refused: range) -> None:
    """Let a limit see records of which some are refused, in batches of 100."""
    records = [record(offset) for offset in range(seen)]
    for begin in range(0, seen, 100):
        batch = records[begin : begin + 100]
        bad = [sent for sent in batch if sent.offset in refused]
        limit.check(batch, [RefusedRecord(sent, "value", "bad") for sent in bad])


def test_t44_less_than_one_percent_of_refused_records_is_bad_luck() -> None:
    refuse(RefusalLimit(), 10_000, range(109, 10_000, 110))


def test_t44_more_than_one_percent_stops_and_says_why() -> None:
    with pytest.raises(PetstreamError, match=r"were refused, the last one .*\(value: bad\): mend"):
        refuse(RefusalLimit(), 10_000, range(0, 10_000, 50))


def test_t44_some_in_a_row_are_let_through_and_twenty_stop() -> None:
    refuse(RefusalLimit(), 10_000, range(3_050, 3_069))
    with pytest.raises(PetstreamError, match="20 of 3,070 records were refused"):
        refuse(RefusalLimit(), 10_000, range(3_050, 3_070))


def test_t44_few_records_with_few_bad_ones_stop_nothing() -> None:
    """One per cent of a hundred is one: a single bad day must not stop a small feed."""
    refuse(RefusalLimit(), 100, range(0, 100, 6))


def test_t44_a_batch_that_is_tried_again_counts_once() -> None:
    """Trouble with a server isn't a flood: the same record is refused at every try."""
    limit, batch = RefusalLimit(), [record(0), record(1)]
    for _ in range(100):
        limit.check(batch, [RefusedRecord(batch[0], "value", "bad")])
    assert (limit.seen, limit.refused) == (2, 1)
