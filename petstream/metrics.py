"""Every metric of petstream, declared once, and all exposed; the only door to prometheus_client.

Rule 1: a metric is declared with its unit, what it means and what to do about it; docs/metrics.md
        is made from the declarations.
Rule 2: a label's values are few and known: never an id, a name, a file or a URL.
Rule 3: with ``PROMETHEUS_MULTIPROC_DIR`` set before the start, processes share their figures in
        that directory, and each of them exposes those of all.
Rule 4: times are seconds since 1970 (``_timestamp_seconds``): an age is ``time()`` less that.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
"""What `exposition` is, for HTTP."""


@dataclass(frozen=True)
class Declared:
    """A metric as it is declared; `name` is what Prometheus shows, less ``_bucket`` and such."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    unit: str
    meaning: str
    remedy: str
    labels: tuple[str, ...]


DECLARED: Final[list[Declared]] = []
"""Every metric there is, in the order of this module."""

_REGISTRY: Final = CollectorRegistry()
disable_created_metrics()  # type: ignore[no-untyped-call]  # it would tell of series nobody declared


def counter(
    name: str, meaning: str, *, unit: str, remedy: str, labels: Sequence[str] = ()
) -> Counter:
    """Declare what only grows; its name ends in ``_total``."""
    _declare(Declared(name, "counter", unit, meaning, remedy, tuple(labels)))
    return Counter(name, meaning, labels, registry=_REGISTRY)


def gauge(name: str, meaning: str, *, unit: str, remedy: str, labels: Sequence[str] = ()) -> Gauge:
    """Declare what goes up and down; of several processes, the last to speak is believed."""
    _declare(Declared(name, "gauge", unit, meaning, remedy, tuple(labels)))
    return Gauge(name, meaning, labels, registry=_REGISTRY, multiprocess_mode="mostrecent")


def histogram(  # noqa: PLR0913  a declaration, each by name
    name: str,
    meaning: str,
    *,
    unit: str,
    remedy: str,
    buckets: Sequence[float],
    labels: Sequence[str] = (),
) -> Histogram:
    """Declare what is spread over buckets."""
    _declare(Declared(name, "histogram", unit, meaning, remedy, tuple(labels)))
    return Histogram(name, meaning, labels, registry=_REGISTRY, buckets=buckets)


def exposition() -> bytes:
    """Return every figure in Prometheus' text format."""
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]  # as it is shipped
        return generate_latest(together)
    return generate_latest(_REGISTRY)


def forget_process(pid: int) -> None:
    """Forget what was true of a process only while it lived."""
    mark_process_dead(pid)  # type: ignore[no-untyped-call]  # as it is shipped


def _declare(metric: Declared) -> None:
    if any(metric.name == other.name for other in DECLARED):
        raise ValueError(f"{metric.name} is declared twice")
    DECLARED.append(metric)


# --- the feed and its exports: told by whoever watches the feed ---------------------------------

EXPORT_STARTED = gauge(
    "petstream_export_started_timestamp_seconds",
    "When the newest completed export was begun at RescueGroups: its id as a time. 0 where nobody "
    "watches the feed (`consume`): alert on the `max` over all processes.",
    unit="seconds",
    remedy="Over 30 h old: see `petstream status` for what the last looks at the feed found, and "
    "`petstream doctor` for the FTP account.",
)
EXPORT_LATE = gauge(
    "petstream_export_late",
    "1 while today's export should have been there by the end of PETSTREAM_WINDOW and isn't.",
    unit="0 or 1",
    remedy="Wait: it is still looked for. If it stays 1 for a day, ask RescueGroups.",
)
LOOKS = counter(
    "petstream_feed_looks_total",
    "Looks at the feed, by what came of them: completed, held, nothing_new, not_ready, broken, "
    "unreachable, lost_records (by Kafka, meanwhile), no_room (on the disk), not_leading (another "
    "ingester reads).",
    unit="looks",
    remedy="broken or not_ready all day: `petstream status` names the file; unreachable: check the "
    "account by `petstream doctor`; lost_records: docs/operating.md, *Kafka lost something*; "
    "no_room: make room in PETSTREAM_DATA_DIR.",
    labels=("outcome",),
)
ROWS = counter(
    "petstream_rows_total",
    "Rows of completed exports, by entity (pets, orgs) and outcome (read, added, updated, "
    "unchanged, removed, relisted, refused).",
    unit="rows",
    remedy="refused rising: `petstream dead-letters list` says which and why.",
    labels=("entity", "outcome"),
)
ROWS_READ = counter(
    "petstream_rows_read_total",
    "Rows read from files, of any export, as they are read.",
    unit="rows",
    remedy="Stands still while an export is being read: Kafka or the FTP server is slow.",
)
STAGE_SECONDS = gauge(
    "petstream_export_stage_seconds",
    "How long the stages of the last run took: listing (with PETSTREAM_SETTLE_S), folding (topics "
    "to ledger), reading (rows, removals, completed).",
    unit="seconds",
    remedy="docs/performance.md has what to expect.",
    labels=("stage",),
)
RESTATED = counter(
    "petstream_rows_restated_total",
    "Rows published again by snapshots, though they hadn't changed, by entity (pets, orgs).",
    unit="rows",
    remedy="What a loss costs every subscriber; see petstream_snapshots_last_day.",
    labels=("entity",),
)
DEBTS = gauge(
    "petstream_debts",
    "What is owed as exports.v1 and requests.v1 say, by what pays it (whole: an export read whole; "
    "snapshot: one in which every key is stated again). Told by whoever watches the feed.",
    unit="debts",
    remedy="`petstream status` says what was lost, where and since when; petstream pays by itself: "
    "docs/operating.md, *Kafka lost something*.",
    labels=("owes",),
)
SNAPSHOT_COMPLETED = gauge(
    "petstream_snapshot_completed_timestamp_seconds",
    "When the newest snapshot was completed; 0: there was none.",
    unit="seconds",
    remedy="Nothing to do: a snapshot mends what Kafka lost.",
)
SNAPSHOTS_LAST_DAY = gauge(
    "petstream_snapshots_last_day",
    "Snapshots that were completed within the last 24 hours.",
    unit="snapshots",
    remedy="More than one: Kafka goes on losing records, or somebody asks for what no snapshot "
    "gives; look at the broker's disk and log, and at `petstream status`.",
)
WARNINGS = gauge(
    "petstream_export_warnings",
    "Warnings of the newest completed export: more changed at once than is believable.",
    unit="warnings",
    remedy="`petstream status` shows them as notes; `petstream diff` what changed. Removals "
    "were held.",
)
PLANS_HELD = gauge(
    "petstream_removal_plans_held",
    "Plans of removals that wait for a person, of the newest export.",
    unit="plans",
    remedy="`petstream removals list`, then approve or reject: docs/operating.md.",
)

# --- consumers ----------------------------------------------------------------------------------

RECORDS = counter(
    "petstream_consumer_records_total",
    "Records applied, by consumer (pets, deletions, images, tables; pictures counts pictures "
    "tried).",
    unit="records",
    remedy="Stands still while the lag grows: see petstream_server_up, then the consumer's log.",
    labels=("consumer",),
)
LAG = gauge(
    "petstream_consumer_lag_records",
    "Records in the topics that a consumer has not committed yet.",
    unit="records",
    remedy="Growing for long: start more of that consumer, docs/consumers.md.",
    labels=("consumer",),
)
LETTERS = counter(
    "petstream_dead_letters_total",
    "Rows and events refused and set aside, by where: rows (of the feed), events (by a consumer).",
    unit="records",
    remedy="`petstream dead-letters list`; after the cause is mended, `dead-letters replay`.",
    labels=("origin",),
)
for _origin in ("rows", "events"):
    LETTERS.labels(_origin)  # from 0 on: a series that begins at 1 is no increase to an alert
POSITIONS_REWRITTEN = counter(
    "petstream_positions_rewritten_total",
    "Partitions whose log wasn't the one that a consumer had read, by consumer: each was read "
    "again from its beginning.",
    unit="partitions",
    remedy="Kafka lost records, or was put back: docs/audit.md, and `petstream audit`.",
    labels=("consumer",),
)
SWEPT = counter(
    "petstream_rows_swept_total",
    "Rows taken off the lists since a snapshot doesn't state them, by table (pets, organizations, "
    "pictures).",
    unit="rows",
    remedy="They left the feed while the log lost records: docs/audit.md.",
    labels=("table",),
)
SWEEPS_HELD = gauge(
    "petstream_sweeps_held",
    "Plans of snapshot sweeps that wait for a person.",
    unit="plans",
    remedy="`petstream removals list`, then approve or reject: docs/audit.md.",
)
SNAPSHOT_ASKED = gauge(
    "petstream_snapshot_asked",
    "1 while a snapshot is asked for: the tables hold what the log lost.",
    unit="0 or 1",
    remedy="The next ingest that can read the whole export makes one; 1 for over a day: see "
    "`petstream status`.",
)
TABLE_RECORDS = counter(
    "petstream_table_records_total",
    "Records for the table topics, by table (pet-table, organization-table) and outcome (row, "
    "null, refused).",
    unit="records",
    remedy="refused: a row is too large for Kafka; the log names it.",
    labels=("table", "outcome"),
)
TABLE_MENDED = counter(
    "petstream_table_mended_total",
    "Records that a comparison of a table topic with the log found to be missing, by table.",
    unit="records",
    remedy="Once after a crash or another format is as it should be; each day is not: is anybody "
    "else writing to the topic?",
    labels=("table",),
)
TABLE_KEYS_KEPT = gauge(
    "petstream_table_keys_kept",
    "Keys that have left by a snapshot and stay in a table topic, since Postgres lists them still.",
    unit="keys",
    remedy="A sweep waits for a person: `petstream removals list`.",
    labels=("table",),
)
TABLE_KEYS_MISPLACED = gauge(
    "petstream_table_keys_misplaced",
    "Records of a table topic in a partition where their key doesn't belong.",
    unit="records",
    remedy="Its partitions were raised: `petstream table-topics rebuild`, docs/tables.md.",
    labels=("table",),
)
BATCH_SECONDS = histogram(
    "petstream_consumer_batch_seconds",
    "How long a batch took from decoding to the committed offset.",
    unit="seconds",
    remedy="Over a second for long: Postgres is slow; look at its disk and its locks.",
    buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30),
    labels=("consumer",),
)

# --- pictures -----------------------------------------------------------------------------------

PICTURES = counter(
    "petstream_pictures_total",
    "Tries to fetch a picture, by outcome: stored, unchanged, postponed, refused.",
    unit="tries",
    remedy="refused rising: view pet_pictures has `error`, docs/pictures.md what each means.",
    labels=("outcome",),
)
PICTURES_WAITING = gauge(
    "petstream_pictures_by_status",
    "Pictures of listed pets, by status (due, stored, failed, gone, off).",
    unit="pictures",
    remedy="due growing for days: start more `consume images`.",
    labels=("status",),
)

# --- the process and its servers ----------------------------------------------------------------

SERVER_UP = gauge(
    "petstream_server_up",
    "1 if the server answered the last probe (kafka, postgres).",
    unit="0 or 1",
    remedy="Start the server; what petstream does waits for it, and nothing is lost.",
    labels=("server",),
)
READY = gauge(
    "petstream_ready",
    "1 while /readyz says so: servers answer, and no consumer stands still with work before it.",
    unit="0 or 1",
    remedy="Ask /readyz: it says in words what is wrong.",
)
RESTARTS = counter(
    "petstream_part_restarts_total",
    "Times that `up` started a part again after it had died, by part.",
    unit="restarts",
    remedy="The log has the part's last line before each.",
    labels=("part",),
)
BUILD = gauge(
    "petstream_build_info",
    "Always 1; its label is petstream's version.",
    unit="1",
    remedy="Nothing to do.",
    labels=("version",),
)
