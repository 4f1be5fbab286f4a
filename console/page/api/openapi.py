"""What `/api` answers, as an OpenAPI 3.1 document: made from the types that are encoded there.

Rule 1: an endpoint names the page that shows the same; a test finds the page that has none.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple, get_args

import msgspec
from aiohttp import web

from console.find.criteria import PICTURES, Left
from console.find.pet import PetDetails
from console.find.results import OrganizationList, OrganizationPets, SearchResults
from console.inspect.export_diff import ExportDiff
from console.page.api.answer import answer
from console.page.api.answers import (
    AlertPage,
    AlertPages,
    ExportDetails,
    ExportList,
    LetterDetails,
    LetterList,
    PlanDetails,
    PlanList,
    PublishedLife,
)
from console.page.api.front_answers import FeedList, GoingOn, Overview
from console.page.operations.exports import OPS

VERSION: Final = "1.2.0"
"""Of what `/api` answers; fields are only ever added."""

_REFS: Final = "#/components/schemas/{name}"


class Endpoint(NamedTuple):
    """A path of the API: what it gives, its parameters with a sentence each.

    Attributes:
        path: the path.
        page: the path of the page that shows the same.
        name: of the operation.
        summary: what it gives, in a sentence.
        answer: its type.
        in_path: parameters in the path: a sentence, and the schema.
        in_query: parameters behind it.
    """

    path: str
    page: str
    name: str
    summary: str
    answer: type[msgspec.Struct]
    in_path: dict[str, tuple[str, dict[str, Any]]]
    in_query: dict[str, dict[str, Any]]


def _words(meaning: str, *words: str) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"} | ({"enum": list(words)} if words else {})
    return {"description": meaning, "schema": schema}


_AFTER: Final = _words("`after` of the page before: the next page.")
_ID: Final = {"type": "integer", "minimum": 0}
_NAME: Final = {"type": "string"}
ENDPOINTS: Final = (
    Endpoint(
        "/api/feeds", "/feeds", "feeds", "How this feed stands, and those of other consoles.",
        FeedList, {}, {},
    ),
    Endpoint(
        "/api/overview", "/", "overview", "What the front page shows, most urgent first.",
        Overview, {}, {},
    ),
    Endpoint(
        "/api/progress", "/", "progress", "What is going on now, with rates and time left.",
        GoingOn, {}, {},
    ),
    Endpoint(
        "/api/search", "/search", "search", "What the search shows: a page of pets, with counts.",
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
        "/api/pets/{animalId}", "/pets/{animalId}", "pet",
        "What a pet's page shows, also of one that left.",
        PetDetails, {"animalId": ("The pet's id.", _ID)}, {},
    ),
    Endpoint(
        "/api/pets/{animalId}/life", "/pets/{animalId}/life", "life",
        "A pet's events as they were published, and what they mean.",
        PublishedLife, {"animalId": ("The pet's id.", _ID)}, {},
    ),
    Endpoint(
        "/api/orgs", "/orgs", "organizations", "The organisations in the feed, by name.",
        OrganizationList, {}, {"after": _AFTER},
    ),
    Endpoint(
        "/api/orgs/{orgId}", "/orgs/{orgId}", "organization",
        "What an organisation's page shows.",
        OrganizationPets, {"orgId": ("The organisation's id.", _ID)}, {"after": _AFTER},
    ),
    Endpoint(
        "/api/exports", "/exports", "exports", "The exports that are known, newest first.",
        ExportList, {}, {},
    ),
    Endpoint(
        "/api/exports/{exportId}", "/exports/{exportId}", "export",
        "One export, and a page of the pets that it changed.",
        ExportDetails, {"exportId": ("The export's id.", _NAME)},
        {"op": _words("What became of the pets.", *OPS), "after": _AFTER},
    ),
    Endpoint(
        "/api/exports/{exportId}/diff", "/exports/{exportId}/diff", "diff",
        "What lies between an export and the completed one before.",
        ExportDiff, {"exportId": ("The export's id.", _NAME)}, {},
    ),
    Endpoint(
        "/api/plans", "/plans", "plans", "Held removals, those that wait first.",
        PlanList, {}, {},
    ),
    Endpoint(
        "/api/plans/{planId}", "/plans/{planId}", "plan",
        "One plan of removals, and a page of whom it would remove.",
        PlanDetails, {"planId": ("The plan's name.", _NAME)}, {"after": _AFTER},
    ),
    Endpoint(
        "/api/dead-letters", "/dead-letters", "deadLetters", "Dead letters, newest first.",
        LetterList, {},
        {
            "class": _words("Of which class.", "row", "event"),
            "reason": _words("Of which reason."),
            "before": _words("`before` of the page before: the next page."),
        },
    ),
    Endpoint(
        "/api/dead-letters/{letterId}", "/dead-letters/{letterId}", "deadLetter",
        "One dead letter with its bytes.",
        LetterDetails, {"letterId": ("The letter's id.", _ID)}, {},
    ),
    Endpoint(
        "/api/runbooks", "/runbooks", "runbooks", "What to do about each alert.",
        AlertPages, {}, {},
    ),
    Endpoint(
        "/api/runbooks/{page}", "/runbooks/{page}", "runbook", "What to do about one alert.",
        AlertPage, {"page": ("The name of its page.", _NAME)}, {},
    ),
)  # fmt: skip
"""Every path, in the order of the document."""


def routes() -> list[web.RouteDef]:
    """Return the route of the document."""

    async def described(_request: web.Request) -> web.Response:
        return answer(openapi())

    return [web.get("/api/openapi.json", described)]


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
        {"name": name, "in": "path", "required": True, "description": meaning, "schema": schema}
        for name, (meaning, schema) in endpoint.in_path.items()
    ]  # fmt: skip
    in_query = [{"name": name, "in": "query", **said} for name, said in endpoint.in_query.items()]
    problem = {"application/json": {"schema": {"$ref": _REFS.format(name="Problem")}}}
    content = {"schema": {"$ref": _REFS.format(name=endpoint.answer.__name__)}}
    return {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "parameters": in_path + in_query,
        "responses": {
            "200": {"description": endpoint.summary, "content": {"application/json": content}},
            "404": {"description": "There is no such thing.", "content": problem},
            "409": {"description": "It can't be told, as `error` says.", "content": problem},
            "503": {"description": "A server can't be asked.", "content": problem},
        },
    }
