"""Apache Kafka itself as the embedded broker: one node, KRaft, on loopback.

Rule 1: it is the same code as anybody's Kafka; only its settings are small.
Rule 2: it is ready when it lists topics, not when its port opens.
Rule 3: its files are named relative to its own directory, so that no character of the data
        directory's path can break a Java properties file or a class path.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import socket
import subprocess
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from console.embedded import jars, kafka_door
from console.embedded.kafka_door import Passwords
from console.embedded.process import (
    becomes_ready,
    freed,
    last_lines,
    moved,
    port_for,
    recorded,
    spawn,
    stop,
    wanted_port,
    write_private,
)
from console.runtime.processes import environment_of_servers
from petstream.errors import PetstreamError
from petstream.kafka import diagnosis
from petstream.kafka.client import KAFKA_ERRORS, client_options, ping
from petstream.settings import KafkaAccess, private_directory
from petstream.topics import MAX_MESSAGE_BYTES

FLUSHED_MS: Final = 1_000
"""How long a record may not have reached the disk."""
_HEAP: Final = "-Xmx512m"
_UNPACKED: Final = "unpacked"
_UNPACKS: Final = f"-Djava.io.tmpdir={_UNPACKED}"
_JAVA: Final = {
    # by one thread: for a small heap on few cores the others cost more than they save
    r"-XX:\+Use\w+GC\b": "-XX:+UseSerialGC",
    # quickly made code: the better one takes longer to make than our records ever take to pass
    r"-XX:[-+]?Tiered": "-XX:TieredStopAtLevel=1",
    # what is new lives as long as a request; room for more would be filled before it is cleared
    r"-Xmn|-XX:(?:Max)?New": "-Xmn64m",
    # what it unpacks to load: one that is killed leaves that, and only here its successor finds it
    r"-Djava\.io\.tmpdir=": _UNPACKS,
}
"""How Java is to run, by what a user says who chooses otherwise."""
_KEYS_BYTES: Final = 16 * 1024 * 1024
"""Held at all times to compact topics: for 600,000 keys of a partition at once; Kafka's 128 MB."""
_TRIES: Final = 3
_FREED_S: Final = 5.0
_LOG4J_OPTION: Final = "-Dlog4j2.configurationFile=log4j2.properties"

_LOG4J: Final = """\
status = warn
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d %p %c{1}: %m%n
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
"""


def start(
    data_dir: Path,
    *,
    say: Callable[[str], None],
    for_tests: bool,
    at_first: int = 0,
    authenticated: bool = True,
) -> KafkaAccess:
    """Return how to reach the broker of this data directory, starting it if it isn't up."""
    there = recorded(data_dir, "kafka")
    if there is not None and authenticated and kafka_door.is_open(data_dir):
        say("stopping the Kafka of an earlier version, which asks nobody who they are")
        stop(data_dir, "kafka")
        there = None
    if there is not None:
        return _wait(data_dir, there.port, say)
    java, classpath = jars.java(), ":".join(jars.classpath(data_dir, say))
    say("starting Kafka")
    wanted = wanted_port(data_dir, "kafka", at_first)
    for attempt in range(1, _TRIES + 1):
        port = port_for(data_dir, "kafka", at_first=at_first)
        known = kafka_door.passwords(data_dir) if authenticated else None
        home = _configure(data_dir, port, known, for_tests=for_tests)
        _format(java, classpath, home)
        # the first property is for whoever looks at `ps` and asks whose broker this is
        run = [java, f"-Dpetstream.home={home}", _HEAP, *java_options(home), "-cp", classpath]
        command = [*run, "kafka.Kafka", "server.properties"]
        spawn(data_dir, "kafka", command, port=port, cwd=home, environment=_environment())
        try:
            access = _wait(data_dir, port, say)
        except PetstreamError:
            if stop(data_dir, "kafka") or attempt == _TRIES:
                raise  # it was there and didn't answer: begun again, it won't either
        else:
            break
    if wanted not in {0, port}:
        say(moved("Kafka", wanted, port))
    return access


def properties(port: int, controller_port: int, known: Passwords | None, *, for_tests: bool) -> str:
    """Return server.properties of the one node; `known`: None lets in everybody."""
    settings = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.bootstrap.servers": f"127.0.0.1:{controller_port}",
        **kafka_door.listeners(port, controller_port, known),
        "log.dirs": "log",
        "auto.create.topics.enable": "false",
        "message.max.bytes": str(MAX_MESSAGE_BYTES),
        "replica.fetch.max.bytes": str(MAX_MESSAGE_BYTES),
        "socket.request.max.bytes": str(100 * 1024 * 1024),
        "group.initial.rebalance.delay.ms": "0",
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "share.coordinator.state.topic.num.partitions": "1",
        "offsets.retention.minutes": str(60 * 24 * 365),
        "log.segment.bytes": str(128 * 1024 * 1024),
        "log.cleaner.dedupe.buffer.size": str(_KEYS_BYTES),
        # else it writes twice a second that nothing has happened, for brokers that it has not
        "metadata.max.idle.interval.ms": "30000",
        # nobody else has a copy: a power cut costs a second. Kafka flushes by time only if it has
        # the first two; the third is when it begins to, after a start
        "log.flush.interval.ms": str(FLUSHED_MS),
        "log.flush.scheduler.interval.ms": str(FLUSHED_MS),
        "log.initial.task.delay.ms": str(FLUSHED_MS),
    }
    if for_tests:
        settings |= {
            "broker.session.timeout.ms": "2000",
            "group.min.session.timeout.ms": "500",
            "broker.heartbeat.interval.ms": "500",
            "log.cleaner.backoff.ms": "1000",
            "log.retention.check.interval.ms": "1000",
            "log.flush.offset.checkpoint.interval.ms": "1000",
        }
    return "".join(f"{name}={value}\n" for name, value in settings.items())


def _configure(data_dir: Path, port: int, known: Passwords | None, *, for_tests: bool) -> Path:
    home = (data_dir / "kafka").resolve()
    private_directory(home)
    shutil.rmtree(home / _UNPACKED, ignore_errors=True)  # of one that was killed
    private_directory(home / _UNPACKED)
    controller = _controller_port(data_dir, home, port)
    text = properties(port, controller, known, for_tests=for_tests)
    write_private(home / "server.properties", text)  # whole, though the disk is full
    (home / "log4j2.properties").write_text(_LOG4J)
    return home


def _controller_port(data_dir: Path, home: Path, port: int) -> int:
    """Return the controller's last port (its quorum has written it down), else a free one."""
    config = home / "server.properties"
    text = config.read_text() if config.exists() else ""
    before = re.search(r"bootstrap\.servers=127\.0\.0\.1:(\d+)", text)
    if before and int(before[1]) != port and freed(int(before[1]), within_s=_FREED_S):
        return int(before[1])
    while (free := port_for(data_dir, "kafka-controller")) == port:
        pass
    return free


def _environment() -> dict[str, str]:
    """Return what Java needs, with file names in UTF-8 whatever the terminal's language is."""
    return environment_of_servers("JAVA_HOME", "JAVA_TOOL_OPTIONS") | {"LC_ALL": "C.UTF-8"}


def java_options(home: Path) -> list[str]:
    """Return how Java is to run, but for what the user has chosen in JAVA_TOOL_OPTIONS.

    (Ours would win over it; and with two collectors Java doesn't start.) Nothing is unpacked in a
    `home` on a disk whose files can't be loaded (noexec), but where Java does by itself.
    """
    chosen = _environment().get("JAVA_TOOL_OPTIONS", "")
    ours = [option for theirs, option in _JAVA.items() if not re.search(theirs, chosen)]
    if os.statvfs(home).f_flag & os.ST_NOEXEC:
        ours = [option for option in ours if option != _UNPACKS]
    return [*ours, _LOG4J_OPTION]


def cluster_id() -> str:
    """Return a new cluster's id; none begins as an option does, which Kafka's tool would take."""
    while (made := urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass
    return made


def _format(java: str, classpath: str, home: Path) -> None:
    """Make the log directory, whole or not at all, whenever this command may be killed."""
    if (home / "log" / "meta.properties").exists():
        return
    for left in home.glob("new-*"):  # of a command that was killed, whose tool may still be writing
        shutil.rmtree(left, ignore_errors=True)
    made = home / f"new-{uuid.uuid4().hex}"
    made.mkdir()
    text = (home / "server.properties").read_text()
    config = made / "format.properties"
    write_private(config, text.replace("log.dirs=log\n", f"log.dirs={made.name}/log\n"))
    run = [java, *java_options(home), "-cp", classpath]
    tool = ["kafka.tools.StorageTool", "format", "--standalone", "-t", cluster_id()]
    done = subprocess.run(  # noqa: S603  our own command line
        [*run, *tool, "-c", f"{made.name}/{config.name}"],
        capture_output=True, text=True, check=False, cwd=home, env=_environment(),
    )  # fmt: skip
    reason = " ".join((done.stderr or done.stdout).strip().splitlines()[-1:])
    if done.returncode == 0:
        try:
            (made / "log").rename(home / "log")
        except OSError as error:
            reason = f"{error.strerror}; move what is there away"
        else:
            shutil.rmtree(made)
            return
    raise PetstreamError(f"Kafka's log directory {home}/log can't be made: {reason}")


def _wait(data_dir: Path, port: int, say: Callable[[str], None]) -> KafkaAccess:
    """Return how to come in, once it lets us."""
    if not kafka_door.is_open(data_dir):
        kafka_door.passwords(data_dir)  # a lost one: the running Kafka is told the new one below
    access = kafka_door.access(data_dir, port)
    if not becomes_ready(data_dir, "kafka", lambda: _lists_topics(data_dir, port, access), say=say):
        end = last_lines(data_dir, "kafka")
        raise PetstreamError(f"the embedded Kafka doesn't start; {data_dir}/kafka.log ends: {end}")
    return access


def _lists_topics(data_dir: Path, port: int, access: KafkaAccess) -> bool:
    """Ask in a thread of its own, so that it also works from inside an event loop."""
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) != 0:
            return False  # not even a port yet: the client would log an error for each try
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, _ask(data_dir, access)).result()


async def _ask(data_dir: Path, access: KafkaAccess) -> bool:
    try:
        async with asyncio.timeout(10):
            refusal = await diagnosis.refusal(access, client_options(access))
            if refusal is not None and refusal.for_good and access.sasl_password is not None:
                await kafka_door.let_in(data_dir)
            if refusal is None:
                await ping(access)
            return refusal is None
    except KAFKA_ERRORS:
        return False
