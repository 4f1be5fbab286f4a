"""Adds Kafka's jars to a CycloneDX document on stdin, where a part brings them (`scripts/sbom`)."""

from __future__ import annotations

import json
import sys
from importlib.resources import files
from typing import Any

WITH_JARS = {"runtime", "dev"}
"""The parts with `[embedded]`, which fetches them."""


def with_jars(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document with a component for each jar, by its coordinate."""
    lines = (files("console.embedded") / "jars.sha512").read_text("ascii").splitlines()
    return document | {"components": [*document["components"], *map(_component, lines)]}


def _component(line: str) -> dict[str, Any]:
    total, coordinate = line.split()
    group, artifact, version = coordinate.split(":")
    purl = f"pkg:maven/{group}/{artifact}@{version}"
    return {
        "type": "library", "bom-ref": purl, "group": group, "name": artifact, "version": version,
        "purl": purl, "hashes": [{"alg": "SHA-512", "content": total}],
    }  # fmt: skip


if __name__ == "__main__":
    bill = json.load(sys.stdin)
    print(json.dumps(with_jars(bill) if sys.argv[1] in WITH_JARS else bill, indent=2))  # noqa: T201  the result
