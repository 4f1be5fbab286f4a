"""A checkpoint of the ledgers, beside the data: what the log up to some ends came to. See 0013.

Rule 1: it is a cache and never the truth. Without it the topics are read whole, and nothing else
        is different; in any doubt it is thrown away, and nobody is told.
Rule 2: it is written when an export was completed: what the run's fold saw, and what it published
        since. So its ends are those of that *completed*, and it is believed for just these.
Rule 3: it is written of what is clear only: every record since the fold was ours and acknowledged
        in its place, none was refused, and no key is stale. The rest is read anew every time.
Rule 4: whoever begins from it sees that the topics begin where they began, in the partitions they
        had, and that the record before each end is there: `ingest.state.restore` reads it again.
Rule 5: its index is written beside and renamed, and has a check sum and the digest of the code that
        wrote it. Values lie in a file of their own, which is only added to, under a name that is
        never used again; each has a check sum. It begins anew once half of it is out of date, and
        every two weeks: what was replaced in the topics mustn't stay here for longer than there.
Rule 6: nothing is forced to the disk: what a power cut leaves of it has another check sum.
Rule 7: one process at a time uses it; another one does without.
"""

from __future__ import annotations

import fcntl
import os
import pkgutil
import secrets
import time
from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from io import FileIO
from pathlib import Path
from typing import Final

import msgspec
import xxhash

from ingest.state.ledger import KeptLedger
from ingest.state.spill_file import SpillFile
from petstream.events import LogEnd
from petstream.kafka.records import TopicPartition
from petstream.settings import private_directory

_MAGIC: Final = b"petstream ledgers\n"
_DIGEST_BYTES: Final = 16
_CODE: Final = (
    ("petstream", "codec.py"),
    ("petstream", "fold.py"),
    ("ingest.state", "checkpoint.py"),
    ("ingest.state", "ledger.py"),
    ("ingest.state", "restore.py"),
    ("ingest.state", "spill_file.py"),
)
_OUT_OF_DATE: Final = 2  # as many values as keys, and as many again
_FEW_VALUES: Final = 10_000
_OLDEST_S: Final = 14 * 24 * 3600.0


class KeptLedgers(msgspec.Struct, frozen=True):
    """What the log up to its ends came to; partitions are named ``topic/partition``."""

    begins: dict[str, int]
    ends: dict[str, LogEnd]
    pets: KeptLedger
    orgs: KeptLedger

    def fits(self, begins: Mapping[TopicPartition, int]) -> bool:
        """Tell whether these are the partitions that there are now, and begin where they began."""
        named = {str(partition): begin for partition, begin in begins.items()}
        return self.begins == named and self.ends.keys() == named.keys()


class _Index(msgspec.Struct, frozen=True):
    """What is written: the ledgers, and the file that has their values."""

    ledgers: KeptLedgers
    values: str
    values_bytes: int
    values_count: int
    begun_s: float


class Checkpoint:
    """The checkpoint of one prefix of topics, and the values of the ledgers of a run."""

    def __init__(
        self, data_dir: Path, prefix: str, *, ours: bool, clock: Callable[[], float] = time.time
    ) -> None:
        """Use what is there, if it is ours alone; `opened` makes one."""
        self._data_dir, self._directory = data_dir, directory_of(data_dir)
        self._name, self._ours = f"{prefix}ledgers", ours
        self._values: SpillFile | None = None
        self._values_name = ""
        self._begun_s = 0.0
        self._is_kept = False
        self._clock = clock

    @property
    def values(self) -> SpillFile:
        """Where values are kept, once `load` or `begin` has seen to it."""
        assert self._values is not None  # noqa: S101  as the docstring says
        return self._values

    def load(self, ends: Mapping[str, LogEnd]) -> KeptLedgers | None:
        """Return what the log up to these ends came to, if that is kept, and its values are there.

        Args:
            ends: those of the newest completed export, ``topic/partition``.
        """
        self._end()
        index = self._read() if self._ours else None
        if index is None or not self._is_of(index, ends):
            return None
        try:
            file = FileIO(self._directory / index.values, "r+", opener=_there)
            if os.fstat(file.fileno()).st_size < index.values_bytes:
                file.close()
                return None
            file.truncate(index.values_bytes)
        except OSError:
            return None
        self._values = SpillFile(
            self._directory, file, written=index.values_bytes, count=index.values_count
        )
        self._values_name, self._begun_s = index.values, index.begun_s
        self._is_kept = True
        return index.ledgers

    def _is_of(self, index: _Index, ends: Mapping[str, LogEnd]) -> bool:
        """Tell whether an index is of these ends, and not to begin anew (rules 2 and 5)."""
        keys = len(index.ledgers.pets.entries) + len(index.ledgers.orgs.entries)
        return (
            bool(ends)
            and index.ledgers.ends == ends
            and all(map(_is_known, ends.values()))
            and index.values_count <= _OUT_OF_DATE * keys + _FEW_VALUES
            and 0 <= self._clock() - index.begun_s < _OLDEST_S
        )

    def begin(self) -> None:
        """Throw away what there is, and begin with a new file of values.

        Raises:
            NoRoomError: the disk is full.
            PetstreamError: values can't be kept anywhere.
        """
        self.discard()
        if self._ours:
            name = f"{self._name}.{secrets.token_hex(8)}.values"
            with suppress(OSError):
                file = FileIO(self._directory / name, "x+", opener=_private)
                self._values, self._values_name = SpillFile(self._directory, file), name
                self._begun_s = self._clock()
                return
        self._values = SpillFile(self._data_dir)

    def save(self, ledgers: KeptLedgers) -> None:
        """Keep what the log comes to up to its ends; where that can't be, nothing is kept."""
        if not self._values_name:
            return
        index = self._directory / f"{self._name}.index"
        part = index.with_suffix(".part")
        try:
            size = self.values.flush()
            kept = _Index(ledgers, self._values_name, size, self.values.count, self._begun_s)
            with FileIO(part, "w", opener=_private) as file:
                for piece in _packed(kept):
                    _write(file, piece)
            part.replace(index)
        except OSError:
            with suppress(OSError):
                part.unlink(missing_ok=True)
        else:
            self._is_kept = True

    def discard(self) -> None:
        """Throw away what is kept."""
        self._end()
        if self._ours:
            with suppress(OSError):
                (self._directory / f"{self._name}.index").unlink(missing_ok=True)
                for name in self._values_files():
                    (self._directory / name).unlink(missing_ok=True)

    def close(self) -> None:
        """End it; values that no index names are thrown away."""
        if self._values_name and not self._is_kept:
            self.discard()
        self._end()

    def _end(self) -> None:
        if self._values is not None:
            self._values.close()
        self._values, self._values_name, self._is_kept = None, "", False

    def _read(self) -> _Index | None:
        try:
            return _unpacked((self._directory / f"{self._name}.index").read_bytes())
        except (OSError, msgspec.DecodeError):
            return None

    def _values_files(self) -> Collection[str]:
        begin = f"{self._name}."
        names = (path.name for path in self._directory.iterdir())
        return {name for name in names if name.startswith(begin) and name.endswith(".values")}


def directory_of(data_dir: Path) -> Path:
    """Return where checkpoints lie."""
    return data_dir / "checkpoints"


def files_of(data_dir: Path, prefix: str) -> list[Path]:
    """Return the files of a prefix's checkpoint; nobody may be using it."""
    try:
        paths = sorted(directory_of(data_dir).iterdir())
    except OSError:
        return []
    return [path for path in paths if path.name.startswith(f"{prefix}ledgers.")]


@contextmanager
def opened(data_dir: Path, prefix: str) -> Generator[Checkpoint]:
    """Open the checkpoint of a prefix for as long as the block lasts (rule 7)."""
    lock = _locked(directory_of(data_dir), f"{prefix}ledgers.lock")
    checkpoint = Checkpoint(data_dir, prefix, ours=lock is not None)
    try:
        yield checkpoint
    finally:
        checkpoint.close()
        if lock is not None:
            os.close(lock)


def _locked(directory: Path, name: str) -> int | None:
    """Return a lock that is held while it is open; None: another one has it, or nothing can be."""
    lock = None
    try:
        private_directory(directory)
        lock = _private(str(directory / name), os.O_RDWR | os.O_CREAT)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        if lock is not None:
            os.close(lock)
        return None
    return lock


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def _there(path: str, flags: int) -> int:
    return os.open(path, flags & ~os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW)


def _write(file: FileIO, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def _packed(index: _Index) -> tuple[bytes, bytes]:
    """Return the two parts of an index; as one, they would be in memory twice."""
    text = msgspec.msgpack.encode(index)
    return _MAGIC + _code() + xxhash.xxh3_128_digest(text), text


def _unpacked(data: bytes) -> _Index | None:
    """Return an index; None: it isn't whole, or another version's; raises as msgspec does."""
    head = _MAGIC + _code()
    begin = len(head) + _DIGEST_BYTES
    text = memoryview(data)[begin:]
    if not data.startswith(head) or data[len(head) : begin] != xxhash.xxh3_128_digest(text):
        return None
    return _DECODER.decode(text)


def _is_known(end: LogEnd) -> bool:
    """Tell whether the record before an end would be recognised."""
    return end.offset == 0 or (end.record_id is not None and end.timestamp_ms > 0)


@cache
def _code() -> bytes:
    """Return the digest of the code that makes ledgers of records, and of this."""
    digest = xxhash.xxh3_128()
    for package, name in _CODE:
        source = pkgutil.get_data(package, name) or b""
        digest.update(b"%d\n" % len(source))
        digest.update(source)
    return digest.digest()


_DECODER: Final = msgspec.msgpack.Decoder(_Index)
