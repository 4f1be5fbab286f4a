"""Logs that lose what they acknowledged, and what a subscriber is to show after it. Pure.

Rule 1: a trial is a row of readings: the log as it is from now on, and what of it is read. At each
        reading the client connects anew, unless it is a silent one; what was lost in between,
        nobody says.
Rule 2: what is wanted at the end is what the feed says; but where not all was read, or not all
        could be stated, what is held stands.
Rule 3: pets and organisations are the same to it: each trial has some of both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Final, NamedTuple

from petstream.testkit.lossy_log import EXPORTS, LossyLog, Place, ReadableLog

_SWEEP: Final = (
    "Unlist what is below the newest snapshot, once all of its `ends` is applied (rule 5)"
)
_POSITION: Final = "Look whether the record before your position is still there (rule 5)"
_STALE: Final = "Sweep only while the records before your own positions are there (rule 5)"
_TOMBSTONE: Final = "Keep the snapshot as the sequence of what it sweeps (rule 5)"
_WAIT: Final = "Sweep only when every partition in `ends` is applied up to there (rule 5)"
_NAMED: Final = "Sweep only while the records that `ends` names are there (rule 5)"
_STANDS: Final = "What is in `unstated` was not stated again, and hasn't left (rule 5)"
_NEWEST: Final = "What is in `unstated` is said anew by each completed: take the newest (rule 5)"
_ONLY: Final = "A `completed` with `snapshot` sweeps; none does with `restated` alone (rule 5)"

Names = Mapping[int, str]


class Reading(NamedTuple):
    """The log from now on, and what of it is read: these partitions, in this order."""

    log: ReadableLog
    reads: tuple[Place, ...]
    silent: bool = False
    """The client goes on at its offsets, and the subscriber isn't asked where to begin."""


class LossTrial(NamedTuple):
    """A log that loses something while it is read; `wanted` is by `ce_subject`: the names."""

    name: str
    advice: str
    readings: tuple[Reading, ...]
    wanted: Mapping[str, str]


FIRST: Final[Names] = {1: "Biscuit", 2: "Moss", 3: "Pip", 4: "Juno", 6: "Rex", 9: "Kit"}
LOST: Final[Names] = {1: "Biscuit II", 3: "Pip", 4: "Juno", 5: "Ash", 6: "Rex", 9: "Kit"}
THEN: Final[Names] = {1: "Biscuit III", 3: "Pip", 4: "Juno II", 6: "Rex", 9: "Kit"}
LATER: Final[Names] = {1: "Biscuit IV", 2: "Moss II", 3: "Pip II", 4: "Juno III", 6: "Rex II",
                       9: "Kit", 12: "Fern"}  # fmt: skip
"""The pets of four days; the second day's events get lost: so 5 left, and no log says it."""

_ORGS: Final[Names] = {7: "Paws", 8: "Tails"}
_MORE_ORGS: Final[Names] = {7: "Paws & Co", 8: "Tails", 9: "Fins"}


def loss_trials(*, heals: bool = True) -> Iterator[LossTrial]:
    """Return every trial; `heals`: the ingester restates what the log lost, as petstream does."""
    for trial in _TRIALS:
        yield trial(LossyLog(heals=heals))


def listed(pets: Names, orgs: Names) -> dict[str, str]:
    """Return what is to be shown of a feed."""
    shown = {f"pet/{key}": name for key, name in pets.items()}
    return shown | {f"organization/{key}": name for key, name in orgs.items()}


def _whole(log: LossyLog, *, exports_last: bool = False) -> Reading:
    """Return a reading of everything; exports come first, before what they speak of is there."""
    now = log.now()
    return Reading(now, tuple(sorted(now.ends, reverse=exports_last)))


def _exports_only(log: LossyLog) -> Reading:
    return Reading(log.now(), ((EXPORTS, 0),))


def _all_of(run: Iterator[None]) -> None:
    for _ in run:
        pass


def _two_days(log: LossyLog) -> tuple[Reading, Reading, Mapping[Place, int]]:
    """Write the first day and the one that gets lost; return readings of both, and what stays."""
    _all_of(log.run(0, FIRST, _ORGS))
    first, kept = _whole(log), log.now().ends
    _all_of(log.run(1, LOST, _MORE_ORGS))
    return first, _whole(log), kept


def _regrown(log: LossyLog) -> LossTrial:
    first, second, kept = _two_days(log)
    log.lose(kept)
    _all_of(log.run(2, THEN, _ORGS, snapshot=True))
    readings = first, second, _whole(log)
    return LossTrial("a tail lost and grown again", _POSITION, readings, listed(THEN, _ORGS))


def _short(log: LossyLog) -> LossTrial:
    first, second, kept = _two_days(log)
    log.lose(kept)
    short = _whole(log)
    _all_of(log.run(2, THEN, _ORGS, snapshot=True))
    readings = first, second, short, _whole(log)
    return LossTrial("a tail lost, and seen before it grew", _SWEEP, readings, listed(THEN, _ORGS))


def _anew(log: LossyLog) -> LossTrial:
    first, second, _ = _two_days(log)
    log.lose({})
    _all_of(log.run(2, THEN, _ORGS, snapshot=True))
    readings = first, second, _whole(log, exports_last=True)
    return LossTrial("topics made anew", _POSITION, readings, listed(THEN, _ORGS))


def _silently_anew(log: LossyLog) -> LossTrial:
    """The first partition of the pets is as long as it was, so that nothing of it is read."""
    first, second, _ = _two_days(log)
    log.lose({})
    _all_of(log.run(2, THEN, _ORGS, snapshot=True))
    third = _whole(log)._replace(silent=True)
    wanted = listed({**LOST, **THEN}, {**_MORE_ORGS, **_ORGS})
    name = "a partition made anew without a word"
    return LossTrial(name, _STALE, (first, second, third), wanted)


def _partitions(log: LossyLog) -> LossTrial:
    first, second, kept = _two_days(log)
    log.lose(kept)
    log.raise_partitions(5)
    _all_of(log.run(2, THEN, _ORGS, snapshot=True))
    readings = first, second, _whole(log)
    return LossTrial("partitions added after a loss", _POSITION, readings, listed(THEN, _ORGS))


def _new_partitions_unread(log: LossyLog) -> LossTrial:
    _all_of(log.run(0, FIRST, _ORGS))
    first, old = _whole(log), set(log.now().ends)
    log.raise_partitions(5)
    _all_of(log.run(2, FIRST, _ORGS, snapshot=True))
    readings = first, Reading(log.now(), tuple(sorted(old)))
    wanted = listed(FIRST, _ORGS)
    return LossTrial("partitions added, and not yet read", _WAIT, readings, wanted)


def _lagging(log: LossyLog) -> LossTrial:
    first, _, kept = _two_days(log)
    log.lose(kept)
    _all_of(log.run(2, THEN, _ORGS, snapshot=True))
    readings = first, _exports_only(log)
    return LossTrial("a lagging reader", _WAIT, readings, listed(FIRST, _ORGS))


def _lagging_then_there(log: LossyLog) -> LossTrial:
    first, second, kept = _two_days(log)
    log.lose(kept)
    _all_of(log.run(2, THEN, _ORGS, snapshot=True))
    readings = first, second, _exports_only(log), _whole(log)
    return LossTrial("a lagging reader that arrives", _SWEEP, readings, listed(THEN, _ORGS))


def _midway(log: LossyLog, taken: int) -> tuple[Reading, Reading]:
    """Return readings by somebody new: in the middle of a snapshot, and at its end."""
    _, _, kept = _two_days(log)
    log.lose(kept)
    run = log.run(2, THEN, _ORGS, snapshot=True, unreadable=(3,))
    for _ in islice(run, taken):
        pass
    middle = _whole(log)
    _all_of(run)
    return middle, _whole(log)


def _new_subscriber(log: LossyLog) -> LossTrial:
    readings = _midway(log, 6)
    name = "a new subscriber in the middle of a snapshot"
    return LossTrial(name, _ONLY, readings, listed(THEN, _ORGS))


def _unstated(log: LossyLog) -> LossTrial:
    first, second, kept = _two_days(log)
    log.lose(kept)
    _all_of(log.run(2, THEN, _ORGS, snapshot=True, unreadable=(3,)))
    readings = first, second, _whole(log)
    return LossTrial("a pet that couldn't be stated", _STANDS, readings, listed(THEN, _ORGS))


def _unstated_then_gone(log: LossyLog) -> LossTrial:
    """Of pet 5 the log knows nothing more: nobody can say that it was removed."""
    first, second, kept = _two_days(log)
    log.lose(kept)
    _all_of(log.run(2, {**THEN, 5: "Ash"}, _ORGS, snapshot=True, unreadable=(5,)))
    third = _whole(log)
    _all_of(log.run(3, THEN, _ORGS))
    readings = first, second, third, _whole(log)
    name = "a pet that couldn't be stated, and left"
    return LossTrial(name, _NEWEST, readings, listed(THEN, _ORGS))


def _disbelieved(log: LossyLog) -> LossTrial:
    first, second, kept = _two_days(log)
    log.lose(kept)
    _all_of(log.run(2, THEN, _ORGS, snapshot=True, believed=False))
    readings = first, second, _whole(log)
    wanted = listed({**LOST, **THEN}, {**_MORE_ORGS, **_ORGS})
    return LossTrial("a petlist that isn't believed", _ONLY, readings, wanted)


def _believed_later(log: LossyLog) -> LossTrial:
    first, second, kept = _two_days(log)
    log.lose(kept)
    _all_of(log.run(2, THEN, _ORGS, snapshot=True, believed=False))
    third = _whole(log)
    _all_of(log.run(3, THEN, _ORGS))
    readings = first, second, third, _whole(log, exports_last=True)
    return LossTrial("a petlist believed the day after", _SWEEP, readings, listed(THEN, _ORGS))


def _past_comes_again(log: LossyLog) -> LossTrial:
    first, second, kept = _two_days(log)
    lost = log.now()
    log.lose(kept)
    _all_of(log.run(2, THEN, _ORGS, snapshot=True))
    third = _whole(log)
    log.come_again("pet/5", lost)
    log.come_again("organization/9", lost)
    readings = first, second, third, _whole(log)
    return LossTrial("what was swept comes again", _TOMBSTONE, readings, listed(THEN, _ORGS))


def _lost_again(log: LossyLog) -> LossTrial:
    _all_of(log.run(0, FIRST, _ORGS))
    first, kept = _whole(log), log.now().ends
    _all_of(log.run(2, FIRST, _ORGS, snapshot=True))
    log.lose(kept)
    log.owe()
    _all_of(log.run(3, LATER, {**_ORGS, 10: "Wings", 11: "Hooves"}))
    wanted = listed(LATER, {**_ORGS, 10: "Wings", 11: "Hooves"})
    return LossTrial("a snapshot lost again", _NAMED, (first, _whole(log)), wanted)


_TRIALS: Final[tuple[Callable[[LossyLog], LossTrial], ...]] = (
    _regrown, _short, _anew, _silently_anew, _partitions, _new_partitions_unread,
    _lagging, _lagging_then_there, _new_subscriber, _unstated, _unstated_then_gone,
    _disbelieved, _believed_later, _past_comes_again, _lost_again,
)  # fmt: skip
