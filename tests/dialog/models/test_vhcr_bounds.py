"""VHCR's weights and bounds, a conversation each."""

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal

from dialog.evaluation.bound import evaluate_bound, importance_bound
from dialog.evaluation.latent import evaluate_latent
from dialog.evaluation.likelihood import evaluate_likelihood
from dialog.models import vhcr
from dialog.models.base import ReplyModel
from dialog.text.batches import Window, collate, utterances_of
from tests.dialog.evaluation.test_likelihood import Talks
from tests.dialog.models.tiny import generators, make_model, random_windows, scored, states_before
from tests.dialog.models.vhcr_pieces import OWN, SHARED, close, gaussians, joined, without_choice


@torch.no_grad()
@pytest.mark.parametrize("more", [{}, {"layers": 2, "residual_from": 2}])
def test_weights_are_of_the_latents_that_were_drawn(monkeypatch, more) -> None:
    """Of plain decoders, which are scored many samples at once, and of others."""
    monkeypatch.setattr(vhcr, "_SAMPLES", 2)
    model = make_model("vhcr", context_turns=2, **more)
    windows = random_windows([4, 2], seed=12)
    batch, state = collate(windows), joined(model, random_windows([3, 1], seed=13))
    found = model.log_weights(batch, 3, torch.Generator().manual_seed(3), state)
    q, p = gaussians(model, batch, state)
    noise, owners = torch.Generator().manual_seed(3), batch.target_conversations
    columns = []
    for samples in (2, 1):
        shared = q.loc[:, None] + q.scale[:, None] * torch.randn(
            2, samples, SHARED, generator=noise, dtype=torch.float64
        )
        own_noise = torch.randn(4, samples, OWN, generator=noise, dtype=torch.float64)
        for sample in range(samples):
            z = shared[:, sample]
            weight = (p.log_prob(z) - q.log_prob(z)).sum(1)
            for reply, window in enumerate(owners.tolist()):
                turn = int(batch.target_turns[reply])
                before = state.select([window])
                for words in windows[window].utterances[:turn]:
                    before = model.observe(before, utterances_of([words]))
                words = utterances_of([windows[window].utterances[turn]])
                given = z[[window]]
                h = model.hierarchy.context_of(model.hierarchy.windows_of(before), given)
                u = model.hierarchy.encoder(model.table, words).vectors
                prior = model.prior(torch.cat([h, given], dim=1))
                posterior = model.posterior(torch.cat([h, u, given], dim=1))
                own = posterior.mean + posterior.stddev * own_noise[reply, sample]
                plan = model.plan(before, generators(1), torch.cat([given, own], dim=1))
                weight[window] += model.score(plan, words).sum()
                weight[window] += (prior.log_prob(own) - posterior.log_prob(own))[0]
            columns.append(weight)
    close(found, torch.stack(columns, dim=1), 1e-9)


@torch.no_grad()
def test_weights_expect_the_bound_of_the_loss() -> None:
    """By sampling; within five standard errors."""
    model = make_model("vhcr")
    repeated = collate([random_windows([3], seed=4, longest=3)[0]] * 300)
    weights = model.log_weights(repeated, 8, torch.Generator().manual_seed(1))
    assert weights.shape == (300, 8) and weights.dtype == torch.float64
    parts = [model.loss(repeated, torch.Generator().manual_seed(seed)) for seed in range(8)]
    bounds = torch.cat(
        [-((p.nll + p.kl.sum(1)).view(300, 2).sum(1) + p.conversation_kl.sum(1)) for p in parts]
    )
    error = (weights.var() / weights.numel() + bounds.var() / bounds.numel()).sqrt()
    assert (weights.mean() - bounds.mean()).abs() < 5 * error


@torch.no_grad()
def exact(model: ReplyModel, window: Window, points: int = 97) -> Tensor:
    """Returns log p(x_2, x_3 | x_1) by quadrature, of one z_conv and one z a reply, of one dimension each."""
    grid = torch.linspace(-7, 7, points, dtype=torch.float64)
    normal, width = Normal(0.0, 1.0).log_prob(grid), (grid[1] - grid[0]).log()
    total = normal + width  # of each z_conv
    for turn in (1, 2):
        state = states_before(model, window)[turn].select([0] * points)
        shared = grid[:, None]
        h = model.hierarchy.context_of(model.hierarchy.windows_of(state), shared)
        prior = model.prior(torch.cat([h, shared], dim=1))
        own = prior.mean + prior.stddev * grid  # (z_conv, z)
        latents = torch.stack([grid[:, None].expand(-1, points), own], dim=2).flatten(0, 1)
        rows = state.select(torch.arange(points).repeat_interleave(points))
        plan = model.plan(rows, [torch.Generator()] * len(latents), latents)
        words = utterances_of([window.utterances[turn]] * len(latents))
        likelihood = model.score(plan, words).sum(1).view(points, points)
        total = total + torch.logsumexp(likelihood + normal + width, dim=1)
    return torch.logsumexp(total, dim=0)


@torch.no_grad()
def test_the_bound_comes_to_what_quadrature_finds_and_not_above_it() -> None:
    model = make_model("vhcr", latent_size=1, conversation_latent_size=1)
    for layer in (model.hierarchy.initial, model.hierarchy.posterior.loc):
        layer.weight.mul_(3)  # so that z_conv matters, and its posterior is far from its prior
    window = random_windows([3], seed=4, longest=3)[0]
    truth = exact(model, window)
    close(truth, exact(model, window, points=49), 1e-5)
    weights = model.log_weights(collate([window] * 20), 2000, torch.Generator().manual_seed(1))
    ratio = weights.flatten().sub(truth).exp()  # has the mean 1 exactly
    error = ratio.std() / len(ratio) ** 0.5
    assert error < 0.02
    assert (ratio.mean() - 1).abs() < 4 * error
    close(importance_bound(weights.flatten()[None])[0], truth, float(5 * error))
    bounds = [importance_bound(weights.reshape(-1, k)).mean() for k in (1, 8, 400)]
    assert bounds[0] < bounds[1] < bounds[2] < truth + 5 * error
    assert truth - bounds[0] > 10 * error


@pytest.mark.parametrize("window_turns", [128, 4])
def test_reports_count_both_kinds_of_kl_and_a_bound_a_conversation(window_turns) -> None:
    model, split = make_model("vhcr"), Talks()
    looks = {"window_turns": window_turns}
    found = evaluate_likelihood(model, split, **looks)
    assert found.conversation_kl > 0 and found.kl > 0
    total = found.nll + found.kl + found.conversation_kl
    assert found.nats_per_token == pytest.approx(total / found.num_tokens)
    assert found.conversation_kl_per_conversation == pytest.approx(found.conversation_kl / 4)
    use = evaluate_latent(model, split, **looks)
    assert (use.num_units, len(use.kl)) == (split.targets.sum(), OWN)
    shared = use.conversation
    windows = 4 if window_turns == 128 else sum(-(-turns // 4) for turns in (2, 9, 23, 4))
    assert (shared.unit, shared.num_units, len(shared.kl)) == ("conversation", windows, SHARED)
    assert sum(shared.kl) * windows == pytest.approx(found.conversation_kl)  # in closed form, so the same
    assert use.to_json()["conversation"]["kl_per_conversation"] == pytest.approx(sum(shared.kl))
    bound = evaluate_bound(model, split, 4, **looks)
    assert bound.to_json()["kind"] == "upper bound by 4 samples a conversation"
    assert (bound.num_replies, bound.num_conversations) == (split.targets.sum(), 4)
    assert bound.nats < bound.elbo_nats
    quick = evaluate_bound(model, split, 4, max_replies=5, **looks)
    assert (quick.num_replies, quick.num_conversations) == (5, 2)


@torch.no_grad()
def test_where_nothing_is_left_to_choose_the_bound_is_exact() -> None:
    """With decoder and context RNN deaf to both latents, every weight is the likelihood itself."""
    model = without_choice(make_model("vhcr", context_turns=3))
    context = model.config.context_size
    model.decoder.initial.weight[:, context:] = 0
    model.decoder.rnn.layers[0][0].weight_input[:, model.config.embedding_size + context :] = 0
    model.hierarchy.rnn.layers[0][0].weight_input[:, -SHARED:] = 0
    model.hierarchy.initial.weight.zero_()
    split = Talks(every_target=False)
    any_z = torch.zeros(int(split.targets.sum()), SHARED + OWN, dtype=torch.float64)
    wanted = float(scored(model, [split[number] for number in range(len(split))], any_z).sum())
    for window_turns in (128, 7, 2):
        found = evaluate_bound(model, split, 3, window_turns=window_turns)
        assert found.nats == pytest.approx(wanted, abs=1e-7)
        assert found.elbo_nats == pytest.approx(wanted, abs=1e-7)
    found = evaluate_likelihood(model, split)
    assert found.nats_per_token * found.num_tokens == pytest.approx(wanted, abs=1e-7)
