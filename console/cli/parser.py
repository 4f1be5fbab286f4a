"""The `petstream` command: its parser.

Rule 1: what another package adds (an entry point of `petstream.commands`) is imported when it is
        used: `--help` works without it, and nothing else waits for it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NoReturn, get_args

from console.act import audit, purge
from console.cli import commands, query_commands
from console.cli.completion import completing
from console.runtime import arguments, logs, metrics_dir, streams
from console.runtime.exit import ended_well
from console.runtime.terminal import printable
from consumers.registry import CONSUMERS, EVERY
from petstream.events import Mode

_COMMANDS: Final = "petstream.commands"
_JSON: Final = "one JSON object on stdout; all else on stderr"
_TOPICS: Final = ("pets", "orgs", "exports", "pictures", "requests")


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit, once whoever reads the output has it."""
    streams.wrap()
    try:
        status = run(sys.argv[1:] if arguments is None else arguments)
    except SystemExit as ended:  # argparse's
        status = ended.code if isinstance(ended.code, int) else 1
    with suppress(BrokenPipeError, KeyboardInterrupt):
        streams.finish()
    sys.exit(status)


def run(arguments: Sequence[str]) -> int:
    """Run the command line; return the exit status (argparse exits by itself: 2, or 0 for help)."""
    options = parser().parse_args(arguments)
    is_document = getattr(options, "json", False)
    with logs.written(options.name, getattr(options, "consumer", None), is_document=is_document):
        metrics_dir.join()
        return ended_well(lambda: int(options.command(options)), daemon=is_daemon(options))


def parser(*, is_whole: bool = False) -> argparse.ArgumentParser:
    """Make the parser of all commands; `is_whole`: with what rule 1 leaves for later."""
    top = _Parser(
        prog="petstream",
        description="Mirrors the RescueGroups.org adoptable-pet export into Kafka and Postgres.",
        epilog="Settings are PETSTREAM_* environment variables, or lines of a .env file.",
    )
    top.add_argument("--version", action=_PrintVersion, nargs=0, help="print the version")
    add = top.add_subparsers(required=True, metavar="COMMAND", parser_class=_CommandParser)

    _command(add, "up", commands.up, "the daemon: schedule, ingest and all consumers")
    _command(add, "console", query_commands.console, "the pages alone, for a browser")
    down = _command(add, "down", commands.down, "stop the embedded servers")
    down.add_argument("--json", action="store_true", help=_JSON)
    env = _command(
        add, "env", query_commands.env,
        'where the embedded servers are, for a shell: eval "$(petstream env)"',
    )  # fmt: skip
    env.add_argument("--json", action="store_true", help=_JSON)

    ingest = _command(add, "ingest", commands.ingest, "read one export, publish what changed")
    ingest.add_argument(
        "--mode", choices=("auto", *get_args(Mode), "snapshot"), default="auto",
        help="instead of what is due (auto); snapshot: read it whole, publish every key again",
    )  # fmt: skip
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
        "--allow-growth", action="store_true",
        help="believe an export that brings more new pets than any day does",
    )  # fmt: skip
    ingest.add_argument(
        "--from-archive", metavar="EXPORT", help="read an archived export once more"
    )
    ingest.add_argument("--json", action="store_true", help=_JSON)

    consume = _command(add, "consume", commands.consume, "apply what the topics say")
    consume.add_argument(
        "consumer", choices=(*EVERY, "all"),
        help="; ".join(f"{name}: {consumer.keeps}" for name, consumer in CONSUMERS.items()),
    )  # fmt: skip
    consume.add_argument("--drain", action="store_true", help="end when all is applied")

    migrate = _command(add, "migrate", commands.migrate, "bring the database to this version")
    migrate.add_argument("--json", action="store_true", help=_JSON)

    _add_commands_that_look(add)

    simulate = _command(add, "simulate", _not_loaded, "serve simulated exports to practise on")
    simulate.complete = _add_arguments_of("simulate", extra="lab")
    if is_whole:
        with suppress(SystemExit):  # without [lab] there is nothing to complete
            simulate.complete(simulate)
    return top


def _add_commands_that_look(add: argparse._SubParsersAction[_CommandParser]) -> None:
    """Add the commands that look at what is there, and those that put it right."""
    status = _command(
        add, "status", query_commands.status, "exports, counts, held plans, lag, dead letters"
    )
    status.add_argument("--json", action="store_true", help=_JSON)

    diff = _command(add, "diff", query_commands.diff, "what lies between two exports")
    an_export = "an export's id, 'previous' or 'last'"
    diff.add_argument("older", nargs="?", default="previous", metavar="OLDER", help=an_export)
    diff.add_argument("newer", nargs="?", default="last", metavar="NEWER", help=an_export)
    diff.add_argument("--json", action="store_true", help=_JSON)

    doctor = _command(
        add, "doctor", query_commands.doctor, "check everything; say how to mend what fails"
    )
    doctor.add_argument("--json", action="store_true", help=_JSON)
    removals = _command(
        add, "removals", query_commands.removals, "held removal plans: look at them, and decide"
    )
    _removals_arguments(removals)
    dead_letters = _command(
        add, "dead-letters", query_commands.dead_letters,
        "refused rows and events: look at them, and send them back",
    )  # fmt: skip
    _dead_letter_arguments(dead_letters)
    _picture_arguments(
        _command(add, "pictures", query_commands.pictures, "pictures that couldn't be had")
    )
    query_commands.replay_arguments(
        _command(add, "replay", query_commands.replay, "rewind a consumer")
    )

    tables = _command(
        add, "table-topics", query_commands.table_topics, "the topics for engines beside petstream"
    )
    _table_arguments(tables)

    audit_parser = _command(add, "audit", audit.audit, "compare the tables with the log")
    audit_parser.add_argument("--repair", action="store_true", help="the log wins")
    audit_parser.add_argument("--json", action="store_true", help=_JSON)
    purge.arguments(_command(add, "purge", purge.purge, "delete all that came from the feed"))

    explain = _command(add, "explain", query_commands.explain, "one pet's whole life")
    explain.add_argument(
        "pet", nargs="+", type=arguments.name_or_id, metavar="ANIMAL_ID|NAME",
        help="its number, or its name, and what else is known: of several it lists the ids",
    )  # fmt: skip
    explain.add_argument(
        "--json", action="store_true", help="with its events as they were published"
    )

    tail = _command(add, "tail", query_commands.tail, "watch a topic")
    tail.add_argument("topic", choices=_TOPICS, help="which topic, without prefix and version")
    tail.add_argument("--from-beginning", action="store_true", help="what is there already, too")
    tail.add_argument("--json", action="store_true", help="one JSON object a line")

    schemas = _command(
        add, "schemas", query_commands.schemas, "JSON Schemas and AsyncAPI of the topics"
    )
    schemas.add_argument("--out", type=Path, metavar="DIR", help="write a file each, print none")

    completion = _command(
        add, "completion", completing(lambda: parser(is_whole=True)),
        'what a shell completes this command with: eval "$(petstream completion bash)"',
    )  # fmt: skip
    completion.add_argument("shell", choices=("bash", "zsh", "fish"))


class _Parser(argparse.ArgumentParser):
    """One whose words about an argument are shown, not obeyed: ids are copied out of texts."""

    def _print_message(self, message: str, file: Any = None) -> None:
        super()._print_message(printable(message), file)


class _PrintVersion(argparse.Action):
    """Prints the version; it is looked up only then."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib.metadata import version  # noqa: PLC0415  it takes 20 ms

        parser._print_message(f"{parser.prog} {version('petstream')}\n", sys.stdout)  # noqa: SLF001  as argparse's own does
        parser.exit()


class _CommandParser(_Parser):
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


def _removals_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_subparsers(required=True, dest="action", metavar="list|show|approve|reject")
    _action(add, "list", "every plan there was, how it stands, and why it was held")
    show = _action(add, "show", "one plan: why it is held, and whom it would remove")
    approve = _action(
        add, "approve", "they really left: publish the removals of this plan, and no others"
    )
    reject = _action(add, "reject", "the list was wrong: nobody of this plan is removed")
    for action in (show, approve, reject):
        action.add_argument("ident", metavar="ID", help="the plan's id, as 'list' shows it")
    for action in (approve, reject):
        action.add_argument("--reason", metavar="TEXT", help="why; it is published with it")
        action.add_argument("--by", metavar="NAME", help="who decides (your user name)")


def _dead_letter_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_subparsers(required=True, dest="action", metavar="list|show|replay")
    _action(add, "list", "what was refused, and why: a line each, oldest first")
    show = _action(add, "show", "one dead letter whole, with the original bytes")
    show.add_argument("ident", metavar="ID", help="its number, as 'list' shows it, or its origin")
    replay = _action(
        add, "replay",
        "once the cause is mended: send refused events back, and read refused rows again from the "
        "archive",
    )  # fmt: skip
    replay.add_argument("ident", nargs="*", metavar="ID", help="numbers, as 'list' shows them")
    replay.add_argument("--all", action="store_true", help="all of them, ten at a time")


def _picture_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_subparsers(required=True, dest="action", metavar="retry")
    retry = _action(
        add, "retry",
        "once the cause is mended: those that failed, are gone or wait are due again, and those "
        "of which a smaller rendition is stored; what is given must all fit",
    )  # fmt: skip
    retry.add_argument("--host", metavar="HOST", help="with an address at this host")
    retry.add_argument(
        "--reason", metavar="REASON", help="refused so, as the view pet_pictures has it in error"
    )
    retry.add_argument("--pet", type=arguments.animal_id, metavar="ID", help="of this pet")
    retry.add_argument("--all", action="store_true", help="all of them; alone")


def _table_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_subparsers(required=True, dest="action", metavar="rebuild")
    rebuild = _action(
        add, "rebuild",
        "make them anew from the log: after another format, or where somebody raised partitions; "
        "the consumer tables must be stopped",
    )  # fmt: skip
    rebuild.add_argument(
        "--dry-run", action="store_true", help="say what would be written, change nothing"
    )


def _action(
    add: argparse._SubParsersAction[argparse.ArgumentParser], name: str, what: str
) -> argparse.ArgumentParser:
    """Add a sub-command; `ident` is what it is about."""
    parser = add.add_parser(name, help=what, description=what)
    parser.set_defaults(ident=None)
    parser.add_argument("--json", action="store_true", help=_JSON)
    return parser


def _add_arguments_of(name: str, *, extra: str) -> Callable[[argparse.ArgumentParser], None]:
    """Return what completes a command's parser with what its entry point adds."""

    def complete(parser: argparse.ArgumentParser) -> None:
        from importlib.metadata import entry_points  # noqa: PLC0415  as above

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
