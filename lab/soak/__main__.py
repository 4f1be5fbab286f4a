"""Let many days go by, print what came of it, and exit: 0 tables right and all flat, 1 not.

Usage: scripts/soak [--days N] [--pets N] [--seed N] [--faults SHARE] [--json FILE] [--dir DIR]
Kafka, Postgres, the FTP server and the picture host run on the same machine.
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
from lab.simulator import history
from lab.soak import report
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
    _empty(data_dir)
    first_day = datetime.now(UTC).date() - timedelta(days=options.days)
    plan = drawn(options.seed, options.days, options.faults, options.restart_every)
    soaks: list[report.Soaked] = []
    with Hosts(data_dir / "feed") as hosts:
        made = history(
            options.seed, options.pets, options.days,
            first_day=first_day, pictures_url=hosts.pictures_url, key=hosts.key,
        )  # fmt: skip

        async def work(_stopping: asyncio.Event) -> int:
            soaks.append(await soak(plan, made, hosts, data_dir, {}))
            return 0

        try:
            status = signals.run(work, stopped_status=1, within_s=None)
        finally:
            servers.down(data_dir, say=note)
    if status:
        return status
    (soaked,) = soaks
    for line in report.lines(soaked):
        say(line)
    if options.json:
        figures = json.dumps(report.document(soaked), indent=1)
        options.json.write_text(figures + "\n", encoding="ascii")
    return 0 if report.right(soaked) else 1


def _empty(data_dir: Path) -> None:
    servers.down(data_dir)
    if data_dir.exists():
        shutil.rmtree(data_dir)
    data_dir.mkdir(parents=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/soak",
        description="Many days of a simulated feed through one daemon, with faults and restarts.",
    )
    parser.add_argument("--days", type=arguments.positive, default=200, metavar="N")
    parser.add_argument("--pets", type=arguments.positive, default=300, metavar="N")
    parser.add_argument("--seed", type=int, default=7, metavar="N")
    parser.add_argument(
        "--faults", type=float, default=0.2, metavar="SHARE", help="of the days; 0: none"
    )
    parser.add_argument(
        "--restart-every", type=arguments.positive, default=40, metavar="DAYS",
        help="stop the daemon and start it again so often",
    )  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="FILE", help="all figures")
    parser.add_argument(
        "--dir", type=Path, default=Path(".petstream-soak"), metavar="DIR",
        help="emptied at the start, kept at the end: daemon.log is in it",
    )  # fmt: skip
    return parser.parse_args()


if __name__ == "__main__":
    main()
