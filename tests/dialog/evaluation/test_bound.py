"""The bound is one of each reply: it expects the ELBO at K = 1, rises with K, and comes to the likelihood."""

import itertools
import math

import numpy as np
import pytest
import torch

from dialog.errors import CorpusError
from dialog.evaluation.bound import evaluate_bound, importance_bound
from dialog.evaluation.likelihood import evaluate_likelihood
from dialog.models.base import ReplyModel
from dialog.models.vhred import VHRED
from dialog.text.batches import collate, utterances_of
from tests.dialog.evaluation.test_likelihood import Talks
from tests.dialog.models.tiny import generators, make_model, random_windows, scored, states_before


def means(model: ReplyModel, split: Talks, num_samples: int, seeds: range) -> torch.Tensor:
    found = [evaluate_bound(model, split, num_samples, seed).nats for seed in seeds]
    return torch.tensor(found, dtype=torch.float64)


def difference_in_errors(one: torch.Tensor, other: torch.Tensor) -> float:
    error = (one.var() / len(one) + other.var() / len(other)).sqrt()
    return float((one.mean() - other.mean()) / error)


def test_it_is_a_mean_of_weights_of_each_reply_alone() -> None:
    weights = torch.tensor([[0.1, 0.3], [2.0, 4.0]], dtype=torch.float64)
    found = importance_bound(weights.log())
    torch.testing.assert_close(found, torch.tensor([0.2, 3.0], dtype=torch.float64).log())
    far = torch.tensor([[-1000.0, -1001.0]], dtype=torch.float64)  # whose exponentials are all 0
    torch.testing.assert_close(importance_bound(far)[0].item(), -1000 + math.log((1 + math.exp(-1)) / 2))


def test_one_sample_expects_the_elbo_and_more_are_no_worse() -> None:
    """Means of 60 evaluations each; all comparisons are in standard errors of their difference."""
    model, split = make_model("vhred"), Talks(turns=(2, 5, 3))
    elbos = torch.tensor(
        [
            result.nll + (result.kl or 0.0)
            for result in (evaluate_likelihood(model, split, seed=seed) for seed in range(60))
        ]
    )
    by_samples = {k: means(model, split, k, range(100 * k, 100 * k + 60)) for k in (1, 2, 8, 32)}
    assert abs(difference_in_errors(by_samples[1], elbos)) < 4
    for fewer, more in itertools.pairwise(by_samples.values()):
        assert difference_in_errors(fewer, more) > -4
    assert difference_in_errors(by_samples[1], by_samples[32]) > 4  # or nothing was seen to rise
    mean_weight = evaluate_bound(model, split, 2000).elbo_nats
    assert abs(float((elbos - mean_weight).mean() / (elbos.std() / 60**0.5))) < 4


@torch.no_grad()
def test_many_samples_reach_what_quadrature_finds_for_one_dimension() -> None:
    model = make_model("vhred", latent_size=1)
    window = random_windows([2], seed=4, longest=3)[0]
    state = states_before(model, window)[1]
    prior = model.prior(state.context)
    grid = torch.linspace(-12, 12, 4001, dtype=torch.float64)[:, None]
    z = prior.mean + prior.stddev * grid
    plan = model.plan(state.select([0] * len(z)), generators(len(z)), z)
    log_p = model.score(plan, utterances_of([window.utterances[1]] * len(z))).sum(1)
    exact = torch.logsumexp(prior.log_prob(z) + log_p, 0) + ((z[1] - z[0]).log())[0]
    weights = model.log_weights(collate([window]), 40_000, torch.Generator().manual_seed(1))
    ratio = weights.sub(exact).exp()[0]  # has the mean 1 exactly
    error = ratio.std() / len(ratio) ** 0.5
    assert error < 0.02
    assert abs(ratio.mean() - 1) < 4 * error
    torch.testing.assert_close(importance_bound(weights)[0], exact, atol=float(5 * error), rtol=0)
    elbo = weights.mean()
    assert exact - elbo > 10 * error  # the bound of one sample is not that near


def without_choice(model: ReplyModel) -> ReplyModel:
    """Makes the posterior the prior and the decoder deaf to z, so that every weight is p(x | c)."""
    config = model.config
    with torch.no_grad():
        model.posterior.load_state_dict(
            {
                name: torch.cat([value, value.new_zeros(len(value), config.hidden_size)], dim=1)
                if name == "hidden.0.weight"
                else value
                for name, value in model.prior.state_dict().items()
            }
        )
        model.decoder.initial.weight[:, config.context_size :] = 0
        model.decoder.rnn.layers[0][0].weight_input[:, config.embedding_size + config.context_size :] = 0
    return model


@pytest.mark.parametrize("attention_turns", [1, 3])
@pytest.mark.parametrize("every_target", [True, False])
def test_windows_of_long_conversations_carry_what_was_said(attention_turns, every_target) -> None:
    model = without_choice(make_model("vhred", attention_turns=attention_turns))
    split = Talks(every_target=every_target)
    with torch.no_grad():
        wanted = float(scored(model, [split[number] for number in range(len(split))], None).sum())
    for window_turns in (128, 7, 3, 2):
        found = evaluate_bound(model, split, 3, window_turns=window_turns)
        assert found.nats == pytest.approx(wanted, abs=1e-9)
        assert found.elbo_nats == pytest.approx(wanted, abs=1e-9)
        assert found.num_replies == split.targets.sum()
        assert found.num_tokens == (split.lengths[split.targets] + 1).sum()


def test_a_model_without_a_latent_variable_is_scored_exactly() -> None:
    model, split = make_model("hred"), Talks()
    found = evaluate_bound(model, split, 100)
    assert found.nats == pytest.approx(evaluate_likelihood(model, split).nll, abs=1e-9)
    assert found.num_samples is None
    assert found.elbo_nats is None
    assert "exact" in str(found.to_json()["kind"])


def test_a_quick_look_is_the_first_replies() -> None:
    model = make_model("hred")
    found = evaluate_bound(model, Talks(), 1, max_replies=5)
    assert (found.num_replies, found.num_conversations) == (5, 2)
    windows = [Talks()[0], Talks()[1]]
    with torch.no_grad():
        nats = scored(model, windows, None)[:5]
    assert found.nats == pytest.approx(float(nats.sum()), abs=1e-9)
    assert evaluate_bound(model, Talks(), 1, max_replies=10**9).num_replies == Talks().targets.sum()
    with pytest.raises(CorpusError):
        evaluate_bound(model, Talks(), 1, max_replies=0)


def test_errors_are_those_of_many_splits_drawn_anew() -> None:
    """The error of one split of 40 conversations, beside the spread over 60 splits; exact, so that is all."""
    model = make_model("hred")

    def split(seed: int) -> Talks:
        random = np.random.default_rng(seed)
        return Talks(turns=tuple(random.integers(2, 6, 40)), seed=seed)

    found = [evaluate_bound(model, split(seed), 1) for seed in range(60)]
    for figure in ("nats_per_token", "nats_per_reply", "perplexity"):
        spread = np.std([getattr(result, figure) for result in found], ddof=1)
        errors = [getattr(result, f"{figure}_error") for result in found]
        assert np.mean(errors) == pytest.approx(spread, rel=0.3)
    one = evaluate_bound(model, Talks(turns=(4,)), 1)
    assert one.nats_per_token_error is None
    assert one.perplexity_error is None


class OfConversations(VHRED):
    """A VHRED whose replies are weighed together, those of a window as one."""

    bound_unit = "conversation"

    def log_weights(self, batch, num_samples, generator, state=None):
        of_replies = super().log_weights(batch, num_samples, generator, state)
        return of_replies.new_zeros(batch.num_conversations, num_samples).index_add(
            0, batch.target_conversations, of_replies
        )


@pytest.mark.parametrize("limit", [None, 5])
@pytest.mark.parametrize("window_turns", [128, 4])
def test_a_unit_may_be_a_conversation(limit, window_turns) -> None:
    """With one sample a weight is a product whose logarithm is a sum, so grouping must change no figure."""
    of_replies = make_model("vhred")
    of_conversations = make_model("vhred")
    of_conversations.__class__ = OfConversations
    split, limits = Talks(every_target=False), {"max_replies": limit, "window_turns": window_turns}
    one, other = (evaluate_bound(m, split, 1, **limits) for m in (of_replies, of_conversations))
    assert (one.unit, other.unit) == ("reply", "conversation")
    for name, figure in one.to_json().items():
        if name != "kind":
            assert other.to_json()[name] == pytest.approx(figure, rel=1e-12)
    assert "1 samples a conversation" in str(other.to_json()["kind"])
    several = evaluate_bound(of_conversations, split, 50, **limits)
    assert several.elbo_nats > several.nats  # of the same samples, by Jensen
