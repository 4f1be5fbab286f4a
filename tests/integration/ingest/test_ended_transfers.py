"""A signal ends a transfer that hangs, whatever the server does (T15, T50)."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from scripted_ftp import KEY, PASSWORD, USER, Script, scripted

from petstream.kafka.client import ensure_topics
from petstream.settings import FtpUrl, KafkaAccess

pytestmark = pytest.mark.servers

NAMES = b"".join(
    f"{KEY}_{name}\r\n".encode()
    for name in ("orgs_1.json", "pets_1.json", "updatedpets_1.json", "newpets_1.json")
)
ENDS_WITHIN_S = 15.0


class Hanging(Script):
    """A script that tells when the client waits for something that won't come."""

    def __init__(self, **script: Any) -> None:
        """Hang at the first transfer, or at the first QUIT where that gets no answer."""
        self.hanging = asyncio.Event()
        super().__init__(**script)

    def __setattr__(self, name: str, value: object) -> None:
        """See what happens."""
        super().__setattr__(name, value)
        if name == "transfers" and value:
            self.hanging.set()


async def ended_by_a_signal(  # noqa: PLR0913, PLR0917  what a process depends on
    args: list[str], ftp: FtpUrl, kafka: str, prefix: str, tmp_path: Path, script: Hanging
) -> tuple[int, str]:
    """Run the command, send SIGTERM once the server hangs; return its status and what it said."""
    plain = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "console", *args,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, cwd=tmp_path,
        env=plain | {
            "PYTHONPATH": str(Path(__file__).parents[3]),
            "PETSTREAM_FTP_URL": f"ftp://{ftp.user}:{ftp.password}@{ftp.host}:{ftp.port}/",
            "PETSTREAM_KAFKA": kafka,
            "PETSTREAM_TOPIC_PREFIX": prefix,
            "PETSTREAM_DATA_DIR": str(tmp_path / "data"),
            "PETSTREAM_SETTLE_S": "0",
            "PETSTREAM_CONSOLE": "off",
        },
    )  # fmt: skip
    try:
        async with asyncio.timeout(30):
            await script.hanging.wait()
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(ENDS_WITHIN_S):
            said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, said.decode()


@pytest.mark.parametrize("args", [["ingest"], ["ingest", "--watch"]], ids=["once", "watch"])
@pytest.mark.parametrize("how", ["stall", "no reply", "drip", "no goodbye"])
async def test_t15_t50_sigterm_ends_a_transfer_that_hangs_in_time(
    how: str, args: list[str], kafka: str, prefix: str, tmp_path: Path
) -> None:
    """T15, T50: a stall, a late 226, a drip, a QUIT without an answer: all end, and say so."""
    await ensure_topics(KafkaAccess(kafka), prefix)
    script = Hanging(names=NAMES, drips=how == "drip")
    if how in {"stall", "no reply"}:
        script.cuts = [(1_000, how)] * 9
    if how == "no goodbye":
        script.lacks = "QUIT-reply"
    async with scripted(script) as ftp:
        status, said = await ended_by_a_signal(args, ftp, kafka, prefix, tmp_path, script)
    assert status == (0 if "--watch" in args else 1), said
    assert "Traceback" not in said
    assert not [secret for secret in (USER, PASSWORD, KEY) if secret in said]
