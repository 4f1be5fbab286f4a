"""Who may do what in Kafka, as docs/kafka-security.md says: in its table, and as commands."""

from __future__ import annotations

import re
import shlex
from argparse import ArgumentParser

Right = tuple[str, str, str, bool]
"""An operation, a kind of resource, its name after ``petstream.``, and whether that begins it."""


def rights_of_the_page(page: str, who: str) -> list[Right]:
    """Return the rights of a row's user."""
    rows = re.findall(
        rf"^\| {who} \| ([\w, ]+) \| (topic|group)s? (beginning with )?`petstream\.([^`]*)` \|$",
        page, re.MULTILINE,
    )  # fmt: skip
    assert rows, who
    return [
        (operation, kind, name, bool(begins))
        for operations, kind, begins, name in rows
        for operation in operations.split(", ")
    ]


def rights_of_the_commands(page: str, user: str) -> list[Right]:
    """Return the rights that the page's commands give a user, on what is petstream's."""
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--operation", action="append")
    parser.add_argument("--topic")
    parser.add_argument("--group")
    parser.add_argument("--resource-pattern-type", choices=["prefixed"])
    given: list[Right] = []
    for line in page.replace("\\\n", " ").splitlines():
        if not line.startswith(f"allow {user} "):
            continue
        options = parser.parse_args(shlex.split(line)[2:])
        kind, name = ("topic", options.topic) if options.topic else ("group", options.group)
        if name.startswith("petstream."):
            begins = options.resource_pattern_type is not None
            rest = name.removeprefix("petstream.")
            given += [(operation, kind, rest, begins) for operation in options.operation]
    return given
