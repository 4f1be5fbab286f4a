"""Pins Kafka's jars anew: ``python tests/support/pinned_jars.py``, for other versions of them.

They are fetched into an empty directory by each resolver that is there, and must be the same.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import tomllib
import warnings
from pathlib import Path
from typing import Any

from console.embedded import jars
from console.embedded.jar_sums import sum_of

PINS = Path(jars.__file__).with_name("jars.sha512")


def fetched(resolver: Any, directory: Path) -> str:
    """Return a line for each jar: its sum and its coordinate."""
    import jgo  # noqa: PLC0415  warns as it is imported

    os.environ["M2_REPO"] = str(directory / "maven")
    os.environ["MAVEN_OPTS"] = f"-Dmaven.repo.local={directory / 'maven'}"
    asked = f"{jars.KAFKA}+{jars.CLIENTS}+{jars.LOGGING}"
    environment = jgo.build(asked, cache_dir=directory, resolver=resolver)
    (lock,) = directory.rglob("jgo.lock.toml")
    paths = {jar.name: jar for jar in map(Path, environment.all_jars)}
    lines = []
    for each in tomllib.loads(lock.read_text("utf-8"))["dependencies"]:
        coordinate = f"{each['groupId']}:{each['artifactId']}:{each['version']}"
        path = paths.pop(f"{each['artifactId']}-{each['version']}.jar")
        lines.append(f"{sum_of(path)}  {coordinate}\n")
    if paths:
        sys.exit(f"without a coordinate: {sorted(paths)}")
    return "".join(sorted(lines, key=lambda line: line.split()[1]))


def main() -> None:
    """Write the pins."""
    warnings.simplefilter("ignore")
    from jgo.maven import MvnResolver, PythonResolver  # noqa: PLC0415  as above

    resolvers: list[Any] = [PythonResolver()]
    if mvn := shutil.which("mvn"):
        resolvers.append(MvnResolver(Path(mvn)))
    answers = set()
    for resolver in resolvers:
        with tempfile.TemporaryDirectory() as directory:
            answers.add(fetched(resolver, Path(directory)))
    if len(answers) > 1:
        sys.exit("the resolvers give different jars: nothing is written")
    PINS.write_text(answers.pop(), "ascii")


if __name__ == "__main__":
    main()
