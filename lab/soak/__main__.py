"""Let many days go by, print what came of it, and exit: 0 tables right and all flat, 1 not.

Usage: scripts/soak [--days N] [--pets N] [--seed N] [--faults SHARE] [--json FILE] [--dir DIR]
Kafka, Postgres, the FTP server and the picture host run on the same machine.
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from console.runtime import arguments
from console.runtime.exit import ended_well
from lab.simulator import history
from lab.soak import command, report
from lab.soak.hosts import Hosts
from lab.soak.plan import drawn
from lab.soak.run import soak


def main() -> None:
    """Run the soak and exit."""
    options = _options()
    sys.exit(ended_well(lambda: run(options), daemon=False))


def run(options: argparse.Namespace) -> int:
    """Let the days go by; the last one is yesterday."""
    data_dir: Path = options.dir.absolute()
    command.empty(data_dir, data_dir)
    first_day = datetime.now(UTC).date() - timedelta(days=options.days)
    plan = drawn(options.seed, options.days, options.faults, options.restart_every)
    soaks: list[report.Soaked] = []
    with Hosts(data_dir / "feed") as hosts:
        made = history(
            options.seed, options.pets, options.days,
            first_day=first_day, pictures_url=hosts.pictures_url, key=hosts.key,
        )  # fmt: skip

        async def days() -> None:
            soaks.append(await soak(plan, made, hosts, data_dir, {}))

        status = command.run_days(days, data_dir)
    if status:
        return status
    (soaked,) = soaks
    command.tell(report.lines(soaked), report.document(soaked), options.json)
    return 0 if report.right(soaked) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/soak",
        description="Many days of a simulated feed through one daemon, with faults and restarts.",
    )
    command.add_options(parser, days=200, pets=300, seed=7, directory=".petstream-soak")
    parser.add_argument(
        "--faults", type=float, default=0.2, metavar="SHARE", help="of the days; 0: none"
    )
    parser.add_argument(
        "--restart-every", type=arguments.positive, default=40, metavar="DAYS",
        help="stop the daemon and start it again so often",
    )  # fmt: skip
    return parser.parse_args()


if __name__ == "__main__":
    main()
