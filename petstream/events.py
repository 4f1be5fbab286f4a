"""The events: what is said on each topic, as types.

Rule 1: a value is never null, and holds the whole record: the newest of a subject is its state.
Rule 2: an event is applied only if ``(sequence, digest)`` is higher than what is held.
Rule 3: fields are only ever added; what a reader doesn't know, it ignores.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal

from msgspec import UNSET, Struct, UnsetType

from petstream.model import Organization, Pet

TYPE_PREFIX: Final = "org.petstream."
SOURCE: Final = "/petstream/rescuegroups"
_PLAN: Final = "removal-plan/"
_MOST_PART_DIGITS: Final = 9

Op = Literal["added", "updated", "removed", "relisted"]
Mode = Literal["initial", "daily", "scrub"]
ExportState = Literal["started", "completed", "failed", "held"]
PlanDecision = Literal["approved", "rejected", "superseded", "expired"]
Owed = Literal["whole", "snapshot"]


class Source(Struct, frozen=True, rename="camel"):
    """The row an event comes from; for a removal the list it was missing from."""

    export_id: str
    mode: Mode
    file: str
    row: int


class PetEvent(Struct, frozen=True, rename="camel", kw_only=True):
    """A pet was added, updated, removed (left the feed, not: adopted) or relisted."""

    op: Op
    animal_id: int
    sequence: int
    pet: Pet
    changed: tuple[str, ...] = ()
    old: dict[str, Any] = {}
    first_seen_at: datetime
    source: Source


class OrganizationEvent(Struct, frozen=True, rename="camel", kw_only=True):
    """An organisation was added, updated, removed or relisted."""

    op: Op
    org_id: int
    sequence: int
    organization: Organization
    changed: tuple[str, ...] = ()
    old: dict[str, Any] = {}
    first_seen_at: datetime
    source: Source


class FileRead(Struct, frozen=True, rename="camel"):
    """One file of an export, under its logical name (never the one with the API key)."""

    name: str
    bytes: int
    modified_at: datetime
    rows: int


class Counts(Struct, rename="camel"):
    """What became of the rows read; `removed` counts keys, all else rows."""

    read: int = 0
    added: int = 0
    updated: int = 0
    unchanged: int = 0
    removed: int = 0
    relisted: int = 0
    refused: int = 0


class ExportCounts(Struct, frozen=True, rename="camel"):
    """The counts of an export."""

    pets: Counts
    orgs: Counts


class Plan(Struct, frozen=True, rename="camel"):
    """Removals that are held until a person decides; large ones come in parts."""

    plan_id: str
    part: int
    parts: int
    removals: tuple[int, ...]
    entity: Literal["pets", "orgs"] = "pets"


class Drift(Struct, frozen=True, rename="camel", kw_only=True):
    """How the rows of an export differ from what the feed was known to hold: rows by field.

    On the first import `new_values` are all values there are: what later ones are compared with.
    """

    unknown_fields: dict[str, int] = {}
    unfit_values: dict[str, int] = {}
    missing_keys: dict[str, int] = {}
    new_values: dict[str, tuple[str, ...]] = {}


class LogEnd(Struct, frozen=True, rename="camel"):
    """Where a partition ended, and which record was its last there.

    `offset` is that of the next record; `timestamp_ms` is the record's own, since 1970. Without
    `record_id` the last record has no ``ce_id`` (or there is none), without either it isn't known.
    """

    offset: int
    record_id: str | None = None
    timestamp_ms: int = 0


class Unstated(Struct, frozen=True, rename="camel"):
    """Ids that the feed lists and a snapshot couldn't state again: what is held of them stands."""

    pets: tuple[int, ...] = ()
    orgs: tuple[int, ...] = ()


class ExportEvent(Struct, frozen=True, rename="camel", kw_only=True):
    """An export was started, completed, failed, or its removals are held.

    A *completed* says where the log ended (`ends`, by ``topic/partition``), and where it had ended
    when its run began (`fold_ends`). `restated` is the sequence from which a run states every key
    again; `snapshot` is that of the newest such run whose removals were published as well: what a
    subscriber lists below it has left, but for `unstated`. Each later *completed* carries it on.
    `lacking` are ids of the petlist that pets_n had no good row of, when it was read last.
    """

    export_id: str
    mode: Mode
    state: ExportState
    at: datetime
    files: tuple[FileRead, ...] = ()
    counts: ExportCounts
    reason: str | None = None
    plan: Plan | None = None
    fingerprint: str | None = None
    base: int = 0
    end_offsets: dict[str, int] = {}
    notes: tuple[str, ...] = ()
    drift: Drift | None = None
    petlist_digest: str | None = None
    unread: bool | UnsetType = UNSET
    ends: dict[str, LogEnd] | UnsetType = UNSET
    fold_ends: dict[str, int] | UnsetType = UNSET
    restated: int | UnsetType = UNSET
    snapshot: int | UnsetType = UNSET
    unstated: Unstated | UnsetType = UNSET
    lacking: tuple[int, ...] | UnsetType = UNSET


class PlanEvent(Struct, frozen=True, rename="camel", kw_only=True):
    """A held removal plan was approved, rejected, superseded or expired."""

    plan_id: str
    export_id: str
    decision: PlanDecision
    at: datetime
    by: str | None = None
    reason: str | None = None


class DebtEvent(Struct, frozen=True, rename="camel", kw_only=True):
    """Something is owed: the log lost records that were acknowledged, or an event came too late.

    `owes` is what pays it: an export read whole, or a snapshot, with a base above `base`, the
    highest that was known when it was found. `partitions` names where.
    """

    export_id: str
    owes: Owed
    at: datetime
    reason: str
    base: int = 0
    partitions: tuple[str, ...] = ()


class SnapshotRequest(Struct, frozen=True, rename="camel", kw_only=True):
    """Who holds what the log doesn't know asks for a snapshot above this sequence."""

    asked_by: str
    sequence: int
    at: datetime
    reason: str


class PictureEvent(Struct, frozen=True, rename="camel", kw_only=True):
    """A picture was stored, or is gone from its host or the store.

    `rendition` says which of a pet's picture's renditions was stored: `original`, `large` or
    `small`.
    """

    op: Literal["stored", "gone"]
    animal_id: int
    picture_id: int
    stored_as: str | None = None
    thumbnails: dict[str, str] = {}
    sha256: str | None = None
    content_type: str | None = None
    bytes: int | None = None
    width: int | None = None
    height: int | None = None
    rendition: str | None = None


def export_subject(export_id: str) -> str:
    """Return the subject of what is said about an export as a whole.

    >>> export_subject("2026-11-23T08:12:04Z")
    'export/2026-11-23T08:12:04Z'
    """
    return f"export/{export_id}"


def plan_subject(plan_id: str, part: int) -> str:
    """Return the subject of a part of a removal plan, held or decided.

    >>> plan_subject("2026-11-23T08:12:04Z.pets", 2)
    'removal-plan/2026-11-23T08:12:04Z.pets/2'
    """
    return f"{_PLAN}{plan_id}/{part}"


def debt_subject(sequence: int) -> str:
    """Return the subject of a debt, each of which is one of its own.

    >>> debt_subject(7181686096000003)
    'debt/7181686096000003'
    """
    return f"debt/{sequence}"


def request_subject(asked_by: str) -> str:
    """Return the subject of what somebody asks for.

    >>> request_subject("petstream.pets")
    'request/petstream.pets'
    """
    return f"request/{asked_by}"


def plan_part_of(subject: str) -> int | None:
    """Return which part of a plan a subject is; None: none, as in logs of 0.1.

    >>> plan_part_of("removal-plan/2026-11-23T08:12:04Z.pets/2"), plan_part_of("export/x")
    (2, None)
    """
    part = subject.rpartition("/")[2]
    is_part = subject.startswith(_PLAN) and part.isdecimal() and len(part) <= _MOST_PART_DIGITS
    return int(part) if is_part else None


Event = (
    PetEvent
    | OrganizationEvent
    | ExportEvent
    | PlanEvent
    | DebtEvent
    | SnapshotRequest
    | PictureEvent
)

TYPES: Final[dict[str, type[Event]]] = (
    {f"pet.{op}": PetEvent for op in ("added", "updated", "removed", "relisted")}
    | {
        f"organization.{op}": OrganizationEvent
        for op in ("added", "updated", "removed", "relisted")
    }
    | {f"export.{state}": ExportEvent for state in ("started", "completed", "failed", "held")}
    | {f"removals.{d}": PlanEvent for d in ("approved", "rejected", "superseded", "expired")}
    | {"debt.found": DebtEvent}
    | {"snapshot.requested": SnapshotRequest}
    | {f"picture.{op}": PictureEvent for op in ("stored", "gone")}
)  # fmt: skip
"""Every event type, without the prefix, and its value's shape."""
