"""Schedules searched for violations, and shrunk: ``python -m log_loss.search N [rule=value …]``.

Other arguments: ``first=SEED``, ``days=N``, ``noloss``, ``nolate``, ``quiet``, ``noscrub``,
``sharp`` (kinds of schedules), ``show=SEED`` (shrink it and tell its story).
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

from log_loss.faults import Fault, Kind, schedule
from log_loss.rules import Rules
from log_loss.simulation import Outcome, Simulation


def simulate(
    seed: int,
    rules: Rules,
    kind: Kind,
    faults: Sequence[Fault] | None = None,
    story: list[str] | None = None,
) -> Outcome:
    """Run a seed's schedule, or other faults on its feed."""
    drawn = schedule(seed, kind) if faults is None else faults
    return Simulation(seed, rules, kind, drawn, story).run()


def shrink(seed: int, rules: Rules, kind: Kind, what: str) -> list[Fault]:
    """Leave out every fault that isn't needed for a violation."""
    faults, again = schedule(seed, kind), True
    while again:
        again = False
        for fault in list(faults):
            fewer = [other for other in faults if other is not fault]
            violation = simulate(seed, rules, kind, fewer).violation
            if violation is not None and violation.kind == what:
                faults, again = fewer, True
    return faults


def tell(seed: int, rules: Rules, kind: Kind) -> str:
    """Return a seed's story: the faults that its violation needs, and what happens."""
    violation = simulate(seed, rules, kind).violation
    faults = shrink(seed, rules, kind, violation.kind) if violation else schedule(seed, kind)
    story: list[str] = []
    simulate(seed, rules, kind, faults, story)
    return "\n".join([f"seed {seed}:", *map(str, faults), *story])


def main(arguments: Sequence[str]) -> str:
    """Search, or show a seed."""
    options = dict(argument.split("=") for argument in arguments if "=" in argument)
    rules, kind = _rules(options), _kind(arguments, options)
    if "show" in options:
        return tell(int(options["show"]), rules, kind)
    first, violations, totals = int(options.get("first", 0)), Counter[str](), Counter[str]()
    seeds: dict[str, list[int]] = {}
    for seed in range(first, first + int(arguments[0])):
        outcome = simulate(seed, rules, kind)
        if outcome.violation is not None:
            violations[outcome.violation.kind] += 1
            seeds.setdefault(outcome.violation.kind, []).append(seed)
        totals.update(outcome.world.counts)
        totals["losses"] += outcome.world.losses
        totals["snapshots"] += len(outcome.world.snapshots)
        totals.update({f"{name} wrong": len(keys) for name, keys in outcome.wrong.items()})
    return f"{dict(violations)} { ({what: some[:6] for what, some in seeds.items()}) }\n{totals}"


def _rules(options: dict[str, str]) -> Rules:
    changes: dict[str, Any] = {
        field.name: options[field.name] == "1" if field.type == "bool" else options[field.name]
        for field in fields(Rules)
        if field.name in options
    }
    return replace(Rules(), **changes)


def _kind(arguments: Sequence[str], options: dict[str, str]) -> Kind:
    return Kind(
        days=int(options.get("days", "6")),
        losses="noloss" not in arguments,
        late="nolate" not in arguments,
        quiet="quiet" in arguments,
        scrub="noscrub" not in arguments,
        sharp="sharp" in arguments,
    )


if __name__ == "__main__":
    sys.stdout.write(main(sys.argv[1:]) + "\n")
