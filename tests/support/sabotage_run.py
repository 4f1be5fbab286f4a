"""Break the product on purpose, one small patch at a time, and see which tests notice.

Run as a program by `scripts/sabotage`. The work tree isn't touched: all happens in a copy.

Rule 1: the tests must pass in the copy first, else they would notice everything.
Rule 2: noticed means that a test failed, or hung. What keeps the tests from running at all (a
        patch that can't be imported, a test that isn't there) is a failure, like a survivor.
Rule 3: exit status 1 if a sabotage survived, or didn't apply, or kept the tests from running.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final, Literal, NamedTuple

from sabotages import NotApplicableError, Sabotage, kept, share

ROOT: Final = Path(__file__).parents[2]

_say: Final = partial(print, flush=True)

_Outcome = Literal["noticed", "survived", "doesn't apply", "can't run"]
_OUTCOMES: Final[tuple[_Outcome, ...]] = ("noticed", "survived", "doesn't apply", "can't run")

_TESTS_FAILED: Final = 1  # pytest's exit status; 2 and more: they couldn't run
_HUNG: Final = -1
_DEADLINE_S: Final = 300.0
_SERVERS_DEADLINE_S: Final = 1_800.0
_LATER_NS: Final = 3_600 * 10**9


class Result(NamedTuple):
    """What became of a sabotage; `detail` is the test that noticed, or why it couldn't run."""

    sabotage: Sabotage
    outcome: _Outcome
    detail: str
    took_s: float

    def __str__(self) -> str:
        """Return it as a line."""
        line = f"{self.outcome:<14}{self.sabotage.file}: {self.sabotage.name}"
        return f"{line} ({self.took_s:.1f} s)" + (f"\n{'':<14}{self.detail}" * bool(self.detail))


class Copy:
    """A copy of a work tree with the environment of this process, in which tests run."""

    def __init__(self, root: Path, folder: Path) -> None:
        """Copy what git knows of a tree, and what it would take; changes included."""
        git = shutil.which("git") or "git"
        listed = subprocess.run(  # noqa: S603  a fixed command
            [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=root, check=True, capture_output=True, text=True,
        )  # fmt: skip
        for name in set(listed.stdout.split("\0")) - {""}:
            if (root / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(root / name, folder / name)
        self._folder = folder

    def test(self, targets: Sequence[str], *, servers: bool, as_it_is: bool = False) -> _Tested:
        """Run pytest on targets; only the tree `as_it_is` may leave compiled modules."""
        marked = [] if servers else ["-m", "not servers"]
        options = ["-x", "-q", "-p", "no:cacheprovider", "--no-header", "--tb=line"]
        # in a process that a test starts elsewhere, the copy comes before the installed tree, too
        environment = os.environ | {"PYTHONPATH": str(self._folder)}
        if not as_it_is:
            environment["PYTHONDONTWRITEBYTECODE"] = "1"
        running = subprocess.Popen(  # noqa: S603  our own tests
            [sys.executable, "-m", "pytest", *options, *marked, *targets],
            cwd=self._folder, env=environment, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        try:
            output, _ = running.communicate(timeout=_SERVERS_DEADLINE_S if servers else _DEADLINE_S)
        except subprocess.TimeoutExpired:
            return _Tested(_HUNG, "it hung")
        finally:
            if running.poll() is None:
                os.killpg(running.pid, signal.SIGKILL)
                running.wait()
        return _Tested(running.returncode, output)

    @contextmanager
    def sabotaged(self, sabotage: Sabotage) -> Iterator[None]:
        """Have a patch in the copy meanwhile.

        Raises:
            NotApplicableError: its old text isn't there exactly once.
        """
        path = self._folder / sabotage.file
        if not path.is_file():
            raise NotApplicableError(f"there is no {sabotage.file}")
        before, stat = path.read_text("utf-8"), path.stat()
        path.write_text(sabotage.applied(before), "utf-8")
        # Python takes a compiled module for the source's if its second and its size are the same
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + _LATER_NS))
        try:
            yield
        finally:
            path.write_text(before, "utf-8")
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


class _Tested(NamedTuple):
    status: int
    output: str

    def failed_test(self) -> str:
        """Return the first test that failed, or the last line of what pytest said."""
        failed = re.search(r"^(?:FAILED|ERROR) (\S+)", self.output, re.MULTILINE)
        return failed[1] if failed else (self.output.strip().splitlines() or [""])[-1]


def tried(copy: Copy, sabotage: Sabotage) -> Result:
    """Apply one sabotage, and run its tests."""
    began = time.monotonic()
    try:
        with copy.sabotaged(sabotage):
            tested = copy.test(sabotage.tests, servers=sabotage.servers)
    except NotApplicableError as error:
        return Result(sabotage, "doesn't apply", str(error), time.monotonic() - began)
    outcome: _Outcome = "can't run"
    if tested.status in {_TESTS_FAILED, _HUNG}:
        outcome = "noticed"
    elif not tested.status:
        outcome = "survived"
    detail = ", ".join(sabotage.tests) if outcome == "survived" else tested.failed_test()
    return Result(sabotage, outcome, detail, time.monotonic() - began)


def table(results: Sequence[Result]) -> str:
    """Return how many were tried and what became of them, by folder."""
    counts: dict[str, Counter[str]] = {}
    for result in results:
        counts.setdefault(result.sabotage.folder, Counter())[result.outcome] += 1
    counts["all"] = sum(counts.values(), Counter())
    lines = [f"{'':<26}{'tried':>7}" + "".join(f"{name:>15}" for name in _OUTCOMES)]
    lines += [
        f"{folder:<26}{count.total():>7}"
        + "".join(f"{count[name] or '':>15}" for name in _OUTCOMES)
        for folder, count in counts.items()
    ]
    return "\n".join(lines)


def run(
    root: Path,
    sabotages: Sequence[Sabotage],
    *,
    within_s: float | None = None,
    known_to_pass: bool = False,
) -> int:
    """Try sabotages in a copy of a tree, and print what became of them; return the exit status.

    Their tests are run as they are first, unless they are `known_to_pass`; `within_s` is counted
    from then on.
    """
    results: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="petstream-sabotage-") as folder:
        copy = Copy(root, Path(folder))
        for servers in () if known_to_pass else (False, True):
            targets = _union(each.tests for each in sabotages if each.servers == servers)
            passed = copy.test(targets, servers=servers, as_it_is=True) if targets else None
            if passed is not None and passed.status:
                _say(passed.output)
                _say("these tests fail without any sabotage: see above")
                return 1
        began = time.monotonic()
        for sabotage in sabotages:
            if within_s is not None and time.monotonic() - began > within_s:
                break
            results.append(tried(copy, sabotage))
            _say(results[-1])
    _say(table(results))
    if left := len(sabotages) - len(results):
        _say(f"not tried, since the time was up: {left}")
    return int(any(result.outcome != "noticed" for result in results))


def _union(several: Iterable[Sequence[str]]) -> list[str]:
    targets = dict.fromkeys(target for targets in several for target in targets)
    # what lies in a folder that is there as well would run twice
    return [
        target
        for target in targets
        if not any(target.startswith((f"{each}/", f"{each}::")) for each in targets)
    ]


def chosen(sabotages: Sequence[Sabotage], wanted: argparse.Namespace) -> list[Sabotage]:
    """Return the sabotages that a command line means."""
    patterns: Sequence[str] = wanted.patterns
    meant = [
        each
        for each in sabotages
        if (wanted.long or not each.servers)
        and (not patterns or any(each.fits(pattern) for pattern in patterns))
    ]
    return meant if wanted.share is None else share(meant, *wanted.share)


def _share(text: str) -> tuple[int, int]:
    number, of = map(int, text.split("/"))
    if not 1 <= number <= of:
        raise ValueError(text)
    return number, of


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/sabotage", description="Break the product on purpose: do tests notice?"
    )
    parser.add_argument(
        "patterns", nargs="*", metavar="NAME", help="a file, a folder or a name; * and ? fit any"
    )
    parser.add_argument(
        "--share", type=_share, metavar="K/N", help="only every N-th, beginning with the K-th"
    )
    parser.add_argument(
        "--within", type=float, metavar="SECONDS", help="begin no further one after so long"
    )
    parser.add_argument(
        "--tested", action="store_true", help="all tests have just passed: don't begin with them"
    )
    parser.add_argument(
        "--long", action="store_true", help="those that only tests with real servers notice, too"
    )
    parser.add_argument("--list", action="store_true", help="show them, and try none")
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    wanted = _arguments(words)
    sabotages = chosen(kept(ROOT), wanted)
    if wanted.list:
        for each in sabotages:
            _say(f"{each.file}: {each.name}" + " (with servers)" * each.servers)
        return 0
    if not sabotages:
        _say("no sabotage fits: scripts/sabotage --list shows them")
        return 2
    return run(ROOT, sabotages, within_s=wanted.within, known_to_pass=wanted.tested)


if __name__ == "__main__":
    sys.exit(main())
