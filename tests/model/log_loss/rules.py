"""The rules of the protocol against a lost log, each of which may be left out.

As they stand, all hold; test_log_loss.py keeps what breaks without one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Rules:
    """One field a rule; `Rules()` is the protocol."""

    snapshots: bool = True
    """Without: the product of 0.1. A loss owes a whole read, nobody looks at a position."""

    # positions
    topic_ids: bool = False
    """A position keeps the topic's id as well (the client may not give it)."""
    same_timestamp: bool = True
    """A record is the same only with the same timestamp: a run read again repeats its ids."""
    replay_names: bool = True
    """`replay` writes the record before its position as well."""
    unnamed_is_unsure: bool = True
    """A position without a record (of 0.1) is no ground for a sweep, until its partition was read
    from the beginning."""
    short_is_lost: bool = True
    """An end below a position is a loss, at any age."""
    session_check: bool = True
    """A position is looked at when a session or an assignment begins."""
    fetch_check: bool = False
    """A partition's position is looked at before each fetch from it."""
    reconnect_check: bool = True
    """All of a member's positions are looked at after a connection to Kafka broke."""
    probe_check: bool = True
    """All of a member's positions are looked at at every probe."""
    sweep_check: Literal["all", "own", "none"] = "all"
    """Whose positions are looked at before a sweep, in a group."""
    audit_check: bool = True
    """Positions are looked at before an audit."""

    # the ingester
    ends_check: bool = True
    """The newest completed's ends are looked at when a run begins."""
    ends: Literal["acknowledged", "measured"] = "acknowledged"
    acknowledgements_fall: bool = True
    acknowledgements_jump: bool = True
    read_back: bool = True
    """Before completed: is the last record of every partition still there?"""
    above_exports: bool = True
    """Events above the newest base that exports.v1 knows: it lost its tail."""
    older_winners: Literal["fold", "ends before", "ends", "none"] = "fold"
    """Behind which offsets a record of an older export that won is looked for."""
    debts_stay: bool = True
    """A debt found is an event; only a completed that satisfies it pays."""
    unfinished: bool = True
    """A started without its completed owes its mode."""
    gap_between_starts: bool = True
    base_above_ledger: bool = True
    base_above_requests: bool = True
    base_above_exports: bool = True
    base_again: Literal["unless higher is known", "always", "never"] = "unless higher is known"
    """An export read again, after a kill, takes the base that its started says."""
    resumed_pays: bool = True
    """… unless that base doesn't pay what is asked for."""
    clock: Literal["snapshots", "all", "none"] = "snapshots"
    """The base of a snapshot isn't below the clock: above that of any run that was lost."""
    by_starts: bool = True
    """Which export a held event is of is told by starts, not by bases."""
    last_updated: bool = True
    """Rows of the same files compete by lastUpdated, across runs, too."""
    ledger_start: bool = True
    """An export older than the ledger's newest event isn't read."""
    stale: Literal["anywhere", "where it is now", "last read"] = "anywhere"

    # the snapshot
    restate_from_ledger: bool = False
    """A key without a good row is restated from the ledger; without: it waits for its next one."""
    next_good_row: bool = True
    """What the log lists only below the newest snapshot is published at its next good row, changed
    or not, and pets_n is read for it."""
    unstated_pets: bool = True
    unstated_orgs: bool = True
    unstated_below: bool = True
    """What the log lists only below the snapshot is unstated, too."""
    carried: bool = True
    """Every later completed carries the newest snapshot, with its own ends and unstated."""
    carried_unstated: bool = True
    """… with its own unstated, not that of the first."""
    restated_pays: bool = True
    """A restatement whose petlist wasn't believed needn't be repeated: the next carries it."""
    both_believed: bool = True
    """A snapshot needs petlist and organisations believed."""
    not_while_owed: bool = True
    """No completed carries the snapshot on while another loss is owed."""
    snapshot_is_base: bool = True
    """The snapshot is its run's base; without: the lowest sequence that the run published."""

    # sweeps and requests
    sweep_by_audit: bool = False
    """Our own sweep is the audit's: it unlists only what the folded log doesn't list."""
    named: bool = True
    """A sweep needs the records that the ends name, not only offsets."""
    newest_by_base: bool = True
    """The newest completed is the one of the highest base, not the last in the log."""
    sweep_again: bool = True
    """Approving a sweep applies what would be swept now."""
    requests: bool = True
    requests_of_r5: bool = True
    ask_rows_ahead: bool = True
    """Ask by the highest row ahead of the log; without: by the highest row, at a lost position."""
    keep_question: bool = True
    """An asker keeps its question with its positions until a snapshot above it is seen."""
    audit_asks: bool = True

    # approvals
    approvals_check: bool = True
    newest_plan_only: bool = True
