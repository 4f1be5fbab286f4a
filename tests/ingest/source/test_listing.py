"""A listing becomes an export, or says what is missing; files of two days are told apart."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from ingest.source.listing import (
    ExportSet,
    RemoteFile,
    changed,
    export_set,
    misfits,
    missing,
    refuse_incomplete,
    stale_petlist,
)
from petstream.errors import NotReadyError
from petstream.events import Mode

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)

NAMES = (
    "orgs_1.json", "updatedpets_1.json", "newpets_1.json", "petlist.csv", "pets_1.json",
    "pets_2.json",
)  # fmt: skip


def listed(*names: str, at: datetime = NOW) -> list[RemoteFile]:
    """Return a listing of these names."""
    return [RemoteFile(name, 100, at) for name in names]


@pytest.mark.parametrize("prefix", ["", "Ab3dEf9h_", "./", "./Ab3dEf9h_"])
@pytest.mark.parametrize("suffix", ["", ".zip"])
def test_names_are_understood_with_and_without_key_and_zip(prefix: str, suffix: str) -> None:
    names = ["orgs_1.json", "pets_2.json", "pets_10.json", "pets_1.json", "petlist.csv"]
    files = export_set(listed(*(f"{prefix}{name}{suffix}" for name in names)))
    assert [part.name for part in files.of("pets")] == [
        "pets_1.json", "pets_2.json", "pets_10.json",
    ]  # fmt: skip
    assert files.petlist is not None
    assert files.petlist.name == "petlist.csv"


def test_unknown_names_are_passed_over_and_a_path_is_never_shown() -> None:
    files = export_set(
        listed("readme.txt", "pets_x.json", "Ab3dEf9h_pets_1.json", "../pets_2.json\r\n")
    )
    assert [part.name for part in files.parts] == ["pets_1.json"]
    assert "Ab3dEf9h" not in repr(files)


@pytest.mark.parametrize(
    ("names", "mode", "said"),
    [
        ([], "initial", "6 AM Eastern"),
        (["orgs_1.json"], "initial", "pets_1.json"),
        (["orgs_1.json", "pets_1.json", "pets_3.json"], "scrub", "pets_2.json is missing"),
        (["orgs_2.json", "pets_1.json"], "scrub", "orgs_1.json is missing"),
        (["orgs_1.json", "pets_1.json"], "daily", "updatedpets_1.json"),
    ],
)
def test_what_is_missing_is_said(names: list[str], mode: Mode, said: str) -> None:
    assert said in "; ".join(missing(export_set(listed(*names)), mode))


def test_a_whole_set_is_ready_even_without_a_petlist() -> None:
    whole = export_set(listed("orgs_1.json", "pets_1.json", "pets_2.json"))
    assert missing(whole, "initial") == []


def test_a_change_between_two_listings_is_named() -> None:
    before = listed("pets_1.json", "orgs_1.json")
    after = [RemoteFile("pets_1.json", 200, NOW), *listed("petlist.csv")]
    assert changed(before, before) == []
    assert changed(before, after) == [
        "orgs_1.json has gone", "petlist.csv has just appeared", "pets_1.json has changed",
    ]  # fmt: skip


def test_the_fingerprint_is_of_names_sizes_and_times_but_not_of_the_key() -> None:
    plain, keyed = export_set(listed("pets_1.json")), export_set(listed("Ab3dEf9h_pets_1.json.zip"))
    later = export_set(listed("pets_1.json", at=NOW.replace(minute=1)))
    assert plain.fingerprint == keyed.fingerprint != later.fingerprint


def test_t11_a_scrub_never_runs_on_part_of_the_set() -> None:
    """T11: a gap in the parts of any family that is read is named."""
    parts = export_set(
        listed("orgs_1.json", "pets_1.json", "pets_2.json", "pets_4.json", "petlist.csv")
    )
    assert missing(parts, "scrub") == ["pets_3.json is missing"]
    assert missing(
        export_set(listed("orgs_1.json", "updatedpets_2.json", "newpets_1.json")), "daily"
    )


def files_of(old: dict[str, float]) -> ExportSet:
    """Return a whole set of which some files (by name) are so many hours older."""
    return export_set(
        [RemoteFile(name, 100, NOW - timedelta(hours=old.get(name, 0.0))) for name in NAMES]
    )


@pytest.mark.parametrize("mode", ["initial", "daily", "scrub"])
def test_t3_files_of_one_export_fit(mode: Mode) -> None:
    """T3: files written within hours, after the start stamp, are of one export."""
    hours = {"orgs_1.json": 2.0, "pets_1.json": 1.9, "pets_2.json": 1.8, "petlist.csv": 0.5}
    assert misfits(files_of(hours), mode, NOW - timedelta(hours=2.1)) == []
    assert misfits(files_of(hours), mode, None) == []


@pytest.mark.parametrize(
    ("mode", "old"),
    [
        ("daily", ("petlist.csv",)),
        ("scrub", ("petlist.csv",)),
        ("daily", ("orgs_1.json", "updatedpets_1.json", "newpets_1.json")),
        ("scrub", ("pets_2.json",)),
        ("initial", ("orgs_1.json",)),
    ],
)
def test_t3_files_of_two_days_do_not_fit_and_are_named(mode: Mode, old: tuple[str, ...]) -> None:
    """T3: yesterday's petlist with today's pets, and the reverse: not ready, and named."""
    (said,) = misfits(files_of(dict.fromkeys(old, 24.0)), mode, None)
    assert set(re.findall(r"(\S+) \(of 2026-11-01", said)) == set(old)
    assert "two exports are mixed" in said


def test_t3_files_that_the_mode_does_not_read_need_not_fit() -> None:
    """T3: a daily run asks nothing of pets_n."""
    old = files_of({"pets_1.json": 24.0, "pets_2.json": 24.0})
    assert misfits(old, "daily", None) == []
    assert misfits(old, "scrub", None)


def test_t3_a_file_from_before_the_start_does_not_fit_but_clocks_may_differ() -> None:
    """T3: what was written before the export began is the last one's."""
    start = NOW - timedelta(hours=2)
    (said,) = misfits(files_of({"petlist.csv": 3.0}), "daily", start)
    assert "petlist.csv" in said
    assert "from before this export's start" in said
    assert misfits(files_of({"orgs_1.json": 2.1}), "daily", start) == []


@pytest.mark.parametrize(
    ("older_s", "fits"), [(6 * 3_600, True), (6 * 3_600 + 1, False), (5.5 * 3_600, True)]
)
def test_t3_files_of_one_export_lie_six_hours_apart_at_most(older_s: float, *, fits: bool) -> None:
    """T3."""
    said = misfits(files_of({"petlist.csv": older_s / 3_600}), "daily", None)
    assert (said == []) is fits
    assert all("more than 6 h older" in line for line in said)


@pytest.mark.parametrize(("early_s", "fits"), [(600, True), (601, False)])
def test_t3_clocks_may_differ_by_ten_minutes_at_most(early_s: int, *, fits: bool) -> None:
    """T3."""
    start = NOW - timedelta(hours=1) + timedelta(seconds=early_s)
    assert (misfits(files_of({"orgs_1.json": 1.0}), "daily", start) == []) is fits


@pytest.mark.parametrize(("older_s", "is_stale"), [(3_600, False), (3_601, True)])
def test_t6_a_petlist_may_be_an_hour_older_than_its_rows(older_s: int, *, is_stale: bool) -> None:
    """T6: nobody has written down which is made first."""
    said = stale_petlist(files_of({"petlist.csv": older_s / 3_600}), "daily")
    assert (said is not None) is is_stale


def test_t11_every_family_that_is_missing_is_said_at_once() -> None:
    """T11."""
    said = missing(export_set(listed("petlist.csv")), "daily")
    assert said == [
        "there is no orgs_1.json", "there is no updatedpets_1.json", "there is no newpets_1.json",
    ]  # fmt: skip


@pytest.mark.parametrize("hours", [0.0, 24.0])
def test_t11_a_set_that_lacks_or_mixes_files_is_refused_in_one_line(hours: float) -> None:
    """T11, T3: and one that does neither isn't."""
    refuse_incomplete(files_of({}), "scrub", None)
    mixed = files_of({"petlist.csv": hours})
    if hours:
        with pytest.raises(NotReadyError, match=r"^the export isn't ready: petlist\.csv .* mixed$"):
            refuse_incomplete(mixed, "scrub", None)
    lacking = export_set(listed("orgs_1.json"))
    with pytest.raises(NotReadyError, match=r"^the export isn't ready: there is no pets_1\.json$"):
        refuse_incomplete(lacking, "scrub", None)


def test_t3_four_misfits_are_all_named() -> None:
    """T3."""
    names = [f"pets_{n}.json" for n in range(1, 5)]
    export = export_set([
        *(RemoteFile(name, 100, NOW - timedelta(days=1)) for name in names),
        *(RemoteFile(name, 100, NOW) for name in ("orgs_1.json", "petlist.csv")),
    ])  # fmt: skip
    (said,) = misfits(export, "scrub", None)
    assert "and 0 more" not in said
    assert all(name in said for name in names)


def test_t3_many_misfits_are_not_all_named() -> None:
    """T3: one line, whatever is wrong."""
    names = [f"pets_{n}.json" for n in range(1, 9)]
    export = export_set([
        *(RemoteFile(name, 100, NOW - timedelta(days=1)) for name in names),
        *(RemoteFile(name, 100, NOW) for name in ("orgs_1.json", "petlist.csv")),
    ])  # fmt: skip
    (said,) = misfits(export, "scrub", None)
    assert "and 4 more" in said


def test_t6_a_petlist_older_than_the_files_it_judges_is_doubted() -> None:
    """T6: a list that was there before the rows can't know them."""
    assert stale_petlist(files_of({"petlist.csv": 0.5}), "daily") is None
    assert (
        stale_petlist(files_of({"updatedpets_1.json": 3.0, "newpets_1.json": 3.0}), "daily") is None
    )
    said = stale_petlist(files_of({"petlist.csv": 3.0}), "scrub")
    assert said is not None
    assert said.startswith("petlist.csv (of 2026-11-02 06:00 UTC) is older than pets_")
    assert stale_petlist(export_set([RemoteFile("pets_1.json", 1, NOW)]), "scrub") is None


CLOCK = NOW + timedelta(minutes=1)
AHEAD = NOW + timedelta(days=300)


def with_time(name: str, at: datetime) -> list[RemoteFile]:
    """Return a whole listing in which one file has another time."""
    return [*listed(*(each for each in NAMES if each != name)), RemoteFile(name, 100, at)]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "at",
    [
        AHEAD,
        CLOCK + timedelta(minutes=11),
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(1980, 1, 1, tzinfo=UTC),
    ],
)
def test_f3_a_file_time_that_is_not_plausible_names_and_mixes_nothing_and_is_told(
    name: str, at: datetime
) -> None:
    """F3: whichever file has it, and whether the mode reads it or not."""
    files = export_set(with_time(name, at), CLOCK)
    assert files.newest_modified_at == NOW
    (doubt,) = files.doubts()
    assert name in doubt
    assert f"{at:%Y-%m-%d}" in doubt
    for mode in ("daily", "scrub"):
        assert misfits(files, mode, NOW) == []
        stale = stale_petlist(files, mode)
        assert (stale is not None) == (name == "petlist.csv")  # nobody knows how old it is


def test_f3_clocks_that_differ_by_ten_minutes_are_believed() -> None:
    """F3."""
    files = export_set(with_time("pets_1.json", CLOCK + timedelta(minutes=10)), CLOCK)
    assert files.doubts() == ()
    assert files.newest_modified_at == CLOCK + timedelta(minutes=10)


def test_f3_of_two_files_of_one_name_the_one_with_a_plausible_time_is_taken() -> None:
    """F3."""
    both = [RemoteFile("pets_1.json", 1, AHEAD), RemoteFile("Ab3dEf9h_pets_1.json", 2, NOW)]
    (part,) = export_set(both, CLOCK).parts
    assert part.remote.size_bytes == 2


def test_files_are_the_same_by_name_size_and_time() -> None:
    """Whoever sees the same fingerprint doesn't read them again."""
    at = NOW + timedelta(seconds=1)
    listings = [
        RemoteFile("pets_1.json", 100, NOW), RemoteFile("pets_1.json", 101, NOW),
        RemoteFile("pets_1.json", 100, at), RemoteFile("pets_2.json", 100, NOW),
    ]  # fmt: skip
    fingerprints = [export_set([remote]).fingerprint for remote in listings]
    assert len(set(fingerprints)) == 4
    zipped = RemoteFile("Ab3dEf9h_pets_1.json", 100, NOW)
    assert export_set([zipped]).fingerprint == fingerprints[0]
