"""The one fold: the ingester's ledger and the consumers' audit make the same of any log."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from consumers.audit.folded_log import Log
from ingest.state.ledger import Ledger
from petstream import codec
from petstream.fold import RecordHead, SubjectOrder, key_of, peek, truncated
from petstream.kafka.records import ConsumerRecord, TopicPartition
from petstream.topics import PETS

TOPIC = TopicPartition(PETS.full_name("t."), 0)
NOW = datetime(2026, 11, 20, 8, 12, 4, tzinfo=UTC)


def records(seed: int) -> Iterator[ConsumerRecord]:
    """Return a log with late, equal, damaged and strangers' records."""
    rng = random.Random(seed)  # noqa: S311  a log, no secret
    for offset in range(200):
        key, sequence = rng.randrange(12), rng.randrange(1, 9)
        headers = codec.headers(
            type_=rng.choice(["pet.updated", "pet.removed"]), subject=f"pet/{key}",
            sequence=sequence, export_id="X", digest=rng.choice("ab"), time=NOW,
        )  # fmt: skip
        value = rng.choice([b'{"sequence":%d}', b'{"sequence":%d}', b'{"sequence":%d'])
        yield ConsumerRecord(
            TOPIC,
            offset,
            rng.choice([b"%d" % key, b"%d" % key, b"%d" % key, b"pet", None]),
            rng.choice([value % sequence, value % sequence, value % sequence, None]),
            headers if rng.random() < 0.9 else headers[:3],
        )


@pytest.mark.parametrize("seed", range(20))
def test_ledger_and_audit_hold_the_same_newest_events(seed: int) -> None:
    ledger, log = Ledger(), Log("t.")
    log.take(records(seed))
    folded = [ledger.fold(record.key, record.headers, record.value) for record in records(seed)]
    held = {key: (entry.sequence, entry.digest, entry.listed) for key, entry in ledger.items()}
    newest = log.newest[TOPIC.topic]
    audited = {key: (event.sequence, event.digest, event.listed) for key, event in newest.items()}
    assert held == audited
    assert folded.count(False) == log.passed_over


def one_key(*placed: tuple[int, str]) -> list[ConsumerRecord]:
    """Return a log of one key's events, by sequence and digest."""
    return [
        ConsumerRecord(
            TOPIC, offset, b"7", b'{"sequence":%d}' % sequence,
            codec.headers(
                type_="pet.updated", subject="pet/7", sequence=sequence, export_id="X",
                digest=digest, time=NOW,
            ),
        )
        for offset, (sequence, digest) in enumerate(placed)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("log", "newest"),
    [
        ([(5, "a"), (5, "b")], (5, "b", 1)),
        ([(5, "b"), (5, "a")], (5, "b", 0)),
        ([(5, "b"), (6, "a")], (6, "a", 1)),
        ([(6, "a"), (5, "b")], (6, "a", 0)),
        ([(5, "a"), (5, "a")], (5, "a", 1)),
    ],
)
def test_the_highest_sequence_then_digest_counts_and_of_equal_ones_the_later(
    log: list[tuple[int, str]], newest: tuple[int, str, int]
) -> None:
    """The later one is what a consumer may have before it still: to apply it again is harmless."""
    ledger, audited = Ledger(), Log("t.")
    audited.take(one_key(*log))
    for record in one_key(*log):
        ledger.fold(record.key, record.headers, record.value)
    event = audited.newest[TOPIC.topic][7]
    assert (event.sequence, event.digest, event.offset) == newest
    assert ledger.rank(7) == newest[:2]


def test_on_exports_v1_what_is_late_or_comes_again_is_not_newer() -> None:
    order = SubjectOrder()
    log = [(7, "b"), (7, "a"), (7, "b"), (6, "c"), (7, "a"), (8, "a"), (7, "d")]
    assert [order.is_newest("export/1", rank) for rank in log] == [
        True, True, False, False, False, True, False,
    ]  # fmt: skip
    assert order.is_newest("export/2", (1, "a"))


@pytest.mark.parametrize("seed", range(20))
def test_a_key_is_stale_unless_its_last_record_is_its_newest_event(seed: int) -> None:
    ledger, log = Ledger(), Log("t.")
    log.take(records(seed))
    for record in records(seed):
        ledger.fold(record.key, record.headers, record.value)
    last = {record.key: record.offset for record in records(seed)}
    newest = log.newest[TOPIC.topic]
    assert ledger.stale == {
        key for key, event in newest.items() if last[b"%d" % key] != event.offset
    }


def test_a_log_that_grew_isnt_truncated_and_a_topic_made_anew_is() -> None:
    assert truncated({"p/0": 3}, {"p/0": 3, "p/1": 9}) == []
    assert truncated({"p/0": 3}, {}) == ["p/0 ends at 0, not at 3 or behind"]


SEQUENCE = 7_000_000_000_000_001
VALUE = b'{"op":"added","animalId":41,"sequence":7000000000000001}'


def event_headers(type_: str = "pet.added", raw_digest: bytes = b"raw") -> codec.Headers:
    return codec.headers(
        type_=type_, subject="pet/41", sequence=SEQUENCE, export_id="2026-11-20T08:12:04Z",
        digest="d", time=datetime(2026, 11, 20, tzinfo=UTC), raw_digest=raw_digest,
    )  # fmt: skip


def changed(**texts: bytes) -> codec.Headers:
    return tuple((name, texts.get(name, text)) for name, text in event_headers())


def test_a_head_is_what_the_headers_say() -> None:
    start = b"2026-11-20T00:00:00Z"
    listed = RecordHead(SEQUENCE, "d", listed=True, raw_digest=b"raw", start=start)
    assert peek(event_headers(), VALUE) == listed
    removed = RecordHead(SEQUENCE, "d", listed=False, raw_digest=b"", start=start)
    value = VALUE.replace(b"added", b"removed")
    assert peek(event_headers("pet.removed", b""), value) == removed


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ((), VALUE),
        (changed(ce_source=b"/elsewhere"), VALUE),
        (changed(ce_sequence=b"x"), VALUE),
        (changed(ce_sequence=b"%d" % 2**63), VALUE.replace(b"1}", b"%d}" % 2**63)),
        (changed(ce_digest=b"\xff"), VALUE),
        (event_headers(), None),
        (event_headers(), b""),
        (event_headers(), VALUE[:-1]),
        (event_headers(), VALUE.replace(b"1}", b"2}")),
        (event_headers(), VALUE.replace(b"added", b"removed")),
        (changed(ce_type=b"org.petstream.pet.removed"), VALUE),
    ],
)
def test_what_is_no_event_of_ours_has_no_head(given: codec.Headers, value: bytes | None) -> None:
    assert peek(given, value) is None


@pytest.mark.parametrize("key", [None, b"", b"x", b"-1", b" 1", b"1\n", b"1" * 19])
def test_a_key_that_is_no_id_is_none(key: bytes | None) -> None:
    assert key_of(key) is None


def test_the_digest_of_a_row_is_the_same_as_0_1_wrote_it() -> None:
    headers, value = event_headers(), b'{"sequence":%d}' % SEQUENCE
    as_in_0_1 = [pair for pair in headers if pair[0] != codec.ROW_DIGEST]
    as_in_0_1.append((codec.ROW_DIGEST_BEFORE_0_2, b"raw"))
    head = peek(tuple(as_in_0_1), value)
    assert head is not None
    assert head.raw_digest == b"raw"
    assert peek(headers, value) == head
    assert dict(headers)[codec.ROW_DIGEST] == b"726177"
