"""`doctor` on the processes that decode strangers' pictures: what keeps them from doing harm here.

Rule 1: no other user where petstream isn't root is as it should be, and no lack.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from console.doctor.check_result import CheckResult
from consumers.pictures import thumbnails
from consumers.pictures.sandbox import OWN_USER, Mechanism
from petstream.settings import Settings

_DEADLINE_S: Final = 20.0
_AREA: Final = "decoder"


async def check_decoder(settings: Settings) -> list[CheckResult]:
    """Let a process restrict itself as decoders do, and look at what it says."""
    if settings.pictures == "off":
        return []
    try:
        async with asyncio.timeout(_DEADLINE_S):
            return [judged(await thumbnails.holding())]
    except (OSError, ValueError) as error:  # a timeout is an OSError
        what = f"no process for pictures can be started ({type(error).__name__})"
        return [CheckResult(_AREA, "fail", what, "report it; pictures can't be decoded so")]


def judged(mechanisms: Sequence[Mechanism]) -> CheckResult:
    """Say what holds and what is lacking."""
    holding = ", ".join(each.name for each in mechanisms if not each.lacking)
    lacking = [each for each in mechanisms if each.lacking]
    what = f"what decodes pictures is kept in by {holding or 'nothing'}"
    if lacking:
        what += "; not by " + ", ".join(f"{each.name} ({each.lacking})" for each in lacking)
    if all(each.name == OWN_USER for each in lacking):
        return CheckResult(_AREA, "pass", what)
    mend = "Linux 6.12 has all of it; a container's seccomp profile may take some away"
    return CheckResult(_AREA, "warn", what, mend)
