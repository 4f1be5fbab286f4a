"""Let troubled days go by, print what befell each and what was compared; exit 0: all is right.

Usage: scripts/chaos [--days N] [--pets N] [--seed N] [--within SECONDS] [--json FILE] [--dir DIR]
Kafka, Postgres, the FTP server and the picture host run on the same machine. Linux; a full disk is
tried by root only.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from console.embedded import servers
from console.runtime import arguments, signals
from console.runtime.exit import ended_well
from console.runtime.output import note, say
from lab.chaos import report
from lab.chaos.disk import small_disk
from lab.chaos.plan import FEWEST_DAYS, drawn
from lab.chaos.run import DAY_S, Places, chaos
from lab.simulator import history
from lab.soak.hosts import Hosts


def main() -> None:
    """Run the chaos and exit."""
    options = _options()
    sys.exit(ended_well(lambda: run(options), daemon=False))


def run(options: argparse.Namespace) -> int:
    """Let the days go by; the last one is yesterday."""
    places = Places(options.dir.absolute(), options.within)
    _empty(places)
    first_day = datetime.now(UTC).date() - timedelta(days=options.days)
    plan = drawn(options.seed, options.days)
    ran: list[report.Chaos] = []
    with Hosts(places.home / "feed") as hosts, small_disk(places.data) as mounted:
        if not mounted:
            note("no small disk can be mounted (only root may): a full disk isn't tried")
        made = history(
            options.seed, options.pets, options.days,
            first_day=first_day, pictures_url=hosts.pictures_url, key=hosts.key,
        )  # fmt: skip

        async def work(_stopping: asyncio.Event) -> int:
            outcome = await chaos(plan, made, hosts, places, {}, has_small_disk=mounted)
            ran.append(report.Chaos(options.seed, plan, *outcome, is_disk_filled=mounted))
            return 0

        try:
            status = signals.run(work, stopped_status=1, within_s=None)
        finally:
            servers.down(places.data, say=note)
            _put_away(places)
    if status:
        return status
    (outcome,) = ran
    for line in report.lines(outcome):
        say(line)
    if options.json:
        figures = json.dumps(report.document(outcome), indent=1)
        options.json.write_text(figures + "\n", encoding="ascii")
    return 1 if outcome.wrong else 0


def _empty(places: Places) -> None:
    servers.down(places.data)
    _put_away(places)
    if places.home.exists():
        shutil.rmtree(places.home)
    places.data.mkdir(parents=True)


def _put_away(places: Places) -> None:
    """Remove what root's Postgres keeps outside of the data directory, if anything."""
    elsewhere = places.data / "postgres.location"
    if elsewhere.exists():
        shutil.rmtree(elsewhere.read_text("utf-8").strip(), ignore_errors=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/chaos",
        description="Days of a simulated feed through one daemon that is killed, filled up, put "
        "back to older days and told wrong times.",
    )
    parser.add_argument("--days", type=_days, default=30, metavar="N")
    parser.add_argument("--pets", type=arguments.positive, default=150, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    parser.add_argument(
        "--within", type=arguments.positive, default=round(DAY_S), metavar="SECONDS",
        help="how long a day may take to come right",
    )  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="FILE", help="everything, day by day")
    parser.add_argument(
        "--dir", type=Path, default=Path(".petstream-chaos"), metavar="DIR",
        help="emptied at the start, kept at the end: daemon.log is in it",
    )  # fmt: skip
    return parser.parse_args()


def _days(text: str) -> int:
    days = arguments.positive(text)
    if days < FEWEST_DAYS:
        raise argparse.ArgumentTypeError(f"a chaos has {FEWEST_DAYS} days or more")
    return days


if __name__ == "__main__":
    main()
