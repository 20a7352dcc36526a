"""A setting that cannot be is a sentence that names the field, the value and what is allowed."""

import dataclasses
import json
import math

import pytest

from dialog.errors import ConfigError
from dialog.models.config import Settings, parse_assignments, setting
from dialog.models.hred import HREDConfig
from dialog.models.registry import build_model, model_class
from tests.dialog.models.tiny import ALL, AUTOENCODERS


@dataclasses.dataclass(frozen=True)
class Kitchen(Settings):
    ovens: int = setting(2, "ovens", minimum=1, below=5, multiple_of=2)
    heat: float = setting(0.5, "share of the full heat", minimum=0.0, below=1.0)
    open: bool = setting(True, "whether guests come")
    name: str = setting("blue", "what it is called")


@dataclasses.dataclass(frozen=True)
class Garden(Settings):
    trees: int = setting(3, "trees", minimum=0)


def message(**values: object) -> str:
    with pytest.raises(ConfigError) as caught:
        Kitchen.from_json(values)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        ("ovens", 0, "from 1 to below 5"),
        ("ovens", 5, "from 1 to below 5"),
        ("ovens", 3, "a multiple of 2"),
        ("ovens", 2.0, "a whole number"),
        ("ovens", True, "a whole number"),
        ("ovens", "2", "a whole number"),
        ("ovens", None, "a whole number"),
        ("heat", 1.0, "from 0 to below 1"),
        ("heat", -0.1, "from 0 to below 1"),
        ("heat", math.nan, "from 0 to below 1"),
        ("heat", math.inf, "from 0 to below 1"),
        ("heat", "0.1", "a number"),
        ("heat", False, "a number"),
        ("open", 1, "true or false"),
        ("open", "true", "true or false"),
        ("name", 3, "a text"),
        ("name", ["blue"], "a text"),
    ],
)
def test_a_value_that_cannot_be_names_field_value_and_what_is_allowed(field, value, allowed) -> None:
    found = message(**{field: value})
    assert f"Kitchen.{field} is {value!r}" in found and allowed in found
    with pytest.raises(ConfigError, match=f"Kitchen.{field}"):
        Kitchen(**{field: value})


def test_what_is_allowed_is_allowed_to_its_edges() -> None:
    Kitchen(ovens=2, heat=0.0, open=False, name="")
    Kitchen(ovens=4, heat=math.nextafter(1, 0))
    assert Kitchen(heat=0).heat == 0
    Garden(trees=10**9)
    with pytest.raises(ConfigError, match=r"Garden.trees is -1, but must be 0 or more"):
        Garden(trees=-1)


@pytest.mark.parametrize("value", [2**31, 10**30, -(10**30)])
def test_no_whole_number_is_larger_than_torch_can_take(value) -> None:
    allowed = "from 0 to below 2147483648"
    with pytest.raises(ConfigError, match=rf"Garden.trees is {value}, but must be {allowed}"):
        Garden(trees=value)
    with pytest.raises(ConfigError, match="Kitchen.heat"):
        Kitchen(heat=value)


@pytest.mark.parametrize("name", ALL + AUTOENCODERS)
def test_a_size_that_no_machine_holds_is_a_sentence_before_memory_is_asked_for(name) -> None:
    fields = model_class(name).config_class.__dataclass_fields__
    for size in (f for f in fields if f.endswith("_size") and f != "vocab_size"):
        with pytest.raises(ConfigError, match=rf"{size} is 1000000000, but must be from \d to below 16385"):
            build_model(name, {size: 10**9})


def test_an_unknown_key_is_named_with_its_value_and_what_there_is() -> None:
    found = message(oven=4)
    assert "'oven'" in found and "4" in found
    assert all(field.name in found for field in dataclasses.fields(Kitchen))


@pytest.mark.parametrize("name", ALL + AUTOENCODERS)
def test_settings_go_through_json_and_back(name) -> None:
    config = model_class(name).config_class(embedding_size=12, dropout=0.25)
    again = type(config).from_json(json.loads(json.dumps(config.to_json())))
    assert again == config and list(config.to_json()) == [f.name for f in dataclasses.fields(config)]
    for field in dataclasses.fields(config):
        assert field.metadata["help"]


def test_a_model_takes_only_its_own_settings() -> None:
    for name, key in (("seq2seq", "context_size"), ("hred", "latent_size"), ("vhred", "context_turns")):
        with pytest.raises(ConfigError, match=f"no setting '{key}'"):
            build_model(name, {key: 2})
    with pytest.raises(ConfigError, match=r"no model 'gpt'; the models are seq2seq, hred, vhred"):
        build_model("gpt", {})
    with pytest.raises(ConfigError, match=r"HREDConfig.hidden_size is 7, but must be a multiple of 2"):
        HREDConfig(hidden_size=7)


def test_assignments_are_sorted_by_their_owner_and_read_by_type() -> None:
    texts = ["ovens=4", "trees=7", "heat=1e-3", "open=False", "name=a=b", "ovens=2"]
    kitchen, garden = parse_assignments(texts, Kitchen, Garden)
    assert kitchen == {"ovens": 2, "heat": 0.001, "open": False, "name": "a=b"}
    assert garden == {"trees": 7}
    assert parse_assignments([], Kitchen, Garden) == [{}, {}]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ovens", ["name=value", "'ovens'", "trees"]),
        ("oven=4", ["'oven'", "ovens", "trees"]),
        ("=4", ["''", "ovens"]),
        ("ovens=four", ["ovens", "'four'", "a whole number"]),
        ("ovens=2.5", ["ovens", "'2.5'", "a whole number"]),
        ("heat=hot", ["heat", "'hot'", "a number"]),
        ("open=1", ["open", "'1'", "true or false"]),
        ("open=", ["open", "''", "true or false"]),
    ],
)
def test_an_assignment_that_cannot_be_read_is_a_sentence(text, expected) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_assignments([text], Kitchen, Garden)
    assert "\n" not in str(caught.value)
    for part in expected:
        assert part in str(caught.value)
