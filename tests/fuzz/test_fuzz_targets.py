"""Each target of the fuzzer keeps its promises on its seeds and on all that was ever found.

Needs no fuzzer: `scripts/fuzz` looks for more.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from fuzz_targets import TARGETS

KEPT = Path(__file__).parent / "kept"
FINDINGS = {path.relative_to(KEPT).as_posix(): path for path in sorted(KEPT.glob("*/*"))}
SEEDS = {
    f"{name}/{title}": data
    for name, target in TARGETS.items()
    for title, data in target.seeds().items()
}


@pytest.mark.parametrize("title", SEEDS)
def test_a_target_keeps_its_promises_on_its_seeds(title: str) -> None:
    target = TARGETS[title.partition("/")[0]]
    assert len(SEEDS[title]) <= target.longest_bytes
    target.run(SEEDS[title])


@pytest.mark.parametrize("title", FINDINGS)
def test_what_the_fuzzer_found_stays_mended(title: str) -> None:
    TARGETS[title.partition("/")[0]].run(FINDINGS[title].read_bytes())
