"""Rule 5 of docs/subscribing.md as code, on top of literal.py: the log may have lost something."""

import json
from datetime import datetime
from typing import Any

from literal import Subscriber

ME = "my-site"  # who asks
Place = tuple[str, int]  # a topic, and the number of a partition


class CarefulSubscriber(Subscriber):
    """Knows what lies before its positions, lets a snapshot sweep, and asks for one."""

    def __init__(self) -> None:
        super().__init__()  # in earnest all this is stored with the state
        self.families = {"petstream.pets.v1": "pet", "petstream.orgs.v1": "organization"}  # read
        self.positions: dict[Place, tuple[int, Any]] = {}  # the next offset, and who is before it
        self.snapshot, self.completed = 0, {"ce_sequence": -1}  # the newest completed that has one
        self.again: dict[str, dict[str, Any]] = {}  # topics read again: what they hold
        self.question = 0  # the sequence above which a snapshot is asked for
        self.log: Any = None

    def begin(self, log: Any) -> dict[Place, int]:
        """Return where to go on; else at 0. Called at the start, and when connected anew.

        log.ends has the end offset of every (topic, partition), log.record_at(topic, partition,
        offset) is that very record, or None.
        """
        self.log = log
        for topic in {place[0] for place in self.positions if not self.is_there(place)}:
            self.positions = {
                place: at for place, at in self.positions.items() if place[0] != topic
            }
            self.again[topic] = {}
        return {place: offset for place, (offset, _) in self.positions.items()}

    def is_there(self, place: Place) -> bool:
        """Return whether the record before the position is still the one that was applied."""
        offset, identity = self.positions[place]
        return identity_of(self.log.record_at(*place, offset - 1)) == identity

    def handle(self, record: Any) -> None:
        super().handle(record)
        place, headers = (record.topic, record.partition), dict(record.headers)
        self.positions[place] = record.offset + 1, identity_of(record)
        rank = int(headers["ce_sequence"]), headers["ce_digest"].decode()
        if record.topic in self.again:
            seen, subject = self.again[record.topic], headers["ce_subject"].decode()
            seen[subject] = max(rank, seen.get(subject, (-1, "")))
        if headers["ce_type"] == b"org.petstream.export.completed":
            completed = json.loads(record.value) | {"ce_sequence": rank[0]}
            newer = rank[0] > self.completed["ce_sequence"]
            if newer and completed.get("snapshot"):
                self.snapshot, self.completed = completed["snapshot"], completed
        if (
            self.log and record.offset + 1 >= self.log.ends[place]
        ):  # it may be at the end of all now
            self.look_for_what_is_ahead()
            self.sweep()

    def sweep(self) -> None:
        """Unlist what is below the newest snapshot and not unstated, once all of it is applied."""
        ends = self.completed["ends"].items() if self.snapshot else ()
        if not ends or not all(self.is_applied(name, end) for name, end in ends):
            return
        unstated = self.completed["unstated"]
        stands = {f"pet/{key}" for key in unstated["pets"]}
        stands |= {f"organization/{key}" for key in unstated["orgs"]}
        for subject, (sequence, _, kind, value) in self.newest.items():
            family, _, word = kind.partition(".")
            listed = family in self.families.values() and word != "removed"
            if listed and sequence < self.snapshot and subject not in stands:
                self.newest[subject] = self.snapshot, "", f"{family}.removed", value

    def is_applied(self, name: str, end: dict[str, Any]) -> bool:
        """Return whether a partition is applied up to an end that is there, and nothing is lost."""
        topic, _, number = name.rpartition("/")
        place = topic, int(number)
        if not end["offset"] or topic not in self.families:
            return True
        if self.positions.get(place, (0, None))[0] < end["offset"] or not self.is_there(place):
            return False
        named = identity_of(self.log.record_at(*place, end["offset"] - 1))
        return not end["timestampMs"] or named == (end["recordId"], end["timestampMs"])

    def look_for_what_is_ahead(self) -> None:
        """Is there anything that a topic, read again to its end, doesn't know?"""
        for topic in list(self.again):
            ends = {place: end for place, end in self.log.ends.items() if place[0] == topic}
            if any(self.positions.get(place, (0, None))[0] < end for place, end in ends.items()):
                continue
            seen = self.again.pop(topic)
            for subject, (sequence, digest, kind, _) in self.newest.items():
                mine = kind.partition(".")[0] == self.families.get(topic)
                known = max(seen.get(subject, (-1, "")), (self.snapshot, ""))
                if mine and (sequence, digest) > known:
                    self.question = max(self.question, sequence)

    def request(self, now: datetime) -> tuple[bytes, bytes, list[tuple[str, bytes]]] | None:
        """Return key, value and headers for petstream.requests.v1: at each start, and each day."""
        if self.question < self.snapshot or not self.question:
            self.question = 0  # never asked, or paid
            return None
        at, number = now.strftime("%Y-%m-%dT%H:%M:%SZ"), int(now.timestamp()) * 1_000_000
        value = {"askedBy": ME, "sequence": self.question, "at": at, "reason": "ahead of the log"}
        headers = {
            "ce_specversion": "1.0", "ce_source": "/petstream/rescuegroups",
            "ce_type": "org.petstream.snapshot.requested", "ce_id": f"/request/{ME}/{number}",
            "ce_subject": f"request/{ME}", "ce_time": at, "ce_sequence": f"{number:019}",
            "ce_exportid": "", "ce_digest": "", "content-type": "application/json",
        }  # fmt: skip
        sent = [(name, text.encode()) for name, text in headers.items()]
        return ME.encode(), json.dumps(value).encode(), sent


def identity_of(record: Any) -> tuple[str, int] | None:
    """Return what tells a record from any other that may come to lie at its offset."""
    return record and (dict(record.headers)["ce_id"].decode(), record.timestamp)
