"""The `petstream` command, also as `python -m console` and as a part of `up`.

Rule 1: until the command line is read, there is nothing to tidy up: a signal ends the process as it
        ends any program, without a traceback of imports.
"""

from __future__ import annotations

import signal
import sys
from typing import NoReturn

from console.runtime import lifeline


def main() -> NoReturn:
    """Run the command line and exit."""
    if sys.argv[1:] == ["--version"]:  # which the parts that aren't installed don't matter for
        from importlib.metadata import version  # noqa: PLC0415  rule 1

        print(f"petstream {version('petstream')}")  # noqa: T201  the command's output
        sys.exit(0)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    lifeline.hold()  # before the imports below, which take a while
    try:
        from console.cli import parser  # noqa: PLC0415  rule 1
    except ModuleNotFoundError as error:
        from console.runtime.exit import not_installed  # noqa: PLC0415  rule 1

        sys.exit(not_installed(error))
    parser.main()


if __name__ == "__main__":
    main()
