"""The alert rules, their pages and the dashboard fit the metrics that petstream declares."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

from console.cli.parser import parser
from petstream import metrics

OPS = Path(__file__).parents[1] / "docs" / "ops"
PAGES = sorted(path for path in OPS.glob("*.md") if path.name != "README.md")
HEADINGS = ["Look", "Mend", "Over when"]
OF_PROMETHEUS = {"job", "instance", "le"}
"""Labels that Prometheus or its client adds."""

RUNBOOK = re.compile(
    r"\{\{ with \$externalLabels\.runbooks \}\}\{\{ \. \}\}"
    r"\{\{ else \}\}http://127\.0\.0\.1:8642/runbooks\{\{ end \}\}/([a-z-]+)"
)
"""Where an alert's page is: at the console that Prometheus' external label names, or here."""


def _declared() -> dict[str, set[str]]:
    """Return the labels of every series that /metrics has, by its name there."""
    labels: dict[str, set[str]] = {}
    for metric in vars(metrics).values():
        for family in metric.collect() if isinstance(metric, MetricWrapperBase) else ():
            kinds = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}
            for ending in kinds.get(family.type, [""]):
                labels[family.name + ending] = set(metric._labelnames)  # noqa: SLF001  no public one
    assert len(labels) > 15
    return labels


DECLARED = _declared()


def _rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((OPS / "alerts.yml").read_text("utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def _dashboard() -> dict[str, Any]:
    dashboard: dict[str, Any] = json.loads((OPS / "grafana" / "petstream.json").read_text("utf-8"))
    return dashboard


def _expressions() -> Iterator[tuple[str, str]]:
    for rule in _rules():
        yield rule["alert"], rule["expr"]
    for panel in _dashboard()["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]


@pytest.mark.parametrize(("where", "expression"), list(_expressions()))
def test_every_series_and_label_that_is_asked_for_is_declared(where: str, expression: str) -> None:
    names = re.findall(r"\bpetstream_\w+", expression)
    assert names or re.match(r"up\{job=", expression), where
    assert set(names) - set(DECLARED) == set()
    for name, selector in re.findall(r"(petstream_\w+)\{([^}]*)\}", expression):
        asked = set(re.findall(r"(\w+)\s*=~?", selector))
        assert asked - OF_PROMETHEUS - DECLARED[name] == set()
    for group in re.findall(r"\bby \(([^)]*)\)", expression):
        labels = {label.strip() for label in group.split(",")}
        assert labels - OF_PROMETHEUS - set().union(*(DECLARED[name] for name in names)) == set()


def test_every_metric_is_on_the_dashboard() -> None:
    shown = set(re.findall(r"petstream_\w+", json.dumps(_dashboard())))
    missing = {name for name in DECLARED if not name.endswith(("_sum", "_count"))} - shown
    assert missing == set()


@pytest.mark.parametrize("rule", _rules(), ids=lambda rule: rule["alert"])
def test_an_alert_says_how_bad_it_is_and_has_its_page(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    page = _page(rule)
    assert page.read_text("utf-8").startswith(f"# {rule['alert']}\n")
    row = f"| {rule['alert']} | {rule['labels']['severity']} | [{page.name}]({page.name}) |"
    assert row in (OPS / "README.md").read_text("utf-8")


def _page(rule: dict[str, Any]) -> Path:
    match = RUNBOOK.fullmatch(rule["annotations"]["runbook_url"])
    assert match
    return OPS / f"{match[1]}.md"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_belongs_to_an_alert_and_says_what_to_do(page: Path) -> None:
    text = page.read_text("utf-8")
    assert page in [_page(rule) for rule in _rules()]
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == HEADINGS
    assert all(part.strip() for part in re.split(r"^#+ .*$", text, flags=re.MULTILINE)[1:])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_commands_of_a_page_can_be_typed_so(page: Path) -> None:
    for command in re.findall(r"`petstream ([^`]+)`", page.read_text("utf-8")):
        words = shlex.split(command.replace("EXPORT", "2026-11-20T08:12:04Z"))
        parser().parse_args(words)


def test_the_first_dead_letter_is_an_increase() -> None:
    script = "import petstream.metrics as metrics; print(metrics.exposition().decode())"
    said = subprocess.run(  # noqa: S603  our own line
        [sys.executable, "-c", script],
        cwd=OPS.parents[1], capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    for origin in ("rows", "events"):
        assert f'petstream_dead_letters_total{{origin="{origin}"}} 0.0' in said


def test_the_dashboard_asks_the_prometheus_that_is_chosen_there_or_the_only_one() -> None:
    """By a variable: an import's ``__inputs`` aren't asked for where a file provisions it."""
    dashboard = _dashboard()
    assert "__inputs" not in dashboard
    assert re.findall(r'"uid": "(\$[^"]*)"', json.dumps(dashboard))
    assert set(re.findall(r'"uid": "(\$[^"]*)"', json.dumps(dashboard))) == {"${datasource}"}
    (source, _job) = dashboard["templating"]["list"]
    assert (source["name"], source["type"], source["query"]) == (
        "datasource", "datasource", "prometheus",
    )  # fmt: skip


def test_the_dashboard_can_be_read() -> None:
    dashboard = _dashboard()
    idents = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(idents)) == len(idents)
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert at["x"] + at["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
        if panel["type"] != "row":
            assert panel["datasource"]["uid"] == "${datasource}"
            assert panel["title"]
