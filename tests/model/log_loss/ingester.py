"""The ingester's run: fold, find what is owed, read, remove who left, complete.

Every ``yield`` is a moment at which it may be killed, or the log may lose something.

Rule 1: a snapshot is a whole read in which every good row is published, changed or not.
Rule 2: what the log lists only below the newest snapshot is published at its next good row; until
        then it is unstated, and a reason to read pets_n.
Rule 3: a base is above all that is known, a snapshot's not below the clock either: no run that was
        lost may have had a higher one.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace

from log_loss.approvals import removal
from log_loss.debts import Owed, owed
from log_loss.events import (
    ORDER,
    RESTATED_POSITION,
    Completed,
    Debt,
    Ends,
    Event,
    Lifecycle,
    Mode,
    Plan,
    Row,
    Started,
    is_pet,
    position,
    topic_of,
    wins,
)
from log_loss.export_history import ExportHistory
from log_loss.feed import FULL, UPDATED, Export
from log_loss.log import Look, Place
from log_loss.world import World

MOST_REMOVALS = {"pets": 3, "orgs": 1}
Steps = Generator[None, None, None]


class Run:
    """A run of one export."""

    def __init__(self, world: World, export: Export) -> None:
        """Begin nothing yet: `steps` does."""
        self.world, self.export, self.rules = world, export, world.rules
        self.dead = False
        """Killed: what was in flight still arrives, and nobody looks at its answer."""
        self.lost: list[str] = []
        self.ledger: dict[int, Event] = {}
        self.spoken: dict[int, Row] = {}
        self.refused: set[int] = set()
        self.believed: set[str] = set()
        self.mode: Mode = "daily"
        self.name, self.base, self.floor = "", 0, 0

    def steps(self) -> Steps:
        """Run."""
        world, export = self.world, self.export
        fold = world.fold()
        self.ledger = dict(fold.newest)
        self.fold_ends: Ends = world.tips()
        self.acknowledged: Ends = dict(self.fold_ends)
        self.history = ExportHistory(self.rules, list(world.lifecycle()))
        if export.start < self._newest_start():
            return
        due = owed(world, self.history, export)
        for debt in due.debts:
            yield
            self._say(debt)
        self.history = ExportHistory(self.rules, list(world.lifecycle()))
        if not self._choose(due):
            return
        yield
        self._say(Started(self.name, export.files, export.start, self.base, self.mode))
        yield from self._publish(fold.stale)
        if not self.lost:
            self._complete()
        elif self.rules.debts_stay:
            world.say("acknowledged records were lost:", *self.lost)
            mode: Mode = "snapshot" if self.rules.snapshots else "whole"
            self._say(Debt(mode, self.base, "acknowledged, and lost"))
        yield

    def _publish(self, stale: set[int]) -> Steps:
        for key in sorted(stale):
            yield
            self._send(replace(self.ledger[key], again=True))
        yield from self._read()
        yield from self._remove()
        if self.mode == "snapshot" and self.rules.restate_from_ledger:
            yield from self._restate()
        yield
        if self.rules.read_back and not self.dead:
            for at, place in self.acknowledged.items():
                if self.world.look(at, place) is Look.LOST:
                    self.lost.append(f"{at}: {place.offset} isn't there any more")

    # which export, what mode, which base

    def _newest_start(self) -> int:
        starts = [event.start for event in self.history.completed]
        if self.rules.ledger_start:
            starts += [event.start for event in self.ledger.values()]
        return max(starts, default=-1)

    def _choose(self, due: Owed) -> bool:
        """Choose mode and base; tell whether there is anything to do."""
        read_before = any(event.files == self.export.files for event in self.history.completed)
        self.mode = due.mode
        if self.mode != "daily" and not self.export.whole:
            self.mode = "daily"  # the debt stays
        if read_before and self.mode == "daily":
            return False
        if due.why:
            self.world.say("owes", *due.why)
        self._take_base(due.asked)
        restated = self.history.restated
        if self.mode == "snapshot":
            self.floor = position(self.base, 0)
        elif restated is not None and self.rules.next_good_row:
            self.floor = restated.floor
        return True

    def _take_base(self, asked: int) -> None:
        """Take a base above all that is known, or the one that this export's run had before."""
        rules, begun = self.rules, self.history.resumed(self.export.files)
        above = begun is not None and (
            self.mode != "snapshot" or position(begun.base, 0) > asked or not rules.resumed_pays
        )
        if begun is not None and above:
            self.base, self.name = begun.base, begun.name
            return
        known = [-1]
        if rules.base_above_exports:
            known.append(self.history.highest_base())
        if rules.base_above_ledger:
            known += [event.base for event in self.ledger.values()]
        if rules.base_above_requests:
            known.append(position(0, asked) // position(1, 0))
        by_clock = rules.clock == "all" or (rules.clock == "snapshots" and self.mode == "snapshot")
        clock = self.world.now if by_clock else 0
        self.base = max(self.export.start, clock, max(known) + 1)
        self.name = f"{self.export.files}#{self.base}"

    # what is published

    def _say(self, event: Lifecycle) -> None:
        self.world.say(str(event).partition(", fold_ends")[0])
        self.world.append("exports", None, f"{type(event).__name__} {self.world.now}", event)

    def _send(self, event: Event) -> None:
        world, topic = self.world, topic_of(event.key)
        world.published(event)
        number, offset = world.append(topic, event.key, event.event_id, event)
        world.say("  sent", event.story(), f"to {topic}/{number}@{offset}")
        self.ledger[event.key] = event
        if self.dead:
            return
        at = topic, number
        before = self.acknowledged.get(at, Place())
        fell, jumped = offset < before.offset, offset != before.offset
        if (self.rules.acknowledgements_fall and fell) or (
            self.rules.acknowledgements_jump and jumped and world.look(at, before) is not Look.SAME
        ):
            self.lost.append(f"{at}: acknowledged {offset} after {before.offset}")
        self.acknowledged[at] = Place(offset + 1, event.event_id, world.now, world.topic_id(topic))

    def _rows(self) -> Iterator[tuple[int, int, Row]]:
        """Give the export's rows: place in the files, key, row."""
        export = self.export
        for index, key in enumerate(export.orgs()):
            yield index, key, export.rows[key]
        for index, key in enumerate(export.updated):
            yield 100 + index, key, replace(export.rows[key], family=UPDATED)
        unknown = (export.petlist or frozenset()) - set(export.updated) - self._restated()
        if export.whole and (self.mode != "daily" or unknown):
            for index, key in enumerate(export.pets()):
                row = export.older_rows.get(key, export.rows[key])
                yield 200 + index, key, replace(row, family=FULL)

    def _read(self) -> Steps:
        """Publish the rows that say something new, or that are to be said again."""
        export = self.export
        for index, key, row in self._rows():
            if self.lost:
                return
            if key in export.bad:
                self.refused.add(key)
                continue
            best = self.spoken.get(key)
            if best is not None and not wins(row, best):
                continue
            self.spoken[key] = row
            held, sequence = self.ledger.get(key), position(self.base, index)
            same = False
            if held is not None:
                same = held.listed and held.content == row.content
                if self._outdated(row, held) or (same and held.sequence >= self.floor):
                    continue
                sequence = max(sequence, held.sequence + 1)
            yield
            self._send(
                Event(
                    key, sequence, row.content, row.content, listed=True, start=export.start,
                    files_at=export.files_at, row=row, restated=same,
                )
            )  # fmt: skip

    def _outdated(self, row: Row, held: Event) -> bool:
        """Tell whether what is held is newer than this row."""
        if self.rules.by_starts:
            mine, theirs = (self.export.start, self.export.files_at), (held.start, held.files_at)
        else:
            mine, theirs = (self.base, 0), (held.base, 0)
        if mine != theirs or held.row is None:
            return theirs > mine
        if not held.listed:
            return True  # this export itself has removed it
        if not self.rules.last_updated:
            return False
        return row != held.row and not wins(row, held.row)

    def _listed(self, topic: str) -> set[int]:
        return {
            key for key, event in self.ledger.items() if event.listed and topic_of(key) == topic
        }

    def _restated(self) -> set[int]:
        """Return the keys that the log lists, not only below the newest snapshot."""
        listed = self._listed("pets") | self._listed("orgs")
        return {key for key in listed if self.ledger[key].sequence >= self.floor}

    def _remove(self) -> Steps:
        """Remove who left, where that may be believed."""
        export, present = self.export, self.export.present()
        for topic, keys in present.items():
            if keys is None:
                continue
            gone = sorted(self._listed(topic) - keys - self.spoken.keys() - self.refused)
            if not export.calm and len(gone) > MOST_REMOVALS[topic]:
                if topic == "pets" and not self.lost:
                    yield
                    self._hold(frozenset(gone))
                continue
            self.believed.add(topic)
            for key in gone:
                event = removal(self.ledger[key], self.base, export.start, export.files_at)
                if event is not None and not self.lost:
                    yield
                    self._send(event)

    def _hold(self, gone: frozenset[int]) -> None:
        export, now = self.export, self.world.now
        self._say(Plan(self.name, export.start, export.files_at, self.base, now, gone))

    def _restate(self) -> Steps:
        """Publish again what the ledger lists and no row has restated (the first wording)."""
        for key in sorted((self._listed("pets") | self._listed("orgs")) - self._restated()):
            if self.lost:
                return
            yield
            sequence = position(self.base, RESTATED_POSITION)
            self._send(replace(self.ledger[key], sequence=sequence, restated=True, again=False))

    # the end

    def _complete(self) -> None:
        rules, export = self.rules, self.export
        every = {"pets", "orgs"} if rules.both_believed else {"pets"}
        listed = frozenset().union(*(keys or () for keys in export.present().values()))
        snapshot, restated, unstated = self._snapshot(listed, believed=self.believed >= every)
        mode = self.mode
        if mode == "snapshot" and not (snapshot or restated):
            mode = "whole"
        self._say(
            Completed(
                self.name, export.files, export.start, self.base, mode, self.fold_ends,
                self.acknowledged if rules.ends == "acknowledged" else self.world.tips(),
                snapshot, restated, unstated,
                listed if self.believed >= {"pets", "orgs"} else None,
            )
        )  # fmt: skip
        self.world.say("  snapshot", snapshot, restated, "unstated", *sorted(unstated))
        if self.mode == "snapshot":
            self.world.snapshots.add(self.base)

    def _snapshot(
        self, listed: frozenset[int], *, believed: bool
    ) -> tuple[int, int, frozenset[int]]:
        """Return what completed says: snapshot, restated, unstated."""
        rules, before, unpaid = self.rules, self.history.restated, self.history.unpaid()
        unstated = self._unstated(listed)
        if self.mode == "snapshot":
            sequence = self.floor
            if not rules.snapshot_is_base:
                mine = (event.sequence for event in self.ledger.values())
                sequence = min((each for each in mine if each >= sequence), default=sequence)
            if believed:
                return sequence, 0, unstated
            return 0, sequence if rules.restated_pays else 0, frozenset()
        owing = unpaid is not None and ORDER[unpaid.mode] == ORDER["snapshot"]
        if before is None or not rules.snapshots or (owing and rules.not_while_owed):
            return 0, 0, frozenset()
        if not believed:
            return (before.snapshot if rules.carried else 0), before.restated, before.unstated
        if not (rules.carried or before.restated):
            return 0, 0, frozenset()
        return before.floor, 0, unstated if rules.carried_unstated else before.unstated

    def _unstated(self, listed: frozenset[int]) -> frozenset[int]:
        """Return what is listed there, and not in the log since the snapshot."""
        rules, stated = self.rules, self._restated()
        if not rules.unstated_below:
            stated = self._listed("pets") | self._listed("orgs")
        return frozenset(
            key
            for key in listed - stated
            if (rules.unstated_pets if is_pet(key) else rules.unstated_orgs)
        )
