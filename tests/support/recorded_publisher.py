"""A publisher without Kafka: what a run publishes through it, decoded, in its order."""

from __future__ import annotations

from petstream.codec import Envelope, Headers, decode


class RecordedPublisher:
    """Takes what a `Lifecycle` sends."""

    def __init__(self) -> None:
        """Begin with nothing sent."""
        self.envelopes: list[Envelope] = []
        """What was sent, but for dead letters."""
        self.types: list[str] = []
        """The types of all that was sent, without the prefix."""

    async def flush(self) -> None:
        """Have it acknowledged at once."""

    async def send(self, _topic: str, _key: str, value: bytes, headers: Headers) -> None:
        """Take a record."""
        names = dict(headers)
        if names["ce_type"].endswith(b"deadletter.row"):
            self.types.append("deadletter.row")
            return
        self.envelopes.append(decode(headers, value))
        self.types.append(".".join(self.envelopes[-1].type.split(".")[-2:]))
