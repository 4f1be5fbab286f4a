"""Fuzz the product's readers of others' bytes with atheris; run as a program by `scripts/fuzz`.

Rule 1: each target runs in a process of its own, at the lowest priority, with a limit of memory.
Rule 2: what it learns is kept in ``.fuzz/TARGET``, and the next run goes on from there.
Rule 3: an input that breaks a promise is kept in ``.fuzz/findings``, and ends its target's run:
        exit status 1.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
KEPT: Final = ROOT / ".fuzz"
_INSTRUMENTED: Final = [
    "petstream", "ingest", "consumers", "aioftp", "stream_unzip", "dotenv", "html5lib",
]  # fmt: skip
_RSS_LIMIT_MB: Final = 1_500
_INPUT_TIMEOUT_S: Final = 10
_COVERED: Final = re.compile(r"^#\d+\s+(\w+)\s+cov: (\d+) ft: (\d+) corp: (\d+)/", re.MULTILINE)
_RAISED: Final = re.compile(r"=== Uncaught Python exception: ===\s*(\S.*)")
_EXECUTED: Final = re.compile(r"^stat::number_of_executed_units:\s*(\d+)", re.MULTILINE)


_say: Final = partial(print, flush=True)


class Result(NamedTuple):
    """What became of a target's run."""

    target: str
    took_s: float
    executions: int
    covered_before: int
    covered: int
    inputs: int
    finding: str
    """The reason and the file, if there is one."""

    def __str__(self) -> str:
        """Return it as a line."""
        return (
            f"{self.target:<14}{self.took_s:>7.0f} s{self.executions:>12,} executions   coverage "
            f"{self.covered_before:,} -> {self.covered:,}, {self.inputs:,} inputs   "
            f"{self.finding or 'nothing found'}"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz the targets that were asked for; return the exit status."""
    from fuzz_targets import TARGETS  # noqa: PLC0415  the child imports them instrumented

    parser = argparse.ArgumentParser(
        prog="scripts/fuzz",
        description="Fuzz what reads others' bytes: does each target keep its promises?",
        epilog="targets: " + "; ".join(f"{name}, {each.what}" for name, each in TARGETS.items()),
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="default: all, in turn")
    parser.add_argument(
        "--seconds", type=int, default=60, metavar="N", help="for each target (default: 60)"
    )
    options = parser.parse_args(arguments)
    unknown = [name for name in options.targets if name not in TARGETS]
    if unknown:
        parser.error(f"no target {', '.join(unknown)}; there are: {', '.join(TARGETS)}")
    results = [_fuzzed(name, options.seconds) for name in options.targets or TARGETS]
    return int(any(result.finding for result in results))


def _fuzzed(name: str, seconds: int) -> Result:
    """Run a target in a process of its own, and say what came of it."""
    from fuzz_targets import TARGETS  # noqa: PLC0415  as above

    target = TARGETS[name]
    corpus, seeds, findings = KEPT / name, KEPT / "seeds" / name, KEPT / "findings"
    for directory in (corpus, seeds, findings):
        directory.mkdir(parents=True, exist_ok=True)
    for title, data in target.seeds().items():
        (seeds / title).write_bytes(data)
    words = KEPT / f"{name}.dict"
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.words), "ascii")
    log = KEPT / f"{name}.log"
    command = [
        sys.executable, __file__, "--child", name, f"-max_total_time={seconds}",
        f"-max_len={target.longest_bytes}", f"-dict={words}",
        f"-artifact_prefix={findings}/{name}-",  # of what takes too long, or too much memory
        f"-rss_limit_mb={_RSS_LIMIT_MB}", f"-timeout={_INPUT_TIMEOUT_S}", "-print_final_stats=1",
        *map(str, filter(Path.is_dir, (corpus, seeds, Path(__file__).parent / "kept" / name))),
    ]  # fmt: skip
    before = set(findings.glob(f"{name}-*"))
    began = time.monotonic()
    with log.open("wb") as output:
        subprocess.run(command, check=False, stdout=output, stderr=output, cwd=ROOT)  # noqa: S603  our own program
    result = result_of(
        name, time.monotonic() - began, log, set(findings.glob(f"{name}-*")) - before
    )
    _say(result)
    return result


def result_of(name: str, took_s: float, log: Path, new: set[Path]) -> Result:
    """Return what a target's run came to, by what it wrote and the inputs it has set aside."""
    text = log.read_text("utf-8", "replace")
    lines = _COVERED.findall(text)
    begun = next((covered for word, covered, _, _ in lines if word == "INITED"), "0")
    _, covered, _, inputs = lines[-1] if lines else ("", "0", "0", "0")
    executed = _EXECUTED.search(text)
    raised = _RAISED.search(text)
    finding = ""
    if new or raised:
        reason = raised[1] if raised else "it takes too long, or too much memory"
        file = min(new).relative_to(KEPT.parent) if new else "an input that was found before"
        finding = f"{reason}: {file}"
    elif executed is None:
        finding = f"it didn't run to its end: see {log.relative_to(KEPT.parent)}"
    return Result(
        name, took_s, int(executed[1]) if executed else 0, int(begun), int(covered), int(inputs),
        finding,
    )  # fmt: skip


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


def _child(name: str, options: list[str]) -> None:
    """Be the process that fuzzes: import what is to be covered, instrumented."""
    import atheris  # noqa: PLC0415  only here is it needed

    with atheris.instrument_imports(include=_INSTRUMENTED):
        from fuzz_targets import TARGETS  # noqa: PLC0415  as instrumented

    def run(data: bytes) -> None:
        try:
            TARGETS[name].run(data)
        except Exception:  # the fuzzer's own way isn't certain once there are threads
            file = KEPT / "findings" / f"{name}-{hashlib.sha256(data).hexdigest()[:16]}"
            file.write_bytes(data)
            raise

    atheris.Setup([sys.argv[0], *options], run)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.path[1:1] = [str(ROOT), str(ROOT / "tests/support")]
    if sys.argv[1:2] == ["--child"]:
        _child(sys.argv[2], sys.argv[3:])
    else:
        sys.exit(main())
