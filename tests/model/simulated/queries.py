"""What each statement of consumers/sql does, on tables that are dicts. `test_pure_sql` proves it.

Rule 1: a function has its statement's name; it takes the tables and the arguments, and returns the
        rows of its answer, or how many rows it wrote.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from petstream.fields import COLUMN_NAMES, ORGANIZATION_COLUMNS, PET_COLUMNS

Row = dict[str, Any]
Table = dict[Any, Row]
Tables = dict[str, Table]

KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "pet": ("animal_id",),
    "organization": ("org_id",),
    "pet_event": ("animal_id", "sequence"),
    "export_event": ("export_id", "state", "at", "digest"),
    "plan_part": ("plan_id", "part"),
    "plan_decision": ("plan_id",),
    "dead_letter": ("at_offset",),
    "consumer_position": ("consumer", "topic", "partition"),
    "rewritten_position": ("consumer", "topic", "partition"),
    "snapshot_question": ("asked_by",),
    "sweep_plan": ("plan_id",),
    "picture_set": ("animal_id",),
    "pet_picture": ("animal_id", "picture_key"),
}
"""The tables, and what their rows are known by."""

STATE: Final = (
    "attributes", "first_seen_at", "changed_at", "export_id", "sequence", "digest",
)  # fmt: skip
_PET: Final = (
    *(COLUMN_NAMES.get(name, name) for name in PET_COLUMNS), "description_rendered", *STATE,
)  # fmt: skip
_ORGANIZATION: Final = (*ORGANIZATION_COLUMNS, *STATE)
_POSITION: Final = "consumer", "topic", "partition", "next_offset", "record_id", "timestamp_ms"


def empty() -> Tables:
    """Return tables without rows."""
    return {name: {} for name in KEYS}


class View:
    """The tables as a transaction sees them; what it writes, it writes on copies."""

    def __init__(self, tables: Tables) -> None:
        """See these."""
        self.tables = tables
        self.written: Tables = {}

    def __getitem__(self, name: str) -> Table:
        """Return a table, to be read."""
        return self.written.get(name, self.tables[name])

    def own(self, name: str) -> Table:
        """Return a table, to be written."""
        if name not in self.written:
            self.written[name] = dict(self.tables[name])
        return self.written[name]

    def savepoint(self) -> View:
        """Return a view of what there is now; `take` it, or forget it."""
        return View({**self.tables, **self.written})

    def take(self, inner: View) -> None:
        """Take what was written behind a savepoint."""
        self.written |= inner.written


Answer = tuple[list[Row], int]
Statement = Callable[..., "list[Row] | int"]
_STATEMENTS: Final[dict[str, Statement]] = {}


def carry_out(view: View, name: str, arguments: Iterable[Any], now: datetime) -> Answer:
    """Carry out a statement; return its rows, and how many it wrote or gave."""
    answer = _STATEMENTS[name](view, now, *arguments)
    return ([], answer) if isinstance(answer, int) else (answer, len(answer))


def _statement(do: Statement) -> Statement:
    _STATEMENTS[do.__name__] = do
    return do


def _key(table: str, row: Row) -> Any:
    key = tuple(row[name] for name in KEYS[table])
    return key[0] if len(key) == 1 else key


def _put(
    view: View, table: str, row: Row, *, wins: Callable[[Row], bool] = lambda _held: True
) -> bool:
    """Insert a row, or write its columns over those of the row that is held, if it wins."""
    key = _key(table, row)
    held = view[table].get(key)
    if held is not None and not wins(held):
        return False
    view.own(table)[key] = row if held is None else held | row
    return True


def _rank(row: Row) -> tuple[int, str]:
    return row["sequence"], row["digest"]


# positions


@_statement
def read_positions(view: View, _now: datetime, consumer: str) -> list[Row]:
    return [row for row in view["consumer_position"].values() if row["consumer"] == consumer]


@_statement
def audit_positions(view: View, _now: datetime) -> list[Row]:
    return [*view["consumer_position"].values()]


@_statement
def begin_position(view: View, _now: datetime, *values: Any) -> list[Row]:
    row = dict(zip(_POSITION, values, strict=True))
    begun = _put(view, "consumer_position", row, wins=lambda _held: False)
    return [{"next_offset": row["next_offset"]}] if begun else []


@_statement
def move_position(view: View, _now: datetime, *values: Any) -> list[Row]:
    key, new, before = values[:3], values[3:6], values[6:]
    held = view["consumer_position"].get(key)
    if held is None or tuple(held[name] for name in _POSITION[3:]) != before:
        return []
    view.own("consumer_position")[key] = dict(zip(_POSITION, (*key, *new), strict=True))
    return [{"next_offset": new[0]}]


@_statement
def set_position(view: View, _now: datetime, *values: Any) -> int:
    return _put(view, "consumer_position", dict(zip(_POSITION, values, strict=True)))


@_statement
def drop_position(view: View, now: datetime, *values: Any) -> list[Row]:
    key, before, standing = values[:3], values[3:6], values[6]
    held = view["consumer_position"].get(key)
    if held is None or tuple(held[name] for name in _POSITION[3:]) != before:
        return []
    del view.own("consumer_position")[key]
    lost = {"standing": standing, "found_at": now, "settled_at": None}
    _put(view, "rewritten_position", held | lost)
    return [{"next_offset": held["next_offset"]}]


# pets and organisations


def _upsert(view: View, table: str, columns: tuple[str, ...], values: tuple[Any, ...]) -> int:
    *of_row, restates, removed_at = values
    row = dict(zip(columns, of_row, strict=True))
    row |= {"listed": removed_at is None, "removed_at": removed_at}
    held = view[table].get(_key(table, row))
    if restates and held is not None and held["listed"] and held["digest"] == row["digest"]:
        row["changed_at"] = held["changed_at"]

    def wins(held: Row) -> bool:
        was_forgotten = not held["listed"] and held["first_seen_at"] is None
        return _rank(row) > _rank(held) or (_rank(row) == _rank(held) and not was_forgotten)

    return _put(view, table, row, wins=wins)


@_statement
def upsert_pet(view: View, _now: datetime, *values: Any) -> int:
    return _upsert(view, "pet", _PET, values)


@_statement
def upsert_organization(view: View, _now: datetime, *values: Any) -> int:
    return _upsert(view, "organization", _ORGANIZATION, values)


def _remove(view: View, table: str, columns: tuple[str, ...], *values: Any) -> int:
    removed = dict(
        zip((KEYS[table][0], "sequence", "digest", "removed_at", "export_id"), values, strict=True)
    )
    row = removed | {"listed": False}
    if removed[KEYS[table][0]] not in view[table]:
        row = dict.fromkeys(columns) | row
    return _put(view, table, row, wins=lambda held: _rank(row) >= _rank(held))


@_statement
def remove_pet(view: View, _now: datetime, *values: Any) -> int:
    return _remove(view, "pet", _PET, *values)


@_statement
def remove_organization(view: View, _now: datetime, *values: Any) -> int:
    return _remove(view, "organization", _ORGANIZATION, *values)


# the history, exports, plans, letters


@_statement
def record_pet_event(view: View, _now: datetime, *values: Any) -> int:
    columns = (
        "animal_id", "sequence", "digest", "op", "export_id", "occurred_at", "changed", "old",
    )  # fmt: skip
    row = dict(zip(columns, values, strict=True))
    return _put(
        view, "pet_event", row, wins=lambda held: row["digest"] >= held["digest"] and row != held
    )


@_statement
def record_export_event(view: View, _now: datetime, *values: Any) -> int:
    columns = "export_id", "state", "at", "digest", "mode", "counts", "sequence"
    row = dict(zip(columns, values, strict=True))
    held = view["export_event"].get(_key("export_event", row))
    if held is not None:
        row = held | {"sequence": row["sequence"]}
    return _put(view, "export_event", row, wins=lambda old: row["sequence"] > old["sequence"])


@_statement
def record_plan_part(view: View, _now: datetime, *values: Any) -> int:
    columns = (
        "plan_id", "part", "at", "digest", "export_id", "entity", "reason", "removals", "sequence",
    )  # fmt: skip
    row = dict(zip(columns, values, strict=True))

    def wins(held: Row) -> bool:
        earlier = (row["at"], row["digest"]) < (held["at"], held["digest"])
        return row["sequence"] > held["sequence"] or (
            row["sequence"] == held["sequence"] and earlier
        )

    return _put(view, "plan_part", row, wins=wins)


@_statement
def record_plan_decision(view: View, _now: datetime, *values: Any) -> int:
    columns = "plan_id", "decision", "decided_by", "reason", "at", "sequence"
    row = dict(zip(columns, values, strict=True))

    def rank(of: Row) -> Any:
        return of["sequence"], of["at"], of["decision"]

    return _put(view, "plan_decision", row, wins=lambda held: rank(row) >= rank(held))


@_statement
def record_dead_letter(view: View, _now: datetime, *values: Any) -> int:
    columns = "at_offset", "at", "origin", "reason", "error"
    return _put(view, "dead_letter", dict(zip(columns, values, strict=True)))


# what the audit asks


def _audited(rows: Iterable[Row], key: str) -> list[Row]:
    return [
        {"key": row[key]} | {name: row[name] for name in ("sequence", "digest", "listed")}
        for row in rows
    ]


@_statement
def audit_pets(view: View, _now: datetime) -> list[Row]:
    return _audited(view["pet"].values(), "animal_id")


@_statement
def audit_organizations(view: View, _now: datetime) -> list[Row]:
    return _audited(view["organization"].values(), "org_id")


@_statement
def audit_picture_sets(view: View, _now: datetime) -> list[Row]:
    rows = (row | {"listed": row["left_at"] is None} for row in view["picture_set"].values())
    return _audited(rows, "animal_id")


@_statement
def unwritable_tables(_view: View, _now: datetime) -> list[Row]:
    return []


# where the log lost something


@_statement
def rewritten_positions(view: View, _now: datetime) -> list[Row]:
    return [row for _, row in sorted(view["rewritten_position"].items())]


@_statement
def settle_rewritten(view: View, now: datetime, until: datetime) -> int:
    table = view.own("rewritten_position")
    settled = [
        key for key, row in table.items() if row["settled_at"] is None and row["found_at"] <= until
    ]
    for key in settled:
        table[key] = table[key] | {"settled_at": now}
    return len(settled)


@_statement
def any_unsettled(view: View, _now: datetime) -> list[Row]:
    rows = view["rewritten_position"].values()
    moments = [row["found_at"] for row in rows if row["settled_at"] is None]
    return [{"max": max(moments, default=None)}]


@_statement
def read_question(view: View, _now: datetime) -> list[Row]:
    return [*view["snapshot_question"].values()]


@_statement
def keep_question(
    view: View, _now: datetime, asked_by: str, sequence: int, reason: str, asked_at: datetime
) -> list[Row]:
    row = {"asked_by": asked_by, "sequence": sequence, "reason": reason, "asked_at": asked_at}
    held = view["snapshot_question"].get(asked_by)
    if held is not None and held["sequence"] > sequence:
        row |= {"sequence": held["sequence"], "reason": held["reason"]}
    _put(view, "snapshot_question", row)
    return [row]


@_statement
def drop_question(view: View, _now: datetime, restated: int) -> list[Row]:
    table = view.own("snapshot_question")
    paid = [row for row in table.values() if row["sequence"] < restated]
    for row in paid:
        del table[row["asked_by"]]
    return [{"sequence": row["sequence"]} for row in paid]


# sweeps

_PLAN: Final = (
    "plan_id", "export_id", "snapshot", "entity", "reason", "keys", "left_at", "held_at", "state",
    "decided_by", "decision_reason",
)  # fmt: skip


@_statement
def sweep_plans(view: View, _now: datetime) -> list[Row]:
    rows = sorted(view["sweep_plan"].values(), key=lambda row: (row["held_at"], row["plan_id"]))
    return [{name: row[name] for name in _PLAN} for row in rows]


@_statement
def lock_sweep_plan(view: View, now: datetime, plan_id: str) -> list[Row]:
    return [row for row in sweep_plans(view, now) if row["plan_id"] == plan_id]  # type: ignore[union-attr]  # rows


@_statement
def hold_sweep(view: View, now: datetime, *values: Any) -> list[Row]:
    row = dict(zip(_PLAN[:7], values, strict=True))
    table = view["sweep_plan"]
    held = next(
        (r for r in table.values() if r["entity"] == row["entity"] and r["state"] == "held"), None
    )
    if held is None:
        undecided = {"held_at": now, "state": "held", "decided_by": None, "decision_reason": None}
        _put(view, "sweep_plan", row | undecided)
        return [{"plan_id": row["plan_id"]}]
    if [*held["keys"]] == [*row["keys"]] and held["reason"] == row["reason"]:
        return []
    _put(view, "sweep_plan", held | {"reason": row["reason"], "keys": row["keys"]})
    return [{"plan_id": held["plan_id"]}]


@_statement
def supersede_sweeps(view: View, _now: datetime, *values: Any) -> int:
    entity, snapshot, of_this, why = values
    older = [
        row
        for row in view["sweep_plan"].values()
        if row["state"] == "held" and row["entity"] == entity
        and (row["snapshot"] < snapshot or of_this)
    ]  # fmt: skip
    for row in older:
        _put(view, "sweep_plan", row | {"state": "superseded", "decision_reason": why})
    return len(older)


@_statement
def decide_sweep(
    view: View, _now: datetime, plan_id: str, state: str, by: str | None, reason: str | None
) -> int:
    row = view["sweep_plan"][plan_id]
    decided = {"state": state, "decided_by": by, "decision_reason": reason}
    return _put(view, "sweep_plan", row | decided)


@_statement
def listed_counts(view: View, _now: datetime) -> list[Row]:
    listed = {
        name: sum(row["listed"] for row in view[table].values())
        for name, table in (("pets", "pet"), ("orgs", "organization"))
    }
    return [listed]


def _below(view: View, table: str, sequence: int) -> list[Row]:
    return [
        {"key": key}
        for key, row in sorted(view[table].items())
        if row["listed"] and row["sequence"] < sequence
    ]


@_statement
def pets_below(view: View, _now: datetime, sequence: int) -> list[Row]:
    return _below(view, "pet", sequence)


@_statement
def organizations_below(view: View, _now: datetime, sequence: int) -> list[Row]:
    return _below(view, "organization", sequence)


def _sets_below(view: View, sequence: int) -> list[int]:
    """Return the picture sets of pets that aren't listed (any more), and don't know it."""
    pets = view["pet"]
    return [
        key
        for key, row in sorted(view["picture_set"].items())
        if row["left_at"] is None and row["sequence"] < sequence
        and not (key in pets and pets[key]["listed"])
    ]  # fmt: skip


@_statement
def picture_sets_below(view: View, _now: datetime, sequence: int) -> list[Row]:
    return [{"key": key} for key in _sets_below(view, sequence)]


def _sweep(view: View, table: str, *values: Any) -> int:
    keys, sequence, removed_at, export_id = values
    swept = [row["key"] for row in _below(view, table, sequence) if row["key"] in keys]
    for key in swept:
        view.own(table)[key] = view[table][key] | {
            "sequence": sequence, "digest": "", "listed": False, "removed_at": removed_at,
            "export_id": export_id,
        }  # fmt: skip
    return len(swept)


@_statement
def sweep_pets(view: View, _now: datetime, *values: Any) -> int:
    return _sweep(view, "pet", *values)


@_statement
def sweep_organizations(view: View, _now: datetime, *values: Any) -> int:
    return _sweep(view, "organization", *values)


@_statement
def sweep_picture_sets(
    view: View, _now: datetime, keys: list[int], sequence: int, left_at: datetime, export_id: str
) -> int:
    swept = [key for key in _sets_below(view, sequence) if key in keys]
    for key in swept:
        view.own("picture_set")[key] = view["picture_set"][key] | {
            "sequence": sequence, "digest": "", "left_at": left_at, "export_id": export_id,
        }  # fmt: skip
    return len(swept)


# pictures


@_statement
def accept_picture_sets(view: View, _now: datetime, *arrays: Any) -> list[Row]:
    columns = "animal_id", "sequence", "digest", "export_id", "left_at", "wanted"
    accepted = []
    for values in zip(*arrays, strict=True):
        row = dict(zip(columns, values, strict=True))
        row["asks_for"] = _asks_for(row, view["picture_set"].get(row["animal_id"]))
        if _put(view, "picture_set", row, wins=lambda held, row=row: _rank(row) >= _rank(held)):  # type: ignore[misc]  # bound now
            accepted.append({"animal_id": row["animal_id"], "asks_for": row["asks_for"]})
    return accepted


def _asks_for(row: Row, held: Row | None) -> str:
    if held is None:
        return "first"
    is_same = held["wanted"] == row["wanted"] and held["left_at"] is None
    return "same" if is_same and row["sequence"] > held["sequence"] else "other"


@_statement
def drop_pictures(view: View, _now: datetime, animal_ids: list[int], *arrays: Any) -> int:
    """Delete pictures; none is ever stored here, so there is no news of one."""
    _, _, owners, keys = arrays
    table, kept = view.own("pet_picture"), {*zip(owners, keys, strict=True)}
    for key in [key for key in table if key[0] in animal_ids and key not in kept]:
        del table[key]
    return 0


@_statement
def want_pictures(view: View, _now: datetime, pictures: str, status: str) -> int:
    times = "updated_at", "version"
    return sum(
        _want(view, row | {name: _time(row[name]) for name in times} | {"status": status})
        for row in json.loads(pictures)
    )


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _want(view: View, row: Row) -> int:
    held = view["pet_picture"].get(_key("pet_picture", row))
    if held is not None:
        versions = [each["version"] for each in (held, row) if each["version"] is not None]
        row |= {
            "version": max(versions, default=None), "picture_id": held["picture_id"],
            "status": held["status"],
        }  # fmt: skip
    return _put(view, "pet_picture", row, wins=lambda held: row != held)
