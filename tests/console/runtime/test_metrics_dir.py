"""Metrics that processes share by files: what a full disk does to them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_disks import small_disk

from console.runtime import metrics_dir

ROOT = Path(__file__).parents[3]
LIVES_ON = """
import sys
from pathlib import Path
from console.runtime import metrics_dir
metrics_dir.join()
from petstream import metrics
if "fill" in sys.argv:
    with (Path(sys.argv[1]) / "filler").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
for number in range(200):
    for metric in vars(metrics).values():
        labels = getattr(metric, "_labelnames", None)
        if labels is not None:
            value = metric.labels(*["x"] * len(labels)) if labels else metric
            acts = [act for act in ("set", "observe", "inc") if hasattr(value, act)]
            getattr(value, acts[0])(number)
metrics.ROWS_READ.inc(5)
shown = metrics.exposition().decode()
print([line for line in shown.splitlines() if line.startswith("petstream_rows_read_total")])
"""


@pytest.fixture
def full_soon(tmp_path: Path) -> Iterator[Path]:
    """Return a directory with room for 2 MiB."""
    with small_disk(tmp_path / "small", 2048) as directory:
        yield directory


def live(directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  our own line
        [sys.executable, "-c", LIVES_ON, str(directory), *words],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, metrics_dir.VARIABLE: str(directory)},
    )  # fmt: skip


def test_the_files_have_their_room_before_they_are_used(tmp_path: Path) -> None:
    """A file with holes would be given its pages as they are written, or SIGBUS."""
    ended = live(tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    files = sorted(tmp_path.glob("*.db"))
    assert [path.name.partition("_")[0] for path in files] == ["counter", "gauge", "histogram"]
    for path in files:
        assert path.stat().st_blocks * 512 >= path.stat().st_size > 64 * 1024, path.name


def test_a_disk_that_gets_full_kills_nobody_who_counts(full_soon: Path) -> None:
    ended = live(full_soon, "fill")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == "['petstream_rows_read_total 19905.0']\n"


def test_who_begins_on_a_full_disk_keeps_its_figures_to_itself_and_says_so(
    full_soon: Path,
) -> None:
    (full_soon / "filler").write_bytes(bytes(1900 * 1024))
    ended = live(full_soon)
    assert ended.returncode == 0
    assert ended.stderr.count("\n") == 1
    assert "no room for metrics" in ended.stderr
    assert ended.stdout == "['petstream_rows_read_total 19905.0']\n"
    assert list(full_soon.glob("*.db")) == []
