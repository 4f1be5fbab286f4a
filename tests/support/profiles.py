"""How much is tried: what fits into the time of CI, or, by `scripts/test --long`, all of it.

``PETSTREAM_TEST_SEED=N`` draws other days, accidents and cuts than the usual ones.
"""

from __future__ import annotations

import os
from typing import Final

LONG: Final = "PETSTREAM_TEST_LONG" in os.environ


def rounds(usual: int, *, long: int) -> int:
    """Return how often something drawn is tried."""
    return long if LONG else usual


def chosen_seed(usual: int) -> int:
    """Return what draws."""
    return int(os.environ.get("PETSTREAM_TEST_SEED", str(usual)))
