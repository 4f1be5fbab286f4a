"""The errors a person meets: each is one clear line that is safe to print.

    PetstreamError            exit status 1   failed
    ├── UsageError            exit status 2   wrong use or wrong settings
    ├── NotReadyError         exit status 3   the export isn't ready or isn't whole
    │   └── BrokenFileError   exit status 3   one of its files is broken
    └── UnreachableError      exit status 1   a server was away for too long
        ├── LostRecordsError  exit status 1   Kafka has lost what it acknowledged: run it again
        └── NoRoomError       exit status 1   a disk is full: a daemon waits for room

Rule 1: the message says what is wrong, where, and how to mend it.
Rule 2: no message ever holds the FTP URL, a user name, a password or a file name with the API key.
"""

from __future__ import annotations

import errno
from typing import ClassVar


class PetstreamError(Exception):
    """Something failed; the message is one line for the person at the terminal."""

    exit_status: ClassVar[int] = 1


class UsageError(PetstreamError):
    """The command or the settings are wrong."""

    exit_status: ClassVar[int] = 2


class NotReadyError(PetstreamError):
    """The export isn't ready or isn't whole; nothing was completed or removed."""

    exit_status: ClassVar[int] = 3


class BrokenFileError(NotReadyError):
    """A file of the export is broken; nothing was completed or removed."""


class UnreachableError(PetstreamError):
    """A server could not be reached in the time a one-shot command gives it."""


class LostRecordsError(UnreachableError):
    """Kafka has lost records that it acknowledged; what is owed for them stands on exports.v1."""


class NoRoomError(UnreachableError):
    """A disk is full: what needs room waits for it, and nothing was lost."""


def is_full(error: OSError) -> bool:
    """Return whether a disk, or what somebody may have of it, is full."""
    return error.errno in {errno.ENOSPC, errno.EDQUOT}
