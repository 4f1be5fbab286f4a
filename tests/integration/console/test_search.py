"""The search on a real Postgres: what a person finds, with pg_trgm and without."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from console.find.criteria import Criteria, criteria_of, position_of
from console.find.lookup import KnownId, search
from console.find.names import pets_called
from console.find.results import SearchResults
from console.inspect.database_reader import Rows, Unavailable, fetch_rows
from consumers.engine import migrate as migrations_of
from consumers.engine.migrate import Migration, migrate, migrations
from consumers.engine.queries import queries, query

pytestmark = pytest.mark.servers

NOW = datetime.now(UTC)
PETS = """
INSERT INTO petstream.pet (animal_id, sequence, digest, export_id, attributes, first_seen_at,
    listed, removed_at, name, species, breed, status, org_id, postal_code)
SELECT pet.*, name, species, breed, status, org_id, code FROM (VALUES
    (1, true, NULL, 'Poppy', 'Dog', 'Beagle', 'Available', 10, '78701'),
    (2, true, NULL, 'Poppy Rose', 'Cat', 'Siamese', 'Hold', 11, '89501'),
    (3, true, NULL, 'Sweet Poppy', 'Dog', 'Boxer', 'Available', 11, NULL),
    (4, true, NULL, 'Ann &amp; Bob 50%', 'Guinea Pig', 'Abyssinian', 'Available', 10, NULL),
    (5, true, NULL, NULL, 'Dog', 'Poppy Hound', 'Available', 12, NULL),
    (6, false, now() - interval '3 days', 'Poppy', 'Dog', 'Beagle', 'Available', 10, NULL),
    (7, false, now() - interval '90 days', 'Biscuit', 'Cat', 'Tabby', 'Adopted', 11, NULL)
) AS row (animal_id, listed, removed_at, name, species, breed, status, org_id, code),
LATERAL (SELECT animal_id, 1, 'd', 'e', '{}'::jsonb, now(), listed, removed_at) AS pet
"""
OTHERS = """
INSERT INTO petstream.organization (org_id, sequence, digest, listed, export_id, name, city, state)
VALUES (10, 1, 'd', true, 'e', 'Paws &amp; Co', 'Austin', ' tx '),
    (11, 1, 'd', true, 'e', 'Reno Rescue', 'Reno', 'NV'),
    (12, 1, 'd', true, 'e', 'Tails', NULL, '');
INSERT INTO petstream.pet_picture (animal_id, picture_key, position, status, thumbnails)
VALUES (1, 'a', 1, 'stored', '{"320": "k"}'), (1, 'b', 2, 'gone', NULL),
    (3, 'c', 1, 'failed', NULL)
"""
STALE = """
TABLE petstream.pet_search EXCEPT TABLE petstream.pet_searched
UNION ALL (TABLE petstream.pet_searched EXCEPT TABLE petstream.pet_search)
"""
LEAVES = "DELETE FROM petstream.pet WHERE animal_id = {}"


class Searched:
    """A database of some pets, and its search."""

    def __init__(self, url: str) -> None:
        """Search there."""
        self.url = url

    async def ask(self, asked: Any) -> Rows | Unavailable:
        """Ask as the pages do."""
        return await fetch_rows(self.url, asked)

    async def run(self, *statements: str) -> None:
        """Change the tables."""
        connection = await asyncpg.connect(self.url)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    async def stale(self) -> list[Any]:
        """Return what the trigger wrote otherwise than the view says it."""
        connection = await asyncpg.connect(self.url)
        try:
            return list(await connection.fetch(STALE))
        finally:
            await connection.close()

    async def results(self, after: str = "", **asked: str) -> SearchResults:
        """Search."""
        results = await search(self.ask, criteria_of(asked), position_of(after), NOW)
        assert isinstance(results, SearchResults)
        return results

    async def ids(self, **asked: str) -> list[int]:
        """Return who is found, in the order of the page."""
        return [pet.animal_id for pet in (await self.results(**asked)).pets]


@pytest.fixture
async def some(database_url: str) -> Searched:
    """Seven pets of three organisations."""
    searched = Searched(database_url)
    await searched.run(PETS, OTHERS)
    return searched


FINDS = {
    "poppy": [1, 2, 3, 5, 6],  # named just so, at first, elsewhere, otherwise; who left is last
    "POPPY beagle": [1, 6],
    "ann & bob": [4],
    "50%": [4],
    "%": [],
    "guinea": [4],
    "cats": [2],  # a filter: of whom is listed
    "poppy dogs": [1, 3, 5, 6],
    "reno": [3, 2, 7],
    "paws & co": [4, 1, 6],
    "tx": [4, 1, 6],
    "poppy tx": [1, 6],
    "78701": [1],
    "iscui": [7],
    "be": [1, 6],
    "po\\": [],
    "nobody": [],
}


async def test_it_finds_by_name_breed_organisation_place_and_who_left(some: Searched) -> None:
    """Without pg_trgm too, and then it says so."""
    seen = {words: await some.ids(q=words) for words in FINDS}
    assert {words: sorted(ids) for words, ids in seen.items()} == {
        words: sorted(ids) for words, ids in FINDS.items()
    }
    assert seen["poppy"] == FINDS["poppy"]
    assert (await some.results(q="poppy")).is_indexed
    await some.run("DROP EXTENSION pg_trgm CASCADE")
    assert {words: await some.ids(q=words) for words in FINDS} == seen
    assert not (await some.results(q="poppy")).is_indexed


async def test_filters_narrow_it_and_their_counts_say_by_how_much(some: Searched) -> None:
    assert await some.ids() == [4, 1, 2, 3, 5]  # whoever has no name comes last
    for asked in ({}, {"q": "poppy"}, {"species": "Dog"}, {"state": "NV"}, {"left": "any"}):
        results = await some.results(**asked)
        for name, counts in results.facets.items():
            for count in counts:
                narrowed = await some.results(**{**results.criteria, name: count.value})
                ids = {pet.animal_id for pet in narrowed.pets}
                assert len(ids) == narrowed.total == count.pets, (asked, name, count)
                if not (name == "left" and not asked):  # these aren't listed
                    assert ids <= {pet.animal_id for pet in results.pets}, (asked, name, count)
    facets = (await some.results()).facets
    assert [(count.label, count.pets) for count in facets["org"]] == [
        ("Paws & Co", 2), ("Reno Rescue", 2), ("Tails", 1),
    ]  # fmt: skip
    assert [(count.value, count.pets) for count in facets["state"]] == [("NV", 2), ("TX", 2)]
    assert await some.ids(pictures="gone") == [1]
    assert await some.ids(left="week") == [6]
    assert await some.ids(left="earlier") == [7]


@pytest.mark.parametrize("q", ["", "poppy"])
async def test_pages_show_everybody_once_though_others_come_and_go(
    some: Searched, monkeypatch: pytest.MonkeyPatch, q: str
) -> None:
    monkeypatch.setattr("console.find.lookup.PETS_A_PAGE", 2)
    whole, after = [], ""
    while True:
        page = await some.results(after, q=q)
        whole += [pet.animal_id for pet in page.pets]
        if page.after is None:
            break
        if not after:  # one that was shown leaves
            await some.run(LEAVES.format(whole[0]))
        after = page.after
    assert whole == ([1, 2, 3, 5, 6] if q else [4, 1, 2, 3, 5])


async def test_an_id_opens_its_pet_also_one_that_left(some: Searched) -> None:
    for words, path in (("6", "/pets/6"), ("#1", "/pets/1"), ("11", "/orgs/11")):
        assert await search(some.ask, Criteria(words), None, NOW) == KnownId(path)


async def test_the_search_follows_every_change_of_a_pet(some: Searched) -> None:
    await some.run(
        "UPDATE petstream.pet SET name = 'Waffles' WHERE animal_id = 1",
        "UPDATE petstream.pet SET listed = true, removed_at = NULL WHERE animal_id = 6",
        "DELETE FROM petstream.pet WHERE animal_id = 3",
        "UPDATE petstream.pet SET name = repeat('x', 30000), breed = repeat('y', 9000),"
        " species = repeat('z', 9000), status = repeat('s', 9000) WHERE animal_id = 2",
        query("forget_pets").replace("$1", "'{7}'").replace("$2", "now()"),
    )
    assert await some.stale() == []
    assert await some.ids(q="poppy") == [6, 5]
    assert await some.ids(q="waffles") == [1]
    assert await some.ids(q="xxxx") == [2]
    assert await some.ids(left="any") == []  # forgotten: found by its id alone
    assert await search(some.ask, Criteria("7"), None, NOW) == KnownId("/pets/7")


async def test_explain_finds_whose_name_it_is(some: Searched) -> None:
    named = await pets_called(some.url, "poppy")
    assert not isinstance(named, Unavailable)
    assert [(pet.animal_id, pet.org_name, pet.removed_at is None) for pet in named.pets] == [
        (1, "Paws & Co", True), (2, "Reno Rescue", True), (3, "Reno Rescue", True),
        (6, "Paws & Co", False),
    ]  # fmt: skip
    for words, animal_id in (("biscuit", 7), ("poppy boxer", 3), ("ANN & bob", 4)):
        named = await pets_called(some.url, words)
        assert not isinstance(named, Unavailable)
        assert [pet.animal_id for pet in named.pets] == [animal_id]


async def test_the_migration_goes_on_where_pg_trgm_cant_be_had(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = [
        Migration(file.name, file.sql.replace("pg_trgm", "pg_trgm_of_nobody"))
        for file in migrations()
    ]
    monkeypatch.setattr(migrations_of, "migrations", lambda: without)
    await migrate(empty_database)
    searched = Searched(empty_database)
    await searched.run(PETS, OTHERS)
    results = await searched.results(q="opp")
    assert ([pet.animal_id for pet in results.pets], results.is_indexed) == ([1, 2, 3, 5, 6], False)


async def test_every_query_of_the_console_says_what_it_does(database_url: str) -> None:
    texts = queries("console")
    assert all(text.startswith("-- ") for text in texts.values())
    whole = {
        name: text for name, text in texts.items() if "matched" not in text and "chosen" not in text
    }
    connection = await asyncpg.connect(database_url)
    try:
        for name, text in whole.items():
            assert (await connection.prepare(text)).get_query() == text, name
    finally:
        await connection.close()
