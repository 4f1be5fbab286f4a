"""The pages of the console: how everything stands, for a person with a browser."""

from __future__ import annotations

from collections.abc import Callable

from petstream.settings import Settings

CurrentSettings = Callable[[], Settings | None]
"""Returns the settings with the servers that are known; None while they are waited for."""
