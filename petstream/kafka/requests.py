"""What is asked of petstream, as a record on requests.v1: who asks is its key. Pure.

Rule 1: the newest request of an asker is what it asks for; its `ce_sequence` is when it asked, in
        microseconds.
Rule 2: whoever asks names itself freely; key and subject have the name in ASCII, percent-encoded.
"""

from __future__ import annotations

from petstream import codec, topics
from petstream.events import SnapshotRequest, request_subject
from petstream.kafka.records import ProducerRecord
from petstream.sequence import microseconds


def request_record(request: SnapshotRequest, export_id: str, prefix: str) -> ProducerRecord:
    """Return the record that asks for a snapshot.

    Args:
        request: what is asked for.
        export_id: of the newest export that the asker knows of; empty where it knows none.
        prefix: of the topics.
    """
    asked_by = codec.ascii_text(request.asked_by)
    value = codec.encode(request)
    headers = codec.headers(
        type_="snapshot.requested",
        subject=request_subject(asked_by),
        sequence=microseconds(request.at),
        export_id=export_id,
        digest=codec.digest(value),
        time=request.at,
    )
    return ProducerRecord(topics.REQUESTS.full_name(prefix), asked_by.encode(), value, headers)
