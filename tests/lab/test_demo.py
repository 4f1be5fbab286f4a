"""The demo: its verdict on the tables, and that it keeps to itself."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest
from server_homes import put_away

from console.inspect.database_reader import Rows
from console.runtime.exit import ended_well
from lab import demo, expectations
from lab.demo_summary import next_steps
from lab.simulator import Expected, expected, history
from petstream.errors import UsageError

EXPECTED = expected(history(pets=20, days=3), 2)


def rows_of(wanted: Expected) -> Rows:
    """Return the rows of the views as they should be."""
    pets = wanted.pets
    return {
        "pets": [
            {"animal_id": key, "name": row["name"] or None, "org_id": int(row["orgID"])}
            for key, row in pets.items()
        ],
        "organizations": [
            {"org_id": key, "name": row["name"] or None} for key, row in wanted.orgs.items()
        ],
        "pictures": [
            {"animal_id": key, "pictures": len(row["pictures"]), "stored": 0}
            for key, row in pets.items()
            if row["pictures"]
        ],
        "removed": [{"animal_id": key} for key in wanted.removed],
        "history": [
            {"animal_id": key, "ops": [op for _, op in went]}
            for key, went in wanted.pet_history.items()
        ],
    }


def test_tables_as_expected_differ_in_nothing() -> None:
    comparison = expectations.judge(EXPECTED, rows_of(EXPECTED))
    assert comparison.differences == ()
    assert comparison.compared[0] == f"{len(EXPECTED.pets):,} pets"


@pytest.mark.parametrize(
    ("table", "column", "what"),
    [
        ("pets", "name", "pets"),
        ("pets", "org_id", "organizations of pets"),
        ("organizations", "name", "organizations"),
        ("pictures", "pictures", "pictures"),
        ("history", "ops", "history"),
    ],
)
def test_a_wrong_value_is_named_with_its_id(table: str, column: str, what: str) -> None:
    rows = rows_of(EXPECTED)
    rows[table][0][column] = "wrong" if column != "pictures" else 999
    key = next(iter(rows[table][0].values()))
    (difference,) = expectations.judge(EXPECTED, rows).differences
    assert difference.startswith(f"{what}: 1 differ: {key}; {key} is ")


def test_missing_and_needless_rows_are_named() -> None:
    rows = rows_of(EXPECTED)
    gone = rows["removed"].pop()
    rows["removed"].append({"animal_id": 5})
    assert expectations.judge(EXPECTED, rows).differences == (
        f"removed pets: 1 are missing: {gone['animal_id']}",
        "removed pets: 1 are there that should not be: 5",
    )


def test_the_demo_begins_with_an_empty_folder_of_its_own(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    (folder / "old").mkdir(parents=True)
    (folder / "old" / "file").touch()
    with demo.own(folder):
        assert [path.name for path in folder.iterdir()] == ["demo.lock"]


def test_a_second_demo_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "demo.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(UsageError, match="another demo is running"):
            demo.own(tmp_path).__enter__()


def test_the_demos_settings_come_from_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PETSTREAM_FTP_URL", "nonsense")
    assert demo.PREFIX == "demo."
    assert any(
        "PETSTREAM_TOPIC_PREFIX=demo." in line for line in next_steps(demo.DATA_DIR, "demo.")
    )


def test_what_is_typed_next_holds_in_any_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    home = tmp_path / "a b"
    home.mkdir()
    monkeypatch.chdir(home)
    (line,) = [line for line in next_steps(demo.DATA_DIR, "demo.") if "export P" in line]
    assert f"PETSTREAM_DATA_DIR='{home / demo.DATA_DIR}'" in line


@pytest.mark.parametrize("arguments", [["--pets", "9"], ["--days", "0"], ["--pets", "many"]])
def test_wrong_numbers_exit_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        demo.main(arguments)
    assert ended.value.code == 2


@pytest.mark.servers
def test_three_small_days_end_as_the_simulator_expects(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = demo.parser().parse_args(
        ["--pets", "60", "--days", "3", "--no-serve", "--zip", "--table-topics", "connect"]
    )
    with put_away(tmp_path / "demo") as home:
        assert ended_well(lambda: demo.run(options, home), daemon=False) == 0
    printed = capsys.readouterr()
    assert "the tables equal what the simulator expects:" in printed.out
    assert "by consumer: pets 0, deletions 0, images 0, tables 0" in printed.out
    assert "Traceback" not in printed.err
