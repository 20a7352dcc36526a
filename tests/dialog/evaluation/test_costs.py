"""Costs of single replies are those of the promises, with conversation and turn; totals are the bounds'."""

import math

import numpy as np
import pytest
import torch

from dialog.errors import CorpusError, UsageError
from dialog.evaluation.bootstrap import estimate
from dialog.evaluation.bound import evaluate_bound, importance_bound
from dialog.evaluation.costs import count_texts, likelihood_figures, measure_costs, turn_figures
from dialog.evaluation.latent import evaluate_latent
from dialog.evaluation.talks import Talk
from dialog.evaluation.words import word_rule
from dialog.models.registry import MODELS
from dialog.text.batches import collate, utterances_of
from tests.dialog.evaluation.test_bound import without_choice
from tests.dialog.evaluation.test_likelihood import Talks
from tests.dialog.models.tiny import generators, make_model, random_windows, scored, states_before

SPLIT = Talks(turns=(2, 9, 5, 4), every_target=False)
IDS = ["a", "b", "c", "d"]
NAMES = sorted(set(MODELS) & {"seq2seq", "hred", "vhred", "vhcr", "lm", "transformer", "window"})


def in_order(costs) -> np.ndarray:
    return np.lexsort((costs.turns, costs.conversations))


@pytest.mark.parametrize("window_turns", [128, 3])
@pytest.mark.parametrize("name", ["seq2seq", "hred"])
def test_each_reply_costs_what_the_promises_say(name, window_turns) -> None:
    model = make_model(name)
    costs = measure_costs(model, SPLIT, window_turns=window_turns)
    order = in_order(costs)
    with torch.no_grad():
        wanted = scored(model, [SPLIT[number] for number in range(4)], None)
    np.testing.assert_allclose(costs.columns["nats"][order], wanted.numpy(), atol=1e-9)
    places = np.flatnonzero(SPLIT.targets)
    assert costs.columns["tokens"][order].tolist() == (SPLIT.lengths[places] + 1).tolist()
    conversations = np.searchsorted(SPLIT.offsets, places, side="right") - 1
    assert costs.conversations[order].tolist() == conversations.tolist()
    assert costs.turns[order].tolist() == (places - SPLIT.offsets[conversations]).tolist()
    assert set(costs.columns) == {"nats", "tokens"}


def test_totals_are_the_bounds_and_the_latent_uses() -> None:
    model = make_model("vhred")
    costs = measure_costs(model, SPLIT, num_samples=7, seed=3)
    bound = evaluate_bound(model, SPLIT, 7, seed=3)
    assert costs.columns["nats"].sum() == pytest.approx(bound.nats, abs=1e-9)
    assert costs.columns["elbo_nats"].sum() == pytest.approx(bound.elbo_nats, abs=1e-9)
    assert costs.columns["tokens"].sum() == bound.num_tokens
    use = evaluate_latent(model, SPLIT)
    assert costs.columns["kl"].mean() == pytest.approx(sum(use.kl), abs=1e-9)
    assert "prior_nats" not in costs.columns


@torch.no_grad()
def test_many_samples_of_the_prior_reach_what_quadrature_finds_for_one_dimension() -> None:
    model = make_model("vhred", latent_size=1)
    window = random_windows([2], seed=4, longest=3)[0]
    state = states_before(model, window)[1]
    prior = model.prior(state.context)
    grid = torch.linspace(-12, 12, 4001, dtype=torch.float64)[:, None]
    z = prior.mean + prior.stddev * grid
    plan = model.plan(state.select([0] * len(z)), generators(len(z)), z)
    log_p = model.score(plan, utterances_of([window.utterances[1]] * len(z))).sum(1)
    exact = torch.logsumexp(prior.log_prob(z) + log_p, 0) + ((z[1] - z[0]).log())[0]
    weights = model.log_weights(collate([window]), 20_000, torch.Generator().manual_seed(1), from_prior=True)
    ratio = weights.sub(exact).exp()[0]
    error = float(ratio.std()) / len(ratio) ** 0.5
    assert error < 0.03
    assert abs(float(ratio.mean()) - 1) < 4 * error
    torch.testing.assert_close(importance_bound(weights)[0], exact, atol=5 * error, rtol=0)
    assert weights.max() <= log_p.max() + 1e-6  # log p(x|z), nothing added


def test_a_model_deaf_to_z_has_one_likelihood_whichever_way_it_is_asked() -> None:
    model = without_choice(make_model("vhred"))
    costs = measure_costs(model, SPLIT, num_samples=3, num_prior_samples=2)
    for name in ("elbo_nats", "prior_nats"):
        np.testing.assert_allclose(costs.columns[name], costs.columns["nats"], atol=1e-9)
    np.testing.assert_allclose(costs.columns["kl"], 0, atol=1e-9)


def test_a_shared_latent_has_one_cost_a_conversation() -> None:
    model = make_model("vhcr")
    costs = measure_costs(model, SPLIT, num_samples=40, num_prior_samples=40, seed=1)
    assert costs.turns is None
    assert costs.turn_sums(IDS) is None
    assert sorted(costs.conversations.tolist()) == [
        number for number in range(4) if SPLIT[number].targets.any()
    ]
    sums = costs.sums(IDS)
    for number in range(4):
        talk = SPLIT[number]
        tokens = sum(
            len(words) + 1
            for words, is_target in zip(talk.utterances, talk.targets, strict=True)
            if is_target
        )
        assert sums.column("tokens")[number] == tokens
    bound = evaluate_bound(model, SPLIT, 40, seed=2)
    assert sums.column("nats").sum() == pytest.approx(bound.nats, rel=0.05)
    assert (sums.column("kl") >= 0).all()
    assert sums.column("elbo_nats").sum() >= sums.column("nats").sum()


@torch.no_grad()
def test_a_shared_latent_of_the_prior_gives_the_likelihood_that_its_posterior_gives() -> None:
    """Means of weights, which both expect p(x); the prior's are far wider."""
    model = make_model("vhcr", latent_size=1, conversation_latent_size=1)
    batch = collate(random_windows([3], seed=4, longest=2))
    found = []
    for from_prior in (False, True):
        weights = model.log_weights(batch, 1500, torch.Generator().manual_seed(1), from_prior=from_prior)
        bound = importance_bound(weights)[0]
        ratio = (weights - bound).exp()
        found.append((float(bound), float(ratio.std()) / 1500**0.5))
    (posterior, one), (prior, other) = found
    assert other < 0.08
    assert abs(posterior - prior) < 5 * (one + other)


@pytest.mark.parametrize("name", NAMES)
def test_sums_give_every_figure_that_a_model_has(name) -> None:
    model = make_model(name)
    costs = measure_costs(model, SPLIT, num_samples=2, num_prior_samples=2)
    talks = [
        Talk(
            id_, tuple(" ".join(map(str, words)) for words in SPLIT[number].utterances), SPLIT[number].targets
        )
        for number, id_ in enumerate(IDS)
    ]
    rules = [word_rule("whitespace"), word_rule("wordpunct")]
    sums = costs.sums(IDS).join(count_texts(talks, rules))
    figures = [figure for figure in likelihood_figures(rules) if sums.has(figure)]
    found = {name: each.value for name, each in estimate(sums, figures, num_draws=20).items()}
    assert all(map(math.isfinite, found.values()))
    assert found["nats_per_token"] == pytest.approx(
        found["nats_per_word_whitespace"]
    )  # a word is a token here
    assert found["perplexity"] == pytest.approx(math.exp(found["nats_per_token"]))
    assert ("prior_perplexity" in found) == ("kl_per_reply" in found) == model.is_latent
    by_turn = costs.turn_sums(IDS, last=3)
    if by_turn is not None:
        for column in ("nats", "tokens"):
            whole = sum(by_turn.column(f"{column}_turn_{turn}") for turn in (1, 2, 3))
            np.testing.assert_allclose(whole, sums.column(column))
        assert all(by_turn.has(figure) for figure in turn_figures(3))


def test_texts_are_counted_with_their_ends() -> None:
    talks = [
        Talk("a", ("Hi", "I'm in.", "ok"), np.array([False, True, True])),
        Talk("b", ("x",), np.array([False])),
    ]
    found = count_texts(talks, [word_rule("wordpunct")])
    assert found.column("replies").tolist() == [2, 0]
    assert found.column("characters").tolist() == [7 + 2 + 2, 0]
    assert found.column("words_wordpunct").tolist() == [5 + 1 + 2, 0]
    assert count_texts([], [word_rule("words")]).ids == ()


def test_a_seed_gives_the_same_costs_and_no_target_is_told() -> None:
    model = make_model("vhred")
    one, again, other = (
        measure_costs(model, SPLIT, 3, 3, seed).columns["prior_nats"].tolist() for seed in (1, 1, 2)
    )
    assert one == again != other
    with pytest.raises(CorpusError):
        measure_costs(model, SPLIT, max_conversations=0)
    with pytest.raises(UsageError, match="no latent variable"):
        make_model("hred").log_weights(collate(random_windows([2])), 1, torch.Generator(), from_prior=True)
