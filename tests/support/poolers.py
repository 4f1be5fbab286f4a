"""A real pgbouncer before a Postgres, in one of its modes; without one, tests are skipped."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import unquote, urlsplit

import pytest
from listening import until_listening

_READY_S = 10.0
_PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


@contextmanager
def pooled(url: str, **settings: str) -> Iterator[str]:
    """Run a pgbouncer before the database of a URL; give the URL through it.

    Args:
        url: of the database, with user and password.
        settings: of pgbouncer.ini, such as ``pool_mode``.
    """
    if _PROGRAM is None:
        pytest.skip("there is no pgbouncer: apt-get install pgbouncer")
    parts = urlsplit(url)
    with TemporaryDirectory() as name, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        probe.close()
        home = Path(name)
        usual = {
            "listen_addr": "127.0.0.1", "listen_port": str(port), "unix_socket_dir": "",
            "auth_type": "scram-sha-256", "auth_file": str(home / "users.txt"),
            "logfile": str(home / "log"), "server_login_retry": "1",
        }  # fmt: skip
        lines = ["[databases]", f"* = host={parts.hostname} port={parts.port}", "[pgbouncer]"]
        lines += [f"{name} = {value}" for name, value in (usual | settings).items()]
        (home / "users.txt").write_text(f'"{parts.username}" "{unquote(parts.password or "")}"\n')
        (home / "pgbouncer.ini").write_text("\n".join(lines) + "\n")
        user = None
        if os.geteuid() == 0:  # it refuses to run as root
            user = pwd.getpwnam("nobody").pw_uid
            for path in (home, *home.iterdir()):
                os.chown(path, user, user)
        server = subprocess.Popen(  # noqa: S603  the program of the PATH
            [_PROGRAM, "-q", str(home / "pgbouncer.ini")], user=user, cwd=home,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            until_listening(server, port, home / "log", within_s=_READY_S)
            yield parts._replace(
                netloc=f"{parts.username}:{parts.password}@127.0.0.1:{port}"
            ).geturl()
        finally:
            server.kill()
            server.wait(_READY_S)
