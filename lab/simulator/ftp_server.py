"""A real FTP server on a home directory: read-only, with MLSD, SIZE, MDTM in UTC, and REST."""

from __future__ import annotations

import logging
import threading
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# pyftpdlib stands on asyncore, of whose end Python 3.11 warns; later Pythons get it from a package.
with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
    from pyftpdlib.authorizers import DummyAuthorizer
    from pyftpdlib.handlers import FTPHandler
    from pyftpdlib.ioloop import IOLoop
    from pyftpdlib.servers import FTPServer

READ_ONLY = "elr"
POLL_S = 0.02


@dataclass(frozen=True)
class FtpAddress:
    """Where a served feed is to be found."""

    host: str
    port: int
    user: str
    password: str

    @property
    def url(self) -> str:
        """The whole address, secrets and all, as PETSTREAM_FTP_URL wants it."""
        return f"ftp://{self.user}:{self.password}@{self.host}:{self.port}/"


@contextmanager
def serve_ftp(
    home: Path, *, user: str, password: str, port: int = 0, host: str = "127.0.0.1"
) -> Iterator[FtpAddress]:
    """Serve `home` from a thread of its own; port 0 takes a free one."""
    # One line a login and a file would drown what the person at the terminal looks for.
    # The handler keeps pyftpdlib from setting up logging (for the whole process) by itself.
    logger = logging.getLogger("pyftpdlib")
    logger.setLevel(logging.ERROR)
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    authorizer = DummyAuthorizer()
    authorizer.add_user(user, password, str(home), perm=READ_ONLY)
    traits = {"authorizer": authorizer, "banner": "ready", "auth_failed_timeout": 0.1}
    handler = type("FeedHandler", (FTPHandler,), traits)
    server = FTPServer((host, port), handler, ioloop=IOLoop())
    stopping = threading.Event()
    thread = threading.Thread(target=_serve, args=(server, stopping), name="simulated-ftp")
    thread.daemon = True
    thread.start()
    try:
        yield FtpAddress(host, server.address[1], user, password)
    finally:
        stopping.set()
        thread.join()


def _serve(server: FTPServer, stopping: threading.Event) -> None:
    while not stopping.is_set():
        server.serve_forever(timeout=POLL_S, blocking=False)
    server.close_all()
