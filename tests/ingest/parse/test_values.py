"""Values of the feed become typed values, or say that they don't fit."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from ingest.parse import values


@pytest.mark.parametrize(
    ("sent", "means"),
    [
        ("Yes", True), ("No", False), ("yes", True), (" NO ", False), ("1", True), ("0", False),
        (True, True), (False, False), (1, True), (" ", None),
    ],
)  # fmt: skip
def test_yes_and_no_are_understood_in_every_form(sent: Any, means: Any) -> None:
    assert values.flag(sent) is means


@pytest.mark.parametrize("sent", ["maybe", "2", [], {}, 17, "Yes please"])
def test_what_is_neither_yes_nor_no_does_not_fit(sent: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        values.flag(sent)


@pytest.mark.parametrize("sent", ["22611034", " 22611034 ", 22611034, Decimal(22611034)])
def test_an_id_is_digits_as_text_or_number(sent: Any) -> None:
    assert values.identifier(sent) == 22611034


@pytest.mark.parametrize(
    "sent", ["", "abc", "-5", "1.5", "1" * 19, "٣٤", True, None, [], Decimal("1e400"), "12 34"]
)
def test_anything_else_is_no_id(sent: Any) -> None:
    """T21: 1 to 18 ASCII digits, as text or as a number, and nothing else."""
    with pytest.raises(ValueError, match=r"."):
        values.identifier(sent)


@pytest.mark.parametrize(
    ("sent", "means"),
    [
        ("1596010077", datetime(2020, 7, 29, 8, 7, 57, tzinfo=UTC)),
        (1596010077, datetime(2020, 7, 29, 8, 7, 57, tzinfo=UTC)),
        ("1596010077000", datetime(2020, 7, 29, 8, 7, 57, tzinfo=UTC)),
        ("2026-11-02T03:04:05Z", datetime(2026, 11, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-11-02 03:04:05", datetime(2026, 11, 2, 8, 4, 5, tzinfo=UTC)),
        ("2026-07-02 03:04:05", datetime(2026, 7, 2, 7, 4, 5, tzinfo=UTC)),
        ("11/02/2026 3:04:05 PM", datetime(2026, 11, 2, 20, 4, 5, tzinfo=UTC)),
        ("", None), ("0", None), ("0000-00-00", None),
    ],
)  # fmt: skip
def test_times_are_epoch_or_eastern(sent: Any, means: datetime | None) -> None:
    assert values.instant(sent) == means


@pytest.mark.parametrize(
    "sent", ["soon", "99999999999999999", "2026-13-40", "0001-01-01 00:00:00+14:00", [], "12"]
)
def test_what_is_no_time_does_not_fit(sent: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        values.instant(sent)


@pytest.mark.parametrize(
    ("sent", "means"),
    [
        ("2026-01-31", date(2026, 1, 31)), ("1/31/2026", date(2026, 1, 31)),
        ("2026-01-31T00:00:00Z", date(2026, 1, 31)), ("1769817600", date(2026, 1, 31)),
        ("0000-00-00", None), ("", None), ("0", None),
    ],
)  # fmt: skip
def test_dates_have_no_zone(sent: Any, means: date | None) -> None:
    assert values.day(sent) == means


@pytest.mark.parametrize(("sent", "means"), [("45.5", 45.5), ("0", None), ("0.00", None), (7, 7.0)])
def test_a_size_of_zero_is_unset(sent: Any, means: float | None) -> None:
    assert values.size(sent) == means


@pytest.mark.parametrize("sent", ["-3", "1e400", "big", Decimal("1e999999999"), [], "NaN"])
def test_absurd_sizes_do_not_fit(sent: Any) -> None:
    """T23: and none of them is computed with."""
    with pytest.raises(ValueError, match=r"."):
        values.size(sent)


def test_nul_and_lone_surrogates_never_reach_a_store() -> None:
    assert values.text("a\0b\ud800c") == "ab\ufffdc"
    nested = values.plain({"k\0": ["\udfff", {"x": Decimal("1e999999999")}]})
    assert nested == {"k": ["\ufffd", {"x": "1E+999999999"}]}


def test_a_list_that_became_an_object_keeps_its_order() -> None:
    """PHP makes objects with indexes of lists; `10` comes behind `9`."""
    sent = {"10": "k", "9": "j", "0": "a", "x": "last"}
    assert values.elements(sent) == ["a", "j", "k", "last"]


@pytest.mark.parametrize("sent", [10**64, -(10**64), Decimal(10**64)])
def test_a_number_of_any_length_is_no_text(sent: Any) -> None:
    """T12: to make text of a long enough one takes minutes."""
    with pytest.raises(values.MisfitError):
        values.text(sent)
    assert values.text(10**63) == "1" + 63 * "0"


@pytest.mark.parametrize("sent", ["9" * 18, int("9" * 18), " " + "9" * 18])
def test_the_longest_id_has_18_digits(sent: Any) -> None:
    """T21."""
    assert values.identifier(sent) == 999_999_999_999_999_999


@pytest.mark.parametrize(
    ("sent", "means"),
    [(True, "Yes"), (False, "No"), (17, "17"), (Decimal("4.50"), "4.50"), ("", None)],
)
def test_what_should_be_text_is_as_the_feed_would_write_it(sent: Any, means: Any) -> None:
    assert values.text(sent) == means


@pytest.mark.parametrize(
    ("sent", "means"),
    [
        (2**63 - 1, 2**63 - 1), (2**63, str(2**63)),
        (-(2**63), -(2**63)), (-(2**63) - 1, str(-(2**63) - 1)),
        (Decimal("1.234567890123456"), 1.234567890123456),  # 17 characters
        (Decimal("1.2345678901234567"), "1.2345678901234567"),
        (Decimal("1e299"), 1e299), (Decimal("1e300"), "1E+300"), (Decimal("-1e-300"), "-1E-300"),
        (int("9" * 1_200), "9" * 1_000),
        (True, True),
    ],
)  # fmt: skip
def test_t23_a_number_that_no_store_holds_stays_as_text(sent: Any, means: Any) -> None:
    """T23: of a thousand digits at the most; what an integer of 8 bytes or a float holds stays."""
    plain = values.plain(sent)
    assert plain == means
    assert type(plain) is type(means)


def test_what_php_made_of_a_list_is_in_the_order_of_its_indexes() -> None:
    assert values.elements({"10": "c", "2": "b", "0": "a", "x": "e", "9" * 64: "d"}) == [
        "a", "b", "c", "d", "e",
    ]  # fmt: skip
