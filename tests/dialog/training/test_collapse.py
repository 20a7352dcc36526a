"""A latent variable that has collapsed is named once annealing is over, with what to turn; a live one never."""

import json

import pytest
import torch

from dialog.evaluation.latent import evaluate_latent
from dialog.models.registry import build_model
from dialog.training.collapse import LEAST_KL, collapse_warnings
from dialog.training.config import LatentTrainingConfig, TrainingConfig
from dialog.training.trainer import Trainer, TrainingJob
from tests.dialog.evaluation.test_bound import without_choice
from tests.dialog.evaluation.test_likelihood import Talks
from tests.dialog.models.tiny import make_model
from tests.dialog.training.test_fields import BASE, Silent, tokenizer
from tests.dialog.training.test_fields import Talks as WordTalks

__all__ = ["tokenizer"]

CONFIG = LatentTrainingConfig(kl_annealing_updates=100)


def collapsed():
    return without_choice(make_model("vhred"))


def test_it_warns_from_the_end_of_the_annealing_on_and_not_before() -> None:
    model = collapsed()
    use = evaluate_latent(model, Talks())
    assert sum(use.kl) < LEAST_KL
    assert collapse_warnings(use, model, 99, CONFIG) == []
    for update in (100, 5000):
        (warning,) = collapse_warnings(use, model, update, CONFIG)
        assert "collapsed" in warning and "0.000 nats a reply" in warning and "none of its 3 dim" in warning
    cyclical = LatentTrainingConfig(kl_annealing_updates=100, kl_schedule="cyclical")
    assert collapse_warnings(use, model, 100, cyclical) == []  # the weight is 1 within cycles, too
    assert len(collapse_warnings(use, model, 101, cyclical)) == 1


def test_a_live_latent_variable_is_not_warned_of() -> None:
    model = make_model("vhred")
    use = evaluate_latent(model, Talks())
    assert sum(use.kl) > LEAST_KL
    with torch.no_grad():
        model.posterior.hidden[0].weight.mul_(5)
    use = evaluate_latent(model, Talks())
    assert use.active_units_given_context > 0
    assert collapse_warnings(use, model, 5000, CONFIG) == []
    assert collapse_warnings(None, make_model("hred"), 5000, TrainingConfig()) == []


def test_a_posterior_that_is_off_the_same_way_for_every_reply_has_collapsed_too() -> None:
    model = collapsed()
    with torch.no_grad():
        model.posterior.loc.bias += 3  # much KL, no information
    use = evaluate_latent(model, Talks())
    assert sum(use.kl) > LEAST_KL
    (warning,) = collapse_warnings(use, model, 5000, CONFIG)
    assert "dimensions is active" in warning and "nats a reply" not in warning


@pytest.mark.parametrize(
    ("settings", "training", "named", "not_named"),
    [
        ({}, {}, ["free_bits=0.67", "bag_of_words=true", "word_dropout=0.25", "cyclical"], []),
        ({"bag_of_words": True}, {"free_bits": 0.1}, ["word_dropout", "cyclical"], ["free_", "bag_"]),
        (
            {"bag_of_words": True, "word_dropout": 0.3},
            {"free_bits": 0.1, "kl_schedule": "cyclical"},
            ["kl_annealing_updates above 100"],
            ["--set"],
        ),
    ],
)
def test_it_names_what_is_not_turned_yet(settings, training, named, not_named) -> None:
    model = make_model("vhred", **settings)
    use = evaluate_latent(collapsed(), Talks())
    config = LatentTrainingConfig(kl_annealing_updates=100, **training)
    (warning,) = collapse_warnings(use, model, 5000, config)
    assert all(name in warning for name in named)
    assert not any(name in warning for name in not_named)


def test_training_writes_it_with_the_validation(tmp_path, tokenizer) -> None:
    torch.manual_seed(1)
    sizes = {"vocab_size": tokenizer.num_tokens, "embedding_size": 6, "hidden_size": 8, "context_size": 7}
    config = LatentTrainingConfig.from_json(BASE | {"kl_annealing_updates": 5, "validate_conversations": 0})
    for name, lives in (("vhred", False), ("lively", True)):
        model = build_model("vhred", sizes | {"latent_size": 2})
        without_choice(model)
        if lives:
            with torch.no_grad():
                model.posterior.hidden[0].weight.mul_(20)
                model.posterior.loc.weight.mul_(20)
        splits = WordTalks(tokenizer, 1), WordTalks(tokenizer, 2)
        job = TrainingJob(tmp_path / name, model, tokenizer, *splits, config, {}, max_updates=6)
        Trainer(job, Silent()).run()
        lines = [json.loads(line) for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()]
        early, late = (line for line in lines if line["split"] == "valid")
        assert (early["update"], late["update"]) == (3, 6)
        assert late["latent"]["kl_per_reply"] == pytest.approx(late["kl_per_reply"], rel=1e-4)
        assert not any("collapsed" in warning for warning in early["warnings"])
        assert any("collapsed" in warning for warning in late["warnings"]) == (not lives)
