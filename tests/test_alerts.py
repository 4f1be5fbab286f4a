"""Each alert rule fires in trouble and is silent on a quiet day, as Prometheus' promtool judges.

Rule 1: series are given as /metrics has them: names, labels and their values are compared with what
        petstream declares and documents, so that a metric with another name is noticed.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from console.daemon.daemon import programs
from consumers import registry
from petstream import metrics

ROOT: Final = Path(__file__).parents[1]
RULES: Final = ROOT / "docs" / "ops" / "alerts.yml"
FILES: Final = sorted((ROOT / "tests" / "alerts").glob("*.yml"))
PROMTOOL: Final = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(
    PROMTOOL is None, reason="promtool isn't installed: it comes with Debian's `prometheus`"
)
DECLARED: Final = {metric.name: metric for metric in metrics.DECLARED}
PARTS: Final = {program.name for program in programs(names=registry.EVERY)} | {"parts"}
"""Values of labels that no metric's text lists."""


def _series() -> Iterator[tuple[str, str, dict[str, str]]]:
    """Return each series that is given: its file, its name and its labels."""
    for file in FILES:
        for test in yaml.safe_load(file.read_text("utf-8"))["tests"]:
            for given in test["input_series"]:
                name, _, labels = given["series"].partition("{")
                yield file.stem, name, dict(re.findall(r'(\w+)="([^"]*)"', labels))


def _rules() -> dict[str, dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text("utf-8"))["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


@needs_promtool
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_rules_fire_in_trouble_and_are_silent_else(file: Path) -> None:
    done = _promtool("test", "rules", str(file))
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_prometheus_reads_the_rules_and_its_configuration() -> None:
    done = _promtool("check", "config", str(RULES.with_name("prometheus.yml")))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(_rules())} rules found" in done.stdout


@needs_promtool
def test_what_the_dashboard_asks_is_a_query_of_prometheus(tmp_path: Path) -> None:
    dashboard = json.loads((RULES.parent / "grafana" / "petstream.json").read_text("utf-8"))
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    assert len(asked) > 20
    rules = [
        {
            "record": f"panel:{number}",
            "expr": expression.replace("$job", ".*").replace("$__rate_interval", "5m"),
        }
        for number, expression in enumerate(asked)
    ]
    file = tmp_path / "panels.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}), "utf-8")
    done = _promtool("check", "rules", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(asked)} rules found" in done.stdout


def test_of_every_alert_it_is_shown_that_it_fires() -> None:
    fired: set[str] = set()
    for file in FILES:
        for test in yaml.safe_load(file.read_text("utf-8"))["tests"]:
            for asked in test.get("promql_expr_test", ()):
                if asked["exp_samples"]:
                    shown = [sample.get("labels", asked["expr"]) for sample in asked["exp_samples"]]
                    fired |= set(re.findall(r'alertname="(\w+)"', " ".join(shown)))
    assert fired == set(_rules())


def test_the_series_are_those_that_petstream_tells() -> None:
    for file, name, labels in _series():
        assert {"job", "instance"} <= set(labels), (file, name)
        own = {label: labels[label] for label in labels if label not in {"job", "instance"}}
        if name == "up":
            assert own == {}
            continue
        assert name in DECLARED, (file, name)
        assert set(own) == set(DECLARED[name].labels), (file, name)
        for label, value in own.items():
            if label not in {"version", "part"} and value not in PARTS:
                assert re.search(rf"\b{value}\b", DECLARED[name].meaning), (file, name, value)


@pytest.mark.parametrize("alert", _rules())
def test_a_label_is_asked_for_by_a_value_that_its_metric_has(alert: str) -> None:
    expression = _rules()[alert]["expr"]
    for name, selector in re.findall(r"(petstream_\w+)\{([^}]*)\}", expression):
        for _label, values in re.findall(r'(\w+)=~?"([^"]*)"', selector):
            for value in values.split("|"):
                assert re.search(rf"\b{value}\b", DECLARED[name].meaning), (name, value)


def test_the_quiet_day_has_every_series_that_an_alert_of_a_level_asks_for() -> None:
    """An alert about a series that isn't there is silent for the wrong reason."""
    given = {name for file, name, _ in _series() if file == "quiet"}
    asked = {name for rule in _rules().values() for name in re.findall(r"\w+", rule["expr"])}
    asked &= set(DECLARED)
    assert asked - given == {"petstream_positions_rewritten_total"}, "which begins with a loss"


def _promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    assert PROMTOOL is not None
    return subprocess.run(  # noqa: S603  a program of the system
        [PROMTOOL, *arguments], capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
