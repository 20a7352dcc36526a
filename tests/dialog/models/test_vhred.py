"""What is VHRED's own: z, the prior and posterior, the bound, and the start from HRED."""

import itertools

import numpy as np
import pytest
import torch
from torch.distributions import kl_divergence

from dialog.errors import ConfigError, UsageError
from dialog.models import sampled
from dialog.models.base import ContextState, ReplyModel
from dialog.models.decoder import Replies
from dialog.models.scoring import reply_losses
from dialog.text.batches import Batch, collate, utterances_of
from tests.dialog.models.tiny import costs, generators, make_model, random_windows, states_before


def without_latent(vhred: ReplyModel) -> ReplyModel:
    """Sets z's columns, behind the context's, to zero."""
    config = vhred.config
    with torch.no_grad():
        vhred.decoder.initial.weight[:, config.context_size :] = 0
        first = vhred.decoder.rnn.layers[0][0].weight_input
        assert first.shape[1] == config.embedding_size + config.context_size + config.latent_size
        first[:, config.embedding_size + config.context_size :] = 0
    return vhred


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("attention_turns", [1, 3])
def test_started_from_hred_and_with_z_at_zero_it_is_hred(layers, attention_turns) -> None:
    hred = make_model("hred", layers=layers, attention_turns=attention_turns, seed=1)
    vhred = make_model("vhred", layers=layers, attention_turns=attention_turns, seed=2)
    batch = collate(random_windows([5, 2, 4], seed=1))
    untouched = {name: p.clone() for name, p in vhred.named_parameters()}
    taken = vhred.initialise_from(hred.state_dict())
    assert sorted(taken) == sorted(name for name, _ in hred.named_parameters())
    for name, parameter in vhred.named_parameters():
        if name not in taken:
            assert torch.equal(parameter, untouched[name])
    start = vhred.decoder.initial.weight[:, 7:]
    assert torch.equal(start, untouched["decoder.initial.weight"][:, 7:]) and (start != 0).all()
    ours, theirs = costs(without_latent(vhred), batch), costs(hred, batch)
    torch.testing.assert_close(ours.parts.nll, theirs.parts.nll, atol=1e-10, rtol=0)
    assert (ours.latents != 0).all()


@pytest.mark.parametrize(
    "other", [{"hidden_size": 10}, {"context_size": 9}, {"embedding_size": 5}, {"vocab_size": 31}]
)
def test_other_sizes_are_refused_by_name_in_both_directions(other) -> None:
    for ours, theirs in (({}, other), (other, {})):
        with pytest.raises(ConfigError, match=r"the weight .* has the shape .* there and .* here; set"):
            make_model("vhred", **ours).initialise_from(make_model("hred", **theirs).state_dict())
    with pytest.raises(ConfigError, match="no weight"):
        make_model("vhred").initialise_from({"else": torch.zeros(1)})


def test_each_reply_draws_its_latent_by_its_own_generator() -> None:
    model = make_model("vhred")
    windows = random_windows([3, 5, 2], seed=2)
    state = type(model.start(1)).concat([states_before(model, w)[-1] for w in windows])
    latents = model.plan(state, generators(3)).latents
    assert torch.equal(latents, model.plan(state, generators(3)).latents)
    one_other = [*generators(2), torch.Generator().manual_seed(99)]
    again = model.plan(state, one_other).latents
    assert torch.equal(again[:2], latents[:2]) and not torch.isclose(again[2], latents[2]).any()
    for row in range(3):
        alone = model.plan(state.select([row]), generators(1, row)).latents
        torch.testing.assert_close(alone[0], latents[row], atol=1e-12, rtol=0)
    repeated = model.plan(state.select([0] * 5), generators(5)).latents
    assert len({tuple(z.tolist()) for z in repeated}) == 5
    torch.testing.assert_close(repeated[:3], model.plan(state.select([0] * 3), generators(3)).latents)
    with pytest.raises(UsageError, match="1 generators for 3 replies"):
        model.plan(state, generators(1))  # or all three would silently share one draw
    single = make_model("vhred", torch.float32)
    narrow = type(single.start(1)).concat([states_before(single, w)[-1] for w in windows])
    torch.testing.assert_close(
        single.plan(narrow, generators(3)).latents.double(), latents, atol=1e-5, rtol=0
    )


def test_a_planned_latent_has_the_priors_mean_and_spread() -> None:
    model = make_model("vhred")
    state = states_before(model, random_windows([3], seed=2)[0])[-1]
    prior = model.prior(state.context)
    count = 4000
    latents = model.plan(state.select([0] * count), generators(count)).latents
    error = prior.stddev[0] / count**0.5  # five standard errors each
    assert ((latents.mean(0) - prior.mean[0]).abs() < 5 * error).all()
    assert ((latents.std(0) / prior.stddev[0] - 1).abs() < 5 / (2 * count) ** 0.5).all()


def test_given_latents_are_used_and_matter() -> None:
    model = make_model("vhred")
    state = states_before(model, random_windows([3], seed=2)[0])[-1].select([0, 0])
    z = torch.tensor([[0.5, -1, 2], [-0.5, 1, 0]], dtype=torch.float64)
    plan = model.plan(state, generators(2), z)
    assert torch.equal(plan.latents, z)
    replies = utterances_of([[7, 8], [7, 8]])
    scores = model.score(plan, replies)
    assert not torch.isclose(scores[0], scores[1]).any()
    assert torch.equal(scores, model.score(model.plan(state, generators(2, 50), z), replies))
    for name in ("seq2seq", "hred"):
        other = make_model(name)
        with pytest.raises(UsageError, match="no latent variable"):
            other.plan(other.start(2), generators(2), z)
        with pytest.raises(UsageError, match="no latent variable"):
            other.log_weights(collate(random_windows([2])), 2, torch.Generator())
        with pytest.raises(UsageError, match="no latent variable"):
            other.describe_latents(collate(random_windows([2])))


def test_the_kl_is_of_the_posterior_that_sees_the_reply_from_the_prior_that_does_not() -> None:
    model = make_model("vhred")
    window = random_windows([4], seed=3)[0]
    kl = costs(model, collate([window])).parts.kl
    assert kl.shape == (3, 3) and (kl > 0).all()
    for turn, state in list(enumerate(states_before(model, window)))[1:4]:
        vector = model.hierarchy.encoder(model.table, utterances_of([window.utterances[turn]])).vectors
        posterior = model.posterior(torch.cat([state.context, vector], dim=1))
        wanted = kl_divergence(posterior.base_dist, model.prior(state.context).base_dist)
        torch.testing.assert_close(kl[turn - 1], wanted[0], atol=1e-10, rtol=0)


@torch.no_grad()
def test_log_weights_expect_the_bound_and_estimate_the_likelihood() -> None:
    """By sampling; every comparison is within five standard errors of what is compared."""
    model = make_model("vhred")
    window = random_windows([2], seed=4, longest=3)[0]
    repeated = collate([window] * 500)
    weights = model.log_weights(repeated, 16, torch.Generator().manual_seed(1))
    assert weights.shape == (500, 16)
    parts = [model.loss(repeated, torch.Generator().manual_seed(seed)) for seed in range(8)]
    bounds = torch.cat([-(p.nll + p.kl.sum(1)) for p in parts])
    error = (weights.var() / weights.numel() + bounds.var() / bounds.numel()).sqrt()
    assert (weights.mean() - bounds.mean()).abs() < 5 * error

    state = states_before(model, window)[1].select([0] * 8000)
    reply = utterances_of([window.utterances[1]] * 8000)
    by_prior = model.score(model.plan(state, generators(8000)), reply).sum(1).exp()
    by_posterior = weights.exp().flatten()
    error = (by_prior.var() / 8000 + by_posterior.var() / 8000).sqrt()
    assert (by_prior.mean() - by_posterior.mean()).abs() < 5 * error
    assert error < 0.1 * by_prior.mean()  # or the comparison would say nothing

    other = model.log_weights(repeated, 64, torch.Generator().manual_seed(2))
    means = [weights[:, :1].flatten()]  # independent draws for K = 1, and 8 and 64
    means += [w.logsumexp(1) - np.log(w.shape[1]) for w in (weights[:, 8:], other)]
    for fewer, more in itertools.pairwise(means):
        error = (fewer.var() / len(fewer) + more.var() / len(more)).sqrt()
        assert more.mean() - fewer.mean() > -5 * error
    assert means[-1].mean() > weights.mean()


def plain_log_weights(
    model: ReplyModel, batch: Batch, num_samples: int, seed: int, state: ContextState | None
) -> torch.Tensor:
    """Returns the weights through `reply_losses`, a sample at a time, from the noise that `log_weights` draws."""
    generator = torch.Generator().manual_seed(seed)
    reading, prior, posterior = model._infer(batch, generator, state)
    utterances = batch.replies()
    columns: list[list[torch.Tensor]] = [[] for _ in range(len(utterances))]
    for part, samples in sampled.chunks(utterances.lengths, num_samples, batch.device):
        size = len(part), samples, model.config.latent_size
        drawn = torch.randn(size, generator=generator, dtype=prior.mean.dtype)
        for reply, own in zip(part.tolist(), drawn, strict=True):
            columns[reply] += list(own)
    noise = torch.stack([torch.stack(column) for column in columns])  # (reply, sample, latent)
    weights = []
    for sample in range(num_samples):
        z = posterior.mean + posterior.stddev * noise[:, sample]
        condition = torch.cat([reading.contexts, z], dim=1)
        parts = reply_losses(
            model.table, model.decoder, Replies.of(utterances), condition, reading.memory, generator
        )
        weights.append(prior.log_prob(z) - posterior.log_prob(z) - parts.nll)
    return torch.stack(weights, dim=1)


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("attention_turns", [1, 3])
@pytest.mark.parametrize("turns", [[5], [4, 6, 2]])
@pytest.mark.parametrize("rows", [1, 5, 2048])
def test_log_weights_in_parts_are_those_of_whole_replies_one_sample_at_a_time(
    monkeypatch, layers, attention_turns, turns, rows
) -> None:
    monkeypatch.setattr(sampled, "_ROWS", {"cpu": rows})
    model = make_model("vhred", layers=layers, attention_turns=attention_turns)
    windows = random_windows(turns, seed=7)
    after_others = type(model.start(1)).concat(
        [states_before(model, w)[-1] for w in random_windows([3, 1, 2][: len(turns)], seed=8)]
    )
    for state in (None, after_others):
        for window in windows:  # a reply to nothing at all, or only to what was read before
            window.targets[0] = True
        batch = collate(windows)
        found = model.log_weights(batch, 4, torch.Generator().manual_seed(3), state)
        assert found.dtype == torch.float64 and not found.requires_grad
        wanted = plain_log_weights(model, batch, 4, 3, state)
        torch.testing.assert_close(found, wanted.detach(), atol=1e-10, rtol=0)
        again = model.log_weights(batch, 4, torch.Generator().manual_seed(3), state)
        assert torch.equal(found, again)
        assert (found.std(1) > 0).all()


def test_log_weights_in_single_precision_are_near() -> None:
    model = make_model("vhred", torch.float32, layers=2)
    batch = collate(random_windows([5, 3, 4], seed=7))
    found = model.log_weights(batch, 6, torch.Generator().manual_seed(3))
    wanted = plain_log_weights(model, batch, 6, 3, None)
    torch.testing.assert_close(found, wanted.double(), atol=1e-4, rtol=0)


@pytest.mark.parametrize("rows", [1, 4, 7, 100])
@pytest.mark.parametrize("num_samples", [1, 3, 10])
def test_parts_hold_each_sample_of_each_reply_once_and_few_rows(monkeypatch, rows, num_samples) -> None:
    monkeypatch.setattr(sampled, "_ROWS", {"cpu": rows})
    lengths = torch.tensor([3, 9, 1, 9, 4])
    counts = torch.zeros(5, dtype=torch.int64)
    for part, samples in sampled.chunks(lengths, num_samples, torch.device("cpu")):
        counts[part] += samples
        assert 0 < len(part) * samples <= rows
        assert (lengths[part].diff() <= 0).all()
    assert counts.tolist() == [num_samples] * 5


def test_latents_are_described_as_the_loss_uses_them() -> None:
    model = make_model("vhred")
    batch = collate(random_windows([4, 3], seed=3))
    cost, found = costs(model, batch), model.describe_latents(batch)
    torch.testing.assert_close(torch.cat([found.prior_loc, found.prior_scale], dim=1), cost.prior)
    kl = (
        found.prior_scale.log()
        - found.posterior_scale.log()
        + (found.posterior_scale**2 + (found.posterior_loc - found.prior_loc) ** 2)
        / (2 * found.prior_scale**2)
        - 0.5
    )
    torch.testing.assert_close(kl, cost.parts.kl, atol=1e-10, rtol=0)


def test_bag_of_words_is_the_cross_entropy_of_the_replys_words() -> None:
    model = make_model("vhred", bag_of_words=True).train()
    batch = collate(random_windows([4, 2], seed=5))
    cost = costs(model, batch)
    logits = model.table.logits(model.words(cost.condition)).log_softmax(1)
    replies = batch.replies()
    for reply, (row, length) in enumerate(zip(replies.tokens, replies.lengths, strict=True)):
        wanted = -logits[reply, row[:length]].sum()
        torch.testing.assert_close(cost.parts.auxiliary["bag_of_words"][reply], wanted)
    assert not costs(model.eval(), batch).parts.auxiliary


def test_word_dropout_makes_a_share_of_the_inputs_unknown_and_no_target() -> None:
    replies = Replies.of(collate(random_windows([40] * 10, seed=6)).replies())
    dropped = replies.drop_words(0.25, torch.Generator().manual_seed(1))
    assert torch.equal(dropped.targets, replies.targets)
    changed = dropped.inputs != replies.inputs
    assert (dropped.inputs[changed] == 1).all()
    words = replies.inputs != 2
    assert not changed[~words].any()
    share, count = float(changed[words].double().mean()), int(words.sum())
    assert abs(share - 0.25) < 5 * (0.25 * 0.75 / count) ** 0.5
    by_time = [float(changed[words & (replies.packing.times == t)].double().mean()) for t in (1, 2, 3)]
    assert all(0 < share < 1 for share in by_time)  # a coin a token, not one a step
