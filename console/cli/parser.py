"""The `petstream` command: its parser."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn, get_args

from console.act import audit, purge
from console.cli import commands, query_commands
from console.runtime import arguments, logs
from console.runtime.exit import ended_well
from consumers.registry import CONSUMERS, NAMES
from lab.simulator.faults import FAULTS
from petstream.events import Mode

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
    add = top.add_subparsers(required=True, metavar="COMMAND")

    _command(add, "up", commands.up, "the daemon: schedule, ingest and all consumers")
    _command(add, "console", query_commands.console, "the pages alone, for a browser")
    _command(add, "down", commands.down, "stop the embedded servers")

    one = _command(add, "ingest", commands.ingest, "read one export, publish what changed")
    one.add_argument("--mode", choices=("auto", *get_args(Mode)), default="auto")
    one.add_argument("--watch", action="store_true", help="as a daemon: every export as it comes")
    one.add_argument("--every", type=float, metavar="SECONDS", help="with --watch: look so often")
    one.add_argument(
        "--allow-older", action="store_true", help="read an export older than the last completed"
    )
    one.add_argument("--from-archive", metavar="EXPORT", help="read an archived export once more")

    one = _command(add, "consume", commands.consume, "apply what the topics say")
    one.add_argument(
        "consumer", choices=(*NAMES, "all"),
        help="; ".join(f"{name}: {consumer.keeps}" for name, consumer in CONSUMERS.items()),
    )  # fmt: skip
    one.add_argument("--drain", action="store_true", help="end when all is applied")

    _command(add, "migrate", commands.migrate, "bring the database to this version")

    one = _command(
        add, "status", query_commands.status, "exports, counts, held plans, lag, dead letters"
    )
    one.add_argument("--json", action="store_true")

    one = _command(add, "diff", query_commands.diff, "what lies between two exports")
    one.add_argument("older", nargs="?", default="previous", metavar="OLDER")
    one.add_argument("newer", nargs="?", default="last", metavar="NEWER")
    one.add_argument("--json", action="store_true")

    one = _command(
        add, "doctor", query_commands.doctor, "check everything; say how to mend what fails"
    )
    one.add_argument("--json", action="store_true")
    one = _command(add, "removals", query_commands.removals, "held removal plans")
    actions = _actions(one, "list", "show ID", "approve ID", "reject ID")
    actions["show"].add_argument("--json", action="store_true", help="with its state")
    one = _command(add, "dead-letters", query_commands.dead_letters, "refused rows and events")
    _actions(one, "list", "show ID", "replay ID...")
    query_commands.replay_arguments(
        _command(add, "replay", query_commands.replay, "rewind a consumer")
    )

    one = _command(add, "audit", audit.audit, "compare the tables with the log")
    one.add_argument("--repair", action="store_true", help="the log wins")
    purge.arguments(_command(add, "purge", purge.purge, "delete all that came from the feed"))

    one = _command(add, "explain", query_commands.explain, "one pet's whole life")
    one.add_argument("animal_id", type=arguments.animal_id, metavar="ANIMAL_ID")
    one.add_argument("--json", action="store_true", help="with its events as they were published")

    one = _command(add, "tail", query_commands.tail, "watch a topic")
    one.add_argument("topic", choices=_TOPICS)
    one.add_argument("--from-beginning", action="store_true")
    one.add_argument("--json", action="store_true")

    one = _command(
        add, "schemas", query_commands.schemas, "JSON Schemas and AsyncAPI of the topics"
    )
    one.add_argument("--out", type=Path, metavar="DIR")

    one = _command(add, "simulate", commands.simulate, "serve simulated exports to practise on")
    one.add_argument("--pets", type=arguments.positive, default=2000, metavar="N")
    one.add_argument("--days", type=arguments.positive, default=3, metavar="N")
    one.add_argument(
        "--fault", action="extend", nargs="+", default=[], choices=tuple(FAULTS), metavar="NAME",
        help="what is wrong with every export: " + ", ".join(FAULTS),
    )  # fmt: skip
    one.add_argument("--zip", action="store_true", help="the files are zipped")
    one.add_argument(
        "--port", type=arguments.port, metavar="P", help="of the FTP server (2121 if free)"
    )
    one.add_argument(
        "--every", type=float, metavar="SECONDS", help="the next day comes by itself, not by Enter"
    )
    return top


def _command(
    add: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    command: commands.FromOptions,
    what: str,
) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = add.add_parser(name, help=what, description=what)
    made.set_defaults(command=command, name=name)
    return made


def _actions(one: argparse.ArgumentParser, *actions: str) -> dict[str, argparse.ArgumentParser]:
    """Add sub-commands, with ids where they need one; return the parser of each."""
    parsers = {}
    add = one.add_subparsers(required=True, dest="action", metavar="|".join(actions))
    for action in actions:
        name, _, needed = action.partition(" ")
        made = parsers[name] = add.add_parser(name)
        made.set_defaults(ident=None)
        if needed.endswith("..."):
            made.add_argument("ident", nargs="*", metavar="ID")
            made.add_argument("--all", action="store_true")
        elif needed:
            made.add_argument("ident", metavar=needed)
        if name in {"approve", "reject"}:
            made.add_argument("--reason", metavar="TEXT", help="why; it is published with it")
            made.add_argument("--by", metavar="NAME", help="who decides (your user name)")
    return parsers


def is_daemon(options: argparse.Namespace) -> bool:
    """Tell whether the command goes on until a signal: then being stopped is no failure."""
    return (
        options.name in {"up", "tail", "simulate", "console"}
        or (options.name == "ingest" and options.watch)
        or (options.name == "consume" and not options.drain)
    )
