"""Lines on their way out: their form, and secrets that must not be in them."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from console.runtime import logs
from console.runtime.logs import LogFormat, secrets_of
from console.runtime.output import note, say
from console.runtime.progress import shown

SETTINGS = {
    "PETSTREAM_FTP_URL": "ftp://apikey-Canary7K:can%40ry-ftp@ftp.example/",
    "PETSTREAM_DATABASE_URL": "postgresql://me:canary-db@db.example/pets?password=canary-too",
    "PETSTREAM_CONSOLE_DATABASE_URL": "postgresql://me:canary-pages@db.example/pets",
    "PETSTREAM_KAFKA_SASL_PASSWORD": "canary-kafka",
    "PETSTREAM_CONSOLE_TOKEN": "canary-of-the-console",
}
CANARIES = (
    "Canary7K", "can%40ry-ftp", "can@ry-ftp", "canary-db", "canary-too", "canary-kafka",
    "canary-of-the-console", "canary-pages",
)  # fmt: skip


class Terminal(io.StringIO):
    """Looks like a terminal."""

    def isatty(self) -> bool:
        """Say that it is one."""
        return True


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)  # no .env
    for name, text in SETTINGS.items():
        monkeypatch.setenv(name, text)


def terminals(monkeypatch: pytest.MonkeyPatch, mode: str) -> tuple[Terminal, Terminal]:
    monkeypatch.setenv("PETSTREAM_LOG", mode)
    out, error = Terminal(), Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", error)
    return out, error


def read(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_json_is_an_object_a_line_whoever_writes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Callers print and log as ever."""
    out, error = terminals(monkeypatch, "json")
    with logs.written("ingest"):
        say('read "pets_1.json"')
        note("waiting: Kafka is away")
        note("petstream: it failed")
        logging.getLogger("consumers.engine.backoff").warning("%s: trying again", "pets")
        sys.stderr.write("cut ")
        sys.stderr.write("in two\n\nno end")
    [first] = read(out)
    assert list(first) == ["at", "level", "part", "message"]
    assert first["at"].endswith("Z")
    assert (first["level"], first["part"]) == ("info", "ingest")
    assert first["message"] == 'read "pets_1.json"'
    assert [(line["level"], line["message"]) for line in read(error)] == [
        ("info", "waiting: Kafka is away"),
        ("error", "it failed"),
        ("warning", "pets: trying again"),
        ("info", "cut in two"),
        ("info", "no end"),
    ]
    assert read(error)[2]["logger"] == "consumers.engine.backoff"


@pytest.mark.parametrize(("mode", "bars"), [("auto", True), ("plain", False), ("json", False)])
def test_bars_are_for_a_terminal_that_nobody_asked_lines_of(
    monkeypatch: pytest.MonkeyPatch, mode: str, *, bars: bool
) -> None:
    streams = terminals(monkeypatch, mode)
    with logs.written("ingest"):
        assert sys.stderr.isatty() == bars
        with shown("rows") as tell:
            tell("pets", 3)
    assert ("\x1b" in streams[1].getvalue()) == bars


def test_results_of_commands_that_look_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    streams = terminals(monkeypatch, "json")
    with logs.written("status"):
        say("pets  2,000")
        note("starting Kafka")
    assert streams[0].getvalue() == "pets  2,000\n"
    assert read(streams[1])[0]["message"] == "starting Kafka"


@pytest.mark.parametrize("mode", ["auto", "plain", "json", "nonsense"])
@pytest.mark.parametrize("canary", CANARIES)
def test_a_secret_in_a_line_is_starred_whoever_wrote_it(
    monkeypatch: pytest.MonkeyPatch, mode: str, canary: str
) -> None:
    """The last net: a mistake of ours, or of a library that logs its URL."""
    streams = terminals(monkeypatch, mode)
    with logs.written("consume", "pets"):
        say(f"{canary} was printed")
        note(f"{canary} was noted")
        logging.getLogger("some.library").warning("connecting to ftp://who:%s@host/", canary)
        try:
            int(canary)
        except ValueError:
            logging.getLogger("some.library").exception("it broke")
    said = "".join(stream.getvalue() for stream in streams)
    assert canary not in said
    assert said.count("***") >= 4


def test_a_url_of_a_server_nobody_configured_is_starred_and_our_examples_are_not() -> None:
    form = LogFormat()
    assert form.line("at postgresql://petstream:pw-of-ours@127.0.0.1:5/x") == (
        "at postgresql://***@127.0.0.1:5/x"
    )
    for example in (
        "ftp://apikey-KEY:PASSWORD@ftp.x.org/",
        "postgresql://me:secret@localhost/pets",
    ):
        assert form.line(example) == example
    assert form.line("see https://x.org/@me and a@b.org") == "see https://x.org/@me and a@b.org"


@pytest.mark.parametrize("password", ["a", "abc", "petstream", "Postgres", ""])
def test_a_password_that_would_star_our_own_words_is_left(password: str) -> None:
    """Then no line could be read; such a password protects nothing."""
    values = {"PETSTREAM_DATABASE_URL": f"postgresql://me:{password}@localhost/pets"}
    assert secrets_of(values) is None
    assert secrets_of({"PETSTREAM_FTP_URL": "ftp://[broken"}) is None


def test_the_daemon_passes_lines_on_under_the_name_of_their_part() -> None:
    """Lines of JSON keep what they told; others are wrapped."""
    plain, form = LogFormat(), LogFormat("json", "up")
    assert plain.line("read 3 rows", "watch") == "watch | read 3 rows"
    line = LogFormat("json", "ingest").json_line(
        "warning", "late", logger="console.daemon.feed_watch"
    )
    passed = json.loads(form.line(line, "watch"))
    assert passed == {**json.loads(line), "part": "watch"}
    wrapped = json.loads(form.line("Fatal Python error", "pets"))
    assert (wrapped["part"], wrapped["message"]) == ("pets", "Fatal Python error")
    assert json.loads(form.line("petstream: it ends"))["level"] == "error"
    assert json.loads(form.line('{"at": 1} isn\'t ours'))["message"] == '{"at": 1} isn\'t ours'


def test_a_command_writes_json_and_no_secret_when_it_fails(tmp_path: Path) -> None:
    """As a process: a database that isn't there, and its URL nowhere."""
    done = subprocess.run(
        [sys.executable, "-m", "console", "migrate"],
        env={
            "PETSTREAM_LOG": "json", "PYTHONPATH": str(Path(__file__).parents[3]),
            "PETSTREAM_DATABASE_URL": "postgresql://me:canary-db@127.0.0.1:1/pets",
        },
        cwd=tmp_path, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    [line] = [json.loads(line) for line in done.stderr.splitlines()]
    assert (line["level"], line["part"]) == ("error", "migrate")
    assert line["message"].startswith("Postgres at 127.0.0.1:1 can't be reached")
    assert "canary" not in done.stderr


@pytest.mark.parametrize("mode", ["auto", "json"])
@pytest.mark.logs_errors("it is logged on purpose")
def test_s5_what_libraries_log_of_strangers_is_shown_and_not_obeyed(
    monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    """S5: a broker's host name, a server's banner, the words of an exception."""
    hostile = "\x1b[31mred\u202e\x9b2J\x07"
    _, error = terminals(monkeypatch, mode)
    with logs.written("ingest"):
        logging.getLogger("a.library").warning("a broker says %s", hostile)
        logging.getLogger("console.daemon").error("trouble", exc_info=ValueError(hostile))
    written = error.getvalue()
    assert "a broker says" in written
    assert written.replace("\n", "").isprintable()
    if mode == "json":
        messages = [json.loads(line)["message"] for line in written.splitlines()]
        assert messages[0] == f"a broker says {hostile}"
        again = LogFormat("json").line(written.splitlines()[0], "watch")  # as `up` passes it on
        assert again.isprintable()
        assert json.loads(again)["message"] == messages[0]
