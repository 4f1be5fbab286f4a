"""What a row changes of its key, and what is stated again of it."""

from __future__ import annotations

from typing import Any

from compared_rows import Feed, facts, refolded
from hypothesis import given
from hypothesis import strategies as st
from rows_of_the_feed import pet_row

from ingest.changes.change import differing, removal_of, restated
from lab.simulator import history
from petstream import codec

_RECORDS = st.dictionaries(st.sampled_from("abcd"), st.sampled_from([None, 1, "1", [1], []]))


@given(_RECORDS, _RECORDS)
def test_what_differs_is_what_has_another_value_or_is_null_in_one(
    now: dict[str, Any], before: dict[str, Any]
) -> None:
    for record in (now, {name: now.get(name) for name in before}, {**before, **now}):
        plain = [name for name in {**record, **before} if record.get(name) != before.get(name)]
        assert [*differing(record, before)] == plain


def test_what_is_stated_again_is_the_record_that_was_published_byte_by_byte() -> None:
    """It is copied from the event, and comes to what decoding and encoding it would."""
    feed = Feed()
    rows = history(pets=150, days=1).truth(0).pets.values()
    feed.read(0, [("pets", [*rows, pet_row(7, name='caf\u00e9 \u2028 "x\\', ageMonths=1.50)])])
    ledger = refolded(feed.log)
    assert len(ledger) > 150
    for _, held in ledger.items():  # noqa: PERF102  a ledger is no dict
        again = restated("pet", held.sequence + 5, held)
        removal = removal_of("pet", (facts(1).base + 1) * 10**9, held)
        event = held.event()
        for change in (again, removal):
            assert change is not None
            assert change.record == codec.encode(event["pet"])
            assert (change.first_seen_at, change.digest) == (event["firstSeenAt"], held.digest)
            assert codec.digest(change.record) == held.digest
