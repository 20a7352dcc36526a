"""A model that decodes in int8: near the float32 one, the same alone as in a batch, contexts untouched."""

import copy

import pytest
import torch

from dialog.errors import UsageError
from dialog.evaluation.precision import precision_cost, stepped_nats
from dialog.models.int8 import decode_in_int8
from dialog.text.batches import utterances_of
from tests.dialog.evaluation.test_likelihood import Talks
from tests.dialog.models.tiny import NAMES, make_model

ROWS = [[5, 6, 7], [8], [9, 10, 11, 12, 13]]


def both(name, layers=1):
    model = make_model(name, torch.float32, layers=layers)
    quantised = copy.deepcopy(model)
    decode_in_int8(quantised)
    return model, quantised


def planned(model, rows=ROWS):
    state = model.observe(model.start(len(rows)), utterances_of(rows))
    return model.plan(state, [torch.Generator().manual_seed(i) for i in range(len(rows))])


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("name", NAMES)
@torch.inference_mode()
def test_a_step_is_near_the_float32_one_and_what_is_planned_is_the_same(name, layers):
    model, quantised = both(name, layers)
    first, second = planned(model), planned(quantised)
    assert torch.equal(first.hidden, second.hidden)
    for token in (2, 5, 9):
        tokens = torch.full((3,), token)
        logits, first = model.step(tokens, first)
        found, second = quantised.step(tokens, second)
        spread = logits.std()
        assert (found - logits).abs().max() < 0.15 * spread
        assert not torch.equal(found, logits)


@pytest.mark.parametrize("name", NAMES)
@torch.inference_mode()
def test_a_reply_is_the_same_alone_as_in_a_batch(name):
    _, quantised = both(name)
    replies = utterances_of([[5, 6], [7, 8, 9, 10], [11]])
    state = planned(quantised)
    together = [state]
    for time in range(3):
        together.append(quantised.step(replies.tokens[:, time], together[-1])[1])
    alone = state.select([1])
    for time in range(3):
        alone = quantised.step(replies.tokens[1:2, time], alone)[1]
    assert (together[-1].hidden[1] - alone.hidden[0]).abs().max() < 1e-6


@pytest.mark.parametrize("name", NAMES)
def test_the_cost_is_nothing_without_int8_and_small_with_it(name):
    model, quantised = both(name)
    split = Talks()
    plain = precision_cost(model, split, 1000)
    assert plain.num_replies == int(split.targets.sum())
    assert plain.num_tokens == int((split.lengths + 1)[split.targets].sum())
    assert abs(plain.cost_per_token) < 1e-5
    cost = precision_cost(quantised, split, 1000)
    assert cost.scored == pytest.approx(plain.scored, abs=1e-3)  # float32 in both
    assert 1e-6 < abs(cost.cost_per_token) < 0.05
    assert 0 < cost.cost_per_token_error < 0.05


@torch.inference_mode()
def test_stepped_nats_are_those_of_score():
    model = make_model("hred", torch.float32)
    replies = utterances_of([[5, 6], [7, 8, 9, 10], [11]])
    state = planned(model)
    assert torch.allclose(
        stepped_nats(model, state, replies), -model.score(state, replies).sum(1).double(), atol=1e-5
    )


def test_what_int8_is_not_for_is_refused_in_a_sentence():
    with pytest.raises(UsageError, match="float32 on the CPU"):
        decode_in_int8(make_model("hred"))
    for name, found in (("transformer", "Transformer"), ("window", "WindowModel")):
        with pytest.raises(UsageError, match=f"^{found} has no decoder that int8 is written for"):
            decode_in_int8(make_model(name, torch.float32))
