"""VHCR's replies, and the state between them."""

import math

import numpy as np
import pytest
import torch

from dialog.errors import ConfigError, UsageError
from dialog.evaluation.likelihood import evaluate_likelihood
from dialog.text.batches import Window, utterances_of
from tests.dialog.evaluation.test_likelihood import Talks
from tests.dialog.models.tiny import generators, make_model, random_windows, states_before
from tests.dialog.models.vhcr_pieces import OWN, SHARED, close, joined


def test_each_reply_draws_both_latents_by_its_own_generator() -> None:
    model = make_model("vhcr")
    state = joined(model, random_windows([3, 6, 1], seed=2))
    latents = model.plan(state, generators(3)).latents
    assert latents.shape == (3, SHARED + OWN)
    assert torch.equal(latents, model.plan(state, generators(3)).latents)
    for row in range(3):
        alone = model.plan(state.select([row]), generators(1, row)).latents
        close(alone[0], latents[row], 1e-12)
    repeated = model.plan(state.select([0] * 5), generators(5)).latents
    assert len({tuple(z.tolist()) for z in repeated}) == 5
    close(repeated[:3], model.plan(state.select([0] * 3), generators(3)).latents, 1e-12)
    with pytest.raises(UsageError, match="1 generators for 3 replies"):
        model.plan(state, generators(1))


@pytest.mark.parametrize("turns", [0, 3])
def test_planned_latents_are_those_of_a_chat(turns) -> None:
    """z_conv of what was said so far, or of N(0, 1) before the first turn; then z of its prior given z_conv."""
    model, count = make_model("vhcr"), 4000
    state = model.start(1)
    for words in random_windows([3], seed=2)[0].utterances[:turns]:
        state = model.observe(state, utterances_of([words]))
    q = model.hierarchy.infer(model.hierarchy.windows_of(state))
    if turns == 0:
        assert q.mean.tolist() == [[0.0, 0.0]] and q.stddev.tolist() == [[1.0, 1.0]]
    rows = state.select([0] * count)
    latents = model.plan(rows, generators(count)).latents
    shared, own = latents.split([SHARED, OWN], dim=1)
    h = model.hierarchy.context_of(model.hierarchy.windows_of(rows), shared)
    prior = model.prior(torch.cat([h, shared], dim=1))
    for values in ((shared - q.mean) / q.stddev, (own - prior.mean) / prior.stddev):  # N(0, 1) both
        assert (values.mean(0).abs() < 5 / count**0.5).all()
        assert ((values.std(0) - 1).abs() < 5 / (2 * count) ** 0.5).all()


def test_given_latents_are_used_named_and_matter_each() -> None:
    model = make_model("vhcr")
    state = joined(model, random_windows([3], seed=2)).select([0, 0, 0])
    z = torch.zeros(3, SHARED + OWN, dtype=torch.float64)
    z[1, 0], z[2, SHARED] = 2.0, 2.0
    plan = model.plan(state, generators(3), z)
    assert torch.equal(plan.latents, z)
    replies = utterances_of([[7, 8]] * 3)
    scores = model.score(plan, replies)
    assert not torch.isclose(scores[0], scores[1]).any() and not torch.isclose(scores[0], scores[2]).any()
    assert torch.equal(scores, model.score(model.plan(state, generators(3, 50), z), replies))
    with pytest.raises(
        UsageError, match="3 latents a reply were given, but VHCR has 5: 2 of the conversation"
    ):
        model.plan(state, generators(3), z[:, :3])


# The state.


@pytest.mark.parametrize("context_turns", [1, 3])
def test_a_state_keeps_so_many_turns_and_does_not_grow(context_turns) -> None:
    model = make_model("vhcr", context_turns=context_turns, attention_turns=2)
    state, sizes = model.start(1), {}
    with torch.no_grad():
        for turn in range(1, 101):
            state = model.observe(state, utterances_of([[4 + turn % 20] * 9]))
            sizes[turn] = state.num_bytes
    assert sizes[100] == sizes[10] > 0
    assert state.num_turns.tolist() == [context_turns]
    for tensor in (getattr(state, field) for field in state.__dataclass_fields__):
        assert tensor.untyped_storage().nbytes() <= 4 * tensor.nbytes  # no view into something large


@pytest.mark.parametrize("context_turns", [1, 2, 5])
def test_a_reply_depends_on_exactly_so_many_turns(context_turns) -> None:
    model = make_model("vhcr", context_turns=context_turns)
    window = random_windows([5], seed=16)[0]
    reply = utterances_of([[7, 8]])
    for given in (None, torch.ones(1, SHARED + OWN, dtype=torch.float64)):
        plan = model.plan(states_before(model, window)[-1], generators(1), given)
        for turn in range(5):
            words = list(window.utterances)
            words[turn] = np.array([9, 9, 9], dtype=np.int32)
            state = states_before(model, Window(words, window.targets))[-1]
            other = model.plan(state, generators(1), given)
            is_same = torch.allclose(model.score(other, reply), model.score(plan, reply), atol=1e-10)
            assert is_same == (turn < 5 - context_turns)


def test_states_can_be_taken_apart_and_put_together() -> None:
    model = make_model("vhcr", context_turns=3, attention_turns=2)
    states = [joined(model, random_windows([turns], seed=turns)) for turns in (1, 5, 2)]
    whole = type(states[0]).concat(states)
    swapped = whole.select([2, 0])
    rows = utterances_of([[5, 6, 7], [8]])
    z = torch.ones(2, SHARED + OWN, dtype=torch.float64)
    reply = utterances_of([[9, 10]] * 2)
    together = model.score(model.plan(model.observe(swapped, rows), generators(2), z), reply)
    for place, state in enumerate((states[2], states[0])):
        one = model.observe(state, rows.select(torch.tensor([place])))
        alone = model.plan(one, generators(1), z[:1])
        close(together[[place]], model.score(alone, reply.select(torch.tensor([0]))))


def test_a_setting_out_of_range_is_refused_by_name() -> None:
    for name, value in (("context_turns", 0), ("utterance_dropout", 1.0), ("conversation_reader_size", 7)):
        with pytest.raises(ConfigError, match=name):
            make_model("vhcr", **{name: value})
    assert math.isfinite(
        evaluate_likelihood(make_model("vhcr", utterance_dropout=0.5), Talks()).nats_per_token
    )
