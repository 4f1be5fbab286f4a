"""`python -m console`: the `petstream` command, also as a part of `up`.

Rule 1: until the command line is read, there is nothing to tidy up: a signal ends the process as it
        ends any program, without a traceback of imports.
"""

from __future__ import annotations

import signal

from console import lifeline

if __name__ == "__main__":
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    lifeline.hold()  # before the imports below, which take a while
    from console.cli import main

    main()
