"""The demo: some days of a simulated RescueGroups, through everything, with a summary at the end.

Rule 1: it has a data directory and a topic prefix of its own, and reads neither the environment's
        settings nor ``.env``: simulated pets never meet real ones.
Rule 2: every run starts from nothing, so that it shows the same each time; the last of its days
        is today's, so that nothing is called late. Days that come while it stays up bear the time
        at which they are written: what is of tomorrow isn't believed.
Rule 3: the tables are compared with what the simulator says must be in them; else it fails.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final, NamedTuple, get_args
from urllib.parse import urlsplit

from console.daemon.daemon import programs, up
from console.embedded import servers
from console.embedded.endpoints import database_of, kafka_of
from console.runtime import arguments, signals
from console.runtime.exit import ended_well
from console.runtime.output import note, say
from console.runtime.progress import adding_up, shown
from consumers.app import consume
from consumers.registry import names_of
from ingest.run import ingest
from lab import demo_summary, simulate
from lab.simulator import History, expected, first_day_until, history
from petstream.errors import UsageError
from petstream.settings import SETTLED, KafkaAccess, Settings, TableFormat, load
from petstream.waiting import pause, unless_stopped

DATA_DIR: Final = Path(".petstream-demo")
PREFIX: Final = "demo."
FEWEST_PETS: Final = 10

_NEXT_DAY_S: Final = 60.0
_LOOK_EVERY_S: Final = 5


class Stage(NamedTuple):
    """What the demo plays on."""

    values: dict[str, str]
    settings: Settings
    kafka: KafkaAccess
    database_url: str
    feed: simulate.ServedFeed
    zipped: bool
    first_day: date


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the demo and exit: 0 all as expected, 1 not."""
    options = parser().parse_args(sys.argv[1:] if arguments is None else arguments)
    sys.exit(ended_well(lambda: run(options), daemon=False))


def run(options: argparse.Namespace, data_dir: Path = DATA_DIR) -> int:
    """Play the days; then stay up, unless `--no-serve` is given."""
    with own(data_dir):
        try:
            with simulate.served(data_dir / "feed", port=0, pictures_port=0) as feed:
                stage = _stage(data_dir, feed, options)
                return signals.run(
                    lambda stopping: _play(stage, options, stopping),
                    stopped_status=0 if options.serve else 1,
                    patient=True,
                    within_s=None,  # the servers are stopped afterwards
                )
        finally:
            servers.down(data_dir, say=note)


def _stage(data_dir: Path, feed: simulate.ServedFeed, options: argparse.Namespace) -> Stage:
    address = feed.address
    values = {
        SETTLED: "1",
        "PETSTREAM_FTP_URL": (
            f"ftp://{address.user}:{address.password}@{address.host}:{address.port}/"
        ),
        "PETSTREAM_DATA_DIR": str(data_dir),
        "PETSTREAM_TOPIC_PREFIX": PREFIX,
        "PETSTREAM_SETTLE_S": "0",  # the simulator is never in the middle of writing when read
        "PETSTREAM_WINDOW": "00:00-23:59",  # and its days have dates of their own
        "PETSTREAM_PICTURES": (data_dir.absolute() / "pictures").as_uri(),
        "PETSTREAM_PICTURE_TRUSTED_HOSTS": urlsplit(feed.pictures_url).netloc,
    }
    if options.table_topics is not None:
        values |= {"PETSTREAM_TABLE_TOPICS": "on", "PETSTREAM_TABLE_FORMAT": options.table_topics}
    settings = load(values)
    kafka, database_url = kafka_of(settings, note), database_of(settings, note)
    first_day = first_day_until(datetime.now(UTC), options.days)
    return Stage(values, settings, kafka, database_url, feed, options.zip, first_day)


async def _play(stage: Stage, options: argparse.Namespace, stopping: asyncio.Event) -> int:
    made = _history(stage, options.pets, options.days)
    days = []
    for day in range(options.days):
        played = await unless_stopped(_day(stage, made, day, stopping), stopping)
        if played is None or stopping.is_set():
            return 1
        days.append(played)
    same = await demo_summary.print_summary(
        stage.settings, stage.kafka, stage.database_url, expected(made, options.days - 1), days
    )
    if not same:
        return 1
    for line in demo_summary.next_steps(DATA_DIR, PREFIX):
        say(line)
    if not options.serve:
        return 0
    return await _serve(stage, options, stopping)


async def _day(
    stage: Stage, made: History, day: int, stopping: asyncio.Event
) -> demo_summary.DayResult:
    clock = asyncio.get_running_loop().time
    await asyncio.to_thread(stage.feed.write, made, day, zipped=stage.zipped)
    began = clock()
    with shown("rows") as progress:
        result = await ingest(stage.settings, stage.kafka, progress=progress)
    read = clock()
    if result.outcome is None:
        raise UsageError(f"the export of day {day + 1} was completed before: that is a bug")
    say(f"day {day + 1}: read in {read - began:.1f} s; now the consumers")
    with shown("events") as progress:
        await consume(
            names_of(table_topics=stage.settings.table_topics),
            stage.settings,
            kafka=stage.kafka,
            database_url=stage.database_url,
            drain=True,
            stopping=stopping,
            progress=adding_up(progress),
        )
    say(f"day {day + 1}: applied in {clock() - read:.1f} s")
    return demo_summary.DayResult(day + 1, result.outcome, read - began)


async def _serve(stage: Stage, options: argparse.Namespace, stopping: asyncio.Event) -> int:
    say(
        f"\nThe daemon stays up; a new day comes every {_NEXT_DAY_S:g} s. Ctrl-C ends it. "
        "A browser shows everything at the address it says next:"
    )

    async def days_go_by() -> None:
        day = options.days
        while not stopping.is_set():
            await pause(stopping, _NEXT_DAY_S)
            if not stopping.is_set():
                made = await asyncio.to_thread(_history, stage, options.pets, day + 1)
                await asyncio.to_thread(
                    stage.feed.write, made, day, zipped=stage.zipped, written_at=datetime.now(UTC)
                )
                day += 1

    names = names_of(table_topics=stage.settings.table_topics)
    parts = programs("--every", str(_LOOK_EVERY_S), names=names)
    async with asyncio.TaskGroup() as group:
        group.create_task(days_go_by())
        group.create_task(up(stage.values, stopping=stopping, parts=parts))
    return 0


def _history(stage: Stage, pets: int, days: int) -> History:
    return history(
        pets=pets, days=days, first_day=stage.first_day, pictures_url=stage.feed.pictures_url,
        key=simulate.KEY,
    )  # fmt: skip


@contextmanager
def own(data_dir: Path) -> Iterator[None]:
    """Have the data directory for us alone, and empty: old servers are stopped first."""
    data_dir.mkdir(parents=True, exist_ok=True)
    lock = data_dir / "demo.lock"
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(
                f"another demo is running in {data_dir}: stop it first, with Ctrl-C"
            ) from None
        servers.put_away(data_dir)
        for path in data_dir.iterdir():
            if path == lock:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        yield


def parser() -> argparse.ArgumentParser:
    """Make the parser of the demo's options."""
    made = argparse.ArgumentParser(
        prog="scripts/demo",
        description="petstream on a simulated RescueGroups: FTP, Kafka, Postgres, pictures.",
    )
    made.add_argument("--pets", type=_pets, default=2000, metavar="N", help="on the first day")
    made.add_argument("--days", type=arguments.positive, default=3, metavar="N")
    made.add_argument("--zip", action="store_true", help="the export's files are zipped")
    made.add_argument(
        "--table-topics", choices=get_args(TableFormat), metavar="FORMAT",
        help="also for an engine beside petstream (docs/engines): json or connect",
    )  # fmt: skip
    made.add_argument(
        "--no-serve", dest="serve", action="store_false", help="end after the summary"
    )
    return made


def _pets(text: str) -> int:
    pets = arguments.positive(text)
    if pets < FEWEST_PETS:
        raise argparse.ArgumentTypeError(f"it must be {FEWEST_PETS} or more, not {text}")
    return pets


if __name__ == "__main__":
    main()
