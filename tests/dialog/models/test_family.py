"""Whatever cell, stack and attention a model is made of, it keeps the promises of `ReplyModel`."""

import numpy as np
import pytest
import torch

from dialog.models.base import ReplyModel
from dialog.models.registry import model_class
from dialog.models.sampled import PlainReplies, RunReplies, sampled_replies
from dialog.text.batches import collate, utterances_of
from tests.dialog.models.family import FLAT, HIERARCHICAL, SCOPE_MEMBERS, settings_of
from tests.dialog.models.tiny import (
    costs,
    generators,
    make_model,
    random_windows,
    random_words,
    scored,
    states_before,
    stepped_logits,
)

CASES = (
    [("seq2seq", member) for member in FLAT]
    + [("hred", member) for member in HIERARCHICAL]
    + [("vhred", member) for member in ("lstm", "esn", "gnmt", "attention none", "additive over turns")]
)


def make(name: str, member: str, dtype: torch.dtype = torch.float64) -> ReplyModel:
    settings = settings_of(HIERARCHICAL[member], model_class(name).config_class)
    layers = {f"{part}_layers": settings.pop(f"{part}_layers", 1) for part in ("encoder", "decoder")}
    model = make_model(name, dtype, **settings, **layers)
    with torch.no_grad():
        for parameter_name, parameter in model.named_parameters():
            if "norms" in parameter_name:
                parameter.add_(1.0)
    return model


def close(one: torch.Tensor, other: torch.Tensor, tolerance: float = 1e-10) -> None:
    torch.testing.assert_close(one, other, atol=tolerance, rtol=0)


@pytest.mark.parametrize(("name", "member"), CASES)
def test_one_reply_costs_the_same_however_it_is_computed(name, member) -> None:
    """Step by step, teacher-forced, in a batch, alone, in windows with the state carried over."""
    model = make(name, member)
    windows = random_windows([4, 2, 6], seed=2)
    whole = costs(model, collate(windows))
    close(whole.parts.nll, scored(model, windows, whole.latents))
    replies = utterances_of([random_words(np.random.default_rng(9), 7) for _ in windows])
    z = torch.randn(3, 3, generator=torch.Generator().manual_seed(1)) if name == "vhred" else None
    states = [states_before(model, window)[-1] for window in windows]
    plan = model.plan(type(states[0]).concat(states), generators(3), z)
    steps = stepped_logits(model, plan, replies).log_softmax(2)
    steps = steps.gather(2, replies.tokens[:, :, None])[:, :, 0]
    real = torch.arange(replies.tokens.shape[1]) < replies.lengths[:, None]
    close(model.score(plan, replies)[real], steps[real])
    alone = model.plan(states[1], generators(1), None if z is None else z[1:2])
    close(
        model.score(alone, replies.select(torch.tensor([1])))[0],
        model.score(plan, replies)[1, : replies.lengths[1]],
    )


@pytest.mark.parametrize(("name", "member"), CASES)
def test_a_long_conversation_has_one_likelihood(name, member) -> None:
    model = make(name, member)
    (long,) = random_windows([9], seed=13)
    whole = costs(model, collate([long]))
    state, nll, latents = model.start(1), [], []
    for start in range(0, 9, 2):
        part = type(long)(long.utterances[start : start + 2], long.targets[start : start + 2])
        if part.targets.any():
            cost = costs(model, collate([part]), state)
            nll.append(cost.parts.nll)
            latents.append(cost.latents)
        for words in part.utterances:
            state = model.observe(state, utterances_of([words]))
    if whole.latents is None:
        close(torch.cat(nll), whole.parts.nll)
    else:  # z was drawn anew in each window
        close(torch.cat(nll), scored(model, [long], torch.cat(latents)))


@pytest.mark.parametrize(("name", "member"), [case for case in CASES if "hard" not in case[1]])
def test_float32_has_the_same_logits(name, member) -> None:
    """Not of hard attention, where a near tie may fall the other way."""
    replies = utterances_of([random_words(np.random.default_rng(5), 7)])
    found = []
    for dtype in (torch.float64, torch.float32):
        model = make(name, member, dtype)
        state = states_before(model, random_windows([5], seed=4)[0])[-1]
        z = torch.ones(1, 3, dtype=dtype) if name == "vhred" else None
        found.append(stepped_logits(model, model.plan(state, generators(1), z), replies).double())
    close(*found, 1e-4)


@pytest.mark.parametrize(("name", "member"), CASES)
def test_every_parameter_is_trained(name, member) -> None:
    model = make(name, member).train()
    parts = model.loss(collate(random_windows([5, 3, 4], seed=1)), torch.Generator().manual_seed(3))
    total = parts.nll.sum() + sum(term.sum() for term in parts.auxiliary.values())
    (total if parts.kl is None else total + parts.kl.sum()).backward()
    for parameter_name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), parameter_name
        assert (parameter.grad != 0).any(), parameter_name
    reservoirs = [name for name, _ in model.named_buffers() if name.endswith("weight_hidden")]
    assert bool(reservoirs) == (member == "esn")


@pytest.mark.parametrize("member", SCOPE_MEMBERS)
def test_attention_sums_to_1_over_what_was_said(member) -> None:
    model = make("hred", member)
    states = [states_before(model, window)[-1] for window in random_windows([6, 1, 2], seed=3)]
    plan = model.plan(type(states[0]).concat(states), generators(3))
    _, after = model.step(torch.tensor([2, 2, 2]), plan)
    weights, mask = after.attention, after.mask
    assert weights.shape == mask.shape
    assert (weights[~mask] == 0).all()
    close(weights.flatten(1).sum(1), torch.ones(3, dtype=torch.float64))
    places = {"turns": 3, "tokens_then_turns": None, "tokens": None}[model.config.attention_over]
    assert places is None or mask[0].sum() == places


@pytest.mark.parametrize("member", ["gru", "residual", "attention multihead", "asks below"])
def test_log_weights_are_those_of_score(member) -> None:
    """log p(x|z) of each sample, whichever way it is computed."""
    model = make("vhred", member)
    batch = collate(random_windows([4, 3], seed=6))
    reading, _, _ = model._infer(batch, torch.Generator(), None)
    given = model.table, model.decoder, batch.replies(), reading.contexts, reading.memory
    found = sampled_replies(*given)
    assert type(found) is (PlainReplies if member == "gru" else RunReplies)
    replies = torch.argsort(batch.replies().lengths, descending=True)
    latents = torch.randn(len(replies), 4, 3, dtype=torch.float64)
    nll = found.nll(replies, latents)
    slow = RunReplies(*given[:4], model.decoder.source(reading.memory))
    close(nll, slow.nll(replies, latents))
    for sample in range(4):
        chosen = torch.empty(len(replies), 3, dtype=torch.float64)
        chosen[replies] = latents[:, sample]
        close(scored(model, random_windows([4, 3], seed=6), chosen)[replies], nll[:, sample])


def test_log_weights_leave_a_model_in_training_as_it_was() -> None:
    model = make("vhred", "residual").train()
    batch = collate(random_windows([4], seed=6))
    first = model.log_weights(batch, 3, torch.Generator().manual_seed(1))
    assert model.decoder.training and model.training
    close(first, model.log_weights(batch, 3, torch.Generator().manual_seed(1)))
