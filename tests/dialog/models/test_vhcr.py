"""VHCR: a latent of the whole conversation above each reply's own, over a bounded window of utterances."""

import numpy as np
import pytest
import torch
from torch.distributions import kl_divergence

from dialog.text.batches import Batch, Utterances, Window, collate, utterances_of
from tests.dialog.models.test_family import make
from tests.dialog.models.tiny import (
    generators,
    make_model,
    random_windows,
    scored,
    states_before,
    stepped_logits,
)
from tests.dialog.models.vhcr_pieces import (
    CASES,
    OWN,
    SHARED,
    behind,
    close,
    drawn,
    gaussians,
    joined,
    without_choice,
)

# What is equal, given both latents.


@pytest.mark.parametrize("case", CASES)
def test_given_its_latents_a_window_costs_what_plan_and_score_give_turn_by_turn(case) -> None:
    model = make_model("vhcr", **case)
    windows = random_windows([13, 2, 5], seed=2)
    parts, latents = drawn(model, collate(windows))
    close(parts.nll, scored(model, windows, latents))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("size", [1, 4])
def test_given_its_latents_a_reply_costs_the_same_however_windows_are_cut(case, size) -> None:
    model = make_model("vhcr", **case)
    long = random_windows([13], seed=3)[0]
    state, nll, latents = model.start(1), [], []
    for start in range(0, 13, size):
        part = Window(long.utterances[start : start + size], long.targets[start : start + size])
        if part.targets.any():
            cost, given = drawn(model, collate([part]), state, seed=start)
            nll.append(cost.nll)
            latents.append(given)
        for words in part.utterances:
            state = model.observe(state, utterances_of([words]))
    close(torch.cat(nll), scored(model, [long], torch.cat(latents)))


@pytest.mark.parametrize("case", CASES)
def test_a_step_a_token_gives_the_log_probabilities_of_score(case) -> None:
    model = make_model("vhcr", **case)
    plan = model.plan(joined(model, random_windows([4, 1, 9])), generators(3))
    replies = utterances_of([[5, 6, 7, 8], [9], [10, 11]])
    steps = stepped_logits(model, plan, replies).log_softmax(2)
    each = steps.gather(2, replies.tokens[:, :, None])[:, :, 0]
    real = torch.arange(replies.tokens.shape[1]) < replies.lengths[:, None]
    close(model.score(plan, replies), each * real)


@pytest.mark.parametrize("case", CASES)
def test_batch_mates_and_padding_change_nothing(case) -> None:
    model = make_model("vhcr", **case)
    windows = random_windows([5, 2, 13], seed=4)
    batch = collate(windows)
    tokens = torch.nn.functional.pad(batch.utterances.tokens, (0, 5))
    rows = torch.nn.functional.pad(batch.rows, (0, 3), value=-1)
    padded = Batch(
        Utterances(tokens, batch.utterances.lengths),
        rows,
        batch.targets,
        batch.target_conversations,
        batch.target_turns,
    )
    whole, wide = model.describe_latents(batch), model.describe_latents(padded)
    alone = [model.describe_latents(collate([window])) for window in windows]
    for name in ("prior_loc", "prior_scale", "posterior_loc", "posterior_scale"):
        close(getattr(wide, name), getattr(whole, name))
        close(torch.cat([getattr(one, name) for one in alone]), getattr(whole, name))
        ours = torch.cat([getattr(one.conversation, name) for one in alone])
        close(ours, getattr(whole.conversation, name))


@pytest.mark.parametrize(
    "member",
    ["lstm", "esn", "skips of lstm", "deep", "residual", "normalised", "gnmt", "attention none",
     "additive over turns", "general over tokens_then_turns"],
)  # fmt: skip
def test_of_whatever_cells_and_attention_it_is_made_it_keeps_these_laws(member) -> None:
    model = make("vhcr", member)
    windows, begun = random_windows([5, 2], seed=2), random_windows([3, 1], seed=3)
    state = joined(model, begun)
    parts, latents = drawn(model, collate(windows), state)
    close(parts.nll, scored(model, behind(begun, windows), latents))
    plan = model.plan(state, generators(2))
    replies = utterances_of([[5, 6, 7], [9]])
    steps = stepped_logits(model, plan, replies).log_softmax(2)
    each = steps.gather(2, replies.tokens[:, :, None])[:, :, 0]
    close(model.score(plan, replies), each * (torch.arange(4) < replies.lengths[:, None]))
    weights = model.log_weights(collate(windows), 2, torch.Generator().manual_seed(1), state)
    assert weights.isfinite().all()


def test_in_single_precision_it_is_near() -> None:
    windows = random_windows([5, 2], seed=4)
    _, latents = drawn(make_model("vhcr"), collate(windows))
    wide = scored(make_model("vhcr"), windows, latents)
    narrow = scored(make_model("vhcr", torch.float32), windows, latents.float())
    close(narrow.double(), wide, 1e-4)


# The equations.


@pytest.mark.parametrize("context_turns", [2, 16])
def test_the_context_rnn_starts_from_z_conv_and_hears_it_at_every_turn(context_turns) -> None:
    model = make_model("vhcr", context_turns=context_turns)
    window = random_windows([6], seed=5)[0]
    context = model.hierarchy
    reading = context.read(model.table, collate([window]), torch.Generator(), None)
    z = torch.tensor([[0.7, -1.2]], dtype=torch.float64)
    found = context.contexts(reading.heard, reading.runs, z[:, None])[:, 0]
    vectors = context.encoder(model.table, utterances_of(window.utterances)).vectors
    gates = context.rnn.first().project_constant(z)
    for turn in range(1, 6):
        hidden = torch.tanh(context.initial(z))[:, None]
        for vector in vectors[max(turn - context_turns, 0) : turn]:
            _, hidden = context.rnn.step(vector[None], hidden, gates)
        close(found[turn - 1], hidden[0, 0])


def test_prior_and_posterior_of_a_reply_are_given_z_conv() -> None:
    model = make_model("vhcr")
    window = random_windows([4], seed=6)[0]
    found = model.describe_latents(collate([window]))
    z = found.conversation.posterior_loc
    for turn, state in list(enumerate(states_before(model, window)))[1:4]:
        windows = model.hierarchy.windows_of(state)
        h = model.hierarchy.context_of(windows, z)
        u = model.hierarchy.encoder(model.table, utterances_of([window.utterances[turn]])).vectors
        prior = model.prior(torch.cat([h, z], dim=1)).base_dist
        posterior = model.posterior(torch.cat([h, u, z], dim=1)).base_dist
        close(found.prior_loc[turn - 1], prior.loc[0])
        close(found.prior_scale[turn - 1], prior.scale[0])
        close(found.posterior_loc[turn - 1], posterior.loc[0])
        close(found.posterior_scale[turn - 1], posterior.scale[0])


def test_the_conversations_posterior_reads_every_utterance_up_to_the_last_target() -> None:
    model = make_model("vhcr")
    window = random_windows([5], seed=7)[0]
    window.targets[4] = False
    q, _ = gaussians(model, collate([window]))
    for turn in range(5):
        words = list(window.utterances)
        words[turn] = np.array([9, 9, 9], dtype=np.int32)
        other, _ = gaussians(model, collate([Window(words, window.targets)]))
        assert torch.allclose(other.loc, q.loc, atol=1e-10) == (turn == 4)
    chat = model.hierarchy.infer(model.hierarchy.windows_of(states_before(model, window)[4]))
    close(chat.mean, q.loc)  # what a chat infers from the same utterances
    close(chat.stddev, q.scale)


@pytest.mark.parametrize("size", [1, 3])
def test_what_was_observed_before_a_window_is_its_beginning(size) -> None:
    model = make_model("vhcr")
    window = random_windows([6], seed=8)[0]
    rest = Window(window.utterances[size:], window.targets[size:])
    q, _ = gaussians(model, collate([rest]), states_before(model, window)[size])
    whole, _ = gaussians(model, collate([window]))
    close(q.loc, whole.loc)
    close(q.scale, whole.scale)


def test_the_kl_of_a_conversation_is_that_of_torch_and_of_samples() -> None:
    model = make_model("vhcr")
    batch = collate(random_windows([5, 2, 4], seed=9))
    kl = drawn(model, batch)[0].conversation_kl
    q, p = gaussians(model, batch)
    assert kl.shape == (3, SHARED)
    close(kl, kl_divergence(q, p))
    assert (p.loc == 0).all() and (p.scale == 1).all()
    z = q.sample((20_000,))
    ratio = q.log_prob(z) - p.log_prob(z)
    error = ratio.std(0) / 20_000**0.5
    assert ((ratio.mean(0) - kl).abs() < 5 * error).all()


def test_no_kl_is_left_where_both_posteriors_are_their_priors() -> None:
    model = without_choice(make_model("vhcr"))
    parts, _ = drawn(model, collate(random_windows([5, 2, 4], seed=9)))
    close(parts.kl, torch.zeros(8, OWN, dtype=torch.float64), 1e-12)
    close(parts.conversation_kl, torch.zeros(3, SHARED, dtype=torch.float64), 1e-12)


def test_a_window_without_a_target_has_no_kl_and_no_weight() -> None:
    model = make_model("vhcr")
    silent, other = random_windows([3, 2], seed=10)
    silent.targets[:] = False
    state = joined(model, random_windows([2, 1], seed=11))
    for before in (None, state):
        batch = collate([silent, other])
        assert drawn(model, batch, before)[0].conversation_kl[0].tolist() == [0.0, 0.0]
        weights = model.log_weights(batch, 3, torch.Generator(), before)
        assert weights[0].tolist() == [0.0] * 3
        assert (weights[1] < 0).all()
