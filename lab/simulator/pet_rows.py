"""The row of a simulated pet on a day.

Rule 1: derived from the seed, its id and its edits: a history of 64,000 pets keeps no text.
Rule 2: every edit moves lastUpdated and at least one other field.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from lab.simulator import picture_rows, prose, vocabulary
from lab.simulator.org_rows import fills_traits, org_site
from lab.simulator.pet_edits import edited
from lab.simulator.shapes import PET_KEYS, TRAIT_KEYS, chance, seeded

if TYPE_CHECKING:
    from random import Random

    from lab.simulator.pet_edits import Edit
    from lab.simulator.shapes import Row

DAY_S = 86_400
HUGE_TEXT_CHARS = 450_000
FIRST_EDIT_PICTURE = 32

_BLANK: Row = dict.fromkeys(PET_KEYS, "")
_SPECIES, _SPECIES_WEIGHTS = zip(*vocabulary.SPECIES, strict=True)


class SimulatedPet(NamedTuple):
    """What is remembered of a pet; all else follows from it."""

    animal_id: int
    ordinal: int
    org_id: int
    first_at: int
    """lastUpdated of the first row, epoch seconds."""
    huge: bool = False
    """A megabyte of description, as some feeds had."""


def pet_row(seed: int, pictures_url: str, pet: SimulatedPet, edits: list[Edit]) -> Row:
    """The pet's row after those edits."""
    rng = seeded(seed, 1, pet.animal_id)
    row = _BLANK.copy()
    row["orgID"] = str(pet.org_id)
    row["animalID"] = str(pet.animal_id)
    row["lastUpdated"] = str(pet.first_at)
    row["status"] = rng.choice(vocabulary.STATUSES) if chance(rng, 0.006) else "Available"
    row["name"] = prose.pet_name(rng)
    _describe_animal(rng, row, pet)
    _describe_home(rng, row, pet)
    if fills_traits(seed, pet.org_id):
        for key, share, values in vocabulary.CLUMPED_FILLS:
            if chance(rng, share):
                row[key] = rng.choice(values)
        for key in TRAIT_KEYS:
            if chance(rng, 0.4):
                row[key] = rng.choice(vocabulary.YES_NO)
    _write_texts(rng, row, pet)
    _add_media(rng, row, pet, pictures_url)
    for number, edit in enumerate(edits):
        media_id = picture_rows.media_id(pet.ordinal, FIRST_EDIT_PICTURE + number)
        edited(seeded(seed, 4, pet.animal_id, number), row, edit, media_id, pictures_url)
    return row


def _describe_animal(rng: Random, row: Row, pet: SimulatedPet) -> None:
    species = rng.choices(_SPECIES, _SPECIES_WEIGHTS)[0]
    breed = rng.choice(vocabulary.BREEDS[species])
    other = rng.choice(vocabulary.BREEDS[species]) if chance(rng, 0.2) else ""
    mixed = bool(other) or chance(rng, 0.4)
    row["species"] = species
    row["primaryBreed"], row["secondaryBreed"] = breed, other
    row["mixed"] = "Yes" if mixed else "No"
    row["breed"] = " / ".join(part for part in (breed, other, "Mixed" if mixed else "") if part)
    for key, share, values in vocabulary.PET_FILLS:
        if chance(rng, share):
            row[key] = rng.choice(values)
    if chance(rng, 0.55):
        born = datetime.fromtimestamp(pet.first_at, UTC).date() - timedelta(rng.randrange(40, 4000))
        row["birthdate"] = _feed_date(born, iso=pet.org_id % 4 != 0)
    row["sizeCurrent"] = row["sizePotential"] = "0"
    if chance(rng, 0.25):
        row["sizeCurrent"] = f"{rng.randrange(20, 900) / 10:.2f}"
        row["sizeUOM"] = "Pounds"


def _describe_home(rng: Random, row: Row, pet: SimulatedPet) -> None:
    row["courtesy"] = "Yes" if chance(rng, 0.04) else "No"
    row["found"] = "No"
    row["messagePet"] = "Yes" if chance(rng, 0.9) else "No"
    row["needsFoster"] = "Yes" if chance(rng, 0.1) else "No"
    if chance(rng, 0.55):
        row["rescueID"] = f"A-{rng.randrange(10, 99_999)}"
    if chance(rng, 0.99):
        row["animalLocation"] = vocabulary.CITIES[pet.org_id % len(vocabulary.CITIES)][2]
    if chance(rng, 0.35):
        row["adoptionFee"] = rng.choice(("50", "125.00", "$250", "300", "85 or best offer"))
    if chance(rng, 0.01):
        row["found"] = "Yes"
        row["foundDate"] = _feed_date(date(2026, rng.randrange(1, 10), 11), iso=True)
        row["foundZipcode"] = "01040"
    if chance(rng, 0.10):
        row["contactName"] = f"Volunteer {rng.choice(vocabulary.NAMES)}"
        row["contactEmail"] = f"foster{rng.randrange(99)}@{org_site(pet.org_id)}"
        row["contactCellPhone"] = f"(555) 555-01{rng.randrange(100):02d}"
        row["contactHomePhone"] = f"(555) 555-01{rng.randrange(100):02d}"
    if chance(rng, 0.19):
        row["petUrl"] = f"https://{org_site(pet.org_id)}/animals/{pet.animal_id}"


def _write_texts(rng: Random, row: Row, pet: SimulatedPet) -> None:
    if chance(rng, 0.03):
        row["summary"] = "Sweet & small; see the long text."
    row["trackerImageUrl"] = prose.tracker_url(pet.animal_id)
    if pet.huge or chance(rng, 0.70):
        length = HUGE_TEXT_CHARS if pet.huge else None
        plain = prose.plain_text(rng, row["name"], org_site(pet.org_id), length)
        row["descriptionPlain"] = plain
        row["description"] = prose.html_text(rng, plain, pet.animal_id)
    elif chance(rng, 0.5):
        row["description"] = prose.html_text(rng, "", pet.animal_id)


def _add_media(rng: Random, row: Row, pet: SimulatedPet, pictures_url: str) -> None:
    row["pictures"] = picture_rows.first_pictures(
        rng,
        base_url=pictures_url,
        org_id=pet.org_id,
        animal_id=pet.animal_id,
        ordinal=pet.ordinal,
        at=pet.first_at,
    )
    row["videos"], row["videoUrls"] = [], []
    if row["pictures"]:
        row["mediaLastUpdated"] = row["pictures"][-1]["lastUpdated"]
    if chance(rng, 0.04):
        number = str(picture_rows.media_id(pet.ordinal, 63))
        url = f"https://video.example.org/watch?v={number}"
        row["videoUrls"] = [
            {
                "mediaID": number,
                "mediaOrder": "1",
                "urlThumbnail": "",
                "videoID": "",
                "videoUrl": url,
            }
        ]


def _feed_date(day: date, *, iso: bool) -> str:
    return day.isoformat() if iso else f"{day.month}/{day.day}/{day.year}"
