"""What docs/access.md and its compose file name is there."""

import re
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
        "--rm",
    }  # of docker compose
    assert len(options) >= 6
    assert {option for option in options if not any(option in shown.stdout for shown in helps)} == set()


def test_the_compose_file_holds_what_the_page_says():
    services = yaml.safe_load((COMPOSE / "compose.yaml").read_text())["services"]
    assert set(services) == {"database", "first", "second", "proxy"}
    assert services["second"] == services["first"]
    environment = services["first"]["environment"]
    address = services["proxy"]["networks"]["default"]["ipv4_address"]
    rules = Rules.make("0.0.0.0", environment={**environment, "HRED_HOSTS": "chat.example.org"})
    assert [str(network) for network in rules.proxies] == [f"{address}/32"]
    assert rules.requires_login and rules.knows_host("chat.example.org")
    for name in ("first", "second"):
        assert f"{name}:7860" in (COMPOSE / "nginx.conf").read_text()
        assert f"{name}:7860" in (COMPOSE / "Caddyfile").read_text()
