"""Ten days of a simulated feed for an engine: removals, relistings, a held plan, and a snapshot."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from consumers.app import consume
from ingest.run import ingest
from lab.simulator import history, serve_ftp, write_export
from petstream.settings import FtpUrl, KafkaAccess, Settings, TableFormat

DAYS: Final = 10
_HELD: Final = 4
_SNAPSHOT: Final = 7
_FAULT: Final = "truncated-petlist"


class SimulatedDays:
    """A feed, and petstream's consumers behind it, the table topics among them."""

    def __init__(
        self, home: Path, settings: Settings, kafka: str, database_url: str, days: int
    ) -> None:
        """Begin before the first day."""
        self._days = days
        self.settings, self.access = settings, KafkaAccess(kafka)
        self.database_url = database_url
        self._home = home
        self._feed = history(seed=20, pets=120, days=DAYS)

    async def days(self) -> AsyncIterator[int]:
        """Go through the days; each is in Kafka and in Postgres when it is given."""
        for day in range(self._days):
            faults = (_FAULT,) if day == _HELD else ()
            write_export(self._home, self._feed, day, faults=faults)
            result = await ingest(
                self.settings, self.access, wanted="snapshot" if day == _SNAPSHOT else "auto"
            )
            assert result.exit_status == (4 if day == _HELD else 0), f"day {day}"
            await self.drain()
            yield day

    async def drain(self) -> None:
        """Let all consumers apply what is there."""
        await consume(
            ("pets", "deletions", "tables"), self.settings, kafka=self.access,
            database_url=self.database_url, drain=True, stopping=asyncio.Event(),
        )  # fmt: skip


@contextmanager
def simulated_days(  # noqa: PLR0913  what the tests of engines have
    home: Path,
    kafka: str,
    database_url: str,
    prefix: str,
    format_: TableFormat,
    *,
    days: int = DAYS,
) -> Iterator[SimulatedDays]:
    """Serve a feed, and make all that reads it; fewer days begin like more."""
    served = home / "ftp"
    served.mkdir()
    with serve_ftp(served, user="apikey-Ab3dEf9h", password="a-password") as server:
        ftp = FtpUrl("apikey-Ab3dEf9h", "a-password", "127.0.0.1", server.port, "", tls=False)
        settings = Settings(
            ftp=ftp, data_dir=home / "data", topic_prefix=prefix, settle_s=0, pictures="off",
            table_topics=True, table_format=format_,
        )  # fmt: skip
        yield SimulatedDays(served, settings, kafka, database_url, days)
