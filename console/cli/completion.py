"""What a shell completes `petstream` with: made from the parser, so that it holds every option."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable

from console.runtime.output import say


def completing(parser: Callable[[], ArgumentParser]) -> Callable[[Namespace], int]:
    """Return the command that prints the completion of what `parser` makes."""

    def completion(options: Namespace) -> int:
        import shtab  # noqa: PLC0415  no other command needs it

        say(shtab.complete(parser(), shell=options.shell))
        return 0

    return completion
