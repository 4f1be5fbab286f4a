"""A feed to ingest from in tests of whole runs: simulated days, or rows of one's own."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import aclosing, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from console.inspect.database_reader import Unavailable
from console.inspect.export_history import published_exports
from console.inspect.letter_counts import LetterCounts
from console.inspect.status import document
from ingest.run import Result, ingest
from ingest.state.ledger import Ledger
from lab.simulator import serve_ftp
from petstream import topics
from petstream.codec import decode
from petstream.events import DebtEvent, Event, ExportEvent, PlanEvent
from petstream.kafka.reader import read_to_end, read_topic
from petstream.settings import FtpUrl, KafkaAccess, Settings


class Days:
    """A served directory, and what the topics say."""

    def __init__(self, home: Path, settings: Settings, kafka: str) -> None:
        """Know where everything is."""
        self.home, self.settings, self.kafka = home, settings, KafkaAccess(kafka)

    async def ingest(self, **options: Any) -> Result:
        """Read the export that lies on the server now."""
        return await ingest(self.settings, self.kafka, **options)

    async def status(self, now: datetime) -> dict[str, Any]:
        """Return what `petstream status --json` says without Postgres and consumers."""
        prefix = self.settings.topic_prefix
        return document(
            published=published_exports(
                await read_topic(self.kafka, topics.EXPORTS.full_name(prefix))
            ),
            letters=await LetterCounts().updated(self.kafka, topics.DEAD_LETTERS.full_name(prefix)),
            lags=[],
            tables=Unavailable("not asked"),
            now=now,
        )

    async def exports(self) -> list[ExportEvent | PlanEvent]:
        """Return what exports.v1 says, in order."""
        events = [event async for event in self._events(topics.EXPORTS)]
        return [event for event in events if isinstance(event, ExportEvent | PlanEvent)]

    async def debts(self) -> list[DebtEvent]:
        """Return what exports.v1 says is owed, or was."""
        events = [event async for event in self._events(topics.EXPORTS)]
        return [event for event in events if isinstance(event, DebtEvent)]

    async def said(self) -> list[str]:
        """Return how exports and plans stand, in order."""
        return [
            event.state if isinstance(event, ExportEvent) else event.decision
            for event in await self.exports()
        ]

    async def completed(self) -> ExportEvent:
        """Return the last `completed`."""
        return [
            event
            for event in await self.exports()
            if isinstance(event, ExportEvent) and event.state == "completed"
        ][-1]

    async def ledger(self, topic: topics.Topic = topics.PETS) -> Ledger:
        """Fold pets or organisations."""
        ledger = Ledger()
        async with aclosing(self._records(topic)) as records:
            async for record in records:
                ledger.fold(record.key, record.headers, record.value)
        return ledger

    async def listed(self, topic: topics.Topic = topics.PETS) -> set[int]:
        """Return who is in the feed, as far as the topics say."""
        return set((await self.ledger(topic)).listed())

    async def names(self) -> dict[int, str | None]:
        """Return the listed pets' names."""
        ledger = await self.ledger()
        held = {key: ledger.get(key) for key in ledger.listed()}
        return {
            key: entry.event()["pet"]["name"] for key, entry in held.items() if entry is not None
        }

    async def length(self, topic: topics.Topic) -> int:
        """Return how many records a topic holds."""
        async with aclosing(self._records(topic)) as records:
            return len([record async for record in records])

    async def _events(self, topic: topics.Topic) -> Any:
        async with aclosing(self._records(topic)) as records:
            async for record in records:
                event: Event = decode(record.headers, record.value).event
                yield event

    async def _records(self, topic: topics.Topic) -> Any:
        name = topic.full_name(self.settings.topic_prefix)
        async with aclosing(read_to_end(self.kafka, [name])) as batches:
            async for records in batches:
                for record in records:
                    yield record


@contextmanager
def served_days(tmp_path: Path, kafka: str, prefix: str, **settings: Any) -> Iterator[Days]:
    """Serve a directory that is empty yet, to be ingested with these settings beside the usual."""
    home = tmp_path / "ftp"
    home.mkdir()
    with serve_ftp(home, user="apikey-Ab3dEf9h", password="canary-password") as server:
        ftp = FtpUrl(server.user, server.password, server.host, server.port, "", tls=False)
        usual = Settings(ftp=ftp, data_dir=tmp_path / "data", topic_prefix=prefix, settle_s=0)
        yield Days(home, replace(usual, **settings), kafka)


def pet(key: int, **changes: Any) -> dict[str, Any]:
    """Return a row with the few keys that every row has."""
    row = {"orgID": "701", "animalID": str(key), "status": "Available", "name": f"Pet {key}",
           "species": "Dog", "sex": "Male", "age": "Young", "size": "Large",
           "lastUpdated": "1793000000", "pictures": []}  # fmt: skip
    return row | changes


def picture(key: int) -> dict[str, Any]:
    """Return a picture."""
    url = f"https://pictures.example/{key}.jpg"
    return {"mediaID": str(key), "mediaOrder": "1", "lastUpdated": "1793000000",
            "original": {"url": url}, "large": {"url": url}, "small": {"url": url}}  # fmt: skip


def org(key: int) -> dict[str, Any]:
    """Return a row of an organisation."""
    return {"orgID": str(key), "status": "Available", "name": f"Paws {key}"}


def write(home: Path, start: datetime, petlist: Iterable[int], **families: Any) -> None:
    """Write an export of rows: `orgs`, `pets`, `updatedpets`, `newpets` (one part each).

    `orgs` gets the start stamp; the petlist is written last.
    """
    for path in home.iterdir():
        path.unlink()
    stamp = {"exportStarted": f"{int(start.timestamp())}"}  # as an export's id cuts it off
    files = {f"{name}_1.json": lines(rows) for name, rows in families.items()}
    files["orgs_1.json"] = lines([stamp, *families["orgs"]])
    files["petlist.csv"] = b"".join(b"%d\n" % key for key in petlist)
    for number, (name, content) in enumerate(files.items()):
        put(home / name, content, start + timedelta(minutes=4 + number))


def lines(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Return rows as a file of the feed."""
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def put(path: Path, content: bytes, at: datetime | float) -> None:
    """Write a file with a time of its own."""
    path.write_bytes(content)
    stamp = at.timestamp() if isinstance(at, datetime) else at
    os.utime(path, (stamp, stamp))
