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
GIVEN = {
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
    }  # fmt: skip


@pytest.mark.parametrize("name", OURS)
def test_a_service_runs_a_command_with_settings_that_are_read(name: str) -> None:
    service = SERVICES[name]
    parser().parse_args(service["command"])
    given = service.get("environment", {})
    settings = {key: "" if value is None else str(value) for key, value in given.items()}
    assert set(settings) <= set(NAMES)
    load(settings | {"PETSTREAM_SETTLED": "1"})


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


def test_only_the_console_is_published_and_only_on_loopback() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"console": ["127.0.0.1:8642:8642"]}
    assert SERVICES["console"]["environment"]["PETSTREAM_CONSOLE"] == "0.0.0.0:8642"


def test_the_console_sees_the_pictures_and_cannot_change_them() -> None:
    kept = load({"PETSTREAM_PICTURES": SERVICES["console"]["environment"]["PETSTREAM_PICTURES"]})
    assert SERVICES["console"]["volumes"] == ["pictures:/store:ro"]
    assert SERVICES["images"]["volumes"] == ["pictures:/data"]
    assert kept.pictures == "file:///store/pictures", "/data/pictures, as `images` sees it"


def test_images_of_others_are_of_a_version_and_all_volumes_are_declared() -> None:
    for service in SERVICES.values():
        assert service["image"] in IMAGES or re.search(r":\d", service["image"])
        for volume in service.get("volumes", ()):
            assert volume.partition(":")[0] in WHOLE["volumes"]
