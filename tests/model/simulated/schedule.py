"""Days with accidents, drawn from a seed, then days without; and what must be true behind them.

Rule 1: each accident that befalls the log, or a database, is named: a schedule without losses must
        ask for nothing, state nothing again and sweep nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from aiokafka import TopicPartition as Place
from simulated.checks import check, check_quiet
from simulated.feed import DAY, FIRST_START, Export, Faults
from simulated.process import Process
from simulated.world import World

from ingest.state.debts import Wanted
from petstream import topics

_PETLISTS: Final = "missing", "empty", "header", "half", "cut", "old"
_LOSSES: Final = ("cut", "cut", "put back", "made anew")
_LISTED_S: Final = timedelta(minutes=50)


@dataclass(frozen=True)
class Kind:
    """What may befall a schedule."""

    losses: bool = True
    """The log may lose what it acknowledged."""
    accidents: bool = True
    """Processes are killed and stopped, connections break, databases are put back."""
    made_anew: bool = False
    """Behind the days with accidents, when all is applied, the topic of pets is made anew."""


async def run(world: World, kind: Kind) -> None:
    """Let days pass; raises `AssertionError` where something isn't right behind them."""
    random = world.random
    world.network.roughness = random.choice((0.0, 0.02, 0.1)) if kind.accidents else 0.0
    world.network.records_a_batch = random.choice((1, 2, 5, 50))
    world.network.records_a_poll = random.choice((5, 40))
    world.network.late_s = random.choice((5.0, 300.0, 900.0, 90_000.0))
    for _ in range(random.randrange(2, 6)):
        await _morning(world)
        if world.feed.day == 0 or random.random() < 0.85:
            await _ingest(world, kind)
        else:
            world.say("nobody looked that day")
        await _afternoon(world, kind)
        world.feed.next_day(_faults(world))
        world.server.put_back = None
    world.network.roughness = 0.0
    world.broker.at_call.clear()
    if kind.made_anew:
        await world.consume(world.process("consumers"), drain=True)
        _make_anew(world, world.name(topics.PETS))
    for _ in range(2):  # on the first, the export may have faults still
        await _morning(world)
        await _calm(world)
        world.feed.next_day(Faults())
    await _morning(world)
    # who was changed by a row that was refused isn't known: the next whole read has it
    wanted: Wanted = "scrub" if world.feed.were_refused else "auto"
    await _calm(world, "snapshot" if world.wants_snapshot else wanted)
    check(world, lost=any("was lost:" in line for line in world.happened))
    await check_quiet(world)


async def _morning(world: World) -> None:
    await world.clock.until(FIRST_START + world.feed.day * DAY + _LISTED_S)


def _faults(world: World) -> Faults:
    random = world.random
    faults = Faults()
    if random.random() < 0.25:
        faults.petlist = random.choice(_PETLISTS)
    if random.random() < 0.1:
        faults.stamp = random.choice(("none", "of tomorrow"))
    if random.random() < 0.1:
        faults.without = random.choice(("pets_1", "updatedpets_1", "newpets_1", "orgs_1"))
    faults.refused = random.random() < 0.05
    faults.orgs_short = random.random() < 0.05
    if faults != Faults():
        world.say(f"the next export has {faults}")
    return faults


async def _ingest(world: World, kind: Kind) -> None:
    """Read what is there, some times; with an older export put back, or a republication, or not."""
    random = world.random
    exports: list[Export] = world.feed.exports
    if len(exports) > 1 and random.random() < 0.1:
        world.server.put_back = random.choice(exports[:-1])
        world.say(f"the export of {world.server.put_back.start} was put back")
    for attempt in range(random.randrange(1, 4)):
        process = world.process("ingester", elsewhere=random.random() < 0.3)
        if kind.accidents:
            _accident(world, process, most=260)
        _loss(world, kind, within=300, chance=0.15)
        done = await _ingest_once(world, kind, process)
        if random.random() < 0.3:
            await _consume(world, kind)
        if done and random.random() < 0.7:
            break
        world.server.put_back = None
        await world.wait(minutes=random.randrange(1, 20))
        if attempt == 0 and done and random.random() < 0.3:
            world.feed.republish()
            world.say("the export was published again")
            await world.wait(hours=1)


async def _ingest_once(world: World, kind: Kind, process: Process) -> bool:
    """Read what is there, now and then beside consumers or another ingester."""
    random, beside = world.random, list[asyncio.Task[Any]]()
    if random.random() < 0.3:
        beside.append(asyncio.create_task(_consume(world, kind)))
    if random.random() < 0.1:
        second = world.process("ingester", elsewhere=True)
        beside.append(asyncio.create_task(world.ingest(second)))
    done = await world.ingest(process)
    if process.is_stopped:
        process.go_on()
    for task in beside:
        await task
    return done


async def _afternoon(world: World, kind: Kind) -> None:
    random = world.random
    if random.random() < 0.2:
        await world.decide()
    if random.random() < 0.2:
        world.broker.back_up()
    if random.random() < 0.3:
        world.database.back_up()
    if kind.losses and random.random() < 0.15:
        _losing(world, random.choice(_LOSSES))()
    if kind.accidents:
        _befall_database(world)
        if random.random() < 0.1:
            number = len(world.broker.topics[world.name(topics.PETS)].partitions) + 2
            world.broker.add_partitions(world.name(topics.PETS), number)
            world.say(f"pets.v1 has {number} partitions")
        if random.random() < 0.1:
            await world.rewind(world.process("replay"))
    for _ in range(random.randrange(3)):
        await _consume(world, kind)


async def _consume(world: World, kind: Kind) -> None:
    random = world.random
    process = world.process("consumers")
    if kind.accidents:
        _accident(world, process, most=200)
    _loss(world, kind, within=200, chance=0.1)
    await world.consume(process, drain=random.random() < 0.5, for_s=random.choice((40.0, 400.0)))
    await world.wait(seconds=15)  # a killed member's session


def _accident(world: World, process: Process, *, most: int) -> None:
    random = world.random
    if random.random() < 0.35:
        process.kill_at = random.randrange(1, most)
    elif random.random() < 0.15:
        process.stop_at = random.randrange(1, most)
        process.stopped_for_s = random.choice((3.0, 30.0, 2_000.0))


def _befall_database(world: World) -> None:
    random, database = world.random, world.database
    if random.random() < 0.1:
        if database.restore(random.randrange):
            world.say("the database was put back from a dump")
    elif random.random() < 0.05:
        database.empty()
        world.say("the database was emptied")


def _loss(world: World, kind: Kind, *, within: int, chance: float) -> None:
    """Let the log lose something at one of the next calls."""
    random, broker = world.random, world.broker
    if not kind.losses or random.random() >= chance:
        return
    what = random.choice(_LOSSES)
    at = broker.calls + random.randrange(1, within)
    broker.at_call[at] = _losing(world, what)


def _losing(world: World, what: str) -> Callable[[], None]:
    broker, random = world.broker, world.random
    truth: list[Any] = [topics.PETS, topics.ORGS, topics.EXPORTS]

    def lose() -> None:
        names = [world.name(topic) for topic in truth]
        if what == "cut":
            tails = {
                place: random.randrange(1, 6)
                for place in broker.places(names)
                if random.random() < 0.6
            }
            broker.cut(tails)
            world.say(f"was lost: {_shown(tails)}")
        elif what == "put back":
            if broker.put_back():
                world.say("was lost: Kafka's directory was put back")
        else:
            _make_anew(world, random.choice(names))

    return lose


def _make_anew(world: World, name: str) -> None:
    world.broker.make_anew(name)
    world.say(f"was lost: {name} was made anew")


def _shown(tails: dict[Place, int]) -> str:
    return ", ".join(f"{at.topic}/{at.partition} -{count}" for at, count in sorted(tails.items()))


async def _calm(world: World, wanted: Wanted = "auto") -> None:
    """A day without accidents: read, decide, apply; again, for what is asked for meanwhile."""
    world.server.put_back = None
    await world.wait(seconds=20)
    before: object = None
    for _ in range(4):
        await world.ingest(world.process("ingester"), wanted)
        await world.decide()
        await world.consume(world.process("consumers"), drain=True)
        await world.wait(seconds=15)
        wanted, now = "auto", world.settled()
        if now == before:
            break
        before = now
