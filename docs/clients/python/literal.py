"""The words of docs/events.md as code, and nothing more: right on every topic."""

import json
from typing import Any

KNOWN = {
    *(f"pet.{word}" for word in ("added", "updated", "removed", "relisted")),
    *(f"organization.{word}" for word in ("added", "updated", "removed", "relisted")),
    *(f"export.{word}" for word in ("started", "completed", "failed", "held")),
    *(f"removals.{word}" for word in ("approved", "rejected", "superseded", "expired")),
    *(f"picture.{word}" for word in ("stored", "gone")),
    "debt.found",
    "snapshot.requested",
}


class Subscriber:
    """Ends with the newest event of every subject; keeps everything in one dictionary."""

    def __init__(self) -> None:
        self.newest: dict[str, tuple[int, str, str, Any]] = {}  # in earnest a table
        self.dead_letters: dict[str, bytes] = {}

    def handle(self, record: Any) -> None:
        """Take a record as Kafka's clients give it: .value and .headers."""
        headers = {name: value.decode("ascii", "replace") for name, value in record.headers}
        kind = headers["ce_type"].removeprefix("org.petstream.")
        if kind.startswith("deadletter."):  # no state: each is an event of its own
            self.dead_letters[headers["ce_id"]] = record.value
            return
        if kind not in KNOWN:  # a type of a later version
            return
        # newer is decided per subject: first the sequence, as a number, then the digest
        rank = int(headers["ce_sequence"]), headers["ce_digest"]
        if rank > self.newest.get(headers["ce_subject"], (-1, ""))[:2]:
            self.newest[headers["ce_subject"]] = (*rank, kind, json.loads(record.value))

    def shown(self) -> dict[str, Any]:
        """Return the state of everything that is there: pets that left, and pictures, are not."""
        return {
            subject: value
            for subject, (_, _, kind, value) in self.newest.items()
            if kind.rpartition(".")[2] not in {"removed", "gone"}
        }
