"""The normalised pet, organisation and picture: the field's own names, typed.

Rule 1: attributes are snake_case here and in Postgres, camelCase in events.
Rule 2: ``None`` = the feed says nothing (``""``); an absent contact = left out by the settings.
Rule 3: text is as sent. Nothing is cleaned, capitalised or guessed; `extra` keeps what has no type.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from msgspec import UNSET, Struct, UnsetType

Contact = str | None | UnsetType
"""Personal data: in events only with ``PETSTREAM_CONTACTS=publish``."""


class Rendition(Struct, frozen=True, rename="camel"):
    """One size of a picture: pixels, and bytes as the feed states them."""

    url: str
    width: int | None = None
    height: int | None = None
    bytes: int | None = None


class Picture(Struct, frozen=True, rename="camel"):
    """One picture of a pet; `id` and `updated_at` are its identity, never its URL."""

    id: int | None
    position: int
    updated_at: datetime | None = None
    original: Rendition | None = None
    large: Rendition | None = None
    small: Rendition | None = None


class Pet(Struct, frozen=True, kw_only=True, rename="camel"):
    """One adoptable pet, normalised from a row of pets_n, newpets_n or updatedpets_n."""

    animal_id: int
    org_id: int | None = None
    status: str | None = None
    updated_at: datetime | None = None
    rescue_id: str | None = None
    name: str | None = None
    summary: str | None = None
    species: str | None = None
    breed: str | None = None
    primary_breed: str | None = None
    secondary_breed: str | None = None
    sex: str | None = None
    mixed: bool | None = None
    good_with_dogs: bool | None = None
    good_with_cats: bool | None = None
    good_with_kids: bool | None = None
    declawed: bool | None = None
    housetrained: bool | None = None
    age: str | None = None
    birthdate: date | None = None
    special_needs: bool | None = None
    altered: bool | None = None
    size: str | None = None
    size_current: float | None = None
    size_potential: float | None = None
    size_unit: str | None = None
    up_to_date: bool | None = None
    color: str | None = None
    coat_length: str | None = None
    pattern: str | None = None
    courtesy: bool | None = None
    found: bool | None = None
    found_date: date | None = None
    found_zipcode: str | None = None
    postal_code: str | None = None
    kill_date: date | None = None
    kill_reason: str | None = None
    description_html: str | None = None
    description_text: str | None = None
    tracker_image_url: str | None = None
    adoption_fee: str | None = None
    ok_with_adults: bool | None = None
    obedience_training: str | None = None
    owner_experience: str | None = None
    exercise_needs: str | None = None
    energy_level: str | None = None
    grooming_needs: str | None = None
    yard_required: bool | None = None
    fence: str | None = None
    shedding: str | None = None
    new_people: str | None = None
    vocal: str | None = None
    activity_level: str | None = None
    ear_type: str | None = None
    eye_color: str | None = None
    tail_type: str | None = None
    older_kids_only: bool | None = None
    no_small_dogs: bool | None = None
    no_large_dogs: bool | None = None
    no_female_dogs: bool | None = None
    no_male_dogs: bool | None = None
    ok_for_seniors: bool | None = None
    hypoallergenic: bool | None = None
    good_in_car: bool | None = None
    leashtrained: bool | None = None
    cratetrained: bool | None = None
    fetches: bool | None = None
    plays_toys: bool | None = None
    swims: bool | None = None
    lap: bool | None = None
    ok_with_farm_animals: bool | None = None
    drools: bool | None = None
    apartment: bool | None = None
    no_heat: bool | None = None
    no_cold: bool | None = None
    protective: bool | None = None
    escapes: bool | None = None
    predatory: bool | None = None
    has_allergies: bool | None = None
    special_diet: bool | None = None
    ongoing_medical: bool | None = None
    hearing_impaired: bool | None = None
    sight_impaired: bool | None = None
    obedient: bool | None = None
    playful: bool | None = None
    timid: bool | None = None
    skittish: bool | None = None
    independent: bool | None = None
    affectionate: bool | None = None
    eager_to_please: bool | None = None
    intelligent: bool | None = None
    eventempered: bool | None = None
    gentle: bool | None = None
    goofy: bool | None = None
    pictures: tuple[Picture, ...] = ()
    videos: tuple[Any, ...] = ()
    video_urls: tuple[Any, ...] = ()
    media_updated_at: datetime | None = None
    contact_name: Contact = UNSET
    contact_email: Contact = UNSET
    contact_cell_phone: Contact = UNSET
    contact_home_phone: Contact = UNSET
    pet_url: str | None = None
    message_pet: bool | None = None
    needs_foster: bool | None = None
    extra: dict[str, Any] = {}


class Organization(Struct, frozen=True, kw_only=True, rename="camel"):
    """One rescue or shelter, normalised from a row of orgs_n."""

    org_id: int
    status: str | None = None
    name: str | None = None
    address: str | None = None
    city: str | None = None
    state: str | None = None
    postal_code: str | None = None
    country: str | None = None
    phone: str | None = None
    fax: str | None = None
    email: str | None = None
    url: str | None = None
    facebook_url: str | None = None
    type: str | None = None
    species: str | None = None
    serve_areas: str | None = None
    adoption_process: str | None = None
    about: str | None = None
    meet_pets: str | None = None
    services: str | None = None
    allow_app_submissions: bool | None = None
    message_org: bool | None = None
    extra: dict[str, Any] = {}
