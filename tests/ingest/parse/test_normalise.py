"""A row of the feed arrives field by field, and odd rows lose nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, structs
from rows_of_the_feed import org_row, pet_row, picture

from ingest.changes.schema_drift import SchemaDrift
from ingest.parse import values
from ingest.parse.normalise import Rejection, normalise_organization, normalise_pet, start_stamp
from petstream import codec
from petstream.fields import fields_of
from petstream.model import Organization, Pet, Rendition


def pet(**changes: Any) -> Pet:
    """Normalise a row that is no rejection."""
    normalised = normalise_pet(pet_row(**changes), publish_contacts=True)
    assert isinstance(normalised, Pet)
    return normalised


def test_a_whole_row_arrives_typed_and_under_its_names() -> None:
    arrived = pet()
    assert (arrived.animal_id, arrived.org_id, arrived.status) == (22611034, 701, "Available")
    assert arrived.updated_at == datetime(2025, 8, 15, 4, 0, 11, tzinfo=UTC)
    assert arrived.name == "Biscuit &amp; Jam "  # as sent: cleaning is for those who show it
    assert (arrived.good_with_dogs, arrived.good_with_cats, arrived.good_with_kids) == (
        True,
        None,
        False,
    )
    assert arrived.birthdate == date(2026, 1, 31)
    assert (arrived.size_current, arrived.size_potential, arrived.size_unit) == (
        None,
        45.5,
        "Pounds",
    )
    assert arrived.postal_code == "02134"
    assert arrived.description_html == '<div class="rgDescription">Hello</div>'
    assert arrived.contact_name == "Jo"
    assert arrived.extra == {}
    shown = arrived.pictures[0]
    assert (shown.id, shown.position) == (102900001, 1)
    assert shown.original == Rendition(
        url="https://pictures.example/701/pictures/animals/22611/22611034/102900001_1600x1600.jpg",
        width=1600, height=1600, bytes=45083,
    )  # fmt: skip


_ODD: Final = "ab \0\ud800\u00e9\U0001f600\u0663\u00b27"
"""Letters, blank, NUL, half a pair, beyond ASCII; digits that are none of ours."""

_VALUES: Final = st.one_of(
    st.text(_ODD, max_size=12), st.text("0123456789", max_size=20), st.booleans(), st.integers(),
    st.sampled_from(["Yes", "No", "yes", "NO ", "1", "0", "true", "\u0661\u0662\u0663"]),
)  # fmt: skip


@given(_VALUES)
def test_short_ways_say_what_the_converters_say(value: Any) -> None:
    """What nearly every row holds is converted where it stands."""

    def said(convert: Callable[[Any], Any]) -> Any:
        try:
            return None if value == "" else convert(value)
        except ValueError:
            return None

    def is_refused(convert: Callable[[Any], Any]) -> bool:
        try:
            convert(value)
        except ValueError:
            return bool(value != "")
        return False

    shown = picture(1, 1) | {"mediaID": value}
    arrived = pet(status=value, mixed=value, pictures=[shown])
    assert arrived.status == said(values.text)
    assert arrived.mixed == said(values.flag)
    assert type(arrived.mixed) is type(said(values.flag))
    assert arrived.pictures[0].id == said(values.identifier)
    assert ("mixed" in arrived.extra) == is_refused(values.flag)


@pytest.mark.parametrize("field", fields_of(Pet), ids=lambda field: str(field.feed_name))
def test_every_field_of_a_pet_is_read_from_its_own_key(field: Any) -> None:
    if field.attribute in {"animal_id", "pictures"}:
        pytest.skip("it identifies the row, or has tests of its own")
    samples: dict[Any, tuple[Any, Any]] = {
        bool | None: ("Yes", True), float | None: ("3.5", 3.5),
        date | None: ("2025-02-03", date(2025, 2, 3)), int | None: ("77", 77),
        datetime | None: ("1700000000", datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
        tuple[Any, ...]: ([{"videoUrl": "v"}], ({"videoUrl": "v"},)),
    }  # fmt: skip
    sent, means = samples.get(field.type, ("quite other", "quite other"))
    blank = "" if field.type != tuple[Any, ...] else []
    assert getattr(pet(**{field.feed_name: sent}), field.attribute) == means
    assert not getattr(pet(**{field.feed_name: blank}), field.attribute)


@pytest.mark.parametrize("field", fields_of(Organization), ids=lambda field: str(field.feed_name))
def test_every_field_of_an_organisation_is_read_from_its_own_key(field: Any) -> None:
    sent, means = ("Yes", True) if field.type == bool | None else ("81", "81")
    arrived = normalise_organization(org_row() | {field.feed_name: sent})
    assert isinstance(arrived, Organization)
    expected = 81 if field.attribute == "org_id" else means
    assert getattr(arrived, field.attribute) == expected


def test_contacts_are_left_out_unless_they_are_to_be_published() -> None:
    arrived = normalise_pet(pet_row())
    assert isinstance(arrived, Pet)
    assert arrived.contact_name is UNSET
    assert b"contact" not in codec.encode(arrived)
    assert pet(contactName="").contact_name is None


def test_a_missing_key_keeps_what_is_held_and_an_empty_one_clears_it() -> None:
    held = structs.asdict(pet(color="Black", pattern="Merle"))
    row = pet_row(pattern="")
    del row["color"]
    arrived = normalise_pet(row, held=lambda: held)
    assert isinstance(arrived, Pet)
    assert (arrived.color, arrived.pattern) == ("Black", None)


def test_unknown_keys_and_misfits_survive_as_sent() -> None:
    arrived = pet(adoptionPending="Yes", birthdate="last spring", sizeCurrent="huge", altered="?")
    assert (arrived.birthdate, arrived.size_current, arrived.altered) == (None, None, None)
    assert arrived.extra == {
        "adoptionPending": "Yes", "altered": "?", "birthdate": "last spring", "sizeCurrent": "huge",
    }  # fmt: skip


def test_api_names_and_other_cases_are_understood() -> None:
    row = pet_row()
    row["animalName"] = row.pop("name")
    row["OKWITHADULTS"] = row.pop("oKWithAdults")
    arrived = normalise_pet(row)
    assert isinstance(arrived, Pet)
    assert (arrived.name, arrived.ok_with_adults, arrived.extra) == ("Biscuit &amp; Jam ", True, {})


@pytest.mark.parametrize("sent", ["", None, "x", "0x1", "-1", [], "1" * 19])
def test_a_row_without_a_sensible_id_is_refused(sent: Any) -> None:
    """T21: it is set aside; nothing else refuses a row."""
    assert isinstance(normalise_pet(pet_row(animalID=sent)), Rejection)


@pytest.mark.parametrize("sent", ["", None, [], {}])
def test_no_pictures_comes_in_several_forms(sent: Any) -> None:
    assert pet(pictures=sent).pictures == ()


def test_pictures_come_as_an_object_keyed_by_index_too() -> None:
    arrived = pet(pictures={"10": picture(3, 3), "9": picture(2, 2), "0": picture(1, 1)})
    assert [shown.id for shown in arrived.pictures] == [1, 2, 3]


def test_pictures_are_ordered_by_number_and_doubles_dropped() -> None:
    arrived = pet(pictures=[picture(5, 10), picture(6, 9), picture(5, 11), picture(7, 9)])
    assert [(shown.id, shown.position) for shown in arrived.pictures] == [(6, 1), (7, 2), (5, 3)]


def test_a_picture_without_inner_objects_or_id_is_kept() -> None:
    bare = {"largeUrl": "https://x.example/l.jpg", "thumbnailUrl": "https://x.example/s.jpg"}
    (shown,) = pet(pictures=[bare]).pictures
    assert (shown.id, shown.position, shown.original) == (None, 1, None)
    assert (shown.large, shown.small) == (
        Rendition(url="https://x.example/l.jpg"), Rendition(url="https://x.example/s.jpg"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("row", "start"),
    [
        ({"exportStarted": "2026-11-02 03:04:05"}, datetime(2026, 11, 2, 8, 4, 5, tzinfo=UTC)),
        ({"a": "x", "timestamp": 1793603045}, datetime(2026, 11, 2, 7, 4, 5, tzinfo=UTC)),
        ({"note": "hello"}, None),
    ],
)
def test_the_start_stamp_is_found_under_any_key(
    row: dict[str, Any], start: datetime | None
) -> None:
    assert start_stamp(row) == start


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([f.feed_name for f in fields_of(Pet)]), json_values))
def test_whatever_the_values_are_the_pet_can_be_published(changes: dict[str, Any]) -> None:
    changes.pop("animalID", None)
    encoded = codec.encode(pet(**changes))
    assert b"\\u0000" not in encoded


IMPLAUSIBLE = (
    "0001-01-01", "0001-01-01T00:00:00Z", "9999-12-31", "10000-01-01", "infinity", "-infinity",
    "1899-12-30", "99999999999999", 99999999999, -62135596800,
)  # fmt: skip


@pytest.mark.parametrize("sent", IMPLAUSIBLE)
@pytest.mark.parametrize(
    ("feed_name", "attribute"),
    [
        ("birthdate", "birthdate"), ("foundDate", "found_date"), ("killDate", "kill_date"),
        ("lastUpdated", "updated_at"), ("mediaLastUpdated", "media_updated_at"),
    ],
)  # fmt: skip
def test_f5_a_time_that_cannot_be_shown_is_unknown_and_kept_as_sent(
    feed_name: str, attribute: str, sent: Any
) -> None:
    """F5, T23: it breaks no query over the whole view, and is counted as drift."""
    arrived = pet(**{feed_name: sent})
    assert getattr(arrived, attribute) is None
    assert arrived.extra == {feed_name: sent}
    drift = SchemaDrift(Pet, {})
    drift.see_row({}, arrived)
    assert drift.drift().unfit_values == {feed_name: 1}


def test_f5_what_does_not_fit_inside_a_picture_is_kept_as_sent_beside_its_id() -> None:
    """F5: the picture stays."""
    odd = picture(7, 1) | {
        "lastUpdated": "0001-01-01",
        "large": {"url": "https://x.example/l.jpg", "resolutionX": "1e9", "fileSize": "-5"},
    }
    arrived = pet(pictures=[picture(6, 2), odd])
    assert [(shown.id, shown.updated_at is None) for shown in arrived.pictures] == [
        (7, True), (6, False),
    ]  # fmt: skip
    assert arrived.extra == {
        "pictures": [
            {
                "mediaID": "7", "lastUpdated": "0001-01-01", "large.resolutionX": "1e9",
                "large.fileSize": "-5",
            }
        ]
    }  # fmt: skip


def test_f5_pictures_that_say_nothing_are_no_drift() -> None:
    """F5: an empty value is no misfit."""
    bare = {"mediaID": "", "lastUpdated": "0", "originalUrl": "https://x.example/o.jpg"}
    assert pet(pictures=[bare]).extra == {}


def test_f4_a_birthday_of_eight_digits_is_a_date() -> None:
    """F4."""
    arrived = pet(birthdate="20190704")
    assert (arrived.birthdate, arrived.extra) == (date(2019, 7, 4), {})


@pytest.mark.parametrize(
    "key",
    ["fosterEmail", "FOSTER_EMAIL", "fosteremail", "foster_name", "ownerName", "cellPhone", "tel",
     "contactFax", "contactperson", "volunteer", "coordinatorPhone2", "e-mail", "homePhone",
     "emergencyNumber", "adopterAddress", "animalContactPager", "vetName"],
)  # fmt: skip
def test_f15_no_contact_goes_into_extra_whatever_its_key_is_called(key: str) -> None:
    """F15: unless contacts are to be published."""
    row = pet_row() | {
        key: "Ann 555-0100", "kennel": {"number": 5, key: "Ann", "row": [{key: "B"}]},
    }  # fmt: skip
    arrived = normalise_pet(row)
    assert isinstance(arrived, Pet)
    assert arrived.extra == {"kennel": {"number": 5, "row": [{}]}}
    published = normalise_pet(row, publish_contacts=True)
    assert isinstance(published, Pet)
    assert published.extra[key] == "Ann 555-0100"
    organization = normalise_organization(org_row() | {key: "Ann 555-0100"})
    assert isinstance(organization, Organization)
    assert organization.extra == {}


@pytest.mark.parametrize("sent", [{"first": "Ann"}, ["ann@x.example"], "x" * 100_000])
def test_f15_a_contact_that_does_not_fit_its_field_is_left_out_too(sent: Any) -> None:
    """F15: misfits go to `extra`, but not those."""
    arrived = normalise_pet(pet_row(contactName=sent, contactEmail=sent))
    assert isinstance(arrived, Pet)
    assert arrived.extra == {}
    assert b"Ann" not in codec.encode(arrived)


@pytest.mark.parametrize(
    ("key", "value"),
    [("inFoster", "Yes"), ("ownerSurrender", "No"), ("cancelled", "x"), ("miscellaneous", "y"),
     ("intelligence", "z"), ("velvet", "soft")],
)  # fmt: skip
def test_f15_what_is_no_contact_stays(key: str, value: str) -> None:
    """F15: a flag says nothing of a person, and half a word is none."""
    arrived = normalise_pet(pet_row() | {key: value})
    assert isinstance(arrived, Pet)
    assert arrived.extra == {key: value}


def test_of_several_stamps_the_last_that_may_be_counts() -> None:
    """The last export's may stand beside this one's, in whatever order."""
    latest = datetime(2026, 11, 21, 12, tzinfo=UTC)
    stamps = {
        "previous": "2026-11-20 03:00:00", "this": "2026-11-21 03:00:00",
        "next": "2026-11-22 03:00:00", "rows": "6200",
    }  # fmt: skip
    for order in (stamps, dict(reversed(stamps.items()))):
        assert start_stamp(order, latest) == datetime(2026, 11, 21, 8, tzinfo=UTC)


def test_what_is_empty_is_no_misfit() -> None:
    assert pet(sizeCurrent="", sizePotential="", birthdate="", lastUpdated="", dogs="").extra == {}
