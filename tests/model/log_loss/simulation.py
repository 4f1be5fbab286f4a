"""A world with a schedule of faults, day by day, and what is left at its end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random

from log_loss.approvals import decide
from log_loss.faults import AFTER_THE_RUNS, LOSSES, SUBSCRIBERS, Fault, Kind, Late
from log_loss.feed import DAY, Export, history
from log_loss.ingester import Run, Steps
from log_loss.log import Partition, Place, Topic
from log_loss.rules import Rules
from log_loss.subscribers import Subscriber
from log_loss.table import Table
from log_loss.world import At, Violation, World

CALM_DAYS = 3
"""Days at the end on which nothing happens."""

ALL = 999


@dataclass
class Outcome:
    """What came of a schedule."""

    violation: Violation | None
    world: World
    wrong: dict[str, frozenset[int]]
    """The keys at which each subscriber is wrong at the end."""
    wrong_days: dict[str, int]
    """Wrong rows at the end of each day, summed up."""


@dataclass
class Arrival:
    """What a killed ingester still had in flight."""

    day: int
    step: int
    count: int
    steps: Steps


class Simulation:
    """A world, its subscribers, and the days."""

    def __init__(
        self, seed: int, rules: Rules, kind: Kind, faults: Sequence[Fault], story: list[str] | None
    ) -> None:
        """Begin."""
        self.seed, self.kind, self.faults = seed, kind, faults
        self.world = World(rules, story=story)
        self.feed = history(seed, kind.days + CALM_DAYS, quiet=kind.quiet)
        members = {"ours": 2}
        self.subscribers = {name: Subscriber(name, members.get(name, 1)) for name in SUBSCRIBERS}
        self.dumps: list[dict[str, Table]] = []
        self.directories: list[tuple[dict[str, Topic], dict[At, int]]] = []
        self.arrivals: list[Arrival] = []
        self.wrong_days = dict.fromkeys(SUBSCRIBERS, 0)
        self.step = 0
        self.random = Random()  # noqa: S311  seeded each day
        self.today: list[Fault] = []

    def run(self) -> Outcome:
        """Let the days pass."""
        for day in range(self.kind.days + CALM_DAYS):
            self.random = Random(f"day{self.seed}/{day}")  # noqa: S311  seeded on purpose
            self.today = [fault for fault in self.faults if fault.day == day]
            self._pass(day, calm=day >= self.kind.days)
        return self._judge()

    # a day

    def _pass(self, day: int, *, calm: bool) -> None:
        world = self.world
        world.now = max(world.now, day * DAY + 100)
        self.subscribers["ours"].limited = not calm
        self.step = 0
        if calm:
            self.arrivals = []
        server = self._server(day, calm=calm)
        self._happen(0)
        for export in server if not self._is("no run") else []:
            for attempt in range(4 if calm else 3):
                kill = None
                if export is server[0]:
                    kill = next((f for f in self._of("kill") if f.more[0] == attempt), None)
                self._attempt(day, export, kill)
                world.now += 5
                if calm or self.random.random() < 0.5:
                    self._catch_up(self._online())
                if calm:
                    decide(world)
                    self.subscribers["ours"].approve_sweep(world)
        self._happen(AFTER_THE_RUNS)
        self._arrive(day, AFTER_THE_RUNS)
        for subscriber in self._online():
            for _ in range(2 if calm else self.random.randrange(3)):
                self._catch_up([subscriber])
        self._end(server[-1])

    def _attempt(self, day: int, export: Export, kill: Fault | None) -> None:
        """Run the ingester once."""
        world, run = self.world, Run(self.world, export)
        steps = run.steps()
        for number, _ in enumerate(steps, 1):
            self.step += 1
            world.now += 1
            self._happen(self.step)
            for subscriber in self._online():
                if self.random.random() < 0.35:
                    self._poll(subscriber, self.random.choice(world.ledgers()))
            if kill is not None and number >= kill.when:
                world.say("the ingester was killed")
                late: Late | None = kill.more[1]
                if late is not None:
                    run.dead = True
                    step = late.step if late.days else self.step + late.step
                    self.arrivals.append(Arrival(day + late.days, step, late.count, steps))
                    return
                break
            self._arrive(day, self.step)
        steps.close()

    def _arrive(self, day: int, step: int) -> None:
        """Let arrive what killed ingesters had in flight."""
        due = [each for each in self.arrivals if (each.day, each.step) <= (day, step)]
        for arrival in due:
            self.arrivals.remove(arrival)
            self.world.say("a late batch arrives")
            for _ in range(arrival.count):
                if next(arrival.steps, "ended") == "ended":
                    break
            arrival.steps.close()

    def _end(self, export: Export) -> None:
        """Compact, copy, dump, and count what is wrong."""
        world = self.world
        if self._is("compaction"):
            world.changed()
            for name in ("pets", "orgs", "requests"):
                for partition in world.topics[name].partitions:
                    partition.compact(world.now)
        topics = {name: topic.copy() for name, topic in world.topics.items()}
        self.directories.append((topics, dict(world.group)))
        self.dumps.append({name: each.table.copy() for name, each in self.subscribers.items()})
        for name, subscriber in self.subscribers.items():
            self.wrong_days[name] += len(differing(subscriber.table, export))

    # subscribers

    def _online(self) -> list[Subscriber]:
        offline = {fault.who for fault in self._of("offline")}
        return [each for name, each in self.subscribers.items() if name not in offline]

    def _poll(self, subscriber: Subscriber, at: At, count: int | None = None) -> None:
        asleep = [fault.more for fault in self._of("member asleep")]
        member = subscriber.members.index(subscriber.member_of(at))
        if not (subscriber.ours and member in asleep):
            most = count or self.random.choice((1, 2, 4, 9))
            subscriber.poll(self.world, at, most, self.random)

    def _catch_up(self, subscribers: Iterable[Subscriber]) -> None:
        """Let subscribers read to the end, and ours audit."""
        for subscriber in subscribers:
            for at in self.world.ledgers():
                self._poll(subscriber, at, ALL)
            subscriber.heal(self.world)
            if subscriber.ours:
                subscriber.audit(self.world)
                subscriber.heal(self.world)

    # the feed

    def _server(self, day: int, *, calm: bool) -> list[Export]:
        """Return the exports that lie on the server that day, one after the other."""
        days = self.feed[day]
        server = [days.first]
        if self._is("older export") and day and not calm:
            server = [self.feed[day - 1].first]
        if self._is("republication"):
            server.append(days.again)
        for export in (days.first, days.again):
            export.bad = next((fault.more for fault in self._of("refused")), frozenset())
            export.whole, export.calm = not self._is("pets_n missing"), calm
            export.scrub = calm and self.kind.scrub
            export.orgs_short = self._is("orgs short")
            export.petlist = frozenset(export.pets())
            for fault in self._of("petlist"):
                export.petlist = None if fault.more == "none" else frozenset(export.pets()[:2])
        if day:
            before = self.feed[day - 1]
            # what changed behind the export, and what was refused in it, stands in the next
            again = {*before.between, *(before.first.bad & {*before.first.updated})}
            for export in (days.first, days.again):
                pets = again & {*export.pets()}
                export.updated = sorted({*export.updated, *pets})
        return server

    # faults

    def _of(self, what: str) -> list[Fault]:
        return [fault for fault in self.today if fault.what == what]

    def _is(self, what: str) -> bool:
        return any(fault.what == what for fault in self.today)

    def _happen(self, when: int) -> None:
        """Let the faults of a moment happen."""
        for fault in self.today:
            if fault.when == when and fault.what in LOSSES:
                self._lose(fault)
            elif fault.when == when:
                self._act(fault)

    def _act(self, fault: Fault) -> None:
        world = self.world
        if fault.what == "decision":
            decide(world)
            self.subscribers["ours"].approve_sweep(world)
        elif fault.what == "restart":
            self.subscribers[fault.who].restart()
        elif fault.what == "restored" and self.dumps:
            dump = self.dumps[max(0, len(self.dumps) - fault.more)]
            world.say(fault.who, "is restored from a dump")
            self.subscribers[fault.who].restore(dump[fault.who])
        elif fault.what == "emptied":
            world.say(fault.who, "is emptied")
            self.subscribers[fault.who].restore(Table())
        elif fault.what in {"replay", "position of 0.1"}:
            self._put_positions(fault)
        elif fault.what == "partitions added":
            world.changed()
            world.topics["pets"].partitions += [Partition(), Partition()]

    def _put_positions(self, fault: Fault) -> None:
        """Put positions back to somewhere, or take from them what 0.1 didn't keep."""
        world, subscriber = self.world, self.subscribers[fault.who]
        table, names = subscriber.table, fault.what == "replay" and world.rules.replay_names
        world.say(fault.who, fault.what)
        if names and subscriber.looks(world):
            subscriber.check(world, list(table.positions))
        for at in (at for at in world.ledgers() if at in table.positions):
            before = int(table.offset(at) * fault.more) - 1
            if names:
                records = world.topics[at[0]].partitions[at[1]].records
                before = max((offset for offset in records if offset <= before), default=-1)
                record = records.get(before)
                place = Place()
                if record is not None:
                    place = Place(before + 1, record.event_id, record.timestamp)
                table.positions[at] = place
            else:
                table.positions[at] = Place(before + 1)
                table.unsure.add(at)
            if subscriber.ours:
                world.group[at] = before + 1
        subscriber.restart()

    def _lose(self, fault: Fault) -> None:
        """Lose records."""
        world, before = self.world, self._contents()
        world.say("***", fault.what, fault.who, fault.more or "")
        if fault.what == "cut":
            for (topic, number), count in fault.more:
                world.topics[topic].partitions[number].cut(count)
        elif fault.what == "made anew":
            world.made += 1
            partitions = len(world.topics[fault.who].partitions)
            world.topics[fault.who] = Topic.of(partitions, world.made)
        elif self.directories:
            topics, group = self.directories[max(0, len(self.directories) - fault.more)]
            world.topics = {name: topic.copy() for name, topic in topics.items()}
            world.group = dict(group)
        world.changed()
        if fault.what != "made anew":
            world.breaks += 1
        if before - self._contents():
            world.losses += 1

    def _contents(self) -> set[tuple[str, int, int, str, int]]:
        return {
            (name, number, offset, record.event_id, record.timestamp)
            for name, topic in self.world.topics.items()
            for number, partition in enumerate(topic.partitions)
            for offset, record in partition.records.items()
        }

    # the end

    def _judge(self) -> Outcome:
        """Compare everything with the feed."""
        world, export = self.world, self.feed[-1].first
        log = Table(rows=dict(world.fold().newest))
        wrong = {name: differing(each.table, export) for name, each in self.subscribers.items()}
        compared = {"log": differing(log, export), "ours": wrong["ours"]}
        if world.rules.snapshots:
            compared["r5"] = wrong["r5"]
            # the same loss may be found twice only if another loss came
            if len(world.snapshots) > world.losses + (world.losses > 1):
                world.fail("snapshots", f"{len(world.snapshots)} for {world.losses} losses")
        for what, keys in compared.items():
            if keys:
                world.fail(what, f"isn't the feed at {sorted(keys)}")
        lacking = self._history_lacks()
        if lacking and not any(fault.what == "position of 0.1" for fault in self.faults):
            world.fail("history", f"lacks {lacking}")
        return Outcome(world.violation, world, wrong, self.wrong_days)

    def _history_lacks(self) -> list[str]:
        """Return what the log holds and our history doesn't."""
        kept = self.subscribers["ours"].table.history
        return [
            event.event_id
            for at in self.world.ledgers()
            for _, event in self.world.events(at)
            if not event.restated and (event.key, event.sequence) not in kept
        ]


def differing(table: Table, export: Export) -> frozenset[int]:
    """Return the keys at which a table isn't what the feed says."""
    listed, truth = table.listed(), export.listed()
    return frozenset(key for key in {*listed, *truth} if listed.get(key) != truth.get(key))
