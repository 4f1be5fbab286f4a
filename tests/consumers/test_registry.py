"""The registry of consumers, and whatever else has to list them by name."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from console.cli.parser import parser
from console.daemon.daemon import programs
from consumers.admin import purge
from consumers.app import consumer_named
from consumers.registry import CONSUMERS, EVERY, NAMES, Name
from petstream.settings import KafkaAccess, Settings

ROOT = Path(__file__).parents[2]


def test_every_name_is_registered() -> None:
    assert set(EVERY) == set(get_args(Name)) == {*NAMES, "tables"}


@pytest.mark.parametrize("name", EVERY)
def test_a_consumer_runs_under_its_name_with_its_topics(name: Name) -> None:
    consumer = consumer_named(name, Settings(), KafkaAccess("localhost:9092"))
    assert (consumer.name, consumer.topics) == (name, CONSUMERS[name].topics)


def test_up_runs_each_consumer_and_a_purge_takes_the_group_of_each() -> None:
    assert [program.name for program in programs()] == ["watch", *NAMES]
    assert (*EVERY, "ingest") == purge.GROUPS


@pytest.mark.parametrize("name", [*EVERY, "all"])
def test_the_command_line_takes_each_consumer(name: str) -> None:
    assert parser().parse_args(["consume", name]).consumer == name


def test_containers_run_each_consumer_and_no_other() -> None:
    compose: dict[str, Any] = yaml.safe_load(_read("docker-compose.yml"))
    commands = [service.get("command", [""]) for service in compose["services"].values()]
    assert sorted(command[1:] for command in commands if command[0] == "consume") == sorted(
        [name] for name in EVERY
    )


def test_the_table_of_consumers_says_what_each_reads_and_keeps() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| (`.*?`) \| (.*?) \|", _read("docs/consumers.md"), re.MULTILINE
    )
    assert {name: (topics, keeps) for name, topics, keeps in rows} == {
        name: (", ".join(f"`{topic.name}`" for topic in consumer.topics), consumer.keeps)
        for name, consumer in CONSUMERS.items()
    }


def test_knowing_the_names_loads_no_client() -> None:
    code = "import sys, consumers.registry; print(*sorted(sys.modules))"
    printed = subprocess.run(  # noqa: S603  our own interpreter
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    assert not {"aiokafka", "asyncpg", "aiohttp", "msgspec", "asyncio"} & set(printed.split())


def _read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")
