"""What docs/access.md and its compose file name is there."""

import ipaddress
import re
import tomllib
from pathlib import Path

import yaml
from typer.testing import CliRunner

from app.access import Rules
from app.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "docs" / "compose"
TEXTS = [ROOT / "docs" / "access.md", *sorted(COMPOSE.iterdir())]


def test_each_variable_is_read_by_the_code():
    code = "\n".join(path.read_text() for path in (ROOT / "app").rglob("*.py"))
    named = {name for path in TEXTS for name in re.findall(r"HRED_[A-Z_]+", path.read_text())}
    assert len(named) >= 5
    assert {name for name in named if f'"{name}"' not in code} == set()


def test_each_command_and_option_is_there():
    page = TEXTS[0].read_text()
    commands = set(re.findall(r"hred ((?:users|keys) [a-z]+|serve)", page))
    assert len(commands) == 9
    helps = [CliRunner().invoke(app, [*command.split(), "--help"]) for command in sorted(commands)]
    assert [shown.exit_code for shown in helps] == [0] * len(helps)
    options = set(re.findall(r"--[a-z]+(?:-[a-z]+)*", page)) - {
        "--build",
        "--detach",
    }  # of docker compose
    assert len(options) >= 6
    assert {option for option in options if not any(option in shown.stdout for shown in helps)} == set()


def test_the_compose_file_holds_what_the_page_says():
    written = yaml.safe_load((COMPOSE / "compose.yaml").read_text())
    services = written["services"]
    assert set(services) == {"database", "first", "second", "proxy"}
    addresses = {
        name: service["networks"]["default"]["ipv4_address"]
        for name, service in services.items()
        if "networks" in service
    }
    assert {**services["second"], "networks": None} == {**services["first"], "networks": None}
    environment = services["first"]["environment"]
    rules = Rules.make("0.0.0.0", environment={**environment, "HRED_HOSTS": "chat.example.org"})
    assert [str(network) for network in rules.proxies] == [f"{addresses['proxy']}/32"]
    assert rules.requires_login and rules.knows_host("chat.example.org")
    # nginx finds the servers where they are, and Docker gives none of these addresses to another container.
    assert services["proxy"]["extra_hosts"] == [f"{name}:{addresses[name]}" for name in ("first", "second")]
    ((network,),) = [each["ipam"]["config"] for each in written["networks"].values()]
    chosen = ipaddress.ip_network(network["ip_range"])
    assert chosen.subnet_of(ipaddress.ip_network(network["subnet"])) and len(set(addresses.values())) == 3
    assert not any(ipaddress.ip_address(address) in chosen for address in addresses.values())
    for name in ("first", "second"):
        assert f"{name}:7860" in (COMPOSE / "nginx.conf").read_text()
        assert f"{name}:7860" in (COMPOSE / "Caddyfile").read_text()


def test_the_image_is_made_of_what_the_package_is_made_of_and_nothing_else():
    lines = (COMPOSE / "Dockerfile.dockerignore").read_text().splitlines()
    rules = [line for line in lines if not line.startswith("#")]
    assert rules[0] == "*" and rules[-1] == "**/__pycache__"
    taken = [rule.removeprefix("!") for rule in rules[1:-1]]
    assert all(
        (ROOT / name).exists() and rule.startswith("!") for name, rule in zip(taken, rules[1:-1], strict=True)
    )
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    needed = {name.partition(".")[0] for name in project["tool"]["setuptools"]["packages"]}
    needed |= {project["project"]["readme"], *project["project"]["license-files"]}
    needed |= set(project["tool"]["setuptools"]["package-dir"].values()) | {
        "pyproject.toml",
        "constraints.txt",
    }
    assert set(taken) == needed
