"""`--json` as a script uses it: one document on stdout, its keys and types, and the exit status.

Each command runs as a process of its own against a real Kafka and a real Postgres; what it says
to a person stands on stderr.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import asyncpg
import pytest

from lab.simulator import History, history, serve_ftp, write_export
from petstream.kafka.records import ProducerRecord
from petstream.kafka.writer import send_all
from petstream.settings import KafkaAccess

pytestmark = pytest.mark.servers

ROOT: Final = Path(__file__).parents[3]
FEED: Final[History] = history(seed=21, pets=60, days=2)
NUMBER, TEXT, YES_OR_NO = int, str, bool
COUNTS: Final = dict.fromkeys(
    ("added", "updated", "relisted", "removed", "unchanged", "refused", "read"), NUMBER
)


class Script:
    """What a script has: settings in its environment, and the command."""

    def __init__(self, home: Path, environment: dict[str, str]) -> None:
        """Keep the feed's directory, and the settings."""
        self.home, self.environment = home, environment

    def petstream(self, *words: str, status: int = 0, **changes: str) -> dict[str, Any]:
        """Run a command that ends with this status; return the one document it prints."""
        done = self.run(*words, "--json", **changes)
        assert done.returncode == status, done.stdout + done.stderr
        document = json.loads(done.stdout)  # with anything before it or behind, it raises
        assert isinstance(document, dict)
        return document

    def run(self, *words: str, **changes: str) -> subprocess.CompletedProcess[str]:
        """Run a command, whatever becomes of it."""
        return subprocess.run(  # noqa: S603  our own command
            [sys.executable, "-m", "console", *words], env=self.environment | changes, cwd=ROOT,
            check=False, capture_output=True, text=True, timeout=100, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def sql(self, statement: str) -> None:
        """Do something to the tables behind petstream's back."""

        async def work() -> None:
            connection = await asyncpg.connect(self.environment["PETSTREAM_DATABASE_URL"])
            try:
                await connection.execute(statement)
            finally:
                await connection.close()

        asyncio.run(work())


@pytest.fixture
def script(
    tmp_path: Path, kafka: str, prefix: str, databases: Callable[[], str]
) -> Iterator[Script]:
    home = tmp_path / "ftp"
    write_export(home, FEED, 0)
    with serve_ftp(home, user="apikey-K", password="p") as server:
        yield Script(
            home,
            os.environ
            | {
                "PETSTREAM_SETTLED": "1",
                "PETSTREAM_FTP_URL": f"ftp://apikey-K:p@127.0.0.1:{server.port}/",
                "PETSTREAM_KAFKA": kafka,
                "PETSTREAM_DATABASE_URL": databases(),
                "PETSTREAM_TOPIC_PREFIX": prefix,
                "PETSTREAM_DATA_DIR": str(tmp_path / "data"),
                "PETSTREAM_ARCHIVE_DAYS": "10000",
                "PETSTREAM_SETTLE_S": "0",
                "PETSTREAM_PICTURES": "off",
            },
        )


def shape(value: Any) -> Any:
    """Return what a document is made of: names and types; of a list the shapes it has."""
    if isinstance(value, dict):
        return {name: shape(part) for name, part in value.items()}
    if isinstance(value, list):
        shapes = [shape(part) for part in value]
        return [each for place, each in enumerate(shapes) if each not in shapes[:place]]
    return None if value is None else type(value)


def test_ingest_says_what_came_of_the_export_and_keeps_its_status(script: Script) -> None:
    completed = script.petstream("ingest")
    assert shape(completed) == {
        "exportId": TEXT, "state": TEXT, "mode": TEXT, "counts": {"pets": COUNTS, "orgs": COUNTS},
        "notes": [], "heldPlans": [],
    }  # fmt: skip
    assert (completed["state"], completed["mode"]) == ("completed", "initial")
    assert completed["counts"]["pets"]["added"] == completed["counts"]["pets"]["read"] == 60

    unchanged = script.petstream("ingest")
    assert unchanged == {
        "exportId": completed["exportId"], "state": "unchanged", "mode": None, "counts": None,
        "notes": [], "heldPlans": [],
    }  # fmt: skip

    write_export(script.home, FEED, 1, faults=["short-petlist"])
    held = script.petstream("ingest", status=4)
    assert held["state"] == "completed"
    assert held["heldPlans"] == [f"{held['exportId']}.pets"]
    assert all(isinstance(each, str) for each in held["notes"])

    write_export(script.home, FEED, 1, faults=["missing-petlist"])
    (script.home / "pets_1.json").write_bytes(b"")
    refused = script.run("ingest", "--json", "--from-archive", "2001-01-01T00:00:00Z")
    assert refused.returncode != 0
    assert refused.stdout == ""
    assert refused.stderr.startswith("petstream: ")


def test_migrate_names_what_it_applied(script: Script, empty_database: str) -> None:
    first = script.petstream("migrate", PETSTREAM_DATABASE_URL=empty_database)
    assert shape(first) == {"applied": [TEXT]}
    assert first["applied"][0] == "0001_tables_and_views"
    assert script.petstream("migrate", PETSTREAM_DATABASE_URL=empty_database) == {"applied": []}


def test_audit_has_every_difference_and_what_a_repair_came_to(script: Script) -> None:
    assert script.run("ingest").returncode == 0
    behind = script.petstream("audit")
    assert {lag["consumer"]: lag["begun"] for lag in behind["lag"]}["pets"] is False
    assert script.run("consume", "all", "--drain").returncode == 0
    equal = script.petstream("audit")
    assert shape(equal) == {
        "equal": YES_OR_NO, "completedExportId": TEXT,
        "keys": dict.fromkeys(("pets", "organizations", "pictures"), NUMBER),
        "lag": [{"consumer": TEXT, "records": NUMBER, "begun": YES_OR_NO}], "passedOver": NUMBER,
        "lost": [], "differences": [], "repair": None, "unstated": NUMBER,
        "snapshot": equal["snapshot"] and {"sequence": NUMBER, "exportId": TEXT},
        "asked": None, "rewritten": [], "sweepPlans": [],
    }  # fmt: skip
    assert equal["equal"] is True
    assert equal["keys"]["pets"] == 60

    script.sql("DELETE FROM petstream.pet WHERE animal_id IN "
               "(SELECT animal_id FROM petstream.pet ORDER BY animal_id LIMIT 25)")  # fmt: skip
    differs = script.petstream("audit", status=1)
    assert shape(differs["differences"]) == [
        {"table": TEXT, "kind": TEXT, "key": NUMBER, "newestEventAt": TEXT, "refusedBecause": None,
         "sequence": None}
    ]  # fmt: skip
    assert len(differs["differences"]) == 25, "a person is shown 20"
    assert (differs["equal"], differs["repair"]) == (False, None)

    repaired = script.petstream("audit", "--repair")
    assert repaired["repair"] == {"differencesBefore": 25, "refused": []}
    assert repaired == equal | {"repair": repaired["repair"]}


def test_replay_says_of_each_partition_where_it_is_and_where_it_begins(script: Script) -> None:
    assert script.run("ingest").returncode == 0
    assert script.run("consume", "pets", "--drain").returncode == 0
    planned = script.petstream("replay", "pets", "--from-beginning", "--dry-run")
    partition = {"topic": TEXT, "partition": NUMBER, "isAt": NUMBER, "beginsAt": NUMBER,
                 "end": NUMBER, "records": NUMBER}  # fmt: skip
    assert shape(planned) == {
        "consumer": TEXT, "moved": YES_OR_NO, "records": NUMBER, "partitions": [partition],
    }  # fmt: skip
    assert (planned["consumer"], planned["moved"]) == ("pets", False)
    assert planned["records"] == sum(each["records"] for each in planned["partitions"]) > 60

    moved = script.petstream("replay", "pets", "--from-beginning")
    assert moved == planned | {"moved": True}
    again = script.petstream("replay", "pets", "--from-beginning")
    assert (again["moved"], again["records"]) == (False, 0)
    wrong = script.run("replay", "pets", "--from-time", "soon", "--json")
    assert (wrong.returncode, wrong.stdout) == (2, "")


def test_dead_letters_are_documents_with_their_texts_in_full(script: Script, prefix: str) -> None:
    write_export(script.home, FEED, 0, faults=["bad-row"])
    assert script.run("ingest").returncode == 0
    topic = f"{prefix}pets.v1"
    strangers = [
        ProducerRecord(topic, b"7", b"\xff not ours", (("theirs", "50 % h\xe9".encode()),)),
        ProducerRecord(topic, b"8", None, ()),
    ]
    asyncio.run(send_all(KafkaAccess(script.environment["PETSTREAM_KAFKA"]), strangers))
    assert script.run("consume", "pets", "--drain").returncode == 0

    letters = script.petstream("dead-letters", "list")["deadLetters"]
    details = [letter.pop("details") for letter in letters]
    assert shape(letters) == [
        dict.fromkeys(("publishedAt", "class", "reason", "origin", "message"), TEXT)
        | {"id": NUMBER}
    ]
    assert {letter["class"] for letter in letters} == {"row", "event"}
    assert [letter["id"] for letter in letters] == list(range(len(letters)))
    assert all(isinstance(text, str) for each in details for text in each.values())
    assert not any("%20" in letter["message"] for letter in letters)

    events = {
        each["key"]: letter
        for letter, each in zip(letters, details, strict=True)
        if letter["class"] == "event"
    }
    stranger = script.petstream("dead-letters", "show", str(events["7"]["id"]))
    assert stranger["details"]["header_theirs"] == "50 % h\xe9"
    assert base64.b64decode(stranger["valueBase64"]) == b"\xff not ours"
    assert stranger == events["7"] | {
        "details": stranger["details"], "valueBase64": stranger["valueBase64"],
    }  # fmt: skip
    assert script.petstream("dead-letters", "show", str(events["8"]["id"]))["valueBase64"] is None
    missing = script.run("dead-letters", "show", "99999", "--json")
    assert (missing.returncode, missing.stdout) == (2, "")

    ident = str(events["7"]["id"])
    unreadable = script.petstream("dead-letters", "replay", ident, status=1)
    assert shape(unreadable) == {
        "results": [
            {"id": NUMBER, "origin": TEXT, "outcome": TEXT, "why": TEXT, "isReadAgain": YES_OR_NO}
        ]
    }
    assert unreadable["results"][0]["outcome"] == "unreadable"
    every = script.petstream("dead-letters", "replay", "--all")["results"]
    outcomes = {result["outcome"]: result for result in every}
    assert set(outcomes) == {"unreadable", "row"}
    assert (outcomes["row"]["why"], outcomes["row"]["isReadAgain"]) == (None, True)


def test_purge_asks_nothing_and_says_what_it_deleted(script: Script, prefix: str) -> None:
    assert script.run("ingest").returncode == 0
    would = script.petstream("purge", status=2)
    assert shape(would) == {
        "targets": [
            {"name": TEXT, "contents": [TEXT], "error": None, "deleted": YES_OR_NO},
            *([{"name": TEXT, "contents": [], "error": None, "deleted": YES_OR_NO}]
              if any(not target["contents"] for target in would["targets"]) else []),
        ]
    }  # fmt: skip
    assert not any(target["deleted"] for target in would["targets"])
    wrong = script.run("purge", "--json", "--confirm", "yes")
    assert (wrong.returncode, wrong.stdout) == (2, "")

    done = script.petstream("purge", "--confirm", f"purge {prefix}")
    assert [target["name"] for target in done["targets"]] == [
        target["name"] for target in would["targets"]
    ]
    assert all(target["deleted"] for target in done["targets"] if target["contents"])
    nothing_left = script.petstream("purge")
    assert not any(target["contents"] or target["deleted"] for target in nothing_left["targets"])

    away = "postgresql://a:b@127.0.0.1:1/x"
    unreachable = script.petstream("purge", status=1, PETSTREAM_DATABASE_URL=away)
    assert [target["error"] is None for target in unreachable["targets"]].count(False) == 1
