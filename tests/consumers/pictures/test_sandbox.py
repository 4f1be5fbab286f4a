"""What decodes strangers' pictures, asked from inside what it can still do."""

from __future__ import annotations

import ctypes
import json
import os
import platform
import re
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from drawn_pictures import drawn_picture

from consumers.pictures.thumbnails import thumbnailer

ROOT = Path(__file__).parents[3]
HAS_ALL = (
    sys.platform == "linux"
    and platform.machine() in {"x86_64", "aarch64"}
    and ctypes.CDLL(None).syscall(444, None, 0, 1) >= 6  # the version of Landlock
)
LINUX = pytest.mark.skipif(not HAS_ALL, reason="this system hasn't all: see petstream doctor")
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give it another user")

OF_PATHS = {"delete a file", "make a directory"}
"""What needs no open file, in a directory that anybody may write."""
OF_ITS_OWNER = {
    "read a file of ours", "change a mode", "read its parent's environment",
    "read its parent's memory", "trace its parent", "signal its parent",
}  # fmt: skip
OF_ROOT = {"fork", "change a mode", "be root again"}
"""What root may, of what neither limits nor Landlock are about."""
OF_THE_SAME_USER = set() if os.geteuid() == 0 else {"signal its parent", "trace its parent"}
"""What only seccomp and Landlock keep an ordinary user's decoder from: another user can't."""
OWNERS = set() if os.geteuid() == 0 else {"change a mode"}
"""What a user who isn't root may do to what is theirs."""

ALL = {
    "_own_user", "_no_capabilities", "_no_new_privileges", "_landlock", "_limits", "_seccomp",
}  # fmt: skip
"""The functions that give something up."""

PROGRAM = """
import ctypes, json, mmap, os, resource, socket, sys
from consumers.pictures import sandbox, thumbnail_process

folder, parent, port, without = json.loads(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)


def call(*arguments):
    if libc.syscall(*arguments) < 0:
        raise OSError(ctypes.get_errno(), "")


def fork():
    if os.fork() == 0:
        os._exit(0)


def run_new_code():
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.close()


def take_memory():
    mmap.mmap(-1, 2 * 1024**3).close()


def be_root_again():
    os.setresuid(0, 0, 0)


def connect():
    socket.socket().connect(("127.0.0.1", port))


def listen():
    socket.socket().bind(("127.0.0.1", 0))


DEEDS = {
    "connect": connect,
    "listen": listen,
    "send a datagram": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(
        b"x", ("127.0.0.1", port)
    ),
    "open a Unix socket": lambda: socket.socket(socket.AF_UNIX),
    "make a pair of sockets": socket.socketpair,
    "make a pipe": os.pipe,
    "read a file of ours": lambda: os.open(folder + "/ours", os.O_RDONLY),
    "read a file of others": lambda: os.open("/etc/passwd", os.O_RDONLY),
    "list a directory": lambda: os.listdir("/"),
    "write a file": lambda: os.open(folder + "/new", os.O_WRONLY | os.O_CREAT),
    "write into a file": lambda: os.open(folder + "/shared", os.O_WRONLY),
    "delete a file": lambda: os.unlink(folder + "/shared"),
    "make a directory": lambda: os.mkdir(folder + "/directory"),
    "change a mode": lambda: os.chmod(folder + "/ours", 0o777),
    "read its parent's environment": lambda: os.open(f"/proc/{parent}/environ", os.O_RDONLY),
    "read its parent's memory": lambda: os.open(f"/proc/{parent}/mem", os.O_RDONLY),
    "trace its parent": lambda: call(101 if sys.argv[2] == "x86_64" else 117, 0x4206, parent, 0, 0),
    "signal its parent": lambda: os.kill(parent, 0),
    "fork": fork,
    "take memory": take_memory,
    "run new code": run_new_code,
    "be root again": be_root_again,
    "have more files": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (9, 9)),
    "run a program": lambda: os.execv("/bin/true", ["true"]),  # the last: it would be the end
}


def tried(_requests, responses):
    for name, deed in DEEDS.items():
        try:
            deed()
        except (OSError, MemoryError, ValueError) as error:
            said = type(error).__name__
        else:
            said = "done"
        responses.write(f"{name}: {said}\\n".encode())
        responses.flush()


for name in without:
    setattr(sandbox, name, lambda *_: "left out")
thumbnail_process.serve = tried
thumbnail_process.main()
"""

DEEDS = len(re.findall(r'^    "[^"]+": ', PROGRAM, re.MULTILINE))


def outcomes(*without: str) -> dict[str, str]:
    """Let the process of decoders try what it shouldn't, at the point where it would serve.

    Args:
        without: functions of the sandbox that do nothing, as where a kernel has no such thing.
    """
    with tempfile.TemporaryDirectory() as name, socket.socket() as listening:
        folder = Path(name)
        folder.chmod(0o777)  # so that it isn't the directory that keeps anybody out
        for file, mode in (("ours", 0o600), ("shared", 0o666)):
            (folder / file).write_text("secret")
            (folder / file).chmod(mode)
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        given = [name, os.getpid(), listening.getsockname()[1], without]
        ended = subprocess.run(  # noqa: S603  our own program
            [sys.executable, "-c", PROGRAM, json.dumps(given), platform.machine()], cwd=ROOT,
            check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert (folder / "ours").read_text() == "secret"
    said = dict(line.split(": ") for line in ended.stdout.splitlines())
    assert len(said) in {DEEDS, DEEDS - 1}, ended.stderr
    return said if len(said) == DEEDS else {**said, "run a program": "done"}


def done(*without: str) -> set[str]:
    """Return what it could do."""
    return {deed for deed, outcome in outcomes(*without).items() if outcome == "done"}


@LINUX
def test_s3_a_decoder_can_compute_and_nothing_else() -> None:
    """S3: no connection, file, program, process, signal, memory beyond its own, nor new code."""
    assert done() == set()


@LINUX
@pytest.mark.parametrize(
    ("lacking", "left"),
    [
        (("_landlock",), set()),
        (("_own_user", "_no_capabilities"), set()),
        (("_limits",), {"take memory"}),
        (("_seccomp",), {"run new code"} | OWNERS),
        (("_seccomp", "_own_user", "_no_capabilities"), {"run new code"} | OF_ROOT),
        (
            ("_seccomp", "_landlock"),
            {"run new code", *OF_PATHS, "run a program"} | OWNERS | OF_THE_SAME_USER,
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_s3_where_the_system_lacks_a_mechanism_the_others_hold(
    lacking: tuple[str, ...], left: set[str]
) -> None:
    """S3: an old kernel, a container that takes the calls away, a user that isn't root."""
    assert done(*lacking) <= left


@LINUX
@ROOT_ONLY
def test_s3_as_root_a_decoder_is_another_user_to_whom_nothing_belongs() -> None:
    """S3: even if nothing else holds, our files, our environment and our processes are closed."""
    assert done(*ALL - {"_own_user"}) & OF_ITS_OWNER == set()
    assert len(done(*ALL)) == DEEDS  # without a sandbox each of them can be done


@LINUX
async def test_s3_each_decoder_has_given_up_all_it_had_when_it_is_ready() -> None:
    """S3: as the kernel says it; it decodes all the same."""
    async with thumbnailer() as processes:
        assert await processes.make(drawn_picture(), (20,))
        (process,) = processes._idle  # noqa: SLF001  to look at it
        status, limits = (
            (Path("/proc") / str(process.pid) / name).read_text() for name in ("status", "limits")
        )
    said = dict(re.findall(r"^(\w+):\t(\S+)", status, re.MULTILINE))
    assert (said["NoNewPrivs"], said["Seccomp"], int(said["CapEff"], 16)) == ("1", "2", 0)
    assert (os.geteuid() == 0) == (said["Uid"] != str(os.geteuid()))
    most = dict(
        re.findall(
            r"^Max (address space|file size|core file size|open files) +\d+ +(\d+)",
            limits,
            re.MULTILINE,
        )
    )
    assert most == {
        "address space": str(1024**3), "file size": "0", "core file size": "0", "open files": "0",
    }  # fmt: skip


def test_s3_what_holds_is_said_and_why_the_rest_does_not() -> None:
    """S3: on a machine whose calls aren't known the others hold."""
    program = (
        "import json, platform; from consumers.pictures import sandbox; "
        "platform.machine = lambda: 'abacus'; print(json.dumps(sandbox.restrict()), flush=True)"
    )
    ended = subprocess.run(  # noqa: S603  our own program
        [sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True
    )
    lacking = dict(json.loads(ended.stdout))
    assert lacking["limits"] == ""
    assert lacking["seccomp"] == "its calls aren't known on abacus"
