"""How every command ends: an exit status, and one clear line for what went wrong.

Rule 1: exit status 0 done, 1 failed or interrupted, 2 wrong use or settings, 3 the export isn't
        ready or isn't whole, 4 done but removals are held.
Rule 2: what goes wrong is one clear line on stderr: no traceback, never a secret.
"""

from __future__ import annotations

import errno
import logging
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from console.runtime import signals, streams
from console.runtime.output import note
from petstream.errors import NoRoomError, PetstreamError, UsageError, is_full

Command = Callable[[], int]

_NOT_OURS: Final = {errno.EACCES, errno.EPERM, errno.EROFS}
_OURS: Final = {"petstream", "ingest", "consumers", "console", "lab"}
_NOT_TO_INSTALL: Final = {"", *_OURS, *sys.stdlib_module_names}


def ended_well(command: Command, *, daemon: bool) -> int:  # noqa: PLR0911  each way to end
    """Run a command; turn what goes wrong into lines and an exit status."""
    _quiet_libraries()
    try:
        signals.interrupting()
        return _with_its_reader(command)
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
    except ModuleNotFoundError as error:
        return not_installed(error)
    except OSError as error:
        return _of_system(error)
    except Exception as error:  # noqa: BLE001  the last door: nobody is shown a traceback
        return _bug(error)


def _with_its_reader(command: Command) -> int:
    """Run a command, and wait until whoever reads its output has it."""
    status = command()
    streams.finish()
    return status


def not_installed(error: ModuleNotFoundError) -> int:
    """Say which part of petstream to install; what isn't anybody else's module is a bug of ours."""
    package = (error.name or "").partition(".")[0]
    if package in _NOT_TO_INSTALL:
        return _bug(error)
    note(f"petstream: there is no module {package}: pip install 'petstream[server]'")
    return UsageError.exit_status


def _quiet_libraries() -> None:
    """Our own warnings go to stderr; clients that retry by themselves needn't warn."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    for name in ("aiokafka", "asyncio", "aioftp", "kafka"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _complain(errors: Sequence[PetstreamError]) -> int:
    for error in errors:
        for line in str(error).splitlines():
            note(f"petstream: {line}")
    return max(error.exit_status for error in errors)


def _leaves(group: BaseExceptionGroup[PetstreamError]) -> list[PetstreamError]:
    leaves: list[PetstreamError] = []
    for error in group.exceptions:
        leaves.extend(_leaves(error) if isinstance(error, BaseExceptionGroup) else [error])
    return leaves


def _of_system(error: OSError) -> int:
    if is_full(error):
        return _no_room(error)
    if error.errno in _NOT_OURS and error.filename:
        note(
            f"petstream: {error.filename} can't be used ({error.strerror}): give it to the user id "
            f"{os.geteuid()}, which petstream runs as, or set PETSTREAM_DATA_DIR to a directory "
            "of its own"
        )
        return UsageError.exit_status
    if "temporary directory" in str(error):
        note("petstream: no directory for temporary files can be written: set TMPDIR to one")
        return UsageError.exit_status
    return _bug(error)


def _no_room(error: OSError) -> int:
    where = error.filename or "most likely that of PETSTREAM_DATA_DIR"
    note(
        f"petstream: a disk is full ({where}): make room there; nothing was lost, and running it "
        "again is harmless"
    )
    return NoRoomError.exit_status


def _bug(error: BaseException) -> int:
    """Say where it happened, never with what values: those may hold secrets."""
    frames = traceback.extract_tb(error.__traceback__)
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
        frames = traceback.extract_tb(error.__traceback__)
    calls = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames[-4:])]
    note(
        f"petstream: this is a bug in petstream: {type(error).__name__} at {' < '.join(calls)}; "
        "nothing was lost, and running it again is harmless"
    )
    if os.environ.get("PETSTREAM_TEST_TRACEBACK"):
        traceback.print_exception(error)
    return 1
