"""Dead letters counted look by look, over a real topic."""

from __future__ import annotations

import pytest

from console.inspect import dead_letters, letter_counts
from console.inspect.letter_counts import LetterCounts
from petstream.kafka.admin import delete_topics
from petstream.kafka.client import ensure_topics
from petstream.kafka.records import ConsumerRecord, ProducerRecord
from petstream.kafka.writer import send_all
from petstream.settings import KafkaAccess
from petstream.topics import DEAD_LETTERS

pytestmark = pytest.mark.servers


async def test_s7_a_look_reads_what_came_since_the_last_and_holds_nothing(
    kafka: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S7: each look at the front page read the whole topic, 450 MB at 40,000 letters."""
    access, topic = KafkaAccess(kafka), DEAD_LETTERS.full_name(prefix)
    reads: list[int] = []

    def reason_of(letter: ConsumerRecord) -> str:
        reads.append(letter.offset)
        return dead_letters.reason_of(letter)

    monkeypatch.setattr(letter_counts, "reason_of", reason_of)
    await ensure_topics(access, prefix)
    counts = LetterCounts()
    assert await counts.updated(access, topic) == {}
    await send_all(access, [_letter(topic, "json")] * 3)
    assert await counts.updated(access, topic) == {"json": 3}
    await send_all(access, [_letter(topic, "no-id"), *[_letter(topic, "json")] * 2])
    assert await counts.updated(access, topic) == {"json": 5, "no-id": 1}
    assert await counts.updated(access, topic) == {"json": 5, "no-id": 1}
    assert reads == list(range(6)), "each once"
    await delete_topics(access, [topic])
    await ensure_topics(access, prefix)
    await send_all(access, [_letter(topic, "too-large")])
    assert await counts.updated(access, topic) == {"too-large": 1}, "that is another topic"
    other = f"{prefix}b."
    await ensure_topics(access, other)
    assert await counts.updated(access, DEAD_LETTERS.full_name(other)) == {}


def _letter(topic: str, reason: str) -> ProducerRecord:
    return ProducerRecord(topic, b"k", b"v", (("dl_reason", reason.encode()),))
