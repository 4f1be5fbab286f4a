"""A supervisor of parts that do nothing, as a process: what `up` is, without servers.

Usage: small_up.py PART...   each the name of a function below
"""

# ruff: noqa: T201  its lines are its output

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from console.daemon import supervisor
from console.daemon.supervisor import RestartLimits
from console.runtime import lifeline, signals
from console.runtime.child import Program
from console.runtime.exit import ended_well
from console.runtime.output import LogMultiplexer
from console.runtime.signals import hangups

HERE = Path(__file__)
QUICK = RestartLimits(first_s=0.05, longest_s=0.2, healthy_s=60, deaths=3, within_s=60)


def program(name: str) -> Program:
    """Return a part that runs one of the functions below."""
    return Program(name, (sys.executable, str(HERE), f"--part={name}"))


def alive(pid: int) -> bool:
    """Tell whether there is such a process, and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def good() -> int:
    """Do nothing, and end when told to."""

    async def work(stopping: asyncio.Event) -> int:
        print(f"pid {os.getpid()} {os.environ.get('COLOUR', '')}", flush=True)
        await stopping.wait()
        print("finished", flush=True)
        return 0

    return signals.run(work, stopped_status=0, patient=True)


def slow() -> int:
    """Hold a batch that takes as long as a test says."""

    async def work(stopping: asyncio.Event) -> int:
        print(f"pid {os.getpid()}", flush=True)
        await stopping.wait()
        await asyncio.sleep(float(os.environ["BATCH_S"]))
        print("finished", flush=True)
        return 0

    return signals.run(work, stopped_status=0, patient=True)


def deaf() -> int:
    """Hear no signal that can be ignored, and have a child."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    print(f"pid {os.getpid()}\npid {child.pid}", flush=True)
    lifeline.notify_ready()
    time.sleep(600)
    return 0


def crashing() -> int:
    """Die at once."""
    print("here is why", file=sys.stderr)
    return 7


def wrong() -> int:
    """Refuse the settings."""
    print("petstream: PETSTREAM_NOTHING: there is no such setting", file=sys.stderr)
    return 2


def noisy() -> int:
    """Write long lines, in pieces, for ever, and go on when told to end."""

    async def work(stopping: asyncio.Event) -> int:
        threading.Thread(target=write, args=(stopping,), daemon=True).start()
        await stopping.wait()
        return 0

    def write(stopping: asyncio.Event) -> None:
        letter = chr(ord("a") + os.getpid() % 26).encode()
        while not stopping.is_set():
            for _ in range(3):
                os.write(1, letter * 700)
            os.write(1, b"\n")

    return signals.run(work, stopped_status=0, patient=True)


def main(names: list[str]) -> int:
    """Keep the parts going."""
    supervisor.GRACE_S = float(os.environ.get("GRACE_S", supervisor.GRACE_S))  # type: ignore[misc]  # shorter

    async def work(stopping: asyncio.Event) -> int:
        with LogMultiplexer() as output:
            keeping = supervisor.Supervisor(
                [program(name) for name in names], os.environ, stopping=stopping, say=output.line,
                sink_of=lambda name: lambda stream, line: output.line(f"{name} | {line}", stream),
                on_ready=lambda: output.line("all up"), limits=QUICK,
            )  # fmt: skip
            hearing = asyncio.create_task(hear(stopping, output))
            try:
                await keeping.run()
            finally:
                hearing.cancel()
            return 0

    async def hear(stopping: asyncio.Event, output: LogMultiplexer) -> None:
        async for _ in hangups(stopping):
            output.line("asked to reload")

    return ended_well(
        lambda: signals.run(work, stopped_status=0, patient=True, within_s=None), daemon=True
    )


if __name__ == "__main__":
    lifeline.hold()
    which = sys.argv[1].removeprefix("--part=")
    sys.exit(main(sys.argv[1:]) if which == sys.argv[1] else globals()[which]())
