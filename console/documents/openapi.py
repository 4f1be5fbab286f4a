"""What `/api` answers, as an OpenAPI 3.1 document: made from the types that are encoded there."""

from __future__ import annotations

from typing import Any, Final, NamedTuple, get_args

import msgspec

from console.find.criteria import PICTURES, Left
from console.find.pet import PetDetails
from console.find.results import OrganizationPets, SearchResults

VERSION: Final = "1.0.0"
"""Of what `/api` answers; fields are only ever added."""

_REFS: Final = "#/components/schemas/{name}"


class Endpoint(NamedTuple):
    """A path of the API: what it gives, its parameters with a sentence each."""

    path: str
    name: str
    summary: str
    answer: type[msgspec.Struct]
    in_path: dict[str, str]
    in_query: dict[str, dict[str, Any]]


def _words(meaning: str, *words: str) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"} | ({"enum": list(words)} if words else {})
    return {"description": meaning, "schema": schema}


_AFTER: Final = _words("`after` of the page before: the next page.")
ENDPOINTS: Final = (
    Endpoint(
        "/api/search", "search", "What the search shows: a page of pets, with counts.",
        SearchResults, {},
        {
            "q": _words("Words, or an id."), "species": _words("As the feed says it."),
            "status": _words("As the feed says it."), "state": _words("Of the organisation."),
            "org": _words("The id of an organisation."),
            "pictures": _words("Trouble with a picture.", *PICTURES),
            "left": _words("When it left.", *(word for word in get_args(Left) if word)),
            "after": _AFTER,
        },
    ),
    Endpoint(
        "/api/pets/{animalId}", "pet", "What a pet's page shows, also of one that left.",
        PetDetails, {"animalId": "The pet's id."}, {},
    ),
    Endpoint(
        "/api/orgs/{orgId}", "organization", "What an organisation's page shows.",
        OrganizationPets, {"orgId": "The organisation's id."}, {"after": _AFTER},
    ),
)  # fmt: skip
"""Every path, in the order of the document."""


def openapi() -> dict[str, Any]:
    """Return the document."""
    _, schemas = msgspec.json.schema_components(
        [endpoint.answer for endpoint in ENDPOINTS], ref_template=_REFS
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "petstream's console",
            "version": VERSION,
            "description": "What the pages show, for programs. It only reads; who reaches the "
            "port may ask, as with the pages.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": {endpoint.path: {"get": _operation(endpoint)} for endpoint in ENDPOINTS},
        "components": {
            "schemas": {
                **schemas,
                "Problem": {
                    "type": "object",
                    "properties": {"error": {"type": "string", "description": "What is wrong."}},
                    "required": ["error"],
                },
            }
        },
    }


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    in_path = [
        {"name": name, "in": "path", "required": True, "description": meaning,
         "schema": {"type": "integer", "minimum": 0}}
        for name, meaning in endpoint.in_path.items()
    ]  # fmt: skip
    in_query = [{"name": name, "in": "query", **said} for name, said in endpoint.in_query.items()]
    problem = {"application/json": {"schema": {"$ref": _REFS.format(name="Problem")}}}
    answer = {"schema": {"$ref": _REFS.format(name=endpoint.answer.__name__)}}
    return {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "parameters": in_path + in_query,
        "responses": {
            "200": {"description": endpoint.summary, "content": {"application/json": answer}},
            "404": {"description": "There is no such thing.", "content": problem},
            "503": {"description": "Postgres can't be asked.", "content": problem},
        },
    }
