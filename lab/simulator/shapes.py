"""The feed's row shapes: keys in file order, and rows as PHP's json_encode writes them."""

from __future__ import annotations

import json
import random
from typing import Any

Row = dict[str, Any]
"""A row exactly as written into the JSON: scalars are strings, pictures a list of objects."""

LARGEST_SEED = 2**64 - 1

TRAIT_KEYS = tuple(
    """oKWithAdults yardRequired olderKidsOnly noSmallDogs noLargeDogs noFemaleDogs noMaleDogs
    oKForSeniors hypoallergenic goodInCar leashtrained cratetrained fetches playsToys swims lap
    oKWithFarmAnimals drools apartment noHeat noCold protective escapes predatory hasAllergies
    specialDiet ongoingMedical hearingImpaired sightImpaired obedient playful timid skittish
    independent affectionate eagerToPlease intelligent eventempered gentle goofy""".split()  # noqa: SIM905 - as the feed lists them
)

PET_KEYS = tuple(
    """orgID animalID status lastUpdated rescueID name summary species breed primaryBreed
    secondaryBreed sex mixed dogs cats kids declawed housetrained age birthdate specialNeeds altered
    size sizeCurrent sizePotential sizeUOM uptodate color coatLength pattern courtesy found
    foundDate foundZipcode animalLocation killDate killReason description descriptionPlain
    trackerImageUrl adoptionFee oKWithAdults obedienceTraining ownerExperience exerciseNeeds
    energyLevel groomingNeeds yardRequired fence shedding newPeople vocal activityLevel earType
    eyeColor tailType olderKidsOnly noSmallDogs noLargeDogs noFemaleDogs noMaleDogs oKForSeniors
    hypoallergenic goodInCar leashtrained cratetrained fetches playsToys swims lap
    oKWithFarmAnimals drools apartment noHeat noCold protective escapes predatory hasAllergies
    specialDiet ongoingMedical hearingImpaired sightImpaired obedient playful timid skittish
    independent affectionate eagerToPlease intelligent eventempered gentle goofy pictures videos
    videoUrls mediaLastUpdated contactName contactEmail contactCellPhone contactHomePhone petUrl
    messagePet needsFoster""".split()  # noqa: SIM905 - as the feed lists them
)

ORG_KEYS = tuple(
    """orgID status name address city state zip country phone fax email orgurl facebookUrl orgType
    orgSpecies serveAreas adoptionProcess about meetPets services allowAppSubmissions
    messageOrg""".split()  # noqa: SIM905 - as the feed lists them
)


def encode(row: Row) -> bytes:
    r"""One line without its end: compact, ASCII with \uXXXX, and every slash written as \/."""
    return json.dumps(row, separators=(",", ":")).replace("/", "\\/").encode("ascii")


def chance(rng: random.Random, share: float) -> bool:
    """Whether this one is among the share of all."""
    return rng.random() < share


def seeded(*parts: int) -> random.Random:
    """A generator that depends on nothing but these numbers, so that rows need not be kept."""
    number = 0
    for part in parts:
        number = (number * 1_000_003 + part + 1) & LARGEST_SEED
    return random.Random(number)  # noqa: S311 - play data, not secrets
