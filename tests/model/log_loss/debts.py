"""What the ingester owes, derived from the log before anything is read.

Rule 1: a debt that the log itself won't tell again is written down: the base known then, and a
        mode. Only a completed of a higher base, and of this mode or a dearer one, pays.
Rule 2: a *started* without its *completed* owes its mode for the same files, and a whole read if
        others come.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from log_loss.events import ORDER, PER_BASE, Completed, Debt, Ends, Event, Mode
from log_loss.export_history import ExportHistory
from log_loss.feed import DAY, Export
from log_loss.log import Look, Place
from log_loss.world import World

MISSED_AFTER = DAY * 5 // 4


@dataclass(frozen=True)
class Owed:
    """What a run must do, and what it must write down first."""

    mode: Mode
    debts: tuple[Debt, ...]
    asked: int
    """The highest sequence that a believed request names."""
    why: tuple[str, ...]


def owed(world: World, history: ExportHistory, export: Export) -> Owed:
    """Tell what a run of an export owes."""
    rules, ledger, newest = world.rules, world.fold().newest, history.newest
    modes: dict[Mode, list[str]] = {"daily": [], "whole": [], "snapshot": []}
    debts: list[Debt] = []

    def owe(mode: Mode, *why: str) -> None:
        modes["whole" if mode == "snapshot" and not rules.snapshots else mode].extend(why)

    if newest is None:
        owe("whole", "initial")
    elif export.scrub and not history.read_whole(export.files):
        owe("whole", "scrub")
    unpaid = history.unpaid()
    if unpaid is not None:
        owe(unpaid.mode, unpaid.why)
    if rules.unfinished and (mode := history.unfinished(export.files)) is not None:
        owe(mode, "unfinished")
    for mode, why in _debts_of_log(world, history, export, ledger):
        owe(mode, why)
        if rules.debts_stay and (unpaid is None or ORDER[unpaid.mode] < ORDER[mode]):
            debts.append(Debt(mode, history.highest_base(), why))
    asked, restated = _asked(world), history.restated
    if asked > (restated.floor if restated is not None else 0):
        owe("snapshot", f"asked for above {asked}")
    dear: list[Mode] = [mode for mode, why in modes.items() if why]
    dearest_mode: Mode = max(dear, key=ORDER.__getitem__, default="daily")
    dearest = max(debts, key=lambda debt: ORDER[debt.mode], default=None)
    reasons = tuple(why for each in modes.values() for why in each)
    return Owed(dearest_mode, (dearest,) if dearest is not None else (), asked, reasons)


def lost_ends(world: World, newest: Completed) -> list[str]:
    """Return where the log isn't any more what the newest completed says."""
    return [
        f"{at} lost something"
        for at, place in newest.ends.items()
        if world.look(at, place) is Look.LOST
    ]


def _debts_of_log(
    world: World, history: ExportHistory, export: Export, ledger: dict[int, Event]
) -> Iterator[tuple[Mode, str]]:
    """Find what the log won't tell again, once a run has appended to it."""
    rules, newest, highest = world.rules, history.newest, history.highest_base()
    if rules.snapshots and rules.above_exports:
        above = [event.event_id for event in ledger.values() if event.base > highest]
        yield from (("snapshot", f"{event_id} is above exports.v1") for event_id in above[:1])
    if newest is None:
        return
    if rules.snapshots and rules.ends_check:
        yield from (("snapshot", where) for where in lost_ends(world, newest))
    if rules.gap_between_starts and export.start - newest.start > MISSED_AFTER:
        yield "whole", "a day was missed"
    yield from (("whole", winner) for winner in _older_winners(world, history, newest, ledger))


def _older_winners(
    world: World, history: ExportHistory, newest: Completed, ledger: dict[int, Event]
) -> list[str]:
    """Return records of older exports that were appended behind the last fold, and won."""
    behind: Ends = newest.ends
    if world.rules.older_winners == "fold":
        behind = newest.fold_ends
    elif world.rules.older_winners == "ends before":
        behind = history.ends_before(newest)
    elif world.rules.older_winners == "none":
        return []
    return [
        f"{event.event_id} is older, came late, and won"
        for at in world.ledgers()
        for offset, event in world.events(at)
        if offset >= behind.get(at, Place()).offset
        and event.base < newest.base
        and not event.again
        and ledger[event.key].rank == event.rank
    ]


def _asked(world: World) -> int:
    """Return the highest believed request: one far ahead of the clock is none."""
    if not (world.rules.requests and world.rules.snapshots):
        return 0
    latest = (world.now + DAY) * PER_BASE
    return max((asked for asked in world.asked().values() if asked < latest), default=0)
