"""The pages of the console: how everything stands, for a person with a browser."""

from __future__ import annotations

from collections.abc import Callable

from petstream.settings import Settings

Known = Callable[[], Settings | None]
"""The settings with the servers that were found; None while they are waited for."""
