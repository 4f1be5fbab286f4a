"""What a process that we start may import, and what of our environment it gets.

Rule 1: one of our own imports what is installed, never what lies in the working directory.
Rule 2: variables are passed on by name. The environment of a process is read by its owner and by
        root, and may be written to its logs: ours holds secrets, of petstream and of others.
"""

from __future__ import annotations

import os
import sys
from typing import Final

_OF_ANY: Final = frozenset(
    [
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "TMPDIR",
        "TZ",
        "LD_LIBRARY_PATH",
        "DYLD_LIBRARY_PATH",
        "PYTHONPATH",
    ]
)
_OF_OUR_OWN: Final = frozenset(
    ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "LANG", "LANGUAGE", "VIRTUAL_ENV"]
)
_OF_OUR_OWN_BEGIN: Final = ("LC_", "XDG_", "SSL_", "PYTHON", "AWS_", "AZURE_", "GOOGLE_", "JAVA_")
"""Of the language, caches, certificates, Python, the bucket of the pictures, and Java."""


def python_command(module: str, *arguments: str) -> tuple[str, ...]:
    """Return the command line of a module of ours (rule 1)."""
    return (sys.executable, "-P", "-m", module, *arguments)


def python_lines(lines: str) -> tuple[str, ...]:
    """Return the command line of a few lines of ours (rule 1)."""
    return (sys.executable, "-P", "-c", lines)


def environment_of_servers(*names: str) -> dict[str, str]:
    """Return what Kafka, Postgres and other programs get of our environment.

    Args:
        names: of further variables, for those that are set.
    """
    return {name: os.environ[name] for name in (*_OF_ANY, *names) if name in os.environ}


def environment_of_parts() -> dict[str, str]:
    """Return what parts of ours get of our environment, beside their settings."""
    return {
        name: text
        for name, text in os.environ.items()
        if name in _OF_ANY or name.upper() in _OF_OUR_OWN or name.startswith(_OF_OUR_OWN_BEGIN)
    }
