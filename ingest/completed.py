"""Whether what lies on the server is anything new.

Rule 1: an export that was completed with just these files costs a listing and nothing else.
Rule 2: an older export than the newest completed one isn't read, unless somebody wants it.
"""

from __future__ import annotations

from ingest.source.listing import ExportSet
from ingest.state.export_history import Memory, Wanted, start_of
from ingest.state.log_ends import lost_since
from petstream.errors import NotReadyError
from petstream.events import ExportEvent
from petstream.settings import KafkaAccess


async def nothing_new(  # noqa: PLR0913  all that it depends on
    kafka: KafkaAccess,
    prefix: str,
    memory: Memory,
    files: ExportSet,
    wanted: Wanted,
    *,
    allow_older: bool,
) -> ExportEvent | None:
    """Return how these files were completed, if that needs nothing more (rule 1).

    Raises:
        NotReadyError: it was, but a newer one was completed since.
    """
    same = (one for one in memory.completed.values() if one.fingerprint == files.fingerprint)
    done = next(same, None)
    if done is None or wanted != "auto" or await lost_since(kafka, prefix, memory.newest):
        return None
    if not allow_older:
        refuse_older(memory, done.export_id, done.base)
    return done


def refuse_older(memory: Memory, export_id: str, base: int) -> None:
    """Refuse an export that is older than the newest completed one."""
    newest = memory.newest
    if newest is None or export_id == newest.export_id:
        return
    if base <= newest.base or start_of(export_id) < start_of(newest.export_id):
        raise NotReadyError(
            f"the export on the server started {export_id}, before {newest.export_id}, "
            "which was completed: an older one was put back; wait for the next, or read it "
            "with --allow-older"
        )
