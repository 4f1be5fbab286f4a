"""The `petstream` command: its parser.

Rule 1: what another package adds (an entry point of `petstream.commands`) is imported when it is
        used: `--help` works without it, and nothing else waits for it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final, NoReturn, get_args

from console.act import audit, purge
from console.cli import commands, query_commands
from console.runtime import arguments, logs
from console.runtime.exit import ended_well
from consumers.registry import CONSUMERS, NAMES
from petstream.events import Mode

_COMMANDS: Final = "petstream.commands"
_TOPICS: Final = ("pets", "orgs", "exports", "pictures")


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run the command line; return the exit status (argparse exits by itself: 2, or 0 for help)."""
    options = parser().parse_args(arguments)
    with logs.written(options.name, getattr(options, "consumer", None)):
        return ended_well(lambda: int(options.command(options)), daemon=is_daemon(options))


def parser() -> argparse.ArgumentParser:
    """Make the parser of all commands."""
    top = argparse.ArgumentParser(
        prog="petstream",
        description="Mirrors the RescueGroups.org adoptable-pet export into Kafka and Postgres.",
        epilog="Settings are PETSTREAM_* environment variables, or lines of a .env file.",
    )
    add = top.add_subparsers(required=True, metavar="COMMAND", parser_class=_CommandParser)

    _command(add, "up", commands.up, "the daemon: schedule, ingest and all consumers")
    _command(add, "console", query_commands.console, "the pages alone, for a browser")
    _command(add, "down", commands.down, "stop the embedded servers")

    ingest = _command(add, "ingest", commands.ingest, "read one export, publish what changed")
    ingest.add_argument("--mode", choices=("auto", *get_args(Mode)), default="auto")
    ingest.add_argument(
        "--watch", action="store_true", help="as a daemon: every export as it comes"
    )
    ingest.add_argument(
        "--every", type=float, metavar="SECONDS", help="with --watch: look so often"
    )
    ingest.add_argument(
        "--allow-older", action="store_true", help="read an export older than the last completed"
    )
    ingest.add_argument(
        "--from-archive", metavar="EXPORT", help="read an archived export once more"
    )

    consume = _command(add, "consume", commands.consume, "apply what the topics say")
    consume.add_argument(
        "consumer", choices=(*NAMES, "all"),
        help="; ".join(f"{name}: {consumer.keeps}" for name, consumer in CONSUMERS.items()),
    )  # fmt: skip
    consume.add_argument("--drain", action="store_true", help="end when all is applied")

    _command(add, "migrate", commands.migrate, "bring the database to this version")

    status = _command(
        add, "status", query_commands.status, "exports, counts, held plans, lag, dead letters"
    )
    status.add_argument("--json", action="store_true")

    diff = _command(add, "diff", query_commands.diff, "what lies between two exports")
    diff.add_argument("older", nargs="?", default="previous", metavar="OLDER")
    diff.add_argument("newer", nargs="?", default="last", metavar="NEWER")
    diff.add_argument("--json", action="store_true")

    doctor = _command(
        add, "doctor", query_commands.doctor, "check everything; say how to mend what fails"
    )
    doctor.add_argument("--json", action="store_true")
    removals = _command(add, "removals", query_commands.removals, "held removal plans")
    actions = _actions(removals, "list", "show ID", "approve ID", "reject ID")
    actions["show"].add_argument("--json", action="store_true", help="with its state")
    dead_letters = _command(
        add, "dead-letters", query_commands.dead_letters, "refused rows and events"
    )
    _actions(dead_letters, "list", "show ID", "replay ID...")
    query_commands.replay_arguments(
        _command(add, "replay", query_commands.replay, "rewind a consumer")
    )

    audit_parser = _command(add, "audit", audit.audit, "compare the tables with the log")
    audit_parser.add_argument("--repair", action="store_true", help="the log wins")
    purge.arguments(_command(add, "purge", purge.purge, "delete all that came from the feed"))

    explain = _command(add, "explain", query_commands.explain, "one pet's whole life")
    explain.add_argument("animal_id", type=arguments.animal_id, metavar="ANIMAL_ID")
    explain.add_argument(
        "--json", action="store_true", help="with its events as they were published"
    )

    tail = _command(add, "tail", query_commands.tail, "watch a topic")
    tail.add_argument("topic", choices=_TOPICS)
    tail.add_argument("--from-beginning", action="store_true")
    tail.add_argument("--json", action="store_true")

    schemas = _command(
        add, "schemas", query_commands.schemas, "JSON Schemas and AsyncAPI of the topics"
    )
    schemas.add_argument("--out", type=Path, metavar="DIR")

    simulate = _command(add, "simulate", _not_loaded, "serve simulated exports to practise on")
    simulate.complete = _add_arguments_of("simulate", extra="lab")
    return top


class _CommandParser(argparse.ArgumentParser):
    """A command's parser; `complete` adds its arguments when the command is used, not before."""

    complete: Callable[[argparse.ArgumentParser], None] | None = None

    def parse_known_args(self, *arguments: Any, **options: Any) -> Any:
        if self.complete is not None:
            complete, self.complete = self.complete, None
            complete(self)
        return super().parse_known_args(*arguments, **options)


def _command(
    add: argparse._SubParsersAction[_CommandParser],
    name: str,
    command: commands.FromOptions,
    what: str,
) -> _CommandParser:
    parser = add.add_parser(name, help=what, description=what)
    parser.set_defaults(command=command, name=name)
    return parser


def _actions(parser: argparse.ArgumentParser, *actions: str) -> dict[str, argparse.ArgumentParser]:
    """Add sub-commands, with ids where they need one; return the parser of each."""
    parsers = {}
    add = parser.add_subparsers(required=True, dest="action", metavar="|".join(actions))
    for action in actions:
        name, _, needed = action.partition(" ")
        action_parser = parsers[name] = add.add_parser(name)
        action_parser.set_defaults(ident=None)
        if needed.endswith("..."):
            action_parser.add_argument("ident", nargs="*", metavar="ID")
            action_parser.add_argument("--all", action="store_true")
        elif needed:
            action_parser.add_argument("ident", metavar=needed)
        if name in {"approve", "reject"}:
            action_parser.add_argument(
                "--reason", metavar="TEXT", help="why; it is published with it"
            )
            action_parser.add_argument("--by", metavar="NAME", help="who decides (your user name)")
    return parsers


def _add_arguments_of(name: str, *, extra: str) -> Callable[[argparse.ArgumentParser], None]:
    """Return what completes a command's parser with what its entry point adds."""

    def complete(parser: argparse.ArgumentParser) -> None:
        missing = ""
        for entry_point in entry_points(group=_COMMANDS, name=name):
            try:
                add_arguments = entry_point.load()
            except ModuleNotFoundError as error:
                missing = f" (there is no module {error.name})"
            else:
                add_arguments(parser)
                return
        install = f"pip install 'petstream[{extra}]'"
        parser.exit(2, f"petstream: {name} isn't installed{missing}: {install}\n")

    return complete


def _not_loaded(_options: argparse.Namespace) -> int:
    raise AssertionError("the entry point has set what runs")


def is_daemon(options: argparse.Namespace) -> bool:
    """Tell whether the command goes on until a signal: then being stopped is no failure."""
    return (
        options.name in {"up", "tail", "simulate", "console"}
        or (options.name == "ingest" and options.watch)
        or (options.name == "consume" and not options.drain)
    )
