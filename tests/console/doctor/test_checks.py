"""The checks of `doctor` that need no server."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from console.doctor import doctor
from console.doctor.check_result import CheckResult
from console.doctor.decoder import check_decoder, judged
from console.doctor.feed import check_export, check_petlist
from console.doctor.kafka import against_loss, compared, who_comes_in
from console.doctor.store import check_directory, check_owner, check_privacy
from consumers.pictures.sandbox import Mechanism
from ingest import compiled
from ingest.removals.petlist import read_petlist
from ingest.source.listing import RemoteFile, export_set
from petstream import topics
from petstream.kafka.admin import DescribedCluster, DescribedTopic
from petstream.settings import KafkaAccess, Settings

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
NAMES = ("orgs_1.json", "pets_1.json", "updatedpets_1.json", "newpets_1.json", "petlist.csv")


def checked_export(*without: str, age_h: float = 3, **ages_h: float) -> dict[str, str]:
    files = [
        RemoteFile(name, 10, NOW - timedelta(hours=ages_h.get(name.partition(".")[0], age_h)))
        for name in NAMES
        if name not in without
    ]
    return {result.what: result.state for result in check_export(export_set(files), None, NOW)}


def test_a_whole_fresh_export_passes() -> None:
    assert set(checked_export().values()) == {"pass"}


def test_s9_what_others_may_read_is_named_with_what_closes_it(tmp_path: Path) -> None:
    """S9: `.env` above all, which holds the FTP account."""
    for name, mode in ((".env", 0o644), ("archive", 0o700), ("kafka.log", 0o640)):
        (tmp_path / name).touch(mode)
        (tmp_path / name).chmod(mode)
    paths = [tmp_path / name for name in (".env", "archive", "kafka.log", "absent")]
    results = check_privacy(paths)
    assert [result.mend for result in results] == [
        f"chmod go= {tmp_path / name}" for name in (".env", "kafka.log")
    ]
    assert {result.state for result in results} == {"warn"}


def test_s1_a_kafka_that_asks_nobody_who_they_are_is_a_warning() -> None:
    (result,) = who_comes_in(KafkaAccess("k:9092"))
    assert (result.state, "docs/kafka-security.md" in result.mend) == ("warn", True)
    for protocol in ("SSL", "SASL_SSL", "SASL_PLAINTEXT"):
        assert who_comes_in(KafkaAccess("k:9092", protocol)) == []


@pytest.mark.parametrize(
    ("mode", "by", "mends"),
    [(0o700, 0, []), (0o755, 0, []), (0o702, 0, ["chmod go-w"]), (0o777, 0, ["chmod go-w"]),
     (0o1770, 0, ["chmod go-w"]),
     (0o700, 1, ["set PETSTREAM_DATA_DIR"]), (0o777, 1, ["chmod go-w", "set PETSTREAM_DATA_DIR"])],
)  # fmt: skip
def test_s9_a_data_directory_that_others_may_write_or_own_is_named(
    tmp_path: Path, mode: int, by: int, mends: list[str]
) -> None:
    """S9: who made it before us puts what they like in the place of a password or a pid."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data").chmod(mode)
    owner = (tmp_path / "data").stat().st_uid
    results = check_owner(tmp_path / "data", owner + by)
    assert [result.mend[: len(mend)] for result, mend in zip(results, mends, strict=True)] == mends
    assert {result.state for result in results} <= {"warn"}
    assert check_owner(tmp_path / "absent", owner) == []


def test_a_missing_part_fails_and_is_named() -> None:
    assert checked_export("newpets_1.json")["there is no newpets_1.json"] == "fail"


def test_files_of_two_days_fail() -> None:
    assert "fail" in checked_export(pets_1=27).values()


def test_an_export_of_more_than_thirty_hours_is_a_warning() -> None:
    assert sorted(checked_export(age_h=31).values()) == ["pass", "pass", "pass", "warn"]


def test_a_lacking_petlist_is_a_warning() -> None:
    assert checked_export("petlist.csv")["there is no petlist.csv"] == "warn"


def test_an_older_petlist_is_a_warning() -> None:
    assert "warn" in checked_export(petlist=5).values()


def test_what_is_missing_while_files_are_being_written_is_only_a_warning() -> None:
    assert checked_export("newpets_1.json", age_h=0.5)["there is no newpets_1.json"] == "warn"


@pytest.mark.parametrize(("ids", "state"), [(100, "pass"), (10, "warn")])
def test_a_petlist_that_is_short_for_the_size_of_the_files_is_a_warning(
    ids: int, state: str
) -> None:
    files = export_set(
        [RemoteFile("pets_1.json", 500_000, NOW), RemoteFile("petlist.csv", 900, NOW)]
    )
    petlist = read_petlist(b"".join(b"%d\n" % key for key in range(1, ids + 1)))
    (result,) = check_petlist(petlist, files)
    assert result.state == state
    assert f"names {ids} pets" in result.what


@pytest.mark.parametrize("key", topics.PETS.configs)
def test_each_config_of_a_topic_that_differs_fails(key: str) -> None:
    described = DescribedTopic(6, topics.PETS.configs | {key: "1"})
    results = compared(topics.PETS, "p", described, "k:1")
    assert [result.state for result in results] == ["fail"]
    assert key in results[0].mend


SAFE = {"min.insync.replicas": "2", "unclean.leader.election.enable": "false"}
ONE_BROKER = {"min.insync.replicas": "1", "unclean.leader.election.enable": "false"}
FLUSHED = {"log.flush.interval.ms": "1000", "log.flush.scheduler.interval.ms": "1000"}
NEVER = str(2**63 - 1)


def lacking(topic: DescribedTopic, cluster: DescribedCluster) -> list[str]:
    results = against_loss({"petstream.pets.v1": topic}, cluster, "k:1")
    assert all(result.mend for result in results if result.state == "warn")
    return [result.what for result in results if result.state != "pass"]


@pytest.mark.parametrize("brokers", [3, 5])
def test_three_replicas_two_of_them_in_sync_lack_nothing(brokers: int) -> None:
    assert lacking(DescribedTopic(12, SAFE, 3), DescribedCluster(brokers, {})) == []


@pytest.mark.parametrize(
    ("change", "replicas", "named"),
    [
        ({}, 1, "replication.factor"),
        ({"min.insync.replicas": "1"}, 3, "min.insync.replicas"),
        ({"unclean.leader.election.enable": "true"}, 3, "unclean.leader.election.enable"),
    ],
)
def test_what_lets_three_brokers_lose_records_is_named(
    change: dict[str, str], replicas: int, named: str
) -> None:
    (what,) = lacking(DescribedTopic(12, SAFE | change, replicas), DescribedCluster(3, {}))
    assert named in what
    assert "petstream.pets.v1" in what


@pytest.mark.parametrize("key", FLUSHED)
def test_one_broker_that_never_flushes_is_named_also_if_it_never_looks(key: str) -> None:
    """Kafka's scheduler has to come by, too: it doesn't unless it's told to."""
    topic = DescribedTopic(12, ONE_BROKER, 1)
    assert lacking(topic, DescribedCluster(1, FLUSHED)) == []
    (what,) = lacking(topic, DescribedCluster(1, FLUSHED | {key: NEVER}))
    assert "power cut" in what
    unset = DescribedCluster(1, {**FLUSHED, key: None})  # as Kafka says it by itself
    assert lacking(topic, unset) == [what]
    (result,) = against_loss({"p": topic}, DescribedCluster(1, {key: NEVER}), "k:1")
    assert all(f"{name}=1000" in result.mend for name in FLUSHED)


async def test_s3_what_holds_a_decoder_is_tried_and_said() -> None:
    """S3: by a process that restricts itself as decoders do."""
    (result,) = await check_decoder(Settings())
    assert "limits" in result.what
    held = result.what.partition("; not by ")[0]
    assert (result.state == "pass") == ("seccomp" in held and "Landlock" in held)
    assert await check_decoder(Settings(pictures="off")) == []


@pytest.mark.parametrize(
    ("lacking", "state"),
    [
        ({}, "pass"),
        ({"a user of its own": "only root can give it one"}, "pass"),
        ({"Landlock": "this kernel refuses it (ENOSYS)"}, "warn"),
        ({"seccomp": "its calls aren't known on abacus", "limits": "no"}, "warn"),
    ],
    ids=["all", "not root", "old kernel", "odd machine"],
)
def test_s3_what_lacks_is_named_with_why(lacking: dict[str, str], state: str) -> None:
    """S3: that petstream isn't root is nothing to mend."""
    names = ("a user of its own", "Landlock", "limits", "seccomp")
    result = judged([Mechanism(name, lacking.get(name, "")) for name in names])
    held, _, lacks = result.what.partition("; not by ")
    assert result.state == state
    assert bool(result.mend) == (state == "warn")
    for name in names:
        assert (f"{name} ({lacking[name]})" in lacks) if name in lacking else (name in held)


def test_a_directory_that_is_a_file_fails(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert check_directory("data", tmp_path / "file", "X")[0].state == "fail"


async def test_every_wrong_setting_is_named_and_the_rest_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("PETSTREAM_WINDOW=never\n")
    monkeypatch.setenv("PETSTREAM_SCRUB", "hourly")
    monkeypatch.setenv("PETSTREAM_FTP_URL", "http://apikey-canary:canary-word@h/")
    assert await doctor.doctor(as_json=True) == 1
    printed = capsys.readouterr().out
    checks = [CheckResult(**check) for check in json.loads(printed)["checks"]]
    wrong = {check.what.partition(":")[0] for check in checks if check.area == "settings"}
    assert wrong == {"PETSTREAM_WINDOW", "PETSTREAM_SCRUB", "PETSTREAM_FTP_URL"}
    warned = [check.area for check in checks if check.state == "warn"]
    assert {"ftp", "kafka", "postgres"} <= set(warned)
    assert list(tmp_path.iterdir()) == [tmp_path / ".env"]
    assert "canary" not in printed


async def test_f2_a_check_that_breaks_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """F2: whatever one of them meets."""

    async def broken(*_: object) -> list[CheckResult]:
        raise ValueError("a secret")

    async def sound(*_: object) -> list[CheckResult]:
        return [CheckResult("other", "pass", "looked at")]

    monkeypatch.setattr(doctor, "_settings", lambda: (Settings(), []))
    checks = ("_feed", "_kafka", "_postgres", "check_stores", "check_decoder")
    for name in checks:
        for each in checks:
            monkeypatch.setattr(doctor, each, broken if each == name else sound)
        results = await doctor.check_everything()
        assert [result.state for result in results].count("pass") == 5
        (failed,) = [result for result in results if result.state == "fail"]
        assert "ValueError" in failed.what
        assert "secret" not in failed.what


@pytest.mark.parametrize(("broken", "state"), [(False, "pass"), (True, "warn")])
def test_the_form_of_the_ingesters_modules_is_said(*, broken: bool, state: str) -> None:
    check = doctor.check_form(compiled.Form(in_use=False, what="plain Python", is_broken=broken))
    assert (check.area, check.state, check.what) == ("ingest", state, "plain Python")
    assert "scripts/compile" in check.mend
