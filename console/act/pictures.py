"""`pictures retry`: pictures that couldn't be had are due again, once the cause is mended.

Rule 1: a person says which: by host, reason or pet, or all of them; nobody says "all" by leaving
        the rest out.
"""

from __future__ import annotations

from argparse import Namespace

from console.runtime.output import note, print_document, say
from consumers.admin.picture_retries import RetrySelection, make_due
from petstream.errors import UsageError


async def retry(options: Namespace, *, database_url: str, pictures: str | None) -> int:
    """Make pictures due again, and say how many of which reason; return the exit status."""
    reasons = await make_due(database_url, selection(options))
    if options.json:
        print_document({"due": sum(reasons.values()), "reasons": reasons})
    else:
        say(report(reasons))
    if reasons and pictures == "off":
        note("petstream: PETSTREAM_PICTURES is off: nobody fetches them")
    return 0


def selection(options: Namespace) -> RetrySelection:
    """Return which pictures the options mean."""
    chosen = RetrySelection(options.host, options.reason, options.pet)
    if options.all == (chosen != RetrySelection()):
        raise UsageError(
            "which pictures? for example: petstream pictures retry --host cdn.example.org, "
            "--reason http-403, --pet 22611034; or --all, alone"
        )
    return chosen


def report(reasons: dict[str, int]) -> str:
    """Return what was done, for a person.

    >>> print(report({"http-403": 1_200, "truncated": 1}))
    1,201 pictures are due again; `petstream consume images` (or `up`) fetches them
       1,200  http-403
           1  truncated
    """
    if not reasons:
        return "no picture that fits is waiting or failed: nothing to do"
    total = sum(reasons.values())
    head = f"{total:,} pictures are" if total > 1 else "1 picture is"
    lines = [f"{head} due again; `petstream consume images` (or `up`) fetches them"]
    lines += [f"{count:>8,}  {reason}" for reason, count in reasons.items()]
    return "\n".join(lines)
