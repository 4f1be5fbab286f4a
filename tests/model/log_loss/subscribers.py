"""Those who keep tables: our group with its shared database, and three kinds of strangers.

*ours*: members share a table; audits; big sweeps wait for a person. *r5*: looks at its positions,
asks, sweeps. *simple*: keeps no ids and asks nothing; reads all again when the snapshot rises.
*old*: knows the guard only.

Rule 1: a table's positions move with its data; where the record before a position is gone, its
        partition is read from the beginning.
Rule 2: what a reader then has ahead of the log, it asks to have restated.
Rule 3: what is listed below the newest snapshot, and isn't in its `unstated`, has left.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from random import Random

from log_loss.events import Completed, Event, topic_of
from log_loss.log import Look, Place
from log_loss.table import Table
from log_loss.world import At, World

PROBE_AFTER = 12
MOST_SWEPT = 3
COMMITS = 0.8
"""How often the group's offset is committed, after the table's position moved."""


@dataclass
class Member:
    """A client: what it looked at, and when."""

    fresh: bool = True
    """A session or an assignment begins."""
    probed: int = 0
    breaks: int = 0
    """The last broken connection that it looked after."""


class Subscriber:
    """A subscriber: its table and its members."""

    def __init__(self, name: str, members: int = 1) -> None:
        """Begin with an empty table."""
        self.name, self.table = name, Table()
        self.members = [Member() for _ in range(members)]
        self.turn = 0
        self.limited = False
        """Big sweeps wait for a person."""
        self.ours = name == "ours"

    def looks(self, world: World) -> bool:
        """Tell whether it looks at its positions."""
        return self.name in {"ours", "r5"} and world.rules.snapshots

    def restore(self, table: Table) -> None:
        """Put a dump back."""
        self.table = table.copy()
        self.restart()

    def restart(self) -> None:
        """Begin new sessions; partitions go to other members."""
        self.turn += 1
        for member in self.members:
            member.fresh = True

    def member_of(self, at: At) -> Member:
        """Return who holds a partition."""
        return self.members[(at[1] + self.turn) % len(self.members)]

    def held_by(self, world: World, member: Member) -> list[At]:
        """Return a member's partitions."""
        return [at for at in world.ledgers() if self.member_of(at) is member]

    # reading

    def poll(self, world: World, at: At, count: int, random: Random) -> None:
        """Apply some records of a partition; then heal what can be healed."""
        member, table = self.member_of(at), self.table
        if self.looks(world):
            self._look(world, member, at)
        if member.fresh and self.ours:
            self._seek(world, member)
        member.fresh, member.breaks = False, world.breaks
        partition = world.topics[at[0]].partitions[at[1]]
        if table.offset(at) > partition.end:  # out of range
            self.begin_anew(world, at, Look.LOST)
        offsets = list(partition.records) if table.offset(at) < partition.end else []
        first = bisect_left(offsets, table.offset(at))
        for offset in offsets[first : first + count]:
            record, topic_id = partition.records[offset], world.topic_id(at[0])
            self.apply(record.body)
            table.positions[at] = Place(offset + 1, record.event_id, record.timestamp, topic_id)
        if self.ours and at in table.positions and random.random() < COMMITS:
            world.group[at] = table.offset(at)
        self.heal(world, member)

    def _look(self, world: World, member: Member, at: At) -> None:
        """Look at positions, at the moments that the rules name."""
        rules, held = world.rules, self.held_by(world, member)
        if member.fresh and rules.session_check:
            self.check(world, held)
        if rules.fetch_check:
            self.check(world, [at])
        if rules.reconnect_check and member.breaks != world.breaks:
            self.check(world, held)
        if rules.probe_check and world.now - member.probed > PROBE_AFTER:
            self.check(world, held)
            member.probed = world.now

    def _seek(self, world: World, member: Member) -> None:
        """Begin at the lower of the table's position and the group's offset."""
        for at in self.held_by(world, member):
            committed = world.group.get(at, 0)
            if committed < self.table.offset(at):
                self.table.positions[at] = Place(committed)

    def apply(self, event: Event) -> None:
        """Apply an event, if it is newer than what is held."""
        held = self.table.rows.get(event.key)
        if held is None or event.rank > held.rank:
            self.table.rows[event.key] = event
        if not event.restated:
            self.table.history.add((event.key, event.sequence))

    def check(self, world: World, partitions: Iterable[At]) -> None:
        """Look whether the records before positions are still there."""
        for at in partitions:
            place = self.table.positions.get(at)
            if place is not None and (look := world.look(at, place)) is not Look.SAME:
                self.begin_anew(world, at, look)

    def begin_anew(self, world: World, at: At, look: Look) -> None:
        """Read a partition from its beginning."""
        world.say(self.name, "begins", at, "anew:", look.value)
        self.table.positions.pop(at, None)
        self.table.unsure.discard(at)
        if self.ours:
            world.group[at] = 0
        if self.looks(world):
            self.table.reread.add(at)
            if look is Look.LOST and not world.rules.ask_rows_ahead:
                highest = (event.sequence for event in self.table.rows.values())
                self.ask(world, max(highest, default=0), "a position is lost")

    def drained(self, world: World, at: At) -> bool:
        """Tell whether a partition was applied to its end."""
        partitions = world.topics[at[0]].partitions
        return at[1] >= len(partitions) or self.table.offset(at) >= partitions[at[1]].end

    # asking

    def heal(self, world: World, member: Member | None = None) -> None:
        """Ask, and sweep."""
        if self.name == "simple" and world.rules.snapshots:
            self._read_all_again(world)
        if not self.looks(world):
            return
        for at in sorted(at for at in self.table.reread if self.drained(world, at)):
            self.table.reread.discard(at)
            if world.rules.ask_rows_ahead:
                self._ask_ahead(world, at)
        if self.table.owed and world.rules.keep_question:
            self.ask(world, self.table.owed, "still owed")
        if not (self.ours and world.rules.sweep_by_audit):
            self._sweep(world, member)

    def _ask_ahead(self, world: World, at: At) -> None:
        """Ask for what is ahead of the log, or unknown to it, of a partition's topic."""
        newest, ledger = world.newest_snapshot(), world.fold().newest
        snapshot = newest.snapshot if newest is not None else 0
        ahead = [
            event.sequence
            for key, event in self.table.rows.items()
            if topic_of(key) == at[0]
            and (event.sequence > snapshot or (event.sequence == snapshot and event.listed))
            and (key not in ledger or event.rank > ledger[key].rank)
        ]
        if ahead:
            self.ask(world, max(ahead), "rows ahead of the log")

    def ask(self, world: World, sequence: int, why: str) -> None:
        """Ask for a snapshot above a sequence, unless it is there or asked for."""
        rules, newest = world.rules, world.newest_snapshot()
        if not rules.requests or (self.name == "r5" and not rules.requests_of_r5):
            return
        if newest is not None and newest.snapshot > sequence:
            self.table.owed = 0
            return
        if rules.keep_question:
            self.table.owed = max(self.table.owed, sequence)
        if world.asked().get(self.name, 0) < sequence:
            world.ask(self.name, sequence, why)

    # sweeping

    def _sweep(self, world: World, member: Member | None) -> None:
        """Unlist what the newest snapshot didn't restate."""
        completed = world.newest_snapshot()
        if completed is None or not self.table.left(completed):
            return
        if not self._may_sweep(world, completed, member):
            return
        left = self._leaving(world, completed)
        if self.ours and self.limited and len(left) > MOST_SWEPT:
            world.say("sweep held:", *sorted(left))
            self.table.plan = completed.snapshot, left
            return
        for key in sorted(left):
            self._unlist(world, key, completed.snapshot)

    def approve_sweep(self, world: World) -> None:
        """Let a person approve the sweep that is held: what would be swept now, of it."""
        completed, plan = world.newest_snapshot(), self.table.plan
        self.table.plan = None
        if plan is None or completed is None:
            return
        snapshot, keys = plan
        if world.rules.sweep_again:
            if not self._may_sweep(world, completed, None):
                return
            keys &= self._leaving(world, completed)
            snapshot = completed.snapshot
        for key in sorted(keys):
            if self.table.rows[key].sequence < snapshot and self.table.rows[key].listed:
                self._unlist(world, key, snapshot)

    def _leaving(self, world: World, completed: Completed) -> frozenset[int]:
        left = self.table.left(completed)
        if self.ours and world.rules.sweep_by_audit:
            left -= {key for key, event in world.fold().newest.items() if event.listed}
        return left

    def _may_sweep(self, world: World, completed: Completed, member: Member | None) -> bool:
        """Tell whether every partition was applied up to the completed's ends, in this log."""
        rules, table = world.rules, self.table
        if self.ours and rules.sweep_by_audit:
            return True
        for at in sorted(table.unsure) if rules.unnamed_is_unsure else ():
            self.begin_anew(world, at, Look.UNKNOWN)
        if rules.sweep_check == "all" or member is None:
            self.check(world, world.ledgers())
        elif rules.sweep_check == "own":
            self.check(world, self.held_by(world, member))
        return self._applied_to(world, completed, named=rules.named)

    def _applied_to(self, world: World, completed: Completed, *, named: bool) -> bool:
        ends = completed.ends.items()
        return all(
            self.table.offset(at) >= place.offset
            and (not named or world.look(at, place) is Look.SAME)
            for at, place in ends
        )

    def _read_all_again(self, world: World) -> None:
        """Read all again when the snapshot rises; unlist what is below it, once that is done."""
        completed, table = world.newest_snapshot(), self.table
        if completed is None:
            return
        if completed.snapshot > table.seen:
            world.say(self.name, "reads all again for", completed.snapshot)
            world.counts["reread"] += 1
            table.seen, table.positions = completed.snapshot, {}
        if completed.snapshot == table.seen and self._applied_to(world, completed, named=False):
            for key in sorted(table.left(completed)):
                self._unlist(world, key, completed.snapshot)

    def _unlist(self, world: World, key: int, snapshot: int) -> None:
        """Make a row a tombstone."""
        held = self.table.rows[key]
        world.say(self.name, "sweeps", held.event_id, "below", snapshot)
        world.counts["swept"] += 1
        self.table.rows[key] = Event(
            key, snapshot, held.content + "!", held.content,
            listed=False, start=held.start, files_at=held.files_at,
        )  # fmt: skip
        newest = world.fold().newest.get(key)
        restated = newest is not None and newest.listed and newest.sequence > snapshot
        if key in world.believed() and not restated:
            world.fail(f"{self.name} swept", f"{key}, which the newest believed lists name")

    # the audit of our own

    def audit(self, world: World) -> None:
        """Compare with the folded log, partition by partition; the log wins."""
        rules, looks = world.rules, self.looks(world)
        if looks and rules.audit_check:
            self.check(world, world.ledgers())
        if not world.completed():
            return
        applied = {at for at in world.ledgers() if self.drained(world, at)}
        for key, event in world.fold().newest.items():
            held = self.table.rows.get(key)
            if world.partition_of(key) in applied and (held is None or event.rank > held.rank):
                world.say("the audit mends", key)
                world.counts["mended"] += 1
                self.table.rows[key] = event
        if looks and rules.sweep_by_audit:
            self._sweep(world, None)
        if looks and rules.audit_asks:
            for at in sorted(applied):
                self._ask_ahead(world, at)
