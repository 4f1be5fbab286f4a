"""What a run came to, in lines for a person."""

from __future__ import annotations

from console.inspect import summary
from ingest.export import Outcome
from ingest.run import Result
from petstream.events import Counts, ExportCounts

OUTCOME = Outcome(
    "2026-11-02T08:23:43Z",
    "daily",
    ExportCounts(pets=Counts(read=47, added=15, removed=2), orgs=Counts(read=49)),
    (),
    ("something was found",),
)


def test_the_summary_names_counts_findings_and_what_is_held() -> None:
    lines = list(summary.lines(Result(OUTCOME.export_id, OUTCOME, ("plan-1",))))
    assert lines == [
        "something was found",
        "export 2026-11-02T08:23:43Z (daily) is completed",
        "  pets: 47 rows read, 15 added, 2 removed",
        "  organizations: 49 rows read",
        "removals are held: petstream removals show plan-1",
    ]
    assert list(summary.lines(Result("2026-11-02T08:23:43Z", None, ()))) == [
        "export 2026-11-02T08:23:43Z was completed before: nothing new"
    ]
