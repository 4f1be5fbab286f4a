"""What is owed before an export is read, and the mode that pays it. Pure.

Rule 1: debts are derived from the log: a run that broke off, a day that was missed, what a
        `debt.found` says, what somebody asks for. Nothing else is kept of them.
Rule 2: lost records owe a snapshot; rows that may have been missed, a whole read.
Rule 3: a whole read that is owed and can't be made (pets_n isn't whole) stays owed: the day's rows
        are read meanwhile.
Rule 4: a missed day is measured between the starts of exports, and a scrub is due by them, too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple

from ingest.state.export_history import ExportHistory, is_restating, started_at
from ingest.state.log_check import debt
from petstream.events import DebtEvent, ExportEvent, Mode, Owed
from petstream.sequence import PER_SECOND, base_of

MISSED_AFTER: Final = timedelta(hours=30)
"""Two exports further apart than this have a day between them that nobody read."""

Wanted = Literal["auto", "snapshot", Mode]
"""What a person may ask `ingest` for."""

_SCRUB_EVERY: Final = {"weekly": timedelta(days=7), "monthly": timedelta(days=30)}
_SLACK: Final = timedelta(hours=6)  # exports start some minutes earlier or later every day
_BELIEVED_AHEAD: Final = timedelta(days=31)
"""A snapshot that was made while the clock was wrong has a base as far ahead: who holds its rows
asks for one above them, and is right. A stranger can push bases no further than this."""


class Choice(NamedTuple):
    """How an export is read, why it isn't read as usual, and whether it states every key again.

    `unpaid` is what stays owed, because the export can't be read so.
    """

    mode: Mode
    why: str | None = None
    restating: bool = False
    unpaid: Owed | None = None


class Debt(NamedTuple):
    """What is owed, and why; since when, and in which partitions, where a record says so."""

    owes: Owed
    why: str
    since: datetime | None = None
    partitions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Requests:
    """What is asked for on requests.v1: by whom, and a snapshot above which sequence."""

    by: Mapping[str, int]

    def highest(self, now: datetime) -> int:
        """Return the highest sequence that is believed; 0: nobody asks."""
        return max(
            (sequence for sequence in self.by.values() if _believed(sequence, now)), default=0
        )

    def unbelieved(self, now: datetime) -> list[str]:
        """Return who asks for what can't be: a sequence over 31 days ahead of the clock."""
        return sorted(who for who, sequence in self.by.items() if not _believed(sequence, now))


def _believed(sequence: int, now: datetime) -> bool:
    return 0 < sequence < int((now + _BELIEVED_AHEAD).timestamp()) * PER_SECOND


@dataclass(frozen=True)
class Offer:
    """The export on the server: its start, its files, and whether all of it can be read now."""

    start: datetime
    fingerprint: str
    whole: bool


def standing_debts(history: ExportHistory, asked: int) -> list[Debt]:
    """Return what is owed whatever export comes next.

    Args:
        history: of exports.v1.
        asked: the highest sequence that somebody asks for a snapshot above; 0: nobody does.
    """
    debts = [Debt(event.owes, event.reason, event.at, event.partitions) for event in history.debts]
    if asked > history.restated_from:
        debts.append(Debt("snapshot", f"a snapshot above {asked} is asked for on requests.v1"))
    unfinished = history.unfinished
    if unfinished is not None and is_restating(unfinished):
        why = f"the snapshot {unfinished.export_id} was never finished"
        debts.append(Debt("snapshot", why, unfinished.at))
    return debts


def debts_of(history: ExportHistory, offer: Offer, scrub: str, asked: int) -> list[Debt]:
    """Return all that is owed before an export is read.

    Args:
        history: of exports.v1.
        offer: the export.
        scrub: the setting `PETSTREAM_SCRUB`.
        asked: as for `standing_debts`.
    """
    newest = history.newest
    debts = standing_debts(history, asked)
    debts += _unfinished(history.unfinished, offer)
    if newest is not None:
        debts += _gap(newest, offer)
        whole = [started_at(event) for event in history.completed.values() if _whole(event)]
        due = _SCRUB_EVERY.get(scrub)
        if due is not None and (not whole or offer.start - max(whole) >= due - _SLACK):
            debts.append(Debt("whole", ""))
    return debts


def choose(
    history: ExportHistory, wanted: Wanted, offer: Offer, scrub: str, asked: int = 0
) -> Choice:
    """Choose how an export is read; ``auto`` pays what is owed, if the export can (rule 3)."""
    first: Mode = "initial" if history.newest is None else "scrub"
    if wanted == "snapshot":
        return Choice(first, "a snapshot was asked for: every key is stated again", restating=True)
    if wanted != "auto":
        return Choice(wanted)
    debts = debts_of(history, offer, scrub, asked)
    largest = max(debts, key=lambda owed: owed.owes == "snapshot", default=None)
    if history.newest is None:
        restating = largest is not None and largest.owes == "snapshot"
        return Choice("initial", None if largest is None else largest.why, restating)
    return Choice("daily") if largest is None else _paying(largest, offer)


def _paying(owed: Debt, offer: Offer) -> Choice:
    """Return the mode that pays a debt, if the export can be read in it (rule 3)."""
    if not offer.whole:
        what = "a snapshot" if owed.owes == "snapshot" else "a whole read"
        why = f" ({owed.why})" if owed.why else ""
        return Choice("daily", f"{what} stays owed{why}: pets_n isn't whole", unpaid=owed.owes)
    if owed.owes == "snapshot":
        return Choice("scrub", f"{owed.why}: every key is stated again", restating=True)
    return Choice("scrub", f"{owed.why}: pets_n is read" if owed.why else None)


def _unfinished(unfinished: ExportEvent | None, offer: Offer) -> Iterator[Debt]:
    if unfinished is None:
        return
    if unfinished.fingerprint == offer.fingerprint:
        if _whole(unfinished):
            yield Debt("whole", f"{unfinished.export_id} was begun like this, and never finished")
    else:
        yield Debt("whole", f"export {unfinished.export_id} was never finished")


def _gap(newest: ExportEvent, offer: Offer) -> Iterator[Debt]:
    gap = offer.start - started_at(newest)
    if gap > MISSED_AFTER:
        hours = gap // timedelta(hours=1)
        yield Debt(
            "whole",
            f"a day was missed: {hours} h lie between the starts of {newest.export_id} and of this "
            "export, and updatedpets_n and newpets_n cover 24",
        )


def _whole(event: ExportEvent) -> bool:
    return event.mode != "daily"


def debts_of_fold(
    history: ExportHistory, late: Collection[int], highest_base: int, export_id: str
) -> list[DebtEvent]:
    """Return what the fold of pets and organisations shows to be owed, and wasn't said before.

    Args:
        history: of exports.v1.
        late: the keys for which an event of an older export is the newest, and came too late.
        highest_base: of any event.
        export_id: the export that is about to be read.
    """
    owed = {event.owes for event in history.debts}
    known = max(highest_base, history.highest_base)
    debts = []
    if highest_base > history.highest_base and "snapshot" not in owed:
        reason = "exports.v1 knows no run of events that are there: it lost records"
        debts.append(debt(export_id, known, "snapshot", reason))
    if late and not owed:
        reason = f"events of an older export came late, and won, of {len(late):,} keys"
        debts.append(debt(export_id, known, "whole", reason))
    return debts


def unrecorded(history: ExportHistory, offer: Offer, export_id: str) -> list[DebtEvent]:
    """Return the debts that nobody would know of once a daily export is completed (rule 3)."""
    said = {event.reason for event in history.debts}
    return [
        debt(export_id, history.highest_base, owed.owes, owed.why)
        for owed in debts_of(history, offer, scrub="", asked=0)
        if owed.why not in said
    ]


def base_asked(sequence: int) -> int:
    """Return the base of a sequence that is asked for; -1: nobody asks."""
    return base_of(sequence) if sequence else -1
