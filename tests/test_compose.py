"""docker-compose.yml as it is merged: commands, settings, ports, health, rights of each service."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from console.cli.parser import parser
from consumers import registry
from petstream.settings import NAMES, load

FILE = Path(__file__).parents[1] / "docker-compose.yml"
OPS = FILE.parent / "docs" / "ops"
PROMETHEUS: dict[str, Any] = yaml.safe_load((OPS / "prometheus.yml").read_text("utf-8"))
GIVEN = {
    "KAFKA_PASSWORD": "kafka-secret",
    "PETSTREAM_FTP_URL": "ftp://apikey-KEY:PASSWORD@ftp.example/",
    "POSTGRES_PASSWORD": "secret",
}
"""What a person must write into .env."""


def _filled(text: str) -> str:
    """Put in what the file takes from .env, as compose does."""

    def value(match: re.Match[str]) -> str:
        name, sign, other = match["name"], match["sign"], match["other"]
        return GIVEN.get(name) or (other if sign == ":-" else "")

    return re.sub(r"\$\{(?P<name>\w+)(?P<sign>:[-?])?(?P<other>[^}]*)\}", value, text)


WHOLE: dict[str, Any] = yaml.safe_load(_filled(FILE.read_text("utf-8")))
SERVICES: dict[str, dict[str, Any]] = WHOLE["services"]
IMAGES = {"petstream", "petstream-simulator"}
"""What is built here; the second is the first and the simulator."""

OURS = sorted(name for name, service in SERVICES.items() if service["image"] in IMAGES)
DAEMONS = sorted(set(OURS) - {"migrate", "simulator"})


def test_all_that_the_issue_asks_for_is_there() -> None:
    assert set(SERVICES) == {
        "kafka", "postgres", "migrate", "ingest", *registry.EVERY, "console", "simulator",
        "prometheus", "grafana",
    }  # fmt: skip


@pytest.mark.parametrize("name", OURS)
def test_a_service_runs_a_command_with_settings_that_are_read(name: str) -> None:
    parser().parse_args(SERVICES[name]["command"])
    settings = _environment(name)
    assert {key for key in settings if not key.startswith("AWS_")} <= set(NAMES)
    load(settings | {"PETSTREAM_SETTLED": "1"})


def _environment(name: str) -> dict[str, str]:
    given = SERVICES[name].get("environment", {})
    return {key: "" if value is None else str(value) for key, value in given.items()}


@pytest.mark.parametrize("name", OURS)
def test_a_service_of_ours_has_few_rights(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    assert "user" not in service, "the image's own, which isn't root"
    assert service["pids_limit"] <= 1024
    assert service["ulimits"] == {"nofile": 16384, "core": 0}


@pytest.mark.parametrize("name", ["kafka", "postgres"])
def test_a_server_has_what_its_image_needs_and_no_more(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    added = {"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"} if name == "postgres" else set()
    assert set(service.get("cap_add", [])) == added
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["pids_limit"]


def test_the_image_does_not_run_as_root() -> None:
    text = FILE.with_name("Dockerfile").read_text("utf-8")
    runtime, *images = re.findall(
        r"^FROM (?:\S+ AS runtime|runtime)\b.*?(?=^FROM |\Z)", text, re.MULTILINE | re.DOTALL
    )
    assert re.findall(r"^USER (.+)", text, re.MULTILINE) == ["10001:10001"]
    assert "\nUSER " in runtime
    assert len(images) == 2, "petstream and its simulator begin with it"


@pytest.mark.parametrize("name", sorted(set(SERVICES) - {"migrate"}))
def test_a_service_comes_back_and_tells_how_it_is(name: str) -> None:
    service = SERVICES[name]
    assert service["restart"] == "unless-stopped"
    if name != "simulator":
        assert service["healthcheck"]["test"][0] == "CMD"


def test_the_database_is_migrated_once_before_any_consumer() -> None:
    assert SERVICES["migrate"]["restart"] == "no"
    for name in (*registry.NAMES, "console"):
        waits = SERVICES[name]["depends_on"]
        assert waits["migrate"] == {"condition": "service_completed_successfully"}
        assert waits["kafka"] == {"condition": "service_healthy"}


def test_what_is_published_is_on_loopback_and_asks_for_a_password_or_only_shows() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {
        "console": ["127.0.0.1:8642:8642"],
        "kafka": ["127.0.0.1:9094:9094"],
        "postgres": ["127.0.0.1:5433:5432"],
        "prometheus": ["127.0.0.1:9090:9090"],
        "grafana": ["127.0.0.1:3000:3000"],
    }


def test_this_machine_reaches_kafka_by_the_password_and_services_without() -> None:
    given = SERVICES["kafka"]["environment"]

    def pairs(name: str) -> dict[str, str]:
        return dict(entry.split(":", 1) for entry in given[name].split(","))

    assert pairs("KAFKA_LISTENERS")["MACHINE"] == "//:9094"
    assert pairs("KAFKA_ADVERTISED_LISTENERS") == {
        "PLAINTEXT": "//kafka:9092", "MACHINE": "//127.0.0.1:9094",
    }  # fmt: skip
    assert pairs("KAFKA_LISTENER_SECURITY_PROTOCOL_MAP")["MACHINE"] == "SASL_PLAINTEXT"
    assert given["KAFKA_LISTENER_NAME_MACHINE_SASL_ENABLED_MECHANISMS"] == "PLAIN"
    jaas = given["KAFKA_LISTENER_NAME_MACHINE_PLAIN_SASL_JAAS_CONFIG"]
    assert jaas.endswith('PlainLoginModule required user_petstream="kafka-secret";')


@pytest.mark.parametrize("name", DAEMONS)
def test_the_figures_of_every_process_are_scraped_by_a_name_that_it_answers(name: str) -> None:
    settings = load(_environment(name) | {"PETSTREAM_SETTLED": "1"})
    assert settings.console == ("0.0.0.0", 8642)  # noqa: S104  inside of the network
    if name not in _always():
        (asked,) = _looked_up()  # found while it is there; then its address is asked, no name
        assert asked == {"names": [name], "type": "A", "port": 8642}
        return
    assert f"{name}:8642" in _targets()
    assert name in settings.console_hosts


def test_nothing_is_scraped_that_may_not_be_there() -> None:
    assert sorted(_targets()) == sorted(f"{name}:8642" for name in _always())


def _always() -> set[str]:
    """Return the processes that run without a profile."""
    return {name for name in DAEMONS if "profiles" not in SERVICES[name]}


def _targets() -> list[str]:
    return [
        target
        for job in PROMETHEUS["scrape_configs"]
        for group in job.get("static_configs", ())
        for target in group["targets"]
    ]


def _looked_up() -> list[dict[str, Any]]:
    return [
        asked for job in PROMETHEUS["scrape_configs"] for asked in job.get("dns_sd_configs", ())
    ]


@pytest.mark.parametrize("name", ["prometheus", "grafana"])
def test_what_watches_is_asked_for_and_has_few_rights(name: str) -> None:
    service = SERVICES[name]
    assert service["profiles"] == ["monitoring"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    for volume in service["volumes"]:
        place, _, inside = volume.partition(":")
        if place.startswith("./"):
            assert (FILE.parent / place).is_file()
            assert inside.endswith(":ro")


def test_grafana_finds_its_prometheus_and_its_dashboard_by_file() -> None:
    mounted = dict(volume.split(":")[:2] for volume in SERVICES["grafana"]["volumes"])
    (source,) = yaml.safe_load((OPS / "grafana/datasources.yml").read_text("utf-8"))["datasources"]
    (given,) = yaml.safe_load((OPS / "grafana/dashboards.yml").read_text("utf-8"))["providers"]
    assert (source["url"], source["type"]) == ("http://prometheus:9090", "prometheus")
    shown = mounted["./docs/ops/grafana/petstream.json"]
    assert str(Path(shown).parent) == given["options"]["path"]
    for name in ("datasources", "dashboards"):
        place = mounted[f"./docs/ops/grafana/{name}.yml"]
        assert place == f"/etc/grafana/provisioning/{name}/petstream.yml"
    settings = SERVICES["grafana"]["environment"]
    assert settings["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == "true"
    assert settings["GF_AUTH_ANONYMOUS_ENABLED"] == "true"


def test_access_to_a_bucket_is_passed_on_to_those_who_read_or_write_pictures() -> None:
    having = {
        name: {key for key in service["environment"] if key.startswith("AWS_")}
        for name, service in SERVICES.items()
        if any(key.startswith("AWS_") for key in service.get("environment", ()))
    }
    assert set(having) == {"images", "console"}
    for name, variables in having.items():
        assert variables == {
            "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION",
            "AWS_ENDPOINT_URL",
        }  # fmt: skip
        given = [SERVICES[name]["environment"][each] for each in variables]
        assert set(given) == {None}, "an empty one isn't an unset one"


def test_the_console_sees_the_pictures_and_cannot_change_them() -> None:
    kept = load({"PETSTREAM_PICTURES": SERVICES["console"]["environment"]["PETSTREAM_PICTURES"]})
    assert SERVICES["console"]["volumes"] == ["pictures:/store:ro"]
    assert SERVICES["images"]["volumes"] == ["pictures:/data"]
    assert kept.pictures == "file:///store/pictures", "/data/pictures, as `images` sees it"


def test_the_simulated_pictures_are_at_a_host_that_is_trusted_and_reached() -> None:
    example = FILE.with_name(".env.example").read_text("utf-8")
    simulated = example.partition("# To try docker compose on a simulated RescueGroups")[2]
    given = dict(re.findall(r"^#(PETSTREAM_\w+)=(.*)$", simulated, re.MULTILINE))
    command = SERVICES["simulator"]["command"]
    where = command[command.index("--pictures-at") + 1]
    assert load(given | {"PETSTREAM_SETTLED": "1"}).picture_trusted_hosts == {where}
    assert SERVICES["simulator"]["network_mode"] == f"service:{where.partition(':')[0]}"


def test_images_of_others_are_of_a_version_and_all_volumes_are_declared() -> None:
    for service in SERVICES.values():
        assert service["image"] in IMAGES or re.search(r":v?\d", service["image"])
        for volume in service.get("volumes", ()):
            assert volume.startswith("./") or volume.partition(":")[0] in WHOLE["volumes"]
