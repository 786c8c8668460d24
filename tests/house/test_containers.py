"""The form of Dockerfile and compose.yaml, for machines without an engine."""

import ast
import re
from typing import Any, Final

import pytest
import yaml

from tests.house.source import python, source

COMPOSE: Final[dict[str, Any]] = yaml.safe_load(source("compose.yaml").text)
SERVICES: Final[dict[str, dict[str, Any]]] = COMPOSE["services"]
OURS: Final = ("migrate", "api", "projector", "worker", "scheduler")
SERVERS: Final = ("postgres", "valkey")
DOCKERFILE: Final = source("Dockerfile")


def instructions(name: str) -> list[str]:
    text = re.sub(r"\\\n\s*", " ", DOCKERFILE.text)
    return re.findall(rf"^{name} (.*)$", text, re.MULTILINE)


def cli_words() -> set[str]:
    """Collect every word by which the CLI could know a command: functions and given names."""
    words = set()
    for module in python():
        if module.path.startswith("adapters/cli/"):
            words |= {function.name.replace("_", "-") for function in module.functions()}
            words |= {
                node.value for node in module.nodes(ast.Constant) if isinstance(node.value, str)
            }
    return words


def test_every_process_is_there() -> None:
    assert SERVICES.keys() == {*OURS, *SERVERS}


def test_every_image_is_pinned_by_a_tag_that_stays() -> None:
    stages = {line.split(" AS ")[0] for line in instructions("FROM")}
    images = {service["image"] for service in SERVICES.values()} | stages
    loose = [image for image in images if not re.fullmatch(r"[\w/.-]+:\d[\w.-]*", image)]
    assert not loose, "An image without a version, or with latest, is banned; use a version."


def test_the_servers_are_those_of_the_embedded_default() -> None:
    assert SERVICES["postgres"]["image"].startswith("postgres:18")
    assert SERVICES["valkey"]["image"].startswith("valkey/valkey:9")


@pytest.mark.parametrize("name", OURS)
def test_a_process_runs_a_command_that_the_cli_has(name: str) -> None:
    assert SERVICES[name]["command"] == [name]
    unknown = {name} - cli_words()
    assert not unknown


def test_the_image_starts_the_cli_without_a_shell() -> None:
    assert instructions("ENTRYPOINT") == ['["asiento"]']
    (start,) = instructions("CMD")
    unknown = set(ast.literal_eval(start)) - cli_words()
    assert not unknown


@pytest.mark.parametrize("name", [*SERVERS, "api", "projector", "worker", "scheduler"])
def test_what_stays_up_is_watched_and_restarted(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"]
    assert SERVICES[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", ["api", "projector", "worker", "scheduler"])
def test_a_process_waits_for_the_migrations(name: str) -> None:
    assert SERVICES[name]["depends_on"]["migrate"] == {
        "condition": "service_completed_successfully"
    }


def test_only_migrations_hold_the_credential_of_the_owner() -> None:
    holders = {name for name, each in SERVICES.items() if "POSTGRES_PASSWORD" in str(each)}
    assert holders == {"migrate", "postgres"}


def test_no_secret_has_a_default() -> None:
    for name, given in re.findall(r"\$\{(\w+)([^}]*)\}", source("compose.yaml").text):
        if re.search("PASSWORD|SECRET|KEY", name):
            assert given.startswith(":?"), f"{name} must be set, or nothing starts."
    assert not re.search(r"(PASSWORD|SECRET|KEY)\w*: *[\"']?[\w-]", source("compose.yaml").text)


def test_no_server_is_open_to_the_network() -> None:
    assert not any("ports" in SERVICES[name] for name in SERVERS)
    assert all(port.startswith("127.0.0.1:") for port in SERVICES["api"]["ports"])


def test_every_volume_is_declared() -> None:
    used = {mount.split(":")[0] for each in SERVICES.values() for mount in each.get("volumes", ())}
    assert used == COMPOSE["volumes"].keys()


def test_the_image_runs_as_an_ordinary_user() -> None:
    assert instructions("USER") == ["10001:10001"]


def test_the_image_installs_the_lock_by_its_hashes_and_nothing_else() -> None:
    installs = [line for line in instructions("RUN") if "pip install" in line]
    assert len(installs) == 2
    assert "--require-hashes -r requirements.lock" in installs[0]
    assert "--no-deps --no-build-isolation" in installs[1]


def test_the_image_holds_no_secret_and_no_data_of_the_checkout() -> None:
    ignored = source(".dockerignore").lines
    assert "*" in ignored, "What goes in is listed, not what stays out."
    let_in = {line[1:] for line in ignored if line.startswith("!")}
    packages = {each.layer for each in python() if each.path.endswith("/__init__.py")} - {"tests"}
    assert packages <= let_in
    assert not let_in & {".env", ".asiento", ".git"}
