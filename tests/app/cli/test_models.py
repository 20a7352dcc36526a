"""`hred models`: what it says of a model is what the code does."""

import dataclasses
import json
import re

import pytest
import torch
from typer.testing import CliRunner

from app.cli.main import COMMANDS, app
from dialog.errors import ConfigError
from dialog.models.registry import MODELS, build_model, model_class
from dialog.training.config import training_config_class


def shown(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["models", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture(params=list(MODELS))
def name(request) -> str:
    return request.param


def test_the_list_has_every_model_with_its_papers_and_parameters() -> None:
    listed = json.loads(shown("--json"))
    assert [one["name"] for one in listed] == list(MODELS)
    text, words = shown(), shown().split()
    for one in listed:
        with torch.device("meta"):
            parameters = build_model(one["name"], {}).num_parameters
        assert one["parameters"] == parameters
        assert f"\n{one['name']} " in "\n" + text and f"{parameters:,}" in words
        for paper in MODELS[one["name"]].papers:
            assert paper in " ".join(words)


def test_an_explanation_has_every_setting_with_its_default(name) -> None:
    cls = model_class(name)
    explained, text = json.loads(shown(name, "--json")), shown(name)
    for key, config in (
        ("settings", cls.config_class),
        ("training_settings", training_config_class(cls.is_latent)),
    ):
        told = {one["name"]: one for one in explained[key]}
        assert list(told) == [field.name for field in dataclasses.fields(config)]
        for field in dataclasses.fields(config):
            assert told[field.name]["default"] == field.default
            assert told[field.name]["help"] == field.metadata["help"]
            assert f"\n  {field.name}={str(field.default).lower()}  (" in text.lower()
    assert explained["explanation"].splitlines()[0] in text


def test_the_ranges_are_those_that_the_config_keeps(name) -> None:
    config = model_class(name).config_class
    for one in json.loads(shown(name, "--json"))["settings"]:
        ends = re.match(r"(\S+) to (below )?(\S+?),?( |$)", one["allowed"])
        refused = {"text": "no such choice", "true or false": 7}.get(one["type"])
        if ends:
            refused = type(one["default"])(ends[3]) + (0 if ends[2] else 1)
        elif "minimum" in one:
            refused = one["minimum"] - 1
        if refused is not None and one["allowed"] != "any text":
            with pytest.raises(ConfigError, match=one["name"]):
                config.from_json({one["name"]: refused})


def test_presets_are_told_with_their_values_and_can_be_built(name) -> None:
    config, text = model_class(name).config_class, " ".join(shown(name).split())
    for preset, values in getattr(config, "presets", {}).items():
        assert f"{preset}: " in text
        assert all(f"{key}={value}" in text for key, value in values.items())
        config.from_json(values)


def test_the_commands_that_it_names_are_there(name) -> None:
    for command in json.loads(shown(name, "--json"))["commands"]:
        assert command.split()[0] == "hred" and command.split()[1] in COMMANDS


def test_an_unknown_model_is_one_sentence() -> None:
    with pytest.raises(ConfigError, match="there is no model 'gpt'; the models are seq2seq"):
        shown("gpt")
