"""What changes in a pet's row when its people edit it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from console.simulator import picture_rows

if TYPE_CHECKING:
    from random import Random

    from console.simulator.shapes import Row

Kind = Literal["text", "pictures", "reordered", "picture-dropped"]
_NEWS = " Update: still waiting, still wagging."


class Edit(NamedTuple):
    """One edit, seen in the export of `day`; `at` is epoch seconds."""

    day: int
    at: int
    kind: Kind


def edited(rng: Random, row: Row, ordinal: int, number: int, edit: Edit, pictures_url: str) -> None:
    """Apply a pet's edit of that number to the row; the kind falls back to text where it can't."""
    row["lastUpdated"] = str(edit.at)
    pictures = row["pictures"]
    if edit.kind == "pictures":
        _upload(rng, row, picture_rows.media_id(ordinal, 32 + number), edit.at - 5, pictures_url)
    elif edit.kind == "reordered" and len(pictures) > 1:
        # Only the order moves: the newest time of the pictures says nothing about it.
        _renumber([*pictures[1:], pictures[0]], row)
    elif edit.kind == "picture-dropped" and len(pictures) > 1:
        _renumber(pictures[1:], row)
    else:
        _reword(rng, row, number)


def _upload(rng: Random, row: Row, media_id: int, at: int, pictures_url: str) -> None:
    address = picture_rows.folder_url(pictures_url, int(row["orgID"]), int(row["animalID"]))
    new = picture_rows.picture(rng, address=address, media_id=media_id, order=1, at=at)
    kept = row["pictures"]
    if len(kept) > 1 and (rng.random() < 0.4 or len(kept) >= picture_rows.MOST_PICTURES):
        kept = kept[:-1]
    _renumber([*kept, new], row)
    row["mediaLastUpdated"] = str(at)


def _renumber(pictures: list[Row], row: Row) -> None:
    row["pictures"] = [
        {**picture, "mediaOrder": str(order)} for order, picture in enumerate(pictures, 1)
    ]


def _reword(rng: Random, row: Row, number: int) -> None:
    row["adoptionFee"] = f"{40 + 15 * number + 5 * rng.randrange(3)}.00"
    if rng.random() < 0.4 and row["descriptionPlain"]:
        row["descriptionPlain"] += _NEWS
        start, pixel, end = row["description"].rpartition("<img ")
        row["description"] = f"{start}{_NEWS}{pixel}{end}"
    if rng.random() < 0.2:
        row["housetrained"] = "Yes" if row["housetrained"] != "Yes" else "No"
    if rng.random() < 0.02:
        row["status"] = "Pending" if row["status"] == "Available" else "Available"
    if rng.random() < 0.05:
        row["name"] = f"{row['name'].strip()} II"
