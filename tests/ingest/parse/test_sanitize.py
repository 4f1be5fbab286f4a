"""What kills parsers and fills disks, in a process of its own with little of either."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_KILLERS = r"""
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
from ingest.parse.normalise import normalise_pet
from ingest.parse.rows import BadRow, Row, RowFramer, parse

def row(n, more=b""):
    return b'{"animalID":"%d","orgID":"7","name":"n%d"%s}' % (n, n, more)

def lines():
    yield b'\xef\xbb\xbf' + row(1)
    yield b'{"animalID":' + b'7' * 4301 + b'}'
    yield row(2)
    yield b'{"animalID":"3","size":-' + b'7' * 100_000 + b'}'
    yield row(3)
    yield b'{"animalID":' + b'[' * 100_000 + b']' * 100_000 + b'}'
    yield row(4)
    yield b'{"a":' * 100_000 + b'1' + b'}' * 100_000
    yield row(5)
    yield b'{' + b','.join(b'"k%d":1' % n for n in range(1_000_000)) + b'}'
    yield row(6, b',"color":"\\ud800 alone"')
    yield row(7, b',"color":"nul \\u0000 and \x00 raw"')
    yield row(8, b',"color":"bad \xff\xfe bytes"')
    yield b'{"animalID":1e999999999}'
    yield row(9)
    yield None  # 100 MB without an end of line
    yield row(10)

framer, good, bad = RowFramer(), [], 0
def take(rows):
    global bad
    for framed in rows:
        if isinstance(framed, BadRow):
            bad += 1
            continue
        for value in parse([framed]):
            if isinstance(value, dict):
                good.append(value)
            else:
                bad += 1
for line in lines():
    if line is None:
        take(framer.feed(b'{"animalID":"99","name":"'))
        for _ in range(1_600):
            take(framer.feed(b"x" * 65_536))
        take(framer.feed(b'"}\n'))
        continue
    line += b"\n"
    for begin in range(0, len(line), 65_536):
        take(framer.feed(line[begin:begin + 65_536]))
take(framer.finish())
pets = [normalise_pet(value) for value in good]
ids = [pet.animal_id for pet in pets if hasattr(pet, "animal_id")]
print(ids, bad + len(pets) - len(ids))
for value in good:
    for text in value.values():
        if isinstance(text, str):
            text.encode()
            assert chr(0) not in text
# not ru_maxrss: that counts what whoever started us held as well
status = open("/proc/self/status").read()
print(status.partition("VmHWM:")[2].split()[0], file=sys.stderr)
"""

_FULL_DISK = r"""
import asyncio, resource, sys
from datetime import UTC, datetime
from pathlib import Path
from ingest.source import reader as files
from ingest.source.archive import Archive
from ingest.source.listing import Part, RemoteFile
from ingest.parse.rows import Row

resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
import random
chance = random.Random(1)
data = b"".join(b'{"animalID":"%d","name":"%x"}\n' % (n, chance.getrandbits(400))
                for n in range(5_000))
async def stream(_ftp, _file):
    for begin in range(0, len(data), 10_000):
        yield data[begin:begin + 10_000]
files.stream = stream
said = []
async def main():
    where = Path(sys.argv[1])
    source = files.from_ftp(None)
    reader = files.Reader(source, Archive(where), "2026-11-02T08:00:01Z", said.append)
    part = Part("pets", 1, RemoteFile("pets_1.json", len(data), datetime.now(UTC)))
    for _ in range(2):
        rows = 0
        async for batch in reader.rows(part):
            rows += sum(isinstance(row, Row) for row in batch)
        await reader.settled()
        print(rows, len(said), "without the archive" in said[0])
    print([path.name for path in where.rglob("*") if path.is_file()])
asyncio.run(main())
"""


def _alone(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  our own interpreter
        [sys.executable, "-c", program, *arguments],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def test_t24_t12_t22_among_what_kills_parsers_the_good_rows_arrive() -> None:
    """T24, T12, T22: 1 GiB of address space is enough; each bad row costs one row."""
    done = _alone(_KILLERS)
    assert done.returncode == 0, done.stderr
    ids, _, bad = done.stdout.strip().rpartition(" ")
    assert ids == str(list(range(1, 11)))
    assert int(bad) == 7
    assert int(done.stderr) < 500_000, "kB"


def test_t16_on_a_full_disk_the_reading_goes_on_without_the_archive(tmp_path: Path) -> None:
    """T16: said once, every row arrives, and no half file stays."""
    done = _alone(_FULL_DISK, str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["5000 1 True", "5000 1 True", "[]"]
