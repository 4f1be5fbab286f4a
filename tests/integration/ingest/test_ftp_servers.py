"""Whole exports over a real vsftpd, plain and under TLS; fetched with apt if it isn't installed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, aclosing, contextmanager
from pathlib import Path
from typing import Protocol

import pytest

from ingest.source.download import stream
from ingest.source.ftp import listing
from ingest.source.listing import is_logical
from lab.simulator import history, serve_ftp, write_export
from petstream.errors import PetstreamError
from petstream.settings import FtpUrl

pytestmark = pytest.mark.servers

PASSWORD = "canary-password"
CONFIG = """
listen=YES
listen_address=127.0.0.1
listen_port={port}
background=NO
anonymous_enable=YES
local_enable=NO
ftp_username=nobody
anon_root={home}
run_as_launching_user=YES
secure_chroot_dir={empty}
xferlog_enable=NO
seccomp_sandbox=NO
isolate=NO
isolate_network=NO
use_localtime=NO
"""
TLS = """
ssl_enable=YES
allow_anon_ssl=YES
force_anon_data_ssl=YES
force_anon_logins_ssl=YES
require_ssl_reuse=YES
rsa_cert_file={certificate}
rsa_private_key_file={key}
ssl_ciphers=HIGH
"""


class Serve(Protocol):
    """Serves a directory; with TLS, and its session asked for, if so wanted."""

    def __call__(self, home: Path, *, tls: bool) -> FtpUrl:
        """Return where it is served."""


@pytest.fixture(scope="module")
def vsftpd() -> tuple[Path, dict[str, str]]:
    """The server's program, and the environment it runs in."""
    installed = shutil.which("vsftpd") or shutil.which("vsftpd", path="/usr/sbin:/usr/local/sbin")
    if installed:
        return Path(installed), dict(os.environ)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "petstream/vsftpd"
    program = cache / "usr/sbin/vsftpd"
    if not program.exists():
        wrong = _fetch(cache)
        if wrong is not None:
            pytest.skip(f"no vsftpd: install it, or let apt reach a mirror ({wrong})")
    libraries = sorted({str(path.parent) for path in cache.rglob("lib*.so*")})
    return program, {**os.environ, "LD_LIBRARY_PATH": ":".join(libraries)}


def _fetch(cache: Path) -> str | None:
    """Unpack vsftpd and the library it needs into a directory; say what went wrong."""
    apt = shutil.which("apt-get")
    if apt is None:
        return "there is no apt-get"
    cache.mkdir(parents=True, exist_ok=True)
    download = [apt, "download", "vsftpd", "libwrap0"]
    done = _run(download, cache)
    if done.returncode != 0:  # no package lists yet: making them takes root
        _run([apt, "update"], cache)
        done = _run(download, cache)
    if done.returncode != 0:
        return done.stderr.strip().splitlines()[-1]
    for package in cache.glob("*.deb"):
        _run(["dpkg", "-x", str(package), str(cache)], cache)
        package.unlink()
    return None if (cache / "usr/sbin/vsftpd").exists() else "the package holds none"


def _run(command: list[str], directory: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  apt and dpkg, with arguments of our own
        command, cwd=directory, capture_output=True, text=True, check=False, timeout=180
    )


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for localhost, and its key."""
    directory = tmp_path_factory.mktemp("certificate")
    made = directory / "certificate.pem", directory / "key.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt"]
    command += ["ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", *subject]
    done = _run([*command, "-out", str(made[0]), "-keyout", str(made[1])], directory)
    if done.returncode != 0:
        pytest.skip(f"no certificate can be made: {done.stderr}")
    return made


@contextmanager
def _served(
    program: tuple[Path, dict[str, str]], home: Path, extra: str, *, tls: bool
) -> Iterator[FtpUrl]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    empty = home.parent / "empty"
    empty.mkdir(exist_ok=True)
    config = home.parent / f"vsftpd-{port}.conf"
    config.write_text(CONFIG.format(port=port, home=home, empty=empty) + extra, encoding="utf-8")
    server = subprocess.Popen([program[0], config], env=program[1])  # noqa: S603  the real server
    try:
        yield FtpUrl("ftp", PASSWORD, "localhost", port, "", tls=tls)
    finally:
        server.terminate()
        server.wait(timeout=10)


@pytest.fixture
def serve(vsftpd: tuple[Path, dict[str, str]], certificate: tuple[Path, Path]) -> Iterator[Serve]:
    """Serve a directory with vsftpd, and with TLS and its session asked for if so wanted."""
    with ExitStack() as servers:

        def served(home: Path, *, tls: bool) -> FtpUrl:
            extra = TLS.format(certificate=certificate[0], key=certificate[1]) if tls else ""
            return servers.enter_context(_served(vsftpd, home, extra, tls=tls))

        yield served


async def everything(ftp: FtpUrl) -> dict[str, bytes]:
    """Read every file of the export."""
    contents = {}
    for file in await listing(ftp):
        async with aclosing(stream(ftp, file)) as blocks:
            contents[file.path] = b"".join([block async for block in blocks])
    return contents


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A directory with a whole export, and something else."""
    directory = tmp_path / "home"
    directory.mkdir()
    write_export(directory, history(seed=5, pets=300, days=1), 0, part_rows=100)
    (directory / "readme.txt").write_bytes(b"hi")
    return directory


def on_disk(home: Path) -> dict[str, bytes]:
    """Return the export as it lies in the server's directory."""
    return {path.name: path.read_bytes() for path in home.iterdir() if is_logical(path.name)}


async def test_t13_a_whole_export_comes_under_tls_where_the_session_must_be_the_same(
    home: Path, serve: Serve, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """T13: vsftpd with require_ssl_reuse; PROT P on every data connection."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    assert await everything(serve(home, tls=True)) == on_disk(home)


async def test_t13_a_whole_export_comes_over_plain_ftp_from_two_servers(
    home: Path, serve: Serve
) -> None:
    """T13: vsftpd and pyftpdlib give the same bytes."""
    assert await everything(serve(home, tls=False)) == on_disk(home)
    with serve_ftp(home, user="apikey-Ab3dEf9h", password=PASSWORD) as other:
        url = FtpUrl(other.user, PASSWORD, other.host, other.port, "", tls=False)
        assert await everything(url) == on_disk(home)


async def test_t13_a_certificate_that_nobody_trusts_is_refused_before_the_password(
    home: Path, serve: Serve
) -> None:
    """T13: never a login under a certificate that isn't trusted."""
    with pytest.raises(PetstreamError, match="isn't trusted"):
        await listing(serve(home, tls=True), give_up_after_s=1)


async def test_t13_ftps_never_goes_on_without_tls(home: Path, serve: Serve) -> None:
    """T13: a server without TLS is named, and the password isn't sent."""
    plain = serve(home, tls=False)
    secure = FtpUrl(plain.user, plain.password, plain.host, plain.port, "", tls=True)
    with pytest.raises(PetstreamError, match="offers no TLS") as caught:
        await listing(secure, give_up_after_s=1)
    assert PASSWORD not in str(caught.value)
