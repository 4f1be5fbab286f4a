"""How long the console's search takes by the clock, and in CPU of Postgres, on a large table.

Usage: ``python -m lab.bench.search [--pets N] [--repeats N] [--dir DIR]``. It fills a Postgres of
its own, which takes minutes the first time, and prints a table. Nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from console.embedded import servers as embedded
from console.embedded.process import recorded
from console.find.criteria import Position, criteria_of, position_of
from console.find.lookup import KnownId, Queries, search
from console.find.results import SearchResults
from console.inspect.database_reader import Rows, Unavailable, fetch_rows
from console.runtime.arguments import positive
from consumers.engine.migrate import migrate
from consumers.engine.postgres import connected
from lab.bench.usage import usage
from lab.simulator import vocabulary

SEARCHES: Final[Mapping[str, Mapping[str, str]]] = {
    "nothing: all that is listed": {},
    "a name: `poppy`": {"q": "poppy"},
    "a breed: `beagle`": {"q": "beagle"},
    "a common word: `mixed`": {"q": "mixed"},
    "name and breed: `poppy beagle`": {"q": "poppy beagle"},
    "a place: `larkspur`": {"q": "larkspur"},
    "species and state: `dog tx`": {"q": "dog tx"},
    "one letter: `a`": {"q": "a"},
    "nobody's name: `zzyzx`": {"q": "zzyzx"},
    "`species=Bird`": {"species": "Bird"},
    "`species=Dog`, `state=TX`": {"species": "Dog", "state": "TX"},
    "`status=Hold`": {"status": "Hold"},
    "`pictures=gone`": {"pictures": "gone"},
    "who left: `left=week`": {"left": "week"},
    "who ever left: `left=any`": {"left": "any"},
    "a name among who left: `poppy`, `left=any`": {"q": "poppy", "left": "any"},
    "an organisation": {"org": "17"},
}
"""What is searched for, in words, and the parameters of the page."""

_PETS_AN_ORGANIZATION: Final = 20

_ORGANIZATIONS: Final = """
    INSERT INTO petstream.organization
        (org_id, sequence, digest, listed, export_id, name, city, state, postal_code, first_seen_at)
    SELECT id, id, 'd', true, 'e', ($2::text[])[id % cardinality($2) + 1] || ' Rescue ' || id,
        ($2::text[])[id % cardinality($2) + 1], ($3::text[])[id % cardinality($3) + 1],
        lpad((id * 37 % 99999)::text, 5, '0'), now()
    FROM generate_series(1, $1::int) AS id"""
_PETS: Final = """
    INSERT INTO petstream.pet (animal_id, sequence, digest, listed, removed_at, export_id, org_id,
        name, species, breed, sex, age, status, postal_code, attributes, description_html,
        description_rendered, first_seen_at, changed_at)
    SELECT id, id, 'd', id % 20 <> 0,
        CASE WHEN id % 20 = 0 THEN now() - (id % 365) * interval '1 day' END, 'e',
        (hashint4(id + 7) & 2147483647) % $2::int + 1, ($3::text[])[hash % cardinality($3) + 1],
        CASE WHEN of_100 < 50 THEN 'Dog' WHEN of_100 < 94 THEN 'Cat' WHEN of_100 < 97 THEN 'Rabbit'
            ELSE 'Bird' END,
        ($4::text[])[hash / 100 % cardinality($4) + 1]
            || CASE WHEN hash / 1000 % 5 < 2 THEN ' / Mixed' ELSE '' END,
        'Female', 'Adult', CASE WHEN hash % 50 = 0 THEN 'Hold' ELSE 'Available' END,
        lpad((hash % 99999)::text, 5, '0'), '{}', repeat('Words of a pet. ', 150),
        repeat('Words of a pet. ', 150), now(), now()
    FROM (
        SELECT id, hashint4(id) & 2147483647 AS hash,
            (hashint4(id + 1) & 2147483647) % 100 AS of_100
        FROM generate_series(1, $1::int) AS id
    ) AS drawn"""
_PICTURES: Final = """
    INSERT INTO petstream.pet_picture
        (animal_id, picture_key, picture_id, position, status, thumbnails)
    SELECT id, number::text, id * 4 + number, number, CASE WHEN hashint4(id + number) % 150 = 0
        THEN 'failed' WHEN hashint4(id + number) % 150 = 1 THEN 'gone' ELSE 'stored' END,
        jsonb_build_object('320', 'ab/' || id || '.jpg')
    FROM generate_series(1, $1::int) AS id, generate_series(1, 3) AS number"""


@dataclass(frozen=True)
class SearchTimes:
    """What a search took, in milliseconds, and how many pets fit.

    `next_page_ms` is the quickest; None: there is one page only.
    """

    total: int
    quickest_ms: float
    median_ms: float
    slowest_ms: float
    next_page_ms: float | None
    cpu_ms: float


def main() -> None:
    """Fill, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pets", type=positive, default=64_000)
    parser.add_argument("--repeats", type=positive, default=9)
    parser.add_argument("--dir", type=Path, default=Path(".petstream-bench/search"))
    options = parser.parse_args()
    url = embedded.ensure_postgres(options.dir)
    process = recorded(options.dir, "postgres")
    assert process is not None  # noqa: S101  it has just been started
    try:
        database_url = asyncio.run(filled(url, options.pets))
        print("| search | fit | ms, quickest (median, slowest) | page 2 | CPU ms of Postgres |")  # noqa: T201  the result
        print("|---|---|---|---|---|")  # noqa: T201  as above
        for name, parameters in SEARCHES.items():
            times = asyncio.run(measured(database_url, parameters, options.repeats, process.pid))
            page_2 = "" if times.next_page_ms is None else f"{times.next_page_ms:.0f}"
            clock = f"{times.quickest_ms:.0f} ({times.median_ms:.0f}, {times.slowest_ms:.0f})"
            print(f"| {name} | {times.total:,} | {clock} | {page_2} | {times.cpu_ms:.0f} |")  # noqa: T201  as above
    finally:
        embedded.put_away(options.dir)


async def filled(url: str, pets: int) -> str:
    """Return the database of so many pets, made if it isn't there."""
    name = f"search_{pets}"
    async with connected(url) as connection:
        is_there = await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name)
        if not is_there:
            await connection.execute(f"CREATE DATABASE {name}")
    database_url = urlsplit(url)._replace(path=f"/{name}").geturl()
    if is_there:
        return database_url
    await migrate(database_url)
    cities = [city for city, _, _ in vocabulary.CITIES]
    states = [state for _, state, _ in vocabulary.CITIES]
    breeds = [breed for breeds in vocabulary.BREEDS.values() for breed in breeds]
    organizations = max(20, pets // _PETS_AN_ORGANIZATION)
    async with connected(database_url, command_s=3_600) as connection:
        await connection.execute(_ORGANIZATIONS, organizations, cities, states)
        await connection.execute(_PETS, pets, organizations, list(vocabulary.NAMES), breeds)
        await connection.execute(_PICTURES, pets)
        await connection.execute("VACUUM (ANALYZE)")
    return database_url


async def measured(
    database_url: str, parameters: Mapping[str, str], repeats: int, postgres: int
) -> SearchTimes:
    """Search so often; the first time isn't counted."""
    result = await _searched(database_url, parameters, None)
    before = usage(postgres)
    firsts_ms = [await _timed(database_url, parameters, None) for _ in range(repeats)]
    cpu_ms = usage(postgres).since(before).cpu_s / repeats * 1_000
    nexts_ms = []
    if result.after is not None:
        position = position_of(result.after)
        nexts_ms = [await _timed(database_url, parameters, position) for _ in range(repeats)]
    return SearchTimes(
        result.total,
        min(firsts_ms),
        statistics.median(firsts_ms),
        max(firsts_ms),
        min(nexts_ms) if nexts_ms else None,
        cpu_ms,
    )


async def _timed(database_url: str, parameters: Mapping[str, str], after: Position | None) -> float:
    began_s = time.perf_counter()
    await _searched(database_url, parameters, after)
    return (time.perf_counter() - began_s) * 1_000


async def _searched(
    database_url: str, parameters: Mapping[str, str], after: Position | None
) -> SearchResults:
    async def rows_of(queries: Queries) -> Rows | Unavailable:
        return await fetch_rows(database_url, queries)

    result = await search(rows_of, criteria_of(parameters), after, datetime.now(UTC))
    if isinstance(result, (KnownId, Unavailable)):
        raise SystemExit(f"the search failed: {result}")
    return result


if __name__ == "__main__":
    main()
