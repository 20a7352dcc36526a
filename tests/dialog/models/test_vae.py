"""What is the variational autoencoder's own: z, its prior N(0, I), the bound, and texts drawn from nothing."""

import itertools

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from dialog.errors import UsageError
from dialog.models import sampled
from dialog.models.base import ReplyModel
from dialog.models.decoder import Replies
from dialog.models.scoring import reply_losses
from dialog.models.utterances import nothing_to_look_at
from dialog.text.batches import Batch, Window, collate, utterances_of
from tests.dialog.models.tiny import generators, greedy, make_model, random_windows, random_words


def infer(model: ReplyModel, batch: Batch):
    return model.posterior(model.encoder(model.table, batch.replies()).vectors).base_dist


def test_the_kl_is_of_the_posterior_from_a_standard_normal() -> None:
    model, batch = make_model("vae"), collate(random_windows([4, 3], seed=3))
    parts = model.loss(batch, torch.Generator().manual_seed(1))
    posterior = infer(model, batch)
    wanted = kl_divergence(posterior, Normal(torch.zeros(3), torch.ones(3)))
    by_hand = (posterior.loc**2 + posterior.scale**2 - 1) / 2 - posterior.scale.log()
    torch.testing.assert_close(parts.kl, wanted, atol=1e-10, rtol=0)
    torch.testing.assert_close(parts.kl, by_hand, atol=1e-10, rtol=0)
    assert parts.kl.shape == (5, 3) and (parts.kl > 0).all() and parts.conversation_kl is None
    torch.testing.assert_close(model.posterior_kl(batch, torch.Generator()).reply, parts.kl)
    found = model.describe_latents(batch)
    assert (found.prior_loc == 0).all() and (found.prior_scale == 1).all()
    torch.testing.assert_close(found.posterior_loc, posterior.loc)
    torch.testing.assert_close(found.posterior_scale, posterior.scale)


def as_the_prior(model: ReplyModel) -> ReplyModel:
    """Makes the posterior N(0, I) whatever the utterance is."""
    with torch.no_grad():
        for layer in (model.posterior.loc, model.posterior.variance):
            layer.weight.zero_()
            layer.bias.zero_()  # softplus(0) times the scale is 1
    return model


def test_the_kl_is_0_where_the_posterior_is_the_prior_and_then_z_tells_nothing() -> None:
    model, batch = as_the_prior(make_model("vae")), collate(random_windows([4, 3], seed=3))
    kl = model.loss(batch, torch.Generator().manual_seed(1)).kl
    assert kl.abs().max() < 1e-12
    weights = [
        model.log_weights(batch, 5, torch.Generator().manual_seed(2), from_prior=way) for way in (True, False)
    ]
    torch.testing.assert_close(*weights, atol=1e-7, rtol=0)
    texts = [utterances_of([[5, 6]]), utterances_of([[7]])]
    codes = [model.codes(model.observe(model.start(1), text), generators(1)) for text in texts]
    torch.testing.assert_close(*codes)


def test_an_untrained_posterior_is_near_the_prior() -> None:
    torch.manual_seed(1)
    fresh = type(make_model("vae"))(make_model("vae").config)
    kl = fresh.eval().loss(collate(random_windows([9], seed=1)), torch.Generator().manual_seed(1)).kl
    assert kl.mean() < 0.25


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("rows", [1, 5, 2048])
@pytest.mark.parametrize("from_prior", [False, True])
def test_log_weights_in_parts_are_those_of_whole_utterances_one_sample_at_a_time(
    monkeypatch, layers, rows, from_prior
) -> None:
    monkeypatch.setattr(sampled, "_ROWS", {"cpu": rows})
    model = make_model("vae", layers=layers)
    windows = random_windows([4, 3], seed=7)
    windows[0].targets[0] = True
    batch = collate(windows)
    found = model.log_weights(batch, 4, torch.Generator().manual_seed(3), None, from_prior)
    assert found.dtype == torch.float64 and found.shape == (6, 4) and not found.requires_grad

    generator, posterior = torch.Generator().manual_seed(3), infer(model, batch)
    columns: list[list[torch.Tensor]] = [[] for _ in range(6)]
    lengths = batch.replies().lengths
    for part, samples in sampled.chunks(lengths, 4, batch.device):
        drawn = torch.randn(len(part), samples, 3, generator=generator, dtype=torch.float64)
        for reply, own in zip(part.tolist(), drawn, strict=True):
            columns[reply] += list(own)
    noise = torch.stack([torch.stack(column) for column in columns])
    wanted, prior = [], Normal(torch.zeros(3), torch.ones(3))
    for sample in range(4):
        z = noise[:, sample] if from_prior else posterior.loc + posterior.scale * noise[:, sample]
        replies, memory = Replies.of(batch.replies()), nothing_to_look_at(z)
        nll = reply_losses(model.table, model.decoder, replies, z, memory, torch.Generator()).nll
        ratio = prior.log_prob(z) - (prior if from_prior else posterior).log_prob(z)
        wanted.append(ratio.sum(1) - nll)
    torch.testing.assert_close(found, torch.stack(wanted, dim=1).detach(), atol=1e-10, rtol=0)


@torch.no_grad()
def test_log_weights_expect_the_bound_and_estimate_the_likelihood() -> None:
    """By sampling; every comparison is within five standard errors of what is compared."""
    model = make_model("vae")
    (window,) = random_windows([2], seed=4, longest=3)
    repeated = collate([window] * 500)
    weights = model.log_weights(repeated, 16, torch.Generator().manual_seed(1))
    parts = [model.loss(repeated, torch.Generator().manual_seed(seed)) for seed in range(8)]
    bounds = torch.cat([-(part.nll + part.kl.sum(1)) for part in parts])
    error = (weights.var() / weights.numel() + bounds.var() / bounds.numel()).sqrt()
    assert (weights.mean() - bounds.mean()).abs() < 5 * error

    text = utterances_of([window.utterances[1]] * 8000)
    by_prior = model.score(model.plan(model.start(8000), generators(8000)), text).sum(1).exp()
    by_posterior = weights.exp().flatten()
    error = (by_prior.var() / 8000 + by_posterior.var() / 8000).sqrt()
    assert (by_prior.mean() - by_posterior.mean()).abs() < 5 * error
    assert error < 0.1 * by_prior.mean()  # or the comparison would say nothing

    means = [weights[:, :1].flatten()]  # independent draws for K = 1, and 8
    means += [weights[:, 8:].logsumexp(1) - np.log(8)]
    for fewer, more in itertools.pairwise(means):
        error = (fewer.var() / len(fewer) + more.var() / len(more)).sqrt()
        assert more.mean() - fewer.mean() > -5 * error


def test_z_is_drawn_from_the_posterior_of_what_was_observed_and_from_the_prior_of_nothing() -> None:
    model, count = make_model("vae"), 4000
    text = utterances_of([[5, 6, 7, 8]])
    read = model.observe(model.start(1), text)
    posterior = model.posterior(model.encoder(model.table, text).vectors)
    nothing = Normal(torch.zeros(1, 3), torch.ones(1, 3))
    for state, wanted in ((read, posterior), (model.start(1), nothing)):
        latents = model.plan(state.select([0] * count), generators(count)).latents
        error = wanted.stddev[0] / count**0.5  # five standard errors each
        assert ((latents.mean(0) - wanted.mean[0]).abs() < 5 * error).all()
        assert ((latents.std(0) / wanted.stddev[0] - 1).abs() < 5 / (2 * count) ** 0.5).all()
    assert (posterior.mean.abs() > 0.2).any()  # or the two would be one


def test_each_text_draws_its_z_by_its_own_generator() -> None:
    model = make_model("vae")
    state = model.observe(model.start(3), utterances_of([[5, 6, 7]] * 3))
    latents = model.plan(state, generators(3)).latents
    assert torch.equal(latents, model.plan(state, generators(3)).latents)
    one_other = [*generators(2), torch.Generator().manual_seed(99)]
    again = model.plan(state, one_other).latents
    assert torch.equal(again[:2], latents[:2]) and not torch.isclose(again[2], latents[2]).any()
    given = torch.ones(3, 3, dtype=torch.float64)
    untouched = generators(3)
    assert torch.equal(model.plan(state, untouched, given).latents, given)
    assert all(
        torch.equal(a.get_state(), b.get_state()) for a, b in zip(untouched, generators(3), strict=True)
    )
    with pytest.raises(UsageError, match="1 generators for 3 replies"):
        model.plan(state, generators(1))


def test_bag_of_words_asks_z_alone_for_the_words() -> None:
    model = make_model("vae", bag_of_words=True).train()
    batch = collate(random_windows([4, 2], seed=5))
    seen = []
    hook = model.decoder.initial.register_forward_hook(lambda _, given, __: seen.append(given[0]))
    parts = model.loss(batch, torch.Generator().manual_seed(5))
    hook.remove()
    logits = model.table.logits(model.words(seen[0])).log_softmax(1)
    replies = batch.replies()
    for reply, (row, length) in enumerate(zip(replies.tokens, replies.lengths, strict=True)):
        wanted = -logits[reply, row[:length]].sum()
        torch.testing.assert_close(parts.auxiliary["bag_of_words"][reply], wanted)
    assert not model.eval().loss(batch, torch.Generator()).auxiliary


def test_word_dropout_changes_what_the_decoder_reads_in_training_alone() -> None:
    model, batch = make_model("vae", word_dropout=0.9), collate(random_windows([5, 4], seed=5))
    plain = make_model("vae")
    losses = {}
    for training in (True, False):
        losses[training] = [
            one.train(training).loss(batch, torch.Generator().manual_seed(2)) for one in (model, plain)
        ]
    assert torch.equal(*(parts.nll for parts in losses[False]))
    assert not torch.isclose(*(parts.nll for parts in losses[True])).any()
    assert torch.equal(*(parts.kl for parts in losses[True]))  # the encoder reads all words


def test_it_can_start_from_an_autoencoder_with_codes_of_the_same_size() -> None:
    plain, model = make_model("autoencoder", seed=2), make_model("vae")
    taken = model.initialise_from(plain.state_dict())
    assert set(taken) == {name for name, _ in plain.named_parameters()} - {"code.weight", "code.bias"}
    text, codes = utterances_of([[5, 6, 7]]), torch.ones(1, 3, dtype=torch.float64)
    scores = [one.score(one.plan(one.start(1), generators(1), codes), text) for one in (plain, model)]
    torch.testing.assert_close(*scores)


@torch.no_grad()
def test_half_way_between_two_draws_is_as_far_out_as_they_are() -> None:
    model = make_model("vae", latent_size=200)
    first, last = (model.codes(model.start(20), generators(20, seed)) for seed in (0, 50))
    middle = model.between(first, last, torch.full((20,), 0.5))
    lengths = [float(one.norm(dim=1).mean()) for one in (first, middle, last)]
    assert lengths[1] == pytest.approx((lengths[0] + lengths[2]) / 2, rel=0.02)


def test_twelve_utterances_are_learned_and_z_tells_which() -> None:
    """Trained with the KL at a low weight; what is drawn from the prior is then what it knows."""
    model = make_model(
        "vae", torch.float32, embedding_size=24, hidden_size=48, latent_size=4, latent_hidden_size=24
    )
    with torch.no_grad():
        model.table.weight.mul_(0.25)
    draw = np.random.default_rng(21)
    texts = [random_words(draw, 5) for _ in range(12)]
    batch = collate([Window([texts[0], *texts], np.arange(13) > 0)])
    optimizer = torch.optim.AdamW(model.train().parameters(), lr=2e-2)
    generator = torch.Generator().manual_seed(1)
    for _ in range(100):
        parts = model.loss(batch, generator)
        optimizer.zero_grad()
        ((parts.nll.sum() + 0.1 * parts.kl.sum()) / parts.num_tokens.sum()).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    model.eval()
    said = []
    for seed, text in enumerate(texts):
        state = model.observe(model.start(1), utterances_of([text]))
        said.append(greedy(model, model.plan(state, generators(1, seed)), 12) == text.tolist())
    assert sum(said) >= 8  # z is drawn: some may fall to another
    drawn = [tuple(greedy(model, model.plan(model.start(1), generators(1, seed)), 12)) for seed in range(40)]
    known = {tuple(text.tolist()) for text in texts}
    assert len(known & set(drawn)) >= 6 and sum(text in known for text in drawn) >= 30
