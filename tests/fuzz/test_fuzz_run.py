"""What a run of the fuzzer is said to have come to."""

from __future__ import annotations

from pathlib import Path

import fuzz_run
import pytest

LOG = """INFO: Running with entropic power schedule
#9\tINITED cov: 650 ft: 2100 corp: 11/20Kb exec/s: 0 rss: 50Mb
#40\tNEW    cov: 651 ft: 2101 corp: 12/20Kb lim: 4086 exec/s: 20 rss: 50Mb L: 9/9 MS: 1 EraseBytes-
"""
STATISTICS = """#1234\tDONE   cov: 700 ft: 3000 corp: 13/21Kb lim: 4086 exec/s: 20 rss: 53Mb
stat::number_of_executed_units: 1234
"""
RAISED = """
 === Uncaught Python exception: ===
AssertionError: chunks make other rows
Traceback (most recent call last):
"""


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(fuzz_run, "KEPT", tmp_path / ".fuzz")
    (tmp_path / ".fuzz").mkdir()
    return tmp_path / ".fuzz" / "rows.log"


def test_a_run_that_found_nothing_says_its_figures(log: Path) -> None:
    log.write_text(LOG + STATISTICS, "utf-8")
    result = fuzz_run.result_of("rows", 60.2, log, set())
    assert result == fuzz_run.Result("rows", 60.2, 1_234, 650, 700, 13, "")
    assert "1,234 executions" in str(result)
    assert "650 -> 700" in str(result)
    assert "nothing found" in str(result)


def test_a_finding_is_said_with_its_reason_and_its_file(log: Path) -> None:
    log.write_text(LOG + RAISED + STATISTICS, "utf-8")
    finding = log.parent / "findings" / "rows-crash-1"
    result = fuzz_run.result_of("rows", 2, log, {finding})
    assert result.finding == ("AssertionError: chunks make other rows: .fuzz/findings/rows-crash-1")


def test_what_was_found_before_is_a_finding_all_the_same(log: Path) -> None:
    log.write_text(LOG + RAISED + STATISTICS, "utf-8")
    assert "found before" in fuzz_run.result_of("rows", 2, log, set()).finding


def test_a_run_that_ends_early_is_no_run_that_found_nothing(log: Path) -> None:
    log.write_text(LOG, "utf-8")
    assert "see .fuzz/rows.log" in fuzz_run.result_of("rows", 2, log, set()).finding


def test_a_target_that_there_is_not_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        fuzz_run.main(["rows", "colums"])
    assert ended.value.code == 2
    assert "no target colums; there are: rows, petlist" in capsys.readouterr().err
