"""A listing becomes an export, or says what is missing."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ingest.source.listing import RemoteFile, missing, plan, settled
from petstream.events import Mode

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)


def listed(*names: str, at: datetime = NOW) -> list[RemoteFile]:
    """Return a listing of these names."""
    return [RemoteFile(name, 100, at) for name in names]


@pytest.mark.parametrize("prefix", ["", "Ab3dEf9h_", "./", "./Ab3dEf9h_"])
@pytest.mark.parametrize("suffix", ["", ".zip"])
def test_names_are_understood_with_and_without_key_and_zip(prefix: str, suffix: str) -> None:
    names = ["orgs_1.json", "pets_2.json", "pets_10.json", "pets_1.json", "petlist.csv"]
    found = plan(listed(*(f"{prefix}{name}{suffix}" for name in names)))
    assert [part.name for part in found.of("pets")] == [
        "pets_1.json", "pets_2.json", "pets_10.json",
    ]  # fmt: skip
    assert found.petlist is not None
    assert found.petlist.name == "petlist.csv"


def test_unknown_names_are_passed_over_and_a_path_is_never_shown() -> None:
    found = plan(listed("readme.txt", "pets_x.json", "Ab3dEf9h_pets_1.json", "../pets_2.json\r\n"))
    assert [part.name for part in found.parts] == ["pets_1.json"]
    assert "Ab3dEf9h" not in repr(found)


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
    assert said in "; ".join(missing(plan(listed(*names)), mode))


def test_a_whole_set_is_ready_even_without_a_petlist() -> None:
    whole = plan(listed("orgs_1.json", "pets_1.json", "pets_2.json"))
    assert missing(whole, "initial") == []


def test_a_change_between_two_listings_is_named() -> None:
    before = listed("pets_1.json", "orgs_1.json")
    after = [RemoteFile("pets_1.json", 200, NOW), *listed("petlist.csv")]
    assert settled(before, before) == []
    assert settled(before, after) == [
        "orgs_1.json has gone", "petlist.csv has just appeared", "pets_1.json has changed",
    ]  # fmt: skip


def test_the_fingerprint_is_of_names_sizes_and_times_but_not_of_the_key() -> None:
    plain, keyed = plan(listed("pets_1.json")), plan(listed("Ab3dEf9h_pets_1.json.zip"))
    later = plan(listed("pets_1.json", at=NOW.replace(minute=1)))
    assert plain.fingerprint == keyed.fingerprint != later.fingerprint


def test_t11_a_scrub_never_runs_on_part_of_the_set() -> None:
    """T11: a gap in the parts of any family that is read is named."""
    parts = plan(listed("orgs_1.json", "pets_1.json", "pets_2.json", "pets_4.json", "petlist.csv"))
    assert missing(parts, "scrub") == ["pets_3.json is missing"]
    assert missing(plan(listed("orgs_1.json", "updatedpets_2.json", "newpets_1.json")), "daily")
