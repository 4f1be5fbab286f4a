"""What a search gives, as the pages show it and as programs get it."""

from __future__ import annotations

from datetime import datetime

import msgspec


class FoundPet(msgspec.Struct, frozen=True, rename="camel"):
    """A pet among others.

    Attributes:
        animal_id: its id.
        name: as the feed says it, without entities of HTML; null: it has none, or is forgotten.
        species: for example ``Dog``.
        breed: as the feed says it.
        sex: ``Male`` or ``Female``.
        age: ``Baby``, ``Young``, ``Adult`` or ``Senior``.
        status: ``Available`` and others; of one that left, the last.
        org_id: its organisation.
        org_name: that organisation's name.
        city: where the organisation is.
        state: where the organisation is.
        removed_at: when it left the feed; null: it is listed.
        picture: the path of its first stored picture, 320 pixels wide, on this server.
    """

    animal_id: int
    name: str | None = None
    species: str | None = None
    breed: str | None = None
    sex: str | None = None
    age: str | None = None
    status: str | None = None
    org_id: int | None = None
    org_name: str | None = None
    city: str | None = None
    state: str | None = None
    removed_at: datetime | None = None
    picture: str | None = None


class FoundOrganization(msgspec.Struct, frozen=True, rename="camel"):
    """An organisation among others.

    Attributes:
        org_id: its id.
        name: without entities of HTML.
        city: where it is.
        state: where it is.
        pets: how many pets it lists.
        is_listed: whether it is in the feed now.
    """

    org_id: int
    name: str | None
    city: str | None
    state: str | None
    pets: int
    is_listed: bool


class FacetCount(msgspec.Struct, frozen=True, rename="camel"):
    """How many of what a search gives have a value.

    Attributes:
        value: what the filter of the facet's name takes to keep only these.
        label: the value for a person.
        pets: how many.
    """

    value: str
    label: str
    pets: int


class SearchResults(msgspec.Struct, frozen=True, rename="camel"):
    """What a search gives.

    Attributes:
        criteria: what was searched for, as it was understood: names of parameters and their values.
        pets: a page of pets.
        organizations: organisations that are called so, seven at most; on the first page alone.
        total: how many pets there are on all pages; if `is_more_than_total`, more than that.
        is_more_than_total: counting ended at the total, and so did the facets' counts.
        facets: counts by the name of a filter.
        after: what the parameter ``after`` of the next page is; null: this is the last.
        is_indexed: whether Postgres has pg_trgm and its index; without, large tables take longer.
    """

    criteria: dict[str, str]
    pets: list[FoundPet]
    organizations: list[FoundOrganization]
    total: int
    is_more_than_total: bool
    facets: dict[str, list[FacetCount]]
    after: str | None
    is_indexed: bool


class OrganizationPets(msgspec.Struct, frozen=True, rename="camel"):
    """An organisation, and a page of the pets it lists.

    Attributes:
        org_id: its id.
        name: without entities of HTML; null: the feed lists pets of it, but not itself.
        is_listed: whether it is in the feed now.
        removed_at: when it left.
        fields: what is known of it, by the names of the view ``organizations``.
        pets: by name.
        total: how many pets it lists; counting ends at 50,000.
        after: what the parameter ``after`` of the next page is; null: this is the last.
    """

    org_id: int
    name: str | None
    is_listed: bool
    removed_at: datetime | None
    fields: dict[str, str]
    pets: list[FoundPet]
    total: int
    after: str | None


class OrganizationList(msgspec.Struct, frozen=True, rename="camel"):
    """Organisations that are in the feed now.

    Attributes:
        organizations: a page of them, by name.
        after: what the parameter ``after`` of the next page is; null: this is the last.
    """

    organizations: list[FoundOrganization]
    after: str | None
