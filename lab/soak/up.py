"""`petstream up` as the soak starts it: the same, but that it looks for exports without a rest.

Usage: ``python -m lab.soak.up SECONDS [MODULE WORDS...]``; settings come from the environment. With
a module, each part runs as ``python -m MODULE WORDS...`` followed by its own command line.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Coroutine
from typing import Any

from console.runtime import lifeline
from console.runtime.exit import ended_well


def main(every_s: str, *through: str) -> int:
    """Run the daemon; return its status."""
    from console.daemon.daemon import programs, up  # noqa: PLC0415  the same
    from console.runtime import signals  # noqa: PLC0415  behind `hold`: they take a while
    from console.runtime.processes import python_command  # noqa: PLC0415  the same
    from petstream.settings import load, texts  # noqa: PLC0415  the same

    def read() -> dict[str, str]:
        values = texts()
        load(values)
        return values

    # a soak may have been started by nohup; it is the soak itself that says SIGHUP
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

    def work(stopping: asyncio.Event) -> Coroutine[Any, Any, int]:
        parts = programs("--every", every_s)
        if through:
            parts = tuple(
                part._replace(command=python_command(*through, *_words(part.command)))
                for part in parts
            )
        return up(read(), stopping=stopping, reread=read, parts=parts)

    def run() -> int:
        return signals.run(work, stopped_status=0, patient=True, within_s=18.0)

    return ended_well(run, daemon=True)


def _words(command: tuple[str, ...]) -> tuple[str, ...]:
    """Return what follows the module in a command line of ours."""
    return command[command.index("console") + 1 :]


if __name__ == "__main__":
    lifeline.hold()
    sys.exit(main(*sys.argv[1:]))
