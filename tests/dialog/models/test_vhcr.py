"""VHCR: a latent of the whole conversation above each reply's own, over a bounded window of utterances."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from dialog.errors import ConfigError, UsageError
from dialog.evaluation.bound import evaluate_bound, importance_bound
from dialog.evaluation.latent import evaluate_latent
from dialog.evaluation.likelihood import evaluate_likelihood
from dialog.models import vhcr
from dialog.models.base import ContextState, LossParts, ReplyModel
from dialog.text.batches import Batch, Utterances, Window, collate, utterances_of
from dialog.training.collapse import collapse_warnings
from dialog.training.config import LatentTrainingConfig
from tests.dialog.evaluation.test_likelihood import Talks
from tests.dialog.models.test_family import make
from tests.dialog.models.tiny import (
    generators,
    make_model,
    random_windows,
    scored,
    states_before,
    stepped_logits,
)

SHARED, OWN = 2, 3  # dimensions of z_conv and of z
CASES = [
    {"context_turns": 16, "attention_turns": 1},
    {"context_turns": 2, "attention_turns": 3, "layers": 2},
    {"context_turns": 1, "attention_turns": 2},
]
"""A window of 13 turns is longer than each of `context_turns` but the first."""


def close(found: Tensor, wanted: Tensor, tolerance: float = 1e-10) -> None:
    torch.testing.assert_close(found, wanted, atol=tolerance, rtol=0)


def drawn(
    model: ReplyModel, batch: Batch, state: ContextState | None = None, seed: int = 5
) -> tuple[LossParts, Tensor]:
    """Returns what `loss` gives, and the [z_conv; z] of each reply that it drew."""
    seen = []
    hook = model.decoder.initial.register_forward_hook(lambda _, given, __: seen.append(given[0]))
    parts = model.loss(batch, torch.Generator().manual_seed(seed), state)
    hook.remove()
    own, shared = seen[0][:, -OWN - SHARED : -SHARED], seen[0][:, -SHARED:]
    return parts, torch.cat([shared, own], dim=1)


def gaussians(model: ReplyModel, batch: Batch, state: ContextState | None = None) -> tuple[Normal, Normal]:
    """Returns q(z_conv) of each window, and the N(0, 1) beside it."""
    found = model.describe_latents(batch, state).conversation
    return (
        Normal(found.posterior_loc, found.posterior_scale),
        Normal(found.prior_loc, found.prior_scale),
    )


def joined(model: ReplyModel, windows: Sequence[Window]) -> ContextState:
    """Returns the state behind each of some windows."""
    return type(model.start(1)).concat([states_before(model, window)[-1] for window in windows])


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


def behind(begun: Sequence[Window], windows: Sequence[Window]) -> list[Window]:
    """Returns windows with what was said before them, which is not scored."""
    return [
        Window([*a.utterances, *b.utterances], np.concatenate([np.zeros(len(a.targets), bool), b.targets]))
        for a, b in zip(begun, windows, strict=True)
    ]


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


def without_choice(model: ReplyModel) -> ReplyModel:
    """Makes both posteriors their priors."""
    config = model.config
    with torch.no_grad():
        weights = dict(model.prior.state_dict())
        first = weights["hidden.0.weight"]
        context, shared = first[:, : config.context_size], first[:, config.context_size :]
        deaf = first.new_zeros(len(first), config.hidden_size)
        weights["hidden.0.weight"] = torch.cat([context, deaf, shared], dim=1)
        model.posterior.load_state_dict(weights)
        for layer in (model.hierarchy.posterior.loc, model.hierarchy.posterior.variance):
            layer.weight.zero_()
            layer.bias.zero_()
    return model


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


# Weights and bounds, a conversation each.


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


# Training.


def test_the_share_of_unknown_utterances_is_the_one_that_was_set() -> None:
    model = make_model("vhcr", utterance_dropout=0.25).train()
    batch = collate(random_windows([40] * 50, longest=2))
    reading = model.hierarchy.read(model.table, batch, torch.Generator().manual_seed(1), None)
    is_unknown = (reading.heard.vectors == model.hierarchy.unknown).all(1)
    is_known = (reading.heard.vectors == reading.windows.vectors).all(1)
    assert (is_unknown ^ is_known).all()
    error = (0.25 * 0.75 / 2000) ** 0.5
    assert abs(is_unknown.double().mean().item() - 0.25) < 5 * error
    share_of_turns = is_unknown.view(50, 40).double().mean(0)
    assert share_of_turns.min() > 0 and share_of_turns.max() < 1  # each has its own coin, not each turn
    model.loss(batch, torch.Generator().manual_seed(1)).nll.sum().backward()
    assert (model.hierarchy.unknown.grad != 0).all()
    read = model.eval().hierarchy.read(model.table, batch, torch.Generator(), None)
    assert read.heard is read.windows
    assert not any("unknown" in name for name, _ in make_model("vhcr").named_parameters())


def test_an_unknown_utterance_is_heard_by_both_posteriors_all_the_same() -> None:
    model = make_model("vhcr", utterance_dropout=0.999).train()
    batch = collate(random_windows([4, 3], seed=14))
    kl = drawn(model, batch)[0].conversation_kl
    close(kl, drawn(model.eval(), batch)[0].conversation_kl)
    reading = model.train().hierarchy.read(model.table, batch, torch.Generator(), None)
    assert (reading.heard.vectors == model.hierarchy.unknown).all()
    close(reading.targets, model.eval().hierarchy.read(model.table, batch, torch.Generator(), None).targets)


def test_every_weight_has_a_part_in_the_objective() -> None:
    model = make_model("vhcr", utterance_dropout=0.5, bag_of_words=True, word_dropout=0.2).train()
    parts = model.loss(collate(random_windows([9, 5])), torch.Generator().manual_seed(1))
    total = parts.nll.sum() + parts.kl.sum() + parts.conversation_kl.sum()
    (total + parts.auxiliary["bag_of_words"].sum()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_a_latent_that_has_collapsed_is_named_and_what_to_turn() -> None:
    model = without_choice(make_model("vhcr"))
    config = LatentTrainingConfig(kl_annealing_updates=100, free_bits=0.1)
    own, shared = collapse_warnings(evaluate_latent(model, Talks()), model, 100, config)
    assert "latent variable has collapsed" in own and "nats a reply" in own and "utterance_dropout" not in own
    assert "variable of the conversation has collapsed" in shared and "nats a conversation" in shared
    assert "none of its 2 dimensions is active, so" in shared and "utterance_dropout=0.25" in shared
    with torch.no_grad():
        model.hierarchy.posterior.loc.weight.normal_(std=3.0)
    assert collapse_warnings(evaluate_latent(model, Talks()), model, 100, config) == [own]


def test_it_starts_from_hred_and_vhred_and_is_vhred_where_z_conv_is_not_heard() -> None:
    for other in (make_model("hred", seed=2), make_model("vhred", seed=2)):
        model = make_model("vhcr", seed=3)
        taken = model.initialise_from(other.state_dict())
        assert sorted(taken) == sorted(name for name, _ in other.named_parameters())
    config = model.config
    with torch.no_grad():
        model.hierarchy.initial.weight.zero_()
        model.hierarchy.initial.bias.zero_()
        for weight in (
            model.hierarchy.rnn.layers[0][0].weight_input,
            model.decoder.initial.weight,
            model.decoder.rnn.layers[0][0].weight_input,
            model.prior.hidden[0].weight,
            model.posterior.hidden[0].weight,
        ):
            weight[:, -config.conversation_latent_size :] = 0
    windows = random_windows([5, 2], seed=15)
    z = torch.randn(5, SHARED + OWN, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    close(scored(model, windows, z), scored(other, windows, z[:, SHARED:]))
    ours, theirs = model.describe_latents(collate(windows)), other.describe_latents(collate(windows))
    close(ours.prior_loc, theirs.prior_loc)
    close(ours.posterior_scale, theirs.posterior_scale)


# Replies.


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
