"""What changes in a pet's row when its people edit it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from lab.simulator import picture_rows
from lab.simulator.shapes import chance

if TYPE_CHECKING:
    from random import Random

    from lab.simulator.shapes import Row

Kind = Literal["text", "pictures", "reordered", "picture-dropped"]
_NEWS = " Update: still waiting, still wagging."


class Edit(NamedTuple):
    """One edit, seen in the export of `day`; `at` is epoch seconds."""

    day: int
    at: int
    kind: Kind


def edited(rng: Random, row: Row, edit: Edit, media_id: int, pictures_url: str) -> None:
    """Apply an edit to the row, as text where its kind can't be; new pictures get `media_id`."""
    row["lastUpdated"] = str(edit.at)
    pictures = row["pictures"]
    if edit.kind == "pictures":
        _upload(rng, row, media_id, edit.at - 5, pictures_url)
    elif edit.kind == "reordered" and len(pictures) > 1:
        # Only the order moves: the newest time of the pictures says nothing about it.
        _renumber([*pictures[1:], pictures[0]], row)
    elif edit.kind == "picture-dropped" and len(pictures) > 1:
        _renumber(pictures[1:], row)
    else:
        _reword(rng, row)


def _upload(rng: Random, row: Row, media_id: int, at: int, pictures_url: str) -> None:
    address = picture_rows.folder_url(pictures_url, int(row["orgID"]), int(row["animalID"]))
    new = picture_rows.picture(rng, address=address, media_id=media_id, order=1, at=at)
    kept = row["pictures"]
    if len(kept) > 1 and (chance(rng, 0.4) or len(kept) >= picture_rows.MOST_PICTURES):
        kept = kept[:-1]
    _renumber([*kept, new], row)
    row["mediaLastUpdated"] = str(at)


def _renumber(pictures: list[Row], row: Row) -> None:
    row["pictures"] = [
        {**picture, "mediaOrder": str(order)} for order, picture in enumerate(pictures, 1)
    ]


def _reword(rng: Random, row: Row) -> None:
    fees = ("40.00", "75.00", "110.00", "180.00")
    row["adoptionFee"] = rng.choice([fee for fee in fees if fee != row["adoptionFee"]])
    if chance(rng, 0.4) and row["descriptionPlain"]:
        row["descriptionPlain"] += _NEWS
        start, pixel, end = row["description"].rpartition("<img ")
        row["description"] = f"{start}{_NEWS}{pixel}{end}"
    if chance(rng, 0.2):
        row["housetrained"] = "Yes" if row["housetrained"] != "Yes" else "No"
    if chance(rng, 0.02):
        row["status"] = "Pending" if row["status"] == "Available" else "Available"
    if chance(rng, 0.05):
        row["name"] = f"{row['name'].strip()} II"
