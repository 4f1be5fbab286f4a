"""What reaches the log of what was sent, whatever the broker does meanwhile."""

from __future__ import annotations

from typing import Any

import pytest
from scripted_broker import PLACE, ScriptedBroker

from ingest.leadership.election import NotLeadingError
from ingest.publish import publisher as publishing
from ingest.publish.publisher import Publisher
from petstream.events import LogEnd
from petstream.settings import KafkaAccess

ACCESS = KafkaAccess("nowhere:1")
KEYS = [b"%d" % number for number in range(7)]


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> ScriptedBroker:
    broker = ScriptedBroker()
    monkeypatch.setattr(publishing, "Producer", broker.producer)
    return broker


async def send(publisher: Publisher, keys: list[bytes] = KEYS) -> None:
    for key in keys:
        await publisher.send(PLACE.topic, key.decode(), b"{}", ())


@pytest.mark.parametrize(
    ("step", "nth"),
    [("acknowledge", 1), ("acknowledge", 2), ("send", 1), ("send", 3), ("partition", 4)],
)
async def test_what_was_not_acknowledged_is_sent_again_once_and_in_order(
    broker: ScriptedBroker, step: str, nth: int
) -> None:
    broker.away_once_at(step, nth)
    async with Publisher(ACCESS) as publisher:
        await send(publisher)
        await publisher.flush()
        first, second = broker.logs
        # the first producer's batches of which nobody knows, then all the others, none twice
        known = (nth - 1) * broker.records_a_batch if step == "acknowledge" else 0
        assert [*first[:known], *second] == KEYS
        assert publisher.log_ends.of(frozenset({PLACE.topic})) == {PLACE: LogEnd(7, "id", 1)}


async def test_a_flush_returns_when_all_that_was_sent_is_acknowledged(
    broker: ScriptedBroker,
) -> None:
    async with Publisher(ACCESS) as publisher:
        await send(publisher)
        assert broker.handed_over == 6, "the last batch isn't full"
        await publisher.flush()
        assert (broker.handed_over, broker.acknowledged) == (7, 7)
        assert publisher.log_ends.doubtful == []
    assert broker.ended == ["stopped"]


async def test_a_batch_that_has_been_open_for_a_minute_is_sent(broker: ScriptedBroker) -> None:
    async with Publisher(ACCESS) as publisher:
        await send(publisher, KEYS[:1])
        assert broker.handed_over == 0, "a young one waits for more"
    broker.opened_s_ago = 61.0
    async with Publisher(ACCESS) as publisher:
        await send(publisher, KEYS[:1])
        assert broker.logs[-1] == KEYS[:1]


async def test_who_sends_much_waits_for_acknowledgements(broker: ScriptedBroker) -> None:
    broker.records_a_batch = 1
    async with Publisher(ACCESS) as publisher:
        await send(publisher, KEYS * 20)
        assert 10 <= broker.most_in_flight <= 40


async def test_who_has_lost_the_lead_sends_nothing_of_what_is_still_there(
    broker: ScriptedBroker,
) -> None:
    lead = _LostLead()
    with pytest.raises(NotLeadingError):
        async with Publisher(ACCESS, lead) as publisher:  # type: ignore[arg-type]  # just what is asked of it
            await send(publisher)
    assert broker.handed_over == lead.holds_for * broker.records_a_batch
    assert broker.ended == ["abandoned"], "closed in order, it would send what is queued"


class _LostLead:
    """A lead that is lost after some batches."""

    def __init__(self) -> None:
        self.holds_for, self._checks = 2, 0

    async def check(self) -> Any:
        self._checks += 1
        if self._checks > self.holds_for:
            raise NotLeadingError("another one leads")
