"""A server that a test has started, waited for until it listens."""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path

import pytest


def until_listening(
    process: subprocess.Popen[bytes], port: int, log: Path, *, within_s: float
) -> None:
    """Wait until a process listens at a port of loopback; fail with the end of its log if not."""
    began = time.monotonic()
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None or time.monotonic() - began > within_s:
            said = log.read_text()[-500:] if log.exists() else "nothing"
            pytest.fail(f"{process.args!r} doesn't start, and says: {said}")
        time.sleep(0.05)
