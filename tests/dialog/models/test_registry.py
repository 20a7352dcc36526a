"""The registry: what an entry says of a model is true of its class."""

import dataclasses
import inspect

import pytest
import torch

from dialog.errors import ConfigError, UsageError
from dialog.models.base import ReplyModel
from dialog.models.registry import MODELS, build_model, check_answers, model_class, model_name
from dialog.text.batches import utterances_of

PROMISES = {"loss", "start", "observe", "plan", "step", "score", "log_weights"}


@pytest.fixture(params=list(MODELS))
def name(request) -> str:
    return request.param


def sizes(name: str) -> dict[str, int]:
    fields = {field.name for field in dataclasses.fields(model_class(name).config_class)}
    return {size: 8 for size in ("embedding_size", "hidden_size", "context_size") if size in fields}


def test_a_class_is_found_by_its_name_and_its_name_by_the_class(name) -> None:
    assert issubclass(model_class(name), ReplyModel)
    assert model_class(name).is_latent == MODELS[name].has_latent
    assert model_name(build_model(name, {"vocab_size": 20, **sizes(name)})) == name


def test_an_entry_tells_what_it_must(name) -> None:
    entry = MODELS[name]
    assert entry.purpose and "\n" not in entry.purpose
    assert entry.papers and all(any(part.isdigit() for part in paper) for paper in entry.papers)
    assert entry.abilities
    assert set(entry.lacks) <= PROMISES
    assert ("reply" in entry.abilities) == (not entry.instead)
    assert inspect.getdoc(inspect.getmodule(entry.cls))


def test_it_reads_its_context_just_if_it_says_so(name) -> None:
    torch.manual_seed(1)
    model = build_model(name, {"vocab_size": 20, **sizes(name)}).eval()
    read = model.observe(model.start(1), utterances_of([[5, 6, 7]]))
    changed = not (read.num_bytes == 0 == model.start(1).num_bytes)
    assert changed == ("observe" not in MODELS[name].lacks)
    if "reply" in MODELS[name].abilities:
        assert "observe" not in MODELS[name].lacks


def test_what_does_not_reply_is_refused_by_a_sentence(name) -> None:
    if "reply" in MODELS[name].abilities:
        check_answers(name, "forward", "runs/mine")
        with pytest.raises(UsageError, match="runs/mine was trained backwards"):
            check_answers(name, "backward", "runs/mine")
    else:
        with pytest.raises(UsageError, match=f"runs/mine is a run of {name}"):
            check_answers(name, "forward", "runs/mine")


def test_an_unknown_model_is_told_which_there_are() -> None:
    with pytest.raises(ConfigError, match="there is no model 'gpt'; the models are seq2seq, hred"):
        model_class("gpt")
