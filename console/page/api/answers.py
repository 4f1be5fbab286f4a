"""What `/api` answers of exports, held removals, dead letters and a pet's life, as types.

Rule 1: fields are only ever added; times are UTC, in RFC 3339; what isn't known is null.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec


class PetCard(msgspec.Struct, frozen=True, rename="camel"):
    """A pet in a list.

    Attributes:
        animal_id: its id.
        name: as the feed says it; null: none, or forgotten.
        about: breed or species, sex and age, in one line.
        status: ``Available`` and others; of one that left, the last.
        picture: the path of its first stored picture, 320 pixels wide, on this server.
    """

    animal_id: int
    name: str | None
    about: str
    status: str | None
    picture: str | None


class FileOfExport(msgspec.Struct, frozen=True, rename="camel"):
    """A file of an export: its size, when it lay on the server, its rows."""

    name: str
    bytes: int
    modified_at: datetime
    rows: int


class RowCounts(msgspec.Struct, frozen=True, rename="camel"):
    """What became of rows, in numbers of rows."""

    read: int
    added: int
    updated: int
    unchanged: int
    removed: int
    relisted: int
    refused: int


class EntityCounts(msgspec.Struct, frozen=True, rename="camel"):
    """The same of pets and of organisations."""

    pets: RowCounts
    orgs: RowCounts


class ExportSummary(msgspec.Struct, frozen=True, rename="camel"):
    """An export, and how it ended.

    Attributes:
        export_id: when RescueGroups began to make it, which is its name.
        mode: ``initial``, ``daily`` or ``scrub``, as far as it is known.
        state: ``started``, ``completed`` or ``failed``.
        start_at: the same as a time.
        started_at: when reading began.
        ended_at: when it was completed, or failed.
        duration_s: how long reading took, in seconds.
        counts: what became of its rows.
        reason: why it failed.
        notes: what came oddly; those that begin with ``warning:`` held its removals.
        files: what was read.
    """

    export_id: str
    mode: str | None
    state: str
    start_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    duration_s: float | None
    counts: EntityCounts
    reason: str | None
    notes: list[str]
    files: list[FileOfExport]


class WaitingPlan(msgspec.Struct, frozen=True, rename="camel"):
    """Removals that wait for a decision: how many of which entity, and why they are held."""

    plan_id: str
    export_id: str
    entity: str
    removals: int
    reason: str | None
    held_at: datetime


class OwedDebt(msgspec.Struct, frozen=True, rename="camel"):
    """What is owed since Kafka lost something: what pays it, why, since when."""

    owes: str
    reason: str
    since: datetime | None
    partitions: list[str]


class Freshness(msgspec.Struct, frozen=True, rename="camel"):
    """How old what is told is.

    Attributes:
        looked_at: when this was seen.
        problem: why nothing newer is known; null: it is fresh.
        stale_since: since when nothing newer could be had.
    """

    looked_at: datetime | None
    problem: str | None
    stale_since: datetime | None


class ExportList(msgspec.Struct, frozen=True, rename="camel"):
    """The exports that are known, newest first; further back is in the topic."""

    freshness: Freshness
    exports: list[ExportSummary]


class ExportStage(msgspec.Struct, frozen=True, rename="camel"):
    """A step of an export, and how many seconds after the one before."""

    what: str
    at: datetime
    after_s: float | None


class RefusedLetter(msgspec.Struct, frozen=True, rename="camel"):
    """A row that was refused: its dead letter, where it stood, why."""

    id: str
    origin: str | None
    reason: str | None
    error: str | None


class ExportDetails(msgspec.Struct, frozen=True, rename="camel"):
    """One export, and a page of the pets that it changed.

    Attributes:
        freshness: how old this is.
        export: what it is.
        stages: what happened when, first to last.
        plans: held removals of it.
        debts: what it leaves owed, if it is the newest.
        older: the export before.
        newer: the export behind.
        op: what became of these pets: the parameter ``op``, else the first that there is.
        pets: a page of them, by id.
        after: what the parameter ``after`` of the next page is; null: this is the last.
        refused: rows that were refused, 21 at most.
        unknown: why pets and refused rows aren't known; null: they are.
    """

    freshness: Freshness
    export: ExportSummary
    stages: list[ExportStage]
    plans: list[WaitingPlan]
    debts: list[OwedDebt]
    older: str | None
    newer: str | None
    op: str
    pets: list[PetCard]
    after: int | None
    refused: list[RefusedLetter]
    unknown: str | None


class PlanSummary(msgspec.Struct, frozen=True, rename="camel"):
    """A plan of removals, and how it stands.

    Attributes:
        plan_id: its name.
        export_id: the export that would remove them.
        entity: ``pets`` or ``orgs``.
        state: ``held``, ``approved``, ``rejected`` and others.
        removals: how many.
        reason: why it is held.
        created_at: when it was.
        decided_at: when it was decided, or settled itself.
        decision_reason: what was said with that.
    """

    plan_id: str
    export_id: str
    entity: str
    state: str
    removals: int
    reason: str | None
    created_at: datetime
    decided_at: datetime | None
    decision_reason: str | None


class PlanList(msgspec.Struct, frozen=True, rename="camel"):
    """Plans of removals, those that wait first, then the newest; 100 at most."""

    plans: list[PlanSummary]


class Recommendation(msgspec.Struct, frozen=True, rename="camel"):
    """What is recommended, and why; a person decides."""

    action: Literal["reject", "approve", "wait"]
    sentence: str
    reasons: list[str]


class LosingOrganization(msgspec.Struct, frozen=True, rename="camel"):
    """An organisation in a plan: how many of the pets it lists would go; null: pets of none."""

    org_id: int | None
    name: str | None
    leaving: int
    listed: int


class RemovalOfPlan(msgspec.Struct, frozen=True, rename="camel"):
    """Who would go: the id, and what the topics know of it."""

    key: int
    name: str | None
    org_id: int | None


class PlanDetails(msgspec.Struct, frozen=True, rename="camel"):
    """One plan, and a page of whom it would remove.

    Attributes:
        plan_id: its name.
        export_id: the export that would remove them.
        entity: ``pets`` or ``orgs``.
        state: ``held``, ``approved``, ``rejected`` and others; null: not known any more.
        held_at: when it was held.
        removals: how many it would remove.
        seen: what the gate saw, a line each.
        recommendation: what speaks for it.
        organizations: how many organisations they are of; 0: not known.
        shares: those of them that lose most.
        who: a page of whom it would remove, in the plan's order.
        pets: those of the page that are listed, as cards.
        after: what the parameter ``after`` of the next page is; null: this is the last.
    """

    plan_id: str
    export_id: str | None
    entity: str | None
    state: str | None
    held_at: datetime | None
    removals: int
    seen: list[str]
    recommendation: Recommendation
    organizations: int
    shares: list[LosingOrganization]
    who: list[RemovalOfPlan]
    pets: list[PetCard]
    after: int | None


class LetterCount(msgspec.Struct, frozen=True, rename="camel"):
    """How many dead letters there are of a class (``row``, ``event``) and reason."""

    class_: str = msgspec.field(name="class")
    reason: str | None
    letters: int
    newest: datetime


class LetterSummary(msgspec.Struct, frozen=True, rename="camel"):
    """A dead letter in a list: when, why, where it came from, what was said."""

    id: int
    at: datetime
    reason: str | None
    origin: str | None
    error: str | None


class LetterList(msgspec.Struct, frozen=True, rename="camel"):
    """Dead letters, newest first, and how many there are of each kind.

    Attributes:
        reasons: all kinds, most first; 40 at most.
        total: how many letters these are.
        letters: a page of those that fit the filters.
        before: what the parameter ``before`` of the next page is; null: this is the last.
    """

    reasons: list[LetterCount]
    total: int
    letters: list[LetterSummary]
    before: int | None


class LetterDetails(msgspec.Struct, frozen=True, rename="camel"):
    """One dead letter with its bytes.

    Attributes:
        id: its id.
        published_at: when it was set aside.
        class_: ``row`` or ``event``.
        reason: why, in a word.
        origin: where it came from.
        message: why, in words.
        details: whatever else its headers say.
        value_base64: the original; null: it has no value.
    """

    id: int
    published_at: datetime
    class_: str | None = msgspec.field(name="class")
    reason: str | None
    origin: str | None
    message: str | None
    details: dict[str, str]
    value_base64: str | None


class PublishedEvent(msgspec.Struct, frozen=True, rename="camel"):
    """An event as it was published; `value` is null for what isn't JSON."""

    topic: str
    partition: int
    offset: int
    published_at: datetime
    headers: dict[str, str]
    value: Any


class PublishedLife(msgspec.Struct, frozen=True, rename="camel"):
    """A pet's events in the log's order, and in words what they mean."""

    animal_id: int
    text: str
    events: list[PublishedEvent]


class AlertPage(msgspec.Struct, frozen=True, rename="camel"):
    """What to do about an alert; texts are Markdown: links, and code in backticks.

    Attributes:
        alert: the alert's name.
        severity: ``critical``, ``warning`` or ``info``.
        page: the page's name: ``/runbooks/`` and this.
        means: what is the case.
        look: where to look.
        mend: what to do.
        over: when it is over.
    """

    alert: str
    severity: str
    page: str
    means: str
    look: list[str]
    mend: list[str]
    over: str


class AlertPages(msgspec.Struct, frozen=True, rename="camel"):
    """The pages of all alerts."""

    alerts: list[AlertPage]
