"""What `/api/overview`, `/api/progress` and `/api/feeds` answer: the front page, as types."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from console.page.api.answers import ExportSummary, Freshness, OwedDebt, WaitingPlan
from console.page.operations.feeds import StateOfFeed


class Trouble(msgspec.Struct, frozen=True, rename="camel"):
    """Something that is wrong, and what to do; texts are Markdown: links, and code in backticks.

    Attributes:
        alert: the alert whose condition it is.
        level: ``bad``, ``warn`` or ``info``.
        what: what is the case here, with figures.
        means: what that means.
        look: where to look.
        mend: what to do.
        over: when it is over.
        page: the name of its page under ``/runbooks/``.
        href: the page of the console where more is told or decided.
        label: what is there.
    """

    alert: str
    level: str
    what: str
    means: str
    look: list[str]
    mend: list[str]
    over: str
    page: str
    href: str | None
    label: str | None


class FeedAge(msgspec.Struct, frozen=True, rename="camel"):
    """How fresh the feed is; times of the day are New York's.

    Attributes:
        newest_export_id: the newest completed export.
        age_hours: how many hours ago it was begun.
        late: it is older than exports become.
        late_after_hours: from when on.
        late_today: today's should have been there by the end of PETSTREAM_WINDOW.
        window_ends: that end.
        usually_lands: when exports usually lie there.
        latest_landed: the latest of those known.
        landings_known: how many are.
    """

    newest_export_id: str | None
    age_hours: float | None
    late: bool
    late_after_hours: int
    late_today: bool
    window_ends: str
    usually_lands: str | None
    latest_landed: str | None
    landings_known: int


class PartMember(msgspec.Struct, frozen=True, rename="camel"):
    """A process that does a part's work: on which host, since when, as Kafka knows it."""

    host: str
    process: int | None
    since: datetime | None
    address: str | None = None


class StandingPart(msgspec.Struct, frozen=True, rename="camel"):
    """A part of petstream, and who runs it.

    Attributes:
        part: ``watch``, ``ingest`` or a consumer's name.
        state: ``running``, ``missing`` (it ran before) or ``absent``.
        members: the processes that do its work.
        report: what the watch of the feed said last of what it does.
    """

    part: str
    state: str
    members: list[PartMember]
    report: dict[str, Any] | None


class LagOfConsumer(msgspec.Struct, frozen=True, rename="camel"):
    """How far a consumer is in a topic, in records over all partitions."""

    consumer: str
    topic: str
    lag: int
    position: int
    end: int
    begun: bool


class HostPictures(msgspec.Struct, frozen=True, rename="camel"):
    """Pictures that aren't stored, by their host and status."""

    host: str | None
    status: str
    pictures: int


class WorkProgress(msgspec.Struct, frozen=True, rename="camel"):
    """How far some work is.

    Attributes:
        done: how many are done: rows, records or pictures.
        total: of how many; null: not known.
        per_s: how many a second, lately.
        left_s: how many seconds the rest takes at this rate.
    """

    done: int
    total: int | None
    per_s: float | None
    left_s: float | None


class GoingOn(msgspec.Struct, frozen=True, rename="camel"):
    """What is going on now.

    Attributes:
        freshness: how old this is.
        export_id: the export that is being read.
        reading: its rows; as many are expected as the last one had.
        behind: records, of each consumer that has work before it.
        pictures: pictures that were due.
    """

    freshness: Freshness
    export_id: str | None
    reading: WorkProgress | None
    behind: dict[str, WorkProgress]
    pictures: WorkProgress | None


class Happened(msgspec.Struct, frozen=True, rename="camel"):
    """Something that happened; `level` is ``good``, ``warn``, ``bad`` or empty."""

    at: datetime
    what: str
    level: str


class Standing(msgspec.Struct, frozen=True, rename="camel"):
    """How everything stands, as `petstream status --json` says it.

    Attributes:
        feed: how fresh the feed is.
        exports: the last 30, newest first.
        held_plans: removals that wait for a decision.
        debts: what is owed.
        parts: which parts are alive.
        lag: how far each consumer is.
        pictures: pictures of listed pets by status; null: Postgres can't be asked.
        pictures_at: of when these are, where Postgres can't be asked now.
        hosts: those that aren't stored.
        dead_letters: how many there are, by class and reason.
        postgres: ``reachable``, or what it says.
        undecodable_export_events: records of exports.v1 that can't be read.
    """

    feed: FeedAge
    exports: list[ExportSummary]
    held_plans: list[WaitingPlan]
    debts: list[OwedDebt]
    parts: list[StandingPart]
    lag: list[LagOfConsumer]
    pictures: dict[str, int] | None
    pictures_at: datetime | None
    hosts: list[HostPictures]
    dead_letters: dict[str, int]
    postgres: str
    undecodable_export_events: int


class Overview(msgspec.Struct, frozen=True, rename="camel"):
    """The front page.

    Attributes:
        freshness: how old this is.
        level: ``good``, ``info``, ``warn`` or ``bad``.
        text: the page in one line.
        detail: a sentence more.
        problems: what is wrong, most urgent first.
        progress: what is going on now.
        happened: what happened last, newest first.
        standing: everything else; null: no look has come back so far.
    """

    freshness: Freshness
    level: str
    text: str
    detail: str
    problems: list[Trouble]
    progress: GoingOn
    happened: list[Happened]
    standing: Standing | None


class FeedList(msgspec.Struct, frozen=True):
    """All feeds that this console knows, its own first."""

    feeds: list[StateOfFeed]
