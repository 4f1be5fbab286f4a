"""The normaliser's version, derived from all that decides how a row comes out.

Rule 1: that is the source of the model, of the table of fields, and of every module of this folder:
        a field added to the model is a new version, and so is another rule.
Rule 2: the same source has the same version in every process, on every machine, however it was
        installed. Where only compiled modules are installed they count, as they are.
Rule 3: in doubt it is a new version, also for a comment: then rows are parsed again, and nothing is
        published for it. If it stayed the same, a change wouldn't reach the pets whose rows stay.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from typing import Final

import xxhash

import ingest.parse


def _derived() -> int:
    digest = xxhash.xxh3_64()
    for source in _sources():
        digest.update(b"%d\n" % len(source))
        digest.update(source)
    return digest.intdigest() >> 1  # 63 bits: the seed holds one bit more


def _sources() -> Iterator[bytes]:
    """Return the modules of which the normaliser consists."""
    yield _source("petstream", "model")
    yield _source("petstream", "fields")
    for name in sorted(module.name for module in pkgutil.iter_modules(ingest.parse.__path__)):
        yield _source("ingest.parse", name)


def _source(package: str, name: str) -> bytes:
    """Return a module's source, or its compiled form where there is no other."""
    for suffix in (".py", ".pyc"):
        try:
            data = pkgutil.get_data(package, name + suffix)
        except OSError:
            continue
        if data is not None:
            return data.replace(b"\r\n", b"\n") if suffix == ".py" else data
    raise ImportError(f"{package}.{name}: neither its source nor its compiled form is installed")


VERSION: Final = _derived()
"""Rows are recognised by digests that are seeded with it: by a new version, none is."""
