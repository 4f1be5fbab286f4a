"""The feed by a plain script: ftplib, json and psycopg's batches; no Kafka, history or cleaning.

Usage: ``python -m lab.bench.peers.plain_script``, with PETSTREAM_FTP_URL and PETSTREAM_DATABASE_URL
in the environment. It runs by an interpreter of its own (requirements/peers.txt): our code needs
none of its packages. What it leaves out is what petstream is for; it writes every row every day.
"""

from __future__ import annotations

import ftplib
import json
import os
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import psycopg
from psycopg.types.json import Jsonb

ROWS_A_BATCH: Final = 1_000
BLOCK_BYTES: Final = 64 * 1024
COLUMNS: Final = (
    "name", "species", "breed", "sex", "age", "size", "status", "orgID", "lastUpdated",
    "description",
)  # fmt: skip
TABLES: Final = """
    CREATE TABLE IF NOT EXISTS pet (animal_id bigint PRIMARY KEY, name text, species text,
        breed text, sex text, age text, size text, status text, org_id text, updated text,
        description text, record jsonb NOT NULL);
    CREATE TABLE IF NOT EXISTS org (org_id bigint PRIMARY KEY, record jsonb NOT NULL)"""
UPSERT_PET: Final = """
    INSERT INTO pet VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (animal_id) DO UPDATE SET (name, species, breed, sex, age, size, status, org_id,
        updated, description, record) = (excluded.name, excluded.species, excluded.breed,
        excluded.sex, excluded.age, excluded.size, excluded.status, excluded.org_id,
        excluded.updated, excluded.description, excluded.record)"""
UPSERT_ORG: Final = """
    INSERT INTO org VALUES (%s, %s)
    ON CONFLICT (org_id) DO UPDATE SET record = excluded.record"""


def main() -> None:
    """Write the whole export into two tables."""
    address = urlsplit(os.environ["PETSTREAM_FTP_URL"])
    with ftplib.FTP() as ftp, psycopg.connect(os.environ["PETSTREAM_DATABASE_URL"]) as database:  # noqa: S321  the feed is served so
        ftp.connect(address.hostname or "", address.port or 21)
        ftp.login(unquote(address.username or ""), unquote(address.password or ""))
        ftp.cwd(address.path)
        names = sorted(ftp.nlst())
        database.execute(TABLES)
        cursor = database.cursor()
        orgs = chain.from_iterable(rows(ftp, name) for name in names if name.startswith("orgs_"))
        for batch in in_batches((row for row in orgs if "orgID" in row), ROWS_A_BATCH):
            cursor.executemany(UPSERT_ORG, [(row["orgID"], Jsonb(row)) for row in batch])
        pets = chain.from_iterable(rows(ftp, name) for name in names if name.startswith("pets_"))
        for batch in in_batches(pets, ROWS_A_BATCH):
            cursor.executemany(UPSERT_PET, [pet(row) for row in batch])
            database.commit()
        listed = b"".join(blocks(ftp, "petlist.csv")).decode("ascii")
        ids = [int(field) for field in listed.replace("\n", ",").split(",") if field.strip()]
        cursor.execute("DELETE FROM pet WHERE animal_id <> ALL (%s)", (ids,))


def pet(row: dict[str, Any]) -> tuple[Any, ...]:
    """Return the parameters of a pet's upsert."""
    return (row["animalID"], *(row.get(column) for column in COLUMNS), Jsonb(row))


def rows(ftp: ftplib.FTP, name: str) -> Iterator[dict[str, Any]]:
    """Return a file's rows: one JSON object a line."""
    return map(json.loads, lines(blocks(ftp, name)))


def lines(content: Iterable[bytes]) -> Iterator[bytes]:
    """Return whole lines of blocks of bytes, without the empty ones."""
    rest = b""
    for block in content:
        *whole, rest = (rest + block).split(b"\n")
        yield from filter(bytes.strip, whole)
    if rest.strip():
        yield rest


def in_batches(items: Iterable[dict[str, Any]], size: int) -> Iterator[list[dict[str, Any]]]:
    """Return the items, so many at a time."""
    remaining = iter(items)
    while batch := [*islice(remaining, size)]:
        yield batch


def blocks(ftp: ftplib.FTP, name: str) -> Iterator[bytes]:
    """Return a file, block by block."""
    with ftp.transfercmd(f"RETR {name}") as connection:
        while block := connection.recv(BLOCK_BYTES):
            yield block
    ftp.voidresp()


if __name__ == "__main__":
    main()
