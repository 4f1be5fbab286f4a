"""The feed: pets and organisations that come, change and go, and the files that say so each day.

Rule 1: what a day's files say wrongly, they say so that somebody could notice: a petlist that is
        missing, empty, cut, too short or of the day before; a start stamp that can't be; rows that
        nobody can read; parts that are missing; an older export put back.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final

import msgspec
import pytest
from rows_of_the_feed import org_row, pet_row, picture
from simulated.process import current

from ingest.source import arrival, reader
from ingest.source.ftp import FileChangedError
from ingest.source.listing import RemoteFile
from petstream.setting_values import FtpUrl

FIRST_START: Final = datetime(2026, 11, 3, 8, 0, tzinfo=UTC)
DAY: Final = timedelta(days=1)
_MINUTES: Final = {"orgs_1": 4, "pets_1": 5, "updatedpets_1": 6, "newpets_1": 7, "petlist": 8}
_FIRST_PET: Final = 1_001
_CHUNK_BYTES: Final = 16_384

Row = dict[str, Any]
Listed = dict[int, Row]


@dataclass
class Export:
    """A day's files, and what is true on that day."""

    start: datetime
    pets: Listed
    orgs: Listed
    files: dict[str, tuple[bytes, datetime]] = field(default_factory=dict)

    def listing(self) -> list[RemoteFile]:
        """Return the files as the server lists them."""
        return [RemoteFile(name, len(data), at) for name, (data, at) in self.files.items()]


@dataclass
class Faults:
    """What is wrong with a day's files."""

    petlist: str = ""
    stamp: str = ""
    without: str = ""
    refused: bool = False
    orgs_short: bool = False


class Feed:
    """What is true, and what lies on the server."""

    def __init__(self, random: Random, pets: int) -> None:
        """Begin with a first export."""
        self._random = random
        self.day = 0
        self.orgs: Listed = {key: org_row(key, name=f"org{key}") for key in range(1, 9)}
        self.pets: Listed = {key: self._pet(key) for key in range(_FIRST_PET, _FIRST_PET + pets)}
        self._gone: Listed = {}
        self._closed: Listed = {}
        self.always, self.always_orgs = set(self.pets), set(self.orgs)
        """Who never left."""
        self.exports: list[Export] = []
        self._exported: Listed = {}
        self.were_refused = self.were_short = False
        self._write({}, Faults())

    @property
    def export(self) -> Export:
        """The newest export."""
        return self.exports[-1]

    def next_day(self, faults: Faults, *, changes: bool = True) -> None:
        """Let a day pass."""
        random, before = self._random, self._exported
        self.day += 1
        for _ in range(random.randrange(4) if changes else 0):
            key = random.choice([*self.pets])
            self.pets[key] = self._pet(key)
        for _ in range(random.randrange(3) if changes else 0):
            key = random.choice([*self.pets])
            self._gone[key] = self.pets.pop(key)
        if changes and self._gone and random.random() < 0.5:
            key = random.choice([*self._gone])
            row = self._gone.pop(key)
            self.pets[key] = row if random.random() < 0.5 else self._pet(key)
        for number in range(random.randrange(3) if changes else 0):
            key = 2_000 + 100 * self.day + number
            self.pets[key] = self._pet(key)
        if changes:
            self._change_orgs()
        self.always &= self.pets.keys()
        self.always_orgs &= self.orgs.keys()
        self._write(before, faults)

    def republish(self) -> None:
        """Write the newest export again, an hour later, with other rows."""
        old = self.export
        key = self._random.choice([*self.pets])
        self.pets[key] = self._pet(key)
        before = {} if len(self.exports) == 1 else self.exports[-2].pets
        self._write(before, Faults(), later=timedelta(hours=1))
        del self.exports[-2]
        self.export.start = old.start

    def _change_orgs(self) -> None:
        random = self._random
        if random.random() < 0.3:
            key = random.choice([*self.orgs])
            self.orgs[key] = org_row(key, name=f"org{key}.{self.day}")
        if random.random() < 0.2 and len(self.orgs) > 3:
            key = random.choice([*self.orgs])
            self._closed[key] = self.orgs.pop(key)
        elif random.random() < 0.3 and self._closed:
            key = random.choice([*self._closed])
            self.orgs[key] = self._closed.pop(key)
        elif random.random() < 0.2:
            self.orgs[50 + self.day] = org_row(50 + self.day, name=f"org{50 + self.day}")

    def _pet(self, key: int) -> Row:
        random = self._random
        at = 1_755_230_000 + self.day * 86_400
        if random.random() < 0.15:
            at -= 40 * 86_400  # set back by a person or a program: still what the feed says now
        return pet_row(
            key,
            name=f"v{self.day}.{random.randrange(9)}",
            orgID=str(1 + key % 3),
            lastUpdated=str(at),
            pictures=[picture(10 * key, 1)],
        )

    def _write(self, before: Listed, faults: Faults, later: timedelta = timedelta()) -> None:
        self.were_refused = self.were_refused or faults.refused
        self.were_short = self.were_short or faults.orgs_short or faults.petlist == "half"
        start = FIRST_START + self.day * DAY + timedelta(minutes=self._random.randrange(20))
        if later:
            start = self.export.start
        pets, orgs = self.pets, dict(self.orgs)
        if faults.orgs_short:
            orgs = dict([*orgs.items()][:1])
        updated = [row for key, row in pets.items() if key in before and row != before[key]]
        contents = {
            "orgs_1": [*_stamp_row(start, faults.stamp), *orgs.values()],
            "pets_1": [*pets.values()],
            "updatedpets_1": updated,
            "newpets_1": [row for key, row in pets.items() if key not in before],
        }
        files = {
            f"{name}.json": _rows(rows, refused=faults.refused)
            for name, rows in contents.items()
            if name != faults.without
        }
        old_list = self.export.files.get("petlist.csv", (None,))[0] if self.exports else None
        petlist = _petlist(self.pets, faults.petlist, old_list)
        if petlist is not None:
            files["petlist.csv"] = petlist
        if not later:
            self._exported = dict(self.pets)
        at = start + later
        self.exports.append(
            Export(
                start,
                dict(self.pets),
                dict(self.orgs),
                {
                    name: (data, at + timedelta(minutes=_MINUTES[name.partition(".")[0]]))
                    for name, data in files.items()
                },
            )
        )


class Server:
    """The FTP server: one export lies there at a time."""

    def __init__(self, feed: Feed) -> None:
        """Serve the newest."""
        self._feed = feed
        self.put_back: Export | None = None
        """An older export that somebody put back."""

    @property
    def export(self) -> Export:
        """What lies there."""
        return self.put_back or self._feed.export

    async def listing(self, _ftp: FtpUrl) -> list[RemoteFile]:
        """List the files."""
        await current.get().step()
        return self.export.listing()

    async def stream(self, _ftp: FtpUrl, file: RemoteFile) -> AsyncGenerator[bytes, None]:
        """Read a file."""
        data, at = self.export.files.get(file.path, (b"", None))
        if (len(data), at) != (file.size_bytes, file.modified_at):
            raise FileChangedError("it was written anew")
        for begin in range(0, len(data), _CHUNK_BYTES):
            await current.get().step()
            yield data[begin : begin + _CHUNK_BYTES]


def install(server: Server, patch: pytest.MonkeyPatch) -> None:
    """Give everybody this server."""
    patch.setattr(arrival, "listing", server.listing)
    patch.setattr(reader, "stream", server.stream)


def _stamp_row(start: datetime, fault: str) -> list[Row]:
    if fault == "none":
        return []
    stamp = start + DAY if fault == "of tomorrow" else start
    return [{"exportStarted": f"{stamp.timestamp():.0f}"}]


def _rows(rows: Iterable[Row], *, refused: bool) -> bytes:
    lines = [msgspec.json.encode(row) for row in rows]
    if refused and len(lines) > 2:
        lines[1] = lines[1][: len(lines[1]) // 2]  # as a script writes it that is cut off
    return b"[\n" + b",\n".join(lines) + b"\n]\n"


def _petlist(pets: Iterable[int], fault: str, before: bytes | None) -> bytes | None:
    ids = sorted(pets)
    whole = _ids(ids)
    forms: dict[str, bytes | None] = {
        "missing": None,
        "empty": b"",
        "header": b"animalID\n",
        "half": _ids(ids[: len(ids) // 2]),
        "cut": whole[: len(whole) // 10 * 5 + 2],  # within an id
        "old": whole if before is None else before,
    }
    return forms.get(fault, whole)


def _ids(ids: Iterable[int]) -> bytes:
    return ",".join(map(str, ids)).encode() + b"\n"
