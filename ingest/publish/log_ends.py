"""Where the log ends, as far as a run knows: what its fold saw, raised by acknowledgements.

Rule 1: acknowledgements of a partition follow each other. Where one doesn't, the log may have lost
        what lay before the gap: that position is kept, to be looked up before the run ends well.
Rule 2: ends are never measured afterwards: that would take a shorter log for the right one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from petstream.events import LogEnd
from petstream.kafka.records import TopicPartition


class Acknowledgement(NamedTuple):
    """Where the broker has put a batch: its first offset (-1: it doesn't say), and its end."""

    partition: TopicPartition
    first_offset: int
    end: LogEnd


class LogEnds:
    """The end of each partition, and the positions that are to be looked up."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._ends: dict[TopicPartition, LogEnd] = {}
        self.doubtful: list[tuple[TopicPartition, LogEnd]] = []
        """Positions before gaps between acknowledgements (rule 1)."""

    def begin(self, ends: Mapping[TopicPartition, LogEnd]) -> None:
        """Take what the fold saw."""
        self._ends.update(ends)

    def follow(self, acknowledgement: Acknowledgement) -> None:
        """Raise the end of a partition, and doubt it where the batch doesn't follow."""
        partition, first_offset, end = acknowledgement
        before = self._ends.get(partition)
        if before is not None and first_offset != before.offset:
            self.doubtful.append((partition, before))
        if first_offset >= 0:
            self._ends[partition] = end

    def of(self, topics: frozenset[str]) -> dict[TopicPartition, LogEnd]:
        """Return where the partitions of topics end."""
        return {
            partition: end
            for partition, end in sorted(self._ends.items())
            if partition.topic in topics
        }
