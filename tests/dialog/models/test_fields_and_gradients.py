"""Nothing is there for nothing: every parameter gets a gradient, every setting changes something."""

import dataclasses
from typing import Any

import pytest
import torch

from dialog.models.base import ReplyModel
from dialog.models.registry import MODELS, build_model, model_class, model_name
from dialog.text.batches import collate
from tests.dialog.models.tiny import ALL, AUTOENCODERS, costs, make_model, random_windows

CHANGES: dict[str, Any] = {
    "vocab_size": 31,
    "embedding_size": 8,
    "embedding_deviation": 0.3,
    "hidden_size": 10,
    "context_size": 8,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "context_turns": 2,
    "attention_turns": 2,
    "max_utterance_tokens": 3,
    "dropout": 0.5,
    "latent_size": 4,
    "latent_hidden_size": 6,
    "variance_scale": 0.1,
    "word_dropout": 0.5,
    "bag_of_words": True,
    "context_layers": 2,
    "encoder_cell": "lstm",
    "context_cell": "lstm",
    "decoder_cell": "lstm",
    "encoder_directions": "forward",
    "residual_from": 2,
    "layer_norm": True,
    "time_skips": "2",
    "leak": 0.3,
    "leak_learnt": True,
    "spectral_radius": 0.5,
    "reservoir_density": 0.9,
    "input_scale": 0.2,
    "attention": "additive",
    "attention_heads": 1,
    "hard_attention": "reinforce",
    "hard_temperature": 3.0,
    "attention_from": "bottom",
    "attention_over": "turns",
    "heads": 3,
    "feedforward_size": 11,
    "max_context_tokens": 4,
    "window_tokens": 6,
    "conversation_latent_size": 3,
    "conversation_reader_size": 8,
    "utterance_dropout": 0.5,
    "code_size": 4,
}
"""A value for each field that is not the one of `tiny.SIZES`."""

BESIDE: dict[str, dict[str, Any]] = {
    "residual_from": {"layers": 2},
    "leak": {"decoder_cell": "leaky"},
    "leak_learnt": {"decoder_cell": "leaky"},
    "spectral_radius": {"decoder_cell": "esn"},
    "reservoir_density": {"decoder_cell": "esn"},
    "input_scale": {"decoder_cell": "esn"},
    "attention_heads": {"attention": "multihead", "attention_heads": 2},
    "hard_attention": {"attention": "hard"},
    "hard_temperature": {"attention": "hard"},
    "attention_from": {"layers": 2},
}
"""What must be set beside a field for something to read it."""

IN_TRAINING_ALONE = {"dropout", "word_dropout", "bag_of_words", "hard_attention", "utterance_dropout"}
WITH_WEIGHTS = {"bag_of_words", "utterance_dropout"}
"""Of these, what has weights of its own."""
IN_BUFFERS_ALONE = {
    "spectral_radius",
    "reservoir_density",
    "input_scale",
}  # a reservoir is drawn, not trained
IN_GRADIENTS_ALONE = {"hard_temperature"}
IN_FIRST_WEIGHTS_ALONE = {"embedding_deviation"}
EVERY = [*ALL, "vhcr", *AUTOENCODERS]
FIELDS = [(n, f.name) for n in EVERY for f in dataclasses.fields(model_class(n).config_class)]


def looking_back(name: str, turns: int) -> dict[str, Any]:
    """Returns the setting by which a model looks at the last turns; an autoencoder looks at none."""
    if name in AUTOENCODERS:
        return {}
    settings = {"seq2seq": "context_turns", "transformer": "context_turns", "window": "window_tokens"}
    return {settings.get(name, "attention_turns"): turns}


def terms(model: ReplyModel) -> dict[str, torch.Tensor]:
    parts = model.loss(collate(random_windows([5, 3, 4], seed=1)), torch.Generator().manual_seed(3))
    terms = {"nll": parts.nll, **parts.auxiliary}
    for name, kl in (("kl", parts.kl), ("conversation_kl", parts.conversation_kl)):
        if kl is not None:
            terms[name] = kl.sum(1)
    return terms


def test_the_list_of_models_is_what_is_tested_here() -> None:
    assert set(MODELS) - set(EVERY) == {"lm"}  # which has a test file of its own, for it reads no context
    for name in EVERY:
        assert model_name(make_model(name)) == name


@pytest.mark.parametrize(("name", "field"), FIELDS)
def test_every_setting_changes_something(name, field) -> None:
    assert field in CHANGES, f"{name} has the new setting {field}: say here what else it may be"
    beside = BESIDE.get(field, {})
    plain, other = make_model(name, **beside), make_model(name, **{**beside, field: CHANGES[field]})
    shapes = [{k: p.shape for k, p in m.named_parameters()} for m in (plain, other)]
    if field not in IN_TRAINING_ALONE and shapes[0] != shapes[1]:
        return  # all sizes; that what they size is used is told by its gradient
    if field in IN_BUFFERS_ALONE:
        pairs = zip(plain.buffers(), other.buffers(), strict=True)
        assert any(not torch.equal(first, second) for first, second in pairs)
        return
    if field in IN_FIRST_WEIGHTS_ALONE:  # the same draws, three times as large
        assert torch.allclose(other.table.weight, 3 * plain.table.weight)
        return
    missing, unexpected = other.load_state_dict(plain.state_dict(), strict=False)
    assert not unexpected and (not missing or field in WITH_WEIGHTS)
    differs = {}
    for training in (True, False):
        first, second = terms(plain.train(training)), terms(other.train(training))
        differs[training] = first.keys() != second.keys() or any(
            not torch.allclose(first[k], second[k]) for k in first
        )
    if field in IN_GRADIENTS_ALONE:
        slopes = [
            torch.autograd.grad(terms(m.train())["nll"].sum(), m.table.weight)[0] for m in (plain, other)
        ]
        assert differs == {True: False, False: False} and not torch.allclose(*slopes)
    else:
        assert differs == {True: True, False: field not in IN_TRAINING_ALONE}


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("turns", [1, 3])
def test_every_parameter_gets_a_gradient(name, layers, turns) -> None:
    more = looking_back(name, turns)
    if name in ("vhred", "vhcr"):
        more["bag_of_words"] = True
    if name == "vhcr":
        more["utterance_dropout"] = 0.5
    model = make_model(name, layers=layers, **more).train()
    sum(term.sum() for term in terms(model).values()).backward()
    for parameter_name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), parameter_name
        rows = parameter.grad.flatten(1) if parameter.dim() > 1 else parameter.grad[:, None]
        if parameter_name == "table.weight":
            assert (rows[3:] != 0).any(1).all()  # tied: every token's row is an output
        elif "feed_forward" in parameter_name:  # a ReLU may be shut for all of so few tokens
            assert (rows != 0).any(1).sum() >= len(rows) - 2, parameter_name
        else:
            assert (rows != 0).any(1).all() and (rows != 0).any(0).all(), parameter_name


@pytest.mark.parametrize("name", EVERY)
def test_the_gradient_of_a_whole_model_is_its_slope(name) -> None:
    model = make_model(name, layers=2)
    total = sum(term.sum() for term in terms(model).values())
    parameters = list(model.parameters())
    slopes = torch.autograd.grad(total, parameters)
    directions = [
        torch.randn(p.shape, generator=torch.Generator().manual_seed(i)) for i, p in enumerate(parameters)
    ]
    expected = sum(float((s * d).sum()) for s, d in zip(slopes, directions, strict=True))
    values = []
    with torch.no_grad():
        for sign in (1, -2):  # one step forward, then two back
            for parameter, direction in zip(parameters, directions, strict=True):
                parameter += sign * 1e-6 * direction
            values.append(float(sum(term.sum() for term in terms(model).values())))
    assert (values[0] - values[1]) / 2e-6 == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("layers", [1, 2])
def test_the_same_generator_gives_the_same_training_loss(name, layers) -> None:
    has_context_rnn = "context_layers" in model_class(name).config_class.__dataclass_fields__
    more = {"context_layers": layers} if has_context_rnn else {}
    model = make_model(name, dropout=0.5, layers=layers, **more).train()
    first, second = terms(model), terms(model)
    assert all(torch.equal(first[k], second[k]) for k in first)


@pytest.mark.parametrize("name", EVERY)
def test_a_model_is_made_from_its_settings_alone_and_counts_its_parameters(name) -> None:
    torch.manual_seed(4)
    sizes = {"vocab_size": 20, "embedding_size": 4, "hidden_size": 4, "feedforward_size": 4}
    first = build_model(
        name, {k: v for k, v in sizes.items() if k in model_class(name).config_class.__dataclass_fields__}
    )
    torch.manual_seed(4)
    second = build_model(name, first.config.to_json())
    assert first.config == second.config
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert first.num_parameters == sum(v.numel() for v in first.state_dict().values())
    batch = collate(random_windows([3], vocab_size=20))
    assert torch.equal(*(m.eval()(batch, torch.Generator().manual_seed(1)).nll for m in (first, second)))


@pytest.mark.parametrize("name", ALL)
def test_the_uniform_part_is_the_mean_over_the_vocabulary(name) -> None:
    model = make_model(name).train()
    cost = costs(model, collate(random_windows([4, 2], seed=5)))
    wanted = torch.stack([-logits.log_softmax(1).mean(1).sum() for logits in cost.logits])
    torch.testing.assert_close(cost.parts.auxiliary["uniform"], wanted)
    assert "uniform" not in costs(model.eval(), collate(random_windows([2]))).parts.auxiliary


@pytest.mark.parametrize("name", EVERY)
def test_half_precision_trains_near_full(name) -> None:
    more = looking_back(name, 3)
    model = make_model(name, torch.float32, layers=2, **more).train()
    with torch.autocast("cpu", torch.bfloat16):
        near = terms(model)
    exact = terms(model)
    for key, value in exact.items():
        assert near[key].dtype == torch.float32
        torch.testing.assert_close(near[key], value, atol=0.3, rtol=0.03)
    gradients = [
        torch.autograd.grad(sum(t.sum() for t in some.values()), model.parameters()) for some in (near, exact)
    ]
    for one, other in zip(*gradients, strict=True):
        assert one.isfinite().all() and (one - other).norm() < 0.2 * other.norm() + 0.05
