"""`python -m console`: the `petstream` command, also as a part of `up`."""

from __future__ import annotations

from console import lifeline

if __name__ == "__main__":
    lifeline.hold()  # before the imports below, which take a while
    from console.cli import main

    main()
