"""The manifests of docs/kubernetes: what Kubernetes takes, and what petstream needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import kubernetes_validate
import pytest
import yaml

from consumers.registry import EVERY
from petstream import settings

FILE: Final = Path(__file__).parents[1] / "docs" / "kubernetes" / "petstream.yaml"
MANIFESTS: Final[list[dict[str, Any]]] = list(yaml.safe_load_all(FILE.read_text("utf-8")))
PODS: Final = {
    each["metadata"]["name"]: each["spec"]["template"]["spec"]
    for each in MANIFESTS
    if "template" in each.get("spec", {})
}


@pytest.mark.parametrize(
    "manifest", MANIFESTS, ids=lambda each: f"{each['kind']} {each['metadata']['name']}"
)
def test_a_manifest_is_what_kubernetes_takes(manifest: dict[str, Any]) -> None:
    kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)


def test_every_consumer_has_a_pod_and_only_the_ingester_has_a_disk() -> None:
    assert set(PODS) == {"migrate", "ingest", "console", *EVERY}
    claims = [
        each["metadata"]["name"]
        for each in MANIFESTS
        if each.get("spec", {}).get("volumeClaimTemplates")
    ]
    assert claims == ["ingest"]


@pytest.mark.parametrize("name", sorted(PODS))
def test_a_pod_is_probed_limited_and_has_no_more_rights_than_it_needs(name: str) -> None:
    (container,) = PODS[name]["containers"]
    assert container["args"] == {
        "migrate": ["migrate"], "ingest": ["ingest", "--watch"], "console": ["console"],
    }.get(name, ["consume", name])  # fmt: skip
    assert container["resources"]["limits"].keys() == {"memory"}
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert PODS[name]["securityContext"]["runAsNonRoot"]
    if name != "migrate":
        paths = [container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("liveness", "readiness")]
        assert paths == ["/healthz", "/readyz"]


def test_its_settings_are_settings_and_secrets_are_in_the_secret() -> None:
    config, secret = (
        next(each for each in MANIFESTS if each["kind"] == kind) for kind in ("ConfigMap", "Secret")
    )
    named = {*config["data"], *secret["stringData"]}
    assert {name for name in named if not name.startswith("AWS_")} <= set(settings.NAMES)
    assert not {"PETSTREAM_FTP_URL", "PETSTREAM_DATABASE_URL"} & set(config["data"])
