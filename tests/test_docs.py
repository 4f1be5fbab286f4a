"""The documents and the code say the same."""

from __future__ import annotations

import ast
import json
import os
import re
import runpy
import subprocess
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec
import pytest
from kafka_rights import rights_of_the_commands, rights_of_the_page

from console.cli.parser import parser
from petstream import topics
from petstream.events import PetEvent
from petstream.sequence import row_sequence
from petstream.settings import NAMES, SETTLED, KafkaAccess, Settings, load

ROOT = Path(__file__).parents[1]
LONGEST_PICTURE = 140
"""Lines of ARCHITECTURE.md: the picture, the tree, the invariants, three ways."""
PAGES = sorted({*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")})
_WRITES_SECRETS = re.compile(r"(?:install|cp|mv) .*\.env\b|> ?\S+(?:\.env|\.properties|\.conf)\b")
SETTINGS = re.findall(
    r"^\| `(PETSTREAM_\w+)` \| (.*?) \| .* \| (.*?) \|$",
    (ROOT / "docs" / "operating.md").read_text("utf-8"),
    re.MULTILINE,
)
"""The table of settings: name, default and example of each."""


def test_every_setting_is_in_the_table_of_operating_and_no_other() -> None:
    assert sorted(name for name, _, _ in SETTINGS) == sorted(NAMES)


@pytest.mark.parametrize(("name", "default", "example"), SETTINGS)
def test_the_default_that_operating_names_is_that_of_the_code(
    name: str, default: str, example: str
) -> None:
    """A default in code is compared; one in words (none, embedded, any) is of what isn't set."""
    written = re.fullmatch(r"`(.*)`", default)
    if written:
        assert _loaded({name: written[1]}) == _loaded({})
    else:
        assert _default_of(name, example) in (None, frozenset(), {})


def test_every_setting_is_in_the_example_of_an_env_file_and_no_other() -> None:
    named = re.findall(r"^#?(PETSTREAM_\w+)=", _read(".env.example"), re.MULTILINE)
    assert set(named) == set(NAMES)


def test_every_command_of_the_parser_is_in_operating_or_the_readme() -> None:
    documented = _commands_in("docs/operating.md") | _commands_in("README.md")
    assert _commands() - documented == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_page_names_only_commands_and_scripts_that_exist(page: Path) -> None:
    name = page.relative_to(ROOT).as_posix()
    assert _commands_in(name) - _commands() == set()
    scripts = set(re.findall(r"\bscripts/([a-z]\w*)", page.read_text("utf-8")))
    assert {script for script in scripts if not (ROOT / "scripts" / script).is_file()} == set()


def test_every_setting_reaches_a_container_but_those_of_files_and_logins() -> None:
    named = set(re.findall(r"\bPETSTREAM_[A-Z_]+", _read("docker-compose.yml")))
    assert set(NAMES) - named == {
        "PETSTREAM_DATA_DIR",  # the image's own: /data
        # Kafka is compose's own
        *(name for name in NAMES if re.match("PETSTREAM_KAFKA_(S|OAUTH|AWS)", name)),
    }


def test_containers_run_commands_that_exist_with_settings_that_exist() -> None:
    compose = _read("docker-compose.yml")
    assert set(re.findall(r"command: \[([a-z-]+)", compose)) - _commands() == set()
    assert set(re.findall(r"\bPETSTREAM_[A-Z_]+", compose)) - set(NAMES) == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text("utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_tree_of_architecture_is_that_of_the_code_with_its_sentences() -> None:
    shown = re.search(r"## The tree\n\n```\n(.*?)```", _read("ARCHITECTURE.md"), re.DOTALL)
    assert shown
    assert shown[1] == "".join(f"{line}\n" for line in _tree())


def test_the_architecture_is_one_screen_and_its_ways_lead_through_modules_that_exist() -> None:
    page = _read("ARCHITECTURE.md")
    assert len(page.splitlines()) <= LONGEST_PICTURE
    ways = page.partition("## One pet's way")[2]
    modules = re.findall(r"`((?:petstream|ingest|consumers|console|lab)/[\w/]+\.py)`", ways)
    assert modules
    assert [module for module in modules if not (ROOT / module).is_file()] == []


def _tree() -> Iterator[str]:
    """Yield each folder of the code with the sentence of its ``__init__``."""
    for package in ("petstream", "ingest", "consumers", "console", "lab"):
        for init in sorted((ROOT / package).rglob("__init__.py")):
            folder = init.parent.relative_to(ROOT)
            depth = len(folder.parts) - 1
            sentence = (ast.get_docstring(ast.parse(init.read_text("utf-8"))) or "").split("\n\n")[
                0
            ]
            name = "  " * depth + folder.name + "/"
            yield f"{name:<14} {' '.join(sentence.split())}"


@pytest.mark.parametrize("topic", [*topics.ALL, *topics.TABLES], ids=lambda topic: topic.name)
def test_operating_tells_how_to_make_a_topic_by_hand(topic: topics.Topic) -> None:
    rows = [line for line in _read("docs/operating.md").splitlines() if f".{topic.name}`" in line]
    row = next(line for line in rows if line.startswith("|"))
    assert f"| {topic.partitions} |" in row
    assert set(re.findall(r"`([a-z.]+=\S+)`", row)) == {
        f"{name}={value}" for name, value in topic.configs.items()
    }


def test_the_event_shown_to_subscribers_is_one() -> None:
    shown = _block("docs/subscribing.md", "json")
    event = msgspec.json.decode(shown, type=PetEvent)
    assert event.sequence == row_sequence(1795421524, "updatedpets", event.source.row - 1)
    assert set(event.changed) == set(json.loads(shown)["old"])


def test_the_subscriber_shown_is_python_of_twenty_lines() -> None:
    code = _block("docs/subscribing.md", "python")
    compile(code, "docs/subscribing.md", "exec")
    assert len([line for line in code.splitlines() if line.strip()]) <= 20


def test_s9_what_the_documents_have_one_write_is_for_its_writer_alone(tmp_path: Path) -> None:
    """S9: their own lines, in a fresh directory, where a shell makes files for all to read."""
    writing = {page: _lines_that_write_secrets(page) for page in PAGES}
    pages = {page.relative_to(ROOT).as_posix() for page, lines in writing.items() if lines}
    assert pages == {"README.md", "docs/operating.md", "docs/engines/connect/README.md"}
    for page, lines in writing.items():
        home = tmp_path / page.relative_to(ROOT).as_posix().replace("/", "-")
        home.mkdir()
        (home / ".env.example").write_text("x")
        (home / "worker.properties").write_text("x")
        given = {"KAFKA_CLIENT_PROPERTIES": ".env.example", "PATH": os.environ["PATH"]}
        before = {*home.iterdir()}
        script = "\n".join(["set -e", "umask 022", *lines])
        subprocess.run(["bash", "-c", script], cwd=home, env=given, check=True)  # noqa: S603, S607  our documents' lines
        made = {*home.iterdir()} - before
        assert bool(made) is bool(lines)
        assert [path.name for path in made if path.stat().st_mode & 0o077] == []


def _lines_that_write_secrets(page: Path) -> list[str]:
    """Return what a page has one type to write settings, with the umask before it."""
    lines = []
    for block in re.findall(r"```sh\n(.*?)```", page.read_text("utf-8"), re.DOTALL):
        typed = block.splitlines()
        if any(_WRITES_SECRETS.search(line) for line in typed):
            lines += [
                line for line in typed if line.startswith("umask") or _WRITES_SECRETS.search(line)
            ]
    return lines


def test_flink_logs_in_by_the_class_that_its_connector_has(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The connector for SQL has Kafka's classes under a name of its own, and no others."""
    login = 'org.apache.kafka.common.security.scram.ScramLoginModule required password="it\'s";'
    (tmp_path / "client.properties").write_text(f"sasl.jaas.config={login}\nsecurity.protocol=x\n")
    for name in ("PETSTREAM_KAFKA", "SINK_URL", "SINK_USER", "SINK_PASSWORD"):
        monkeypatch.setenv(name, name.lower())
    monkeypatch.setenv("KAFKA_CLIENT_PROPERTIES", str(tmp_path / "client.properties"))
    monkeypatch.delenv("PETSTREAM_TOPIC_PREFIX", raising=False)
    words = runpy.run_path(str(ROOT / "docs/engines/flink/run.py"))["words"]()
    written = login.replace("it's", "it''s")
    assert words["kafka"] == (
        "'properties.bootstrap.servers' = 'petstream_kafka', "
        f"'properties.sasl.jaas.config' = 'org.apache.flink.kafka.shaded.{written}', "
        "'properties.security.protocol' = 'x', "
    )
    assert words["prefix"] == "petstream."


def test_every_hostile_input_has_a_test_that_names_it() -> None:
    page = _read("docs/hostile-inputs.md")
    rows = re.findall(r"^\| ([TFPO]\d+) \|.*\| (.*) \|$", page, re.MULTILINE)
    wanted = [f"T{number}" for number in (*range(1, 48), *range(49, 54))]
    wanted += [f"F{number}" for number in range(1, 17)] + [f"P{number}" for number in range(1, 13)]
    wanted += [f"O{number}" for number in range(1, 11)]
    assert [number for number, _ in rows] == wanted
    for number, files in rows:
        named = re.compile(rf"_{number.lower()}_|\b{number}\b")
        names = re.findall(r"`([^`]+)`", files)
        assert names, number
        for file in names:
            assert named.search(_read(f"tests/{file}")), f"{file} doesn't name {number}"


@pytest.mark.parametrize("page", ["docs/reliability.md", "docs/security.md"])
def test_what_proves_a_promise_exists(page: str) -> None:
    for line in re.findall(r"^\| .*", _read(page), re.MULTILINE):
        file = ""
        for name in re.findall(r"`([\w/]+\.py|test_\w+)`", line):
            file = name if name.endswith(".py") else file
            assert name == file or f"def {name}(" in _read(f"tests/{file}"), name


def test_what_a_promise_notices_is_a_sabotage() -> None:
    kept = "".join(path.read_text("utf-8") for path in (ROOT / "tests/sabotage").glob("*.toml"))
    rows = re.findall(
        r"^\| .* \| .*`test_.* \| (.*) \|$", _read("docs/reliability.md"), re.MULTILINE
    )
    assert len(rows) > 15
    assert [name for name in rows if f'name = "{name}"' not in kept] == []


def _loaded(settings: dict[str, str]) -> Settings:
    return load({SETTLED: "1", "PETSTREAM_KAFKA": "localhost:1"} | settings)


def _default_of(name: str, example: str) -> Any:
    """Return the code's default of the attribute that a setting is read into."""
    if name.startswith("PETSTREAM_KAFKA_"):
        return getattr(KafkaAccess(""), name.removeprefix("PETSTREAM_KAFKA_").lower())
    text = "0f3c9a1e5b7d2468" if "openssl" in example else example.strip("`")
    defaults, changed = asdict(load({SETTLED: "1"})), asdict(load({SETTLED: "1", name: text}))
    (attribute,) = (key for key in defaults if defaults[key] != changed[key])
    return defaults[attribute]


def _read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def _block(name: str, language: str) -> str:
    match = re.search(rf"^```{language}\n(.*?)^```", _read(name), re.MULTILINE | re.DOTALL)
    assert match, f"{name} shows no {language}"
    return match[1]


def _commands_in(name: str) -> set[str]:
    """Return the commands that stand in code: after `petstream `, at the start or after a path."""
    code = re.findall(r"```.*?```|`[^`\n]+`", _read(name), re.DOTALL)
    started = r"(?:^|[`/]|&& |then: )petstream ([a-z][a-z-]+)"
    return {command for part in code for command in re.findall(started, part, re.MULTILINE)}


def _commands() -> set[str]:
    """Return the commands that ``petstream --help`` offers."""
    return set(re.findall(r"^    ([a-z][a-z-]+)(?:  |$)", parser().format_help(), re.MULTILINE))


@pytest.mark.parametrize(
    ("user", "who"),
    [("ingest", "ingest"), ("consumers", "consumers"), ("console", "status, doctor, audit"),
     ("site", "a subscriber")],
)  # fmt: skip
def test_the_commands_that_give_rights_in_kafka_give_those_of_the_table(
    user: str, who: str
) -> None:
    """The table's are tried on a real Kafka."""
    page = (ROOT / "docs" / "kafka-security.md").read_text("utf-8")
    given = rights_of_the_commands(page, user)
    assert sorted(given) == sorted(rights_of_the_page(page, who))
