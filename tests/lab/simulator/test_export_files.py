"""The simulated files: their names, shapes and layout, and what each fault does to them."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from ingest.source.listing import RemoteFile, export_set, refuse_incomplete
from lab.simulator import FAULTS, expected, export_files, history, write_export
from petstream.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

FEED = history(pets=230, days=3)
EXPECTED_DAY_2 = expected(FEED, 2).days[2]
NAMES = ["orgs_1.json", "pets_1.json", "updatedpets_1.json", "newpets_1.json", "petlist.csv"]
PET_KEYS = (
    "orgID animalID status lastUpdated rescueID name summary species breed primaryBreed "
    "secondaryBreed sex mixed dogs cats kids declawed housetrained age birthdate specialNeeds "
    "altered size sizeCurrent sizePotential sizeUOM uptodate color coatLength pattern courtesy "
    "found foundDate foundZipcode animalLocation killDate killReason description descriptionPlain "
    "trackerImageUrl adoptionFee oKWithAdults obedienceTraining ownerExperience exerciseNeeds "
    "energyLevel groomingNeeds yardRequired fence shedding newPeople vocal activityLevel earType "
    "eyeColor tailType olderKidsOnly noSmallDogs noLargeDogs noFemaleDogs noMaleDogs oKForSeniors "
    "hypoallergenic goodInCar leashtrained cratetrained fetches playsToys swims lap "
    "oKWithFarmAnimals drools apartment noHeat noCold protective escapes predatory hasAllergies "
    "specialDiet ongoingMedical hearingImpaired sightImpaired obedient playful timid skittish "
    "independent affectionate eagerToPlease intelligent eventempered gentle goofy pictures videos "
    "videoUrls mediaLastUpdated contactName contactEmail contactCellPhone contactHomePhone petUrl "
    "messagePet needsFoster"
)
ORG_KEYS = (
    "orgID status name address city state zip country phone fax email orgurl facebookUrl orgType "
    "orgSpecies serveAreas adoptionProcess about meetPets services allowAppSubmissions messageOrg"
)
PICTURE_KEYS = (
    "originalUrl largeUrl smallUrl fullsizeUrl thumbnailUrl mediaID mediaOrder lastUpdated "
    "original large small"
)
SIZE_KEYS = "fileSize resolutionX resolutionY url"


def rows(content: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in content.splitlines()]


def ids(content: bytes) -> list[int]:
    return [int(row["animalID"]) for row in rows(content)]


def listed(content: bytes) -> list[int]:
    return [int(key) for key in content.decode().replace("\n", ",").strip(",").split(",")]


def leaves(value: object) -> list[object]:
    if isinstance(value, dict):
        return [leaf for inner in value.values() for leaf in leaves(inner)]
    if isinstance(value, list):
        return [leaf for inner in value for leaf in leaves(inner)]
    return [value]


def test_the_files_come_in_the_order_of_the_feed_with_whole_last_lines() -> None:
    files = export_files(FEED, 1)
    assert list(files) == NAMES
    assert all(content.endswith(b"\n") and b"\n\n" not in content for content in files.values())


def test_pets_have_the_105_keys_in_file_order_and_every_leaf_is_a_string() -> None:
    assert len(PET_KEYS.split()) == 105
    for row in rows(export_files(FEED, 1)["pets_1.json"]):
        assert list(row) == PET_KEYS.split()
        assert all(isinstance(leaf, str) for leaf in leaves(row))
        for order, picture in enumerate(row["pictures"], 1):
            assert list(picture) == PICTURE_KEYS.split()
            assert picture["mediaOrder"] == str(order)
            for size in ("original", "large", "small"):
                assert list(picture[size]) == SIZE_KEYS.split()
                assert picture[size]["url"] == picture[f"{size}Url"]
            assert picture["large"]["resolutionX"] == "500"
            assert picture["small"]["resolutionX"] == "100"


def test_organisations_have_the_22_keys_and_a_stamp_goes_before_them() -> None:
    stamp, *orgs = rows(export_files(FEED, 0)["orgs_1.json"])
    assert next(iter(stamp.values())).startswith("2026-11-02 03:")
    assert len(ORG_KEYS.split()) == 22
    assert all(list(row) == ORG_KEYS.split() for row in orgs)


def test_the_stamp_can_be_epoch_seconds_or_missing() -> None:
    stamp = rows(export_files(FEED, 0, start_stamp="epoch")["orgs_1.json"])[0]
    assert list(stamp.values()) == [f"{FEED.start(0).timestamp():.0f}"]
    first = rows(export_files(FEED, 0, start_stamp="none")["orgs_1.json"])[0]
    assert "orgID" in first


def test_rows_are_written_as_php_writes_them() -> None:
    content = export_files(FEED, 1)["pets_1.json"]
    assert content.isascii()
    assert rb"http:\/\/127.0.0.1:8643\/" in content
    assert b"/" not in content.replace(rb"\/", b"")
    assert b'"description":"<div class=\\"rgDescription\\">' in content
    assert b'width=\\"0\\" height=\\"0\\" alt=\\"\\" \\/><\\/div>"' in content


def test_files_are_cut_into_parts() -> None:
    files = export_files(FEED, 1, part_rows=100)
    parts = [files[f"pets_{part}.json"] for part in (1, 2, 3)]
    assert [len(rows(part)) for part in parts] == [100, 100, len(FEED.truth(1).pets) - 200]
    assert "pets_4.json" not in files
    assert [key for part in parts for key in ids(part)] == list(FEED.truth(1).pets)


def test_the_petlist_has_a_hundred_ids_a_line() -> None:
    content = export_files(FEED, 1)["petlist.csv"]
    counts = [line.count(b",") + 1 for line in content.splitlines()]
    assert counts == [100, 100, len(FEED.truth(1).pets) - 200]
    assert listed(content) == list(FEED.truth(1).pets)


def test_the_daily_files_hold_the_changes_and_some_pets_twice() -> None:
    files, changes = export_files(FEED, 2), EXPECTED_DAY_2
    new, updated = ids(files["newpets_1.json"]), ids(files["updatedpets_1.json"])
    assert set(new) == changes.added | changes.relisted
    assert changes.updated <= set(updated)
    assert set(updated) - changes.updated == set(new[::10])
    for row in (*rows(files["newpets_1.json"]), *rows(files["updatedpets_1.json"])):
        assert row == FEED.truth(2).pets[int(row["animalID"])]


def test_zipped_files_hold_one_member_with_the_key_in_its_name() -> None:
    plain, zipped = export_files(FEED, 1), export_files(FEED, 1, zipped=True)
    assert list(zipped) == [f"{name}.zip" for name in NAMES]
    for name in NAMES:
        with zipfile.ZipFile(io.BytesIO(zipped[f"{name}.zip"])) as archive:
            assert archive.namelist() == [f"Ab3dEf9h_{name}"]
            assert archive.read(f"Ab3dEf9h_{name}") == plain[name]


def test_plain_names_can_hold_the_key() -> None:
    assert list(export_files(FEED, 0, key_prefix=True)) == [f"Ab3dEf9h_{name}" for name in NAMES]


def test_writing_gives_rising_times_after_the_start_and_the_petlist_last(tmp_path: Path) -> None:
    write_export(tmp_path, FEED, 0, zipped=True)
    write_export(tmp_path, FEED, 1)
    times = {path.name: path.stat().st_mtime for path in tmp_path.iterdir()}
    assert sorted(times, key=lambda name: times[name]) == NAMES
    assert min(times.values()) > FEED.start(1).timestamp()
    assert len(set(times.values())) == len(NAMES)


def test_a_day_that_is_to_come_can_be_written_now_and_says_of_no_other_time(tmp_path: Path) -> None:
    """As an ingester lists it: plausible, named by the files' time, and whole."""
    now = FEED.start(0).replace(microsecond=0)  # two days before the one that is written
    write_export(tmp_path, FEED, 2, written_at=now)
    paths = sorted(tmp_path.iterdir())
    assert {path.stat().st_mtime for path in paths} == {now.timestamp()}
    assert b"exportStarted" not in (tmp_path / "orgs_1.json").read_bytes()
    remotes = [RemoteFile(path.name, path.stat().st_size, now) for path in paths]
    files = export_set(remotes, now)
    assert files.newest_modified_at == now
    assert files.doubts() == ()
    refuse_incomplete(files, "daily", None)


def test_writing_leaves_files_alone_that_are_none_of_an_export(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("hello")
    (tmp_path / "pets_9.json").write_text("{}")
    write_export(tmp_path, FEED, 0)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*NAMES, "readme.txt"])


def test_the_same_day_is_the_same_bytes() -> None:
    again = history(pets=230, days=3)
    assert export_files(FEED, 2, zipped=True) == export_files(again, 2, zipped=True)


def test_faults_have_a_line_of_description_each_and_unknown_ones_are_refused() -> None:
    assert all(text and "\n" not in text for text in FAULTS.values())
    with pytest.raises(UsageError, match="unknown fault 'flood'"):
        export_files(FEED, 0, faults=["flood"])


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_changes_something(fault: str) -> None:
    feed = history(pets=30, days=2)
    for day, zipped in ((0, False), (1, False), (1, True)):
        if fault == "stale-pets" and day == 0:
            continue
        good = export_files(feed, day, part_rows=10, zipped=zipped)
        bad = export_files(feed, day, part_rows=10, zipped=zipped, faults=[fault])
        assert bad != good


def damaged(fault: str, name: str, day: int = 1) -> bytes:
    return export_files(FEED, day, faults=[fault])[name]


def test_petlist_faults() -> None:
    good = export_files(FEED, 1)["petlist.csv"]
    assert "petlist.csv" not in export_files(FEED, 1, faults=["missing-petlist"])
    assert damaged("empty-petlist", "petlist.csv") == b""
    assert b"<html>" in damaged("html-petlist", "petlist.csv")
    assert damaged("stale-petlist", "petlist.csv") == export_files(FEED, 0)["petlist.csv"]
    cut = damaged("truncated-petlist", "petlist.csv")
    assert good.startswith(cut)
    assert not cut.endswith(b"\n")
    assert listed(cut)[-1] not in FEED.truth(1).pets
    short = damaged("short-petlist", "petlist.csv")
    assert short.endswith(b"\n")
    assert len(listed(short)) == len(listed(good)) * 2 // 5


def test_a_stale_petlist_has_yesterdays_time(tmp_path: Path) -> None:
    write_export(tmp_path, FEED, 0)
    yesterday = (tmp_path / "petlist.csv").stat().st_mtime
    write_export(tmp_path, FEED, 1, faults=["stale-petlist"])
    assert (tmp_path / "petlist.csv").stat().st_mtime == yesterday
    assert (tmp_path / "pets_1.json").stat().st_mtime > yesterday


def test_stale_pets_come_with_todays_petlist() -> None:
    files = export_files(FEED, 1, faults=["stale-pets"])
    assert files["pets_1.json"] == export_files(FEED, 0)["pets_1.json"]
    assert files["petlist.csv"] == export_files(FEED, 1)["petlist.csv"]


def test_a_late_export_leaves_the_files_as_they_were(tmp_path: Path) -> None:
    write_export(tmp_path, FEED, 0)
    before = {path.name: (path.read_bytes(), path.stat().st_mtime) for path in tmp_path.iterdir()}
    write_export(tmp_path, FEED, 1, faults=["late-export"])
    after = {path.name: (path.read_bytes(), path.stat().st_mtime) for path in tmp_path.iterdir()}
    assert after == before


def test_a_missing_part_leaves_a_gap() -> None:
    files = export_files(FEED, 1, part_rows=100, faults=["missing-part"])
    assert {name for name in files if name.startswith("pets_")} == {"pets_1.json", "pets_3.json"}
    assert "updatedpets_2.json" in files
    assert "updatedpets_1.json" not in files


def test_bad_rows_stand_between_the_real_ones() -> None:
    lines = damaged("bad-row", "updatedpets_1.json").splitlines()
    good = export_files(FEED, 1)["updatedpets_1.json"].splitlines()
    assert set(good) < set(lines)
    assert b"false" in lines
    assert len(lines) == len(good) + 4  # the warning takes two lines


def test_cut_files_and_rows_stop_in_their_middle() -> None:
    good = export_files(FEED, 1)["pets_1.json"]
    cut = damaged("cut-last-row", "pets_1.json")
    assert good.startswith(cut)
    assert cut.count(b"\n") == good.count(b"\n") - 1
    assert not cut.endswith(b"}")
    assert damaged("cut-file", "pets_1.json") == good[: len(good) // 2]
    files = export_files(FEED, 1, zipped=True, faults=["cut-file"])
    with pytest.raises(zipfile.BadZipFile):
        zipfile.ZipFile(io.BytesIO(files["pets_1.json.zip"]))


def test_odd_forms_of_the_same_rows() -> None:
    good = rows(export_files(FEED, 1)["pets_1.json"])
    numbers = rows(damaged("number-ids", "pets_1.json"))
    assert [row["animalID"] for row in numbers] == [int(row["animalID"]) for row in good]
    kinds = {type(row["pictures"]) for row in rows(damaged("odd-pictures", "pets_1.json"))}
    assert kinds >= {list, dict}
    crlf = damaged("crlf", "pets_1.json")
    assert crlf.startswith(b"\xef\xbb\xbf{")
    assert crlf.endswith(b"}\r\n\r\n\r\n")
    odd = damaged("odd-text", "pets_1.json")
    assert rb"\u0000\ud800" in odd
    assert b"\xff\xfe" in odd
    assert b"orgID" in damaged("no-stamp", "orgs_1.json").splitlines()[0]
    moved = rows(damaged("moved-pictures", "pets_1.json"))
    for old, new in zip(good, moved, strict=True):
        for before, other in zip(old["pictures"], new["pictures"], strict=True):
            assert before["mediaID"] == other["mediaID"]
            assert other["originalUrl"].startswith(f"http://127.0.0.1:8643/cdn/{old['orgID']}/")
            assert other["large"]["url"] == other["largeUrl"] != before["largeUrl"]
    repeated = ids(damaged("repeated-rows", "pets_1.json"))
    assert repeated[-3:] == repeated[:3]
