"""The programs that docs/ shows to subscribers, loaded as they stand."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Final

PROGRAMS: Final = Path(__file__).parents[2] / "docs" / "clients" / "python"


def program(name: str) -> ModuleType:
    """Return a program as a module; one may import another."""
    sys.path.insert(0, str(PROGRAMS))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(PROGRAMS))


def plain() -> Any:
    """Return a maker of the subscriber that keeps the four old rules, as the testkit wants it."""
    return _named(program("literal").Subscriber)


def careful(*, by_id: bool = False, **changed: Any) -> Any:
    """Return a maker of the subscriber that keeps all five rules, as the testkit wants it.

    Args:
        by_id: it reads no organisations, and shows pets by their ids.
        changed: what it does in another way: methods by their names.
    """
    literal = program("literal_rule5").CarefulSubscriber

    def begins(self: Any) -> None:
        literal.__init__(self)
        if by_id:
            self.families = {"petstream.pets.v1": "pet"}

    return _named(literal, by_id=by_id, __init__=begins, **changed)


def _named(literal: Any, *, by_id: bool = False, **changed: Any) -> Any:
    def shown(self: Any) -> dict[Any, str | None]:
        values = literal.shown(self)
        state = {subject: _shown(subject, value) for subject, value in values.items()}
        if not by_id:
            return state
        return {int(name[4:]): state[name] for name in state if name.startswith("pet/")}

    return type("Named", (literal,), {"shown": shown, **changed})


def _shown(subject: str, value: dict[str, Any]) -> str | None:
    family = subject.partition("/")[0]
    if family in {"pet", "organization"}:
        name: str | None = value[family]["name"]
        return name
    known = (value.get(word) for word in ("storedAs", "state", "decision"))
    return next((word for word in known if word is not None), "found")
