"""Let troubled days go by, print what befell each and what was compared; exit 0: all is right.

Usage: scripts/chaos [--days N] [--pets N] [--seed N] [--within SECONDS] [--json FILE] [--dir DIR]
Kafka, Postgres, the FTP server and the picture host run on the same machine. Linux; a full disk is
tried by root only.
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime, timedelta

from console.runtime import arguments
from console.runtime.exit import ended_well
from console.runtime.output import note
from lab.chaos import report
from lab.chaos.disk import small_disk
from lab.chaos.plan import FEWEST_DAYS, drawn
from lab.chaos.run import DAY_S, Places, chaos
from lab.simulator import history
from lab.soak import command
from lab.soak.hosts import Hosts


def main() -> None:
    """Run the chaos and exit."""
    options = _options()
    sys.exit(ended_well(lambda: run(options), daemon=False))


def run(options: argparse.Namespace) -> int:
    """Let the days go by; the last one is yesterday."""
    places = Places(options.dir.absolute(), options.within)
    command.empty(places.home, places.data)
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

        async def days() -> None:
            outcome = await chaos(plan, made, hosts, places, {}, has_small_disk=mounted)
            ran.append(report.Chaos(options.seed, plan, *outcome, is_disk_filled=mounted))

        status = command.run_days(days, places.data)
    if status:
        return status
    (outcome,) = ran
    command.tell(report.lines(outcome), report.document(outcome), options.json)
    return 1 if outcome.wrong else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/chaos",
        description="Days of a simulated feed through one daemon that is killed, filled up, put "
        "back to older days and told wrong times.",
    )
    command.add_options(parser, days=30, pets=150, seed=1, directory=".petstream-chaos")
    parser.add_argument(
        "--within", type=arguments.positive, default=round(DAY_S), metavar="SECONDS",
        help="how long a day may take to come right",
    )  # fmt: skip
    options = parser.parse_args()
    if options.days < FEWEST_DAYS:
        parser.error(f"argument --days: a chaos has {FEWEST_DAYS} days or more")
    return options


if __name__ == "__main__":
    main()
