"""`petstream doctor`: checks everything, says what is wrong and how to mend it; changes nothing.

Rule 1: no check keeps another from being made: one that can't be made says so.
Rule 2: no server is started.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

from console.doctor.check_result import CheckResult
from console.doctor.decoder import check_decoder
from console.doctor.feed import check_feed
from console.doctor.kafka import check_kafka, who_comes_in
from console.doctor.postgres import check_postgres
from console.doctor.store import check_stores
from console.embedded import servers
from console.runtime.output import say
from ingest import compiled
from petstream.errors import UsageError
from petstream.settings import NAMES, Settings, load


async def doctor(*, as_json: bool) -> int:
    """Print every result; exit status 1 if anything fails."""
    results = await check_everything()
    say((as_document if as_json else as_text)(results).removesuffix("\n"))
    return 1 if any(result.state == "fail" for result in results) else 0


async def check_everything() -> list[CheckResult]:
    """Make every check."""
    settings, results = _settings()
    if settings is None:
        return results
    wrong = {result.what.partition(":")[0] for result in results if result.state == "fail"}
    areas = await asyncio.gather(
        _made("ftp", _feed(settings, wrong)),
        _made("kafka", _kafka(settings, wrong)),
        _made("postgres", _postgres(settings, wrong)),
        _made("pictures", check_stores(settings)),
        _made("decoder", check_decoder(settings)),
    )
    return [*results, *chain.from_iterable(areas), check_form(compiled.FORM)]


def check_form(state: compiled.Form) -> CheckResult:
    """Say whether the ingester's modules run compiled, or why they don't."""
    mend = "run scripts/compile again"
    return CheckResult("ingest", "warn" if state.is_broken else "pass", state.what, mend)


def as_text(results: Sequence[CheckResult]) -> str:
    """Return a line for each result, with how to mend it beneath."""
    lines = []
    for result in results:
        lines.append(f"{result.state}  {result.area}: {result.what}")
        if result.mend and result.state != "pass":
            lines.append(f"      to mend: {result.mend}")
    counts = Counter(result.state for result in results)
    lines.append(f"{counts['pass']} passed, {counts['warn']} warnings, {counts['fail']} failed")
    return "\n".join(lines) + "\n"


def as_document(results: Sequence[CheckResult]) -> str:
    """Return the results as JSON."""
    ok = all(result.state != "fail" for result in results)
    checks = [result._asdict() for result in results]
    return json.dumps({"ok": ok, "checks": checks}, indent=2) + "\n"


async def _made(
    area: str, check: Coroutine[Any, Any, Sequence[CheckResult]]
) -> Sequence[CheckResult]:
    """Return a check's results, or that it broke (rule 1)."""
    try:
        return await check
    except Exception as error:  # noqa: BLE001  it is told, and the other checks go on
        what = f"this check met what it doesn't know ({type(error).__name__}): a bug in petstream"
        return [CheckResult(area, "fail", what, "report it; the other checks were made")]


def _settings() -> tuple[Settings | None, list[CheckResult]]:
    """Return the settings without the wrong ones, and what is wrong; None: nothing can be read."""
    try:
        return load(), [CheckResult("settings", "pass", "every setting is right")]
    except UsageError as error:
        lines = str(error).splitlines()
    failed = [CheckResult("settings", "fail", line, "see docs/operating.md") for line in lines]
    wrong = {line.partition(":")[0] for line in lines}
    rest = {name: value for name, value in os.environ.items() if name not in wrong}
    try:  # an empty value in the environment covers one of .env
        return load(rest | dict.fromkeys(wrong & set(NAMES), "")), failed
    except UsageError:
        return load(rest, Path(os.devnull)), failed


async def _feed(settings: Settings, wrong: set[str]) -> list[CheckResult]:
    if settings.ftp is not None:
        return await check_feed(settings.ftp, datetime.now(UTC))
    if "PETSTREAM_FTP_URL" in wrong:
        return [_skipped("ftp", "PETSTREAM_FTP_URL")]
    mend = "PETSTREAM_FTP_URL=ftp://apikey-KEY:PASSWORD@ftp.rescuegroups.org/"
    return [CheckResult("ftp", "fail", "PETSTREAM_FTP_URL isn't set", mend)]


async def _kafka(settings: Settings, wrong: set[str]) -> list[CheckResult]:
    if wrong & {"PETSTREAM_KAFKA", "PETSTREAM_TOPIC_PREFIX"}:
        return [_skipped("kafka", "PETSTREAM_KAFKA or PETSTREAM_TOPIC_PREFIX")]
    access = settings.kafka
    if access is None:
        access = servers.running(settings.data_dir).kafka
        if access is None:
            mend = "'petstream ingest' or 'petstream up' starts it"
            return [CheckResult("kafka", "warn", "the embedded Kafka is not running", mend)]
    looked = await check_kafka(access, settings.topic_prefix, table_topics=settings.table_topics)
    return [*looked, *who_comes_in(access)]


async def _postgres(settings: Settings, wrong: set[str]) -> list[CheckResult]:
    if "PETSTREAM_DATABASE_URL" in wrong:
        return [_skipped("postgres", "PETSTREAM_DATABASE_URL")]
    url = settings.database_url or servers.running(settings.data_dir).database_url
    if url is None:
        mend = "'petstream migrate' or 'petstream up' starts it"
        return [CheckResult("postgres", "warn", "the embedded Postgres is not running", mend)]
    return await check_postgres(url)


def _skipped(area: str, name: str) -> CheckResult:
    return CheckResult(area, "warn", f"not looked at: {name} is wrong", "mend the setting first")
