"""The row of a simulated organisation, derived from the seed, its id and its edits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.simulator import vocabulary
from lab.simulator.shapes import ORG_KEYS, chance, seeded

if TYPE_CHECKING:
    from lab.simulator.shapes import Row

_BLANK: Row = dict.fromkeys(ORG_KEYS, "")
_TEXTS = (
    ("serveAreas", 0.50, "We place animals within two hours of CITY."),
    ("adoptionProcess", 0.60, "Form, call, visit, trial week, contract."),
    ("about", 0.65, "A handful of volunteers around CITY, founded at a kitchen table."),
    ("meetPets", 0.45, "Every second Saturday at the feed store, 11 to 3."),
    ("services", 0.70, "Adoption"),
)


def org_site(org_id: int) -> str:
    """The host name of an organisation's site; example.org never leads to anybody."""
    return f"org{org_id}.example.org"


def org_row(seed: int, org_id: int, edits: int) -> Row:
    """The organisation after that many edits; each edit changes its phone and now and then more."""
    rng = seeded(seed, 2, org_id)
    city, state, code = rng.choice(vocabulary.CITIES)
    row = _BLANK.copy()
    row["orgID"] = str(org_id)
    row["status"] = "Available"
    row["name"] = f"{city} {rng.choice(vocabulary.ORG_NAMES)} {rng.choice(vocabulary.ORG_KINDS)}"
    row["city"], row["state"], row["zip"] = city, state, code
    row["country"] = "Canada" if state == "ON" else "United States"
    row["orgType"] = rng.choice(("Rescue", "Rescue", "Shelter"))
    row["orgSpecies"] = rng.choice(("", "Dogs Only", "Cats Only", "Dogs and Cats"))
    row["allowAppSubmissions"] = rng.choice(vocabulary.YES_NO)
    row["messageOrg"] = rng.choice(("Yes", "Yes", "No"))
    site = org_site(org_id)
    number = rng.randrange(100)
    if chance(rng, 0.85):
        row["address"] = f"{rng.randrange(1, 999)} Orchard Road"
    if chance(rng, 0.75) or edits:
        row["phone"] = f"(555) 555-01{(number + edits) % 100:02d}"
    if chance(rng, 0.15):
        row["fax"] = f"(555) 555-02{number:02d}"
    if chance(rng, 0.97):
        row["email"] = f"hello@{site}"
    if chance(rng, 0.95):
        forms = (f"https://{site}", f"https://{site}/", f"http://www.{site}", site, "http://")
        row["orgurl"] = rng.choices(forms, (60, 20, 15, 5, 0.5))[0]
    if chance(rng, 0.45):
        row["facebookUrl"] = f"https://social.example.org/{org_id}"
    for key, share, text in _TEXTS:
        if chance(rng, share):
            row[key] = text.replace("CITY", city)
    if edits and edits % 2 == 0:
        row["about"] += f" News {edits}: the new kennels are up."
    return row


def fills_traits(seed: int, org_id: int) -> bool:
    """Whether its people tick the many trait boxes; most organisations never do."""
    return chance(seeded(seed, 3, org_id), 0.3)
