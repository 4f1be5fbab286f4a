"""`petstream doctor`: looks at everything, says what is wrong and how to mend it; changes nothing.

Rule 1: no check keeps another from being made: one that can't be made says so.
Rule 2: no server is started.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from console.doctor.feed import feed
from console.doctor.finding import Finding
from console.doctor.kafka import kafka
from console.doctor.postgres import postgres
from console.doctor.store import store
from console.embedded import servers
from petstream.errors import UsageError
from petstream.settings import NAMES, KafkaAccess, Settings, load


async def doctor(*, as_json: bool) -> int:
    """Print what was found; exit status 1 if anything fails."""
    found = await examined()
    sys.stdout.write(as_document(found) if as_json else as_text(found))
    return 1 if any(one.state == "fail" for one in found) else 0


async def examined() -> list[Finding]:
    """Make every check."""
    settings, found = _settings()
    if settings is None:
        return found
    wrong = {one.what.partition(":")[0] for one in found if one.state == "fail"}
    parts = await asyncio.gather(
        _feed(settings, wrong), _kafka(settings, wrong), _postgres(settings, wrong), store(settings)
    )
    return [*found, *(one for part in parts for one in part)]


def as_text(found: Sequence[Finding]) -> str:
    """Return a line for each finding, with how to mend it beneath."""
    lines = []
    for one in found:
        lines.append(f"{one.state}  {one.area}: {one.what}")
        if one.mend and one.state != "pass":
            lines.append(f"      to mend: {one.mend}")
    counts = Counter(one.state for one in found)
    lines.append(f"{counts['pass']} passed, {counts['warn']} warnings, {counts['fail']} failed")
    return "\n".join(lines) + "\n"


def as_document(found: Sequence[Finding]) -> str:
    """Return the findings as JSON."""
    ok = all(one.state != "fail" for one in found)
    return json.dumps({"ok": ok, "checks": [one._asdict() for one in found]}, indent=2) + "\n"


def _settings() -> tuple[Settings | None, list[Finding]]:
    """Return the settings without the wrong ones, and what is wrong; None: nothing can be read."""
    try:
        return load(), [Finding("settings", "pass", "every setting is right")]
    except UsageError as error:
        lines = str(error).splitlines()
    found = [Finding("settings", "fail", line, "see docs/operating.md") for line in lines]
    wrong = {line.partition(":")[0] for line in lines}
    rest = {name: value for name, value in os.environ.items() if name not in wrong}
    try:  # an empty value in the environment covers one of .env
        return load(rest | dict.fromkeys(wrong & set(NAMES), "")), found
    except UsageError:
        return load(rest, Path(os.devnull)), found


async def _feed(settings: Settings, wrong: set[str]) -> list[Finding]:
    if settings.ftp is not None:
        return await feed(settings.ftp, datetime.now(UTC))
    if "PETSTREAM_FTP_URL" in wrong:
        return [_skipped("ftp", "PETSTREAM_FTP_URL")]
    mend = "PETSTREAM_FTP_URL=ftp://apikey-KEY:PASSWORD@ftp.rescuegroups.org/"
    return [Finding("ftp", "fail", "PETSTREAM_FTP_URL isn't set", mend)]


async def _kafka(settings: Settings, wrong: set[str]) -> list[Finding]:
    if wrong & {"PETSTREAM_KAFKA", "PETSTREAM_TOPIC_PREFIX"}:
        return [_skipped("kafka", "PETSTREAM_KAFKA or PETSTREAM_TOPIC_PREFIX")]
    access = settings.kafka
    if access is None:
        address = servers.running(settings.data_dir).kafka
        if address is None:
            mend = "'petstream ingest' or 'petstream up' starts it"
            return [Finding("kafka", "warn", "the embedded Kafka is not running", mend)]
        access = KafkaAccess(address)
    return await kafka(access, settings.topic_prefix)


async def _postgres(settings: Settings, wrong: set[str]) -> list[Finding]:
    if "PETSTREAM_DATABASE_URL" in wrong:
        return [_skipped("postgres", "PETSTREAM_DATABASE_URL")]
    url = settings.database_url or servers.running(settings.data_dir).database_url
    if url is None:
        mend = "'petstream migrate' or 'petstream up' starts it"
        return [Finding("postgres", "warn", "the embedded Postgres is not running", mend)]
    return await postgres(url)


def _skipped(area: str, name: str) -> Finding:
    return Finding(area, "warn", f"not looked at: {name} is wrong", "mend the setting first")
