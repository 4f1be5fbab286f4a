"""One part as a process of its own: it says on its last line what it did, as JSON.

Usage: ``python -m lab.bench.part serve DIRECTORY``, ``… ingest MODE``, or
``… consume NAME [RECORDS]``; settings come from the environment. With RECORDS a consumer begins at
once and ends after so many; without, it applies what is there.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, cast

from console.embedded.endpoints import database_of, kafka_of
from console.runtime import signals
from consumers.registry import Name
from lab.bench.usage import usage
from petstream.setting_values import ftp_url
from petstream.settings import load


def main(what: str, *arguments: str) -> None:
    """Run a part."""
    parts: dict[str, Callable[..., dict[str, Any]]] = {
        "serve": serve,
        "ingest": ingest,
        "consume": consume,
    }
    began = time.time()
    report = parts[what](*arguments)
    report |= {"began": began} | usage(os.getpid())._asdict()
    print(json.dumps(report), flush=True)  # noqa: T201  what the caller reads


def serve(directory: str) -> dict[str, Any]:
    """Serve a directory over FTP until the input ends."""
    from lab.bench.servers import FTP_URL  # noqa: PLC0415  the others serve nothing
    from lab.simulator import serve_ftp  # noqa: PLC0415  as above

    address = ftp_url(FTP_URL)
    with serve_ftp(
        Path(directory), user=address.user, password=address.password, port=address.port
    ):
        print("ready", flush=True)  # noqa: T201  what the caller waits for
        sys.stdin.read()
    return {}


def ingest(mode: str) -> dict[str, Any]:
    """Read the export, and say how long the topics took to fold and the pets to be read."""
    from ingest.run import Result  # noqa: PLC0415  its import is part of the time
    from ingest.run import ingest as read_export  # noqa: PLC0415  the same

    settings = load()
    kafka = kafka_of(settings, lambda _line: None)
    marks: dict[str, list[tuple[float, int]]] = {}
    known: list[float] = []

    def progress(file: str, rows: int) -> None:
        if file.startswith("pets_"):
            marks.setdefault(file, []).append((time.time(), rows))

    began = time.time()
    wanted = cast("Literal['initial', 'scrub']", mode)
    results: list[Result] = []

    async def work(_stopping: asyncio.Event) -> int:
        result = await read_export(
            settings, kafka, wanted=wanted, progress=progress,
            say=lambda line: known.append(time.time()) if line.startswith("export ") else None,
        )  # fmt: skip
        results.append(result)
        return 0

    signals.run(work, stopped_status=1)
    (result,) = results
    times = [mark for file in marks.values() for mark in file]
    rows = sum(file[-1][1] for file in marks.values())
    return {
        "rows": rows,
        "seconds": time.time() - began,
        "folded_s": known[0] - began,
        "reading_s": max(times)[0] - min(times)[0],
        "events": result.outcome.counts.pets.added if result.outcome else 0,
    }


def consume(name: str, records: str = "0") -> dict[str, Any]:
    """Apply what the topics say, and say when the last record was committed."""
    from consumers.app import consume as apply  # noqa: PLC0415  its import is part of the time

    settings, wanted = load(), int(records)
    kafka = kafka_of(settings, lambda _line: None)
    database = database_of(settings, lambda _line: None)
    times: list[float] = []
    applied = 0

    async def work(stopping: asyncio.Event) -> int:
        def progress(_name: str, more: int) -> None:
            nonlocal applied
            applied += more
            times.append(time.time())
            if wanted and applied >= wanted:
                stopping.set()

        names = [cast("Name", name)]
        await apply(
            names, settings, kafka=kafka, database_url=database, drain=not wanted,
            stopping=stopping, progress=progress,
        )  # fmt: skip
        return 0

    began = time.time()
    signals.run(work, stopped_status=1, patient=True)
    return {"rows": applied, "seconds": times[-1] - began, "last": times[-1]}


if __name__ == "__main__":
    main(*sys.argv[1:])
