"""The `petstream` command: the parser, and how every command ends.

Rule 1: exit status 0 done, 1 failed or interrupted, 2 wrong use or settings, 3 the export isn't
        ready or isn't whole, 4 done but removals are held.
Rule 2: what goes wrong is one clear line on stderr: no traceback, never a secret.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn

from console import arguments, audit, commands, logs, looking, purge, signals
from console.simulator.faults import FAULTS
from petstream.errors import PetstreamError

_TOPICS: Final = ("pets", "orgs", "exports", "pictures")


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run the command line; return the exit status (argparse exits by itself: 2, or 0 for help)."""
    options = parser().parse_args(arguments)
    with logs.written(options.name, getattr(options, "consumer", None)):
        return ended_well(lambda: int(options.command(options)), daemon=is_daemon(options))


def ended_well(command: commands.Command, *, daemon: bool) -> int:  # noqa: PLR0911  each way to end
    """Run a command; turn what goes wrong into lines and an exit status."""
    _quiet_libraries()
    try:
        signals.interrupting()
        return command()
    except KeyboardInterrupt:  # before or behind the event loop: while servers start
        return 0 if daemon else 1
    except PetstreamError as error:
        return _complain([error])
    except BaseExceptionGroup as group:
        errors, others = group.split(PetstreamError)
        if others is not None or errors is None:
            return _bug(group)
        return _complain(list(_leaves(errors)))
    except BrokenPipeError:  # whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001  the last door: nobody is shown a traceback
        return _bug(error)


def parser() -> argparse.ArgumentParser:
    """Make the parser of all commands."""
    top = argparse.ArgumentParser(
        prog="petstream",
        description="Mirrors the RescueGroups.org adoptable-pet export into Kafka and Postgres.",
        epilog="Settings are PETSTREAM_* environment variables, or lines of a .env file.",
    )
    add = top.add_subparsers(required=True, metavar="COMMAND")

    _command(add, "up", commands.up, "the daemon: schedule, ingest and all consumers")
    _command(add, "console", looking.console, "the pages alone, for a browser")
    _command(add, "down", commands.down, "stop the embedded servers")

    one = _command(add, "ingest", commands.ingest, "read one export, publish what changed")
    one.add_argument("--mode", choices=("auto", "initial", "daily", "scrub"), default="auto")
    one.add_argument("--watch", action="store_true", help="as a daemon: every export as it comes")
    one.add_argument("--every", type=float, metavar="SECONDS", help="with --watch: look so often")
    one.add_argument(
        "--allow-older", action="store_true", help="read an export older than the last completed"
    )
    one.add_argument("--from-archive", metavar="EXPORT", help="read an archived export once more")

    one = _command(add, "consume", commands.consume, "apply what the topics say")
    one.add_argument("consumer", choices=("pets", "images", "deletions", "all"))
    one.add_argument("--drain", action="store_true", help="end when all is applied")

    _command(add, "migrate", commands.migrate, "bring the database to this version")

    one = _command(add, "status", looking.status, "exports, counts, held plans, lag, dead letters")
    one.add_argument("--json", action="store_true")

    one = _command(add, "diff", looking.diff, "what lies between two exports")
    one.add_argument("older", nargs="?", default="previous", metavar="OLDER")
    one.add_argument("newer", nargs="?", default="last", metavar="NEWER")
    one.add_argument("--json", action="store_true")

    one = _command(add, "doctor", looking.doctor, "check everything; say how to mend what fails")
    one.add_argument("--json", action="store_true")
    one = _command(add, "removals", looking.removals, "held removal plans")
    _actions(one, "list", "show ID", "approve ID", "reject ID")
    one = _command(add, "dead-letters", looking.dead_letters, "refused rows and events")
    _actions(one, "list", "show ID", "replay ID...")
    looking.replay_arguments(_command(add, "replay", looking.replay, "rewind a consumer"))

    one = _command(add, "audit", audit.audit, "compare the tables with the log")
    one.add_argument("--repair", action="store_true", help="the log wins")
    purge.arguments(_command(add, "purge", purge.purge, "delete all that came from the feed"))

    one = _command(add, "explain", looking.explain, "one pet's whole life")
    one.add_argument("animal_id", type=arguments.animal_id, metavar="ANIMAL_ID")
    one.add_argument("--json", action="store_true", help="with its events as they were published")

    one = _command(add, "tail", looking.tail, "watch a topic")
    one.add_argument("topic", choices=_TOPICS)
    one.add_argument("--from-beginning", action="store_true")
    one.add_argument("--json", action="store_true")

    one = _command(add, "schemas", looking.schemas, "JSON Schemas and AsyncAPI of the topics")
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


def _actions(one: argparse.ArgumentParser, *actions: str) -> None:
    """Add sub-commands, with ids where they need one."""
    add = one.add_subparsers(required=True, dest="action", metavar="|".join(actions))
    for action in actions:
        name, _, needed = action.partition(" ")
        made = add.add_parser(name)
        made.set_defaults(ident=None)
        if needed.endswith("..."):
            made.add_argument("ident", nargs="*", metavar="ID")
            made.add_argument("--all", action="store_true")
        elif needed:
            made.add_argument("ident", metavar=needed)
        if name in {"approve", "reject"}:
            made.add_argument("--reason", metavar="TEXT", help="why; it is published with it")
            made.add_argument("--by", metavar="NAME", help="who decides (your user name)")


def is_daemon(options: argparse.Namespace) -> bool:
    """Tell whether the command goes on until a signal: then being stopped is no failure."""
    return (
        options.name in {"up", "tail", "simulate", "console"}
        or (options.name == "ingest" and options.watch)
        or (options.name == "consume" and not options.drain)
    )


def _quiet_libraries() -> None:
    """Our own warnings go to stderr; clients that retry by themselves needn't tell."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    for name in ("aiokafka", "asyncio", "aioftp", "kafka"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _complain(errors: Sequence[PetstreamError]) -> int:
    for error in errors:
        for line in str(error).splitlines():
            commands.note(f"petstream: {line}")
    return max(error.exit_status for error in errors)


def _leaves(group: BaseExceptionGroup[PetstreamError]) -> list[PetstreamError]:
    found: list[PetstreamError] = []
    for error in group.exceptions:
        found.extend(_leaves(error) if isinstance(error, BaseExceptionGroup) else [error])
    return found


def _bug(error: BaseException) -> int:
    """Say where it happened, never with what values: those may hold secrets."""
    frames = traceback.extract_tb(error.__traceback__)
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
        frames = traceback.extract_tb(error.__traceback__)
    path = " < ".join(f"{Path(one.filename).name}:{one.lineno}" for one in reversed(frames[-4:]))
    commands.note(
        f"petstream: this is a bug in petstream: {type(error).__name__} at {path}; "
        "nothing was lost, and running it again is harmless"
    )
    if os.environ.get("PETSTREAM_TEST_TRACEBACK"):
        traceback.print_exception(error)
    return 1


if __name__ == "__main__":
    main()
