"""Active units, KL and mutual information against closed forms."""

import math

import pytest
import torch

from dialog.errors import UsageError
from dialog.evaluation import latent
from dialog.evaluation.latent import _Sums, evaluate_latent, mutual_information
from dialog.evaluation.likelihood import evaluate_likelihood
from dialog.models.base import LatentGaussians, ReplyModel
from tests.dialog.evaluation.test_bound import without_choice
from tests.dialog.evaluation.test_likelihood import Talks
from tests.dialog.models.tiny import make_model


def generator(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 2) -> torch.Tensor:
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


@pytest.mark.parametrize("scale", [0.3, 0.6, 0.9])
def test_gaussian_information_is_that_of_a_gaussian_channel(scale) -> None:
    """Means N(0, 1 - scale^2) under noise of `scale` make q(e) the prior: I = -log scale a dimension."""
    count, dimensions = 2000, 2
    loc = normal(count, dimensions) * (1 - scale**2) ** 0.5
    found, error, kl = mutual_information(loc, torch.full_like(loc, scale), generator())
    wanted = -dimensions * math.log(scale)
    assert error < 0.05
    assert abs(found - wanted) < 4 * error + 0.01
    assert abs(kl - found) < 4 * error + 0.01  # the marginal KL is 0


def test_replies_that_nothing_confuses_have_log_of_their_number() -> None:
    loc = torch.arange(50, dtype=torch.float64)[:, None] * 100
    found, error, _ = mutual_information(loc, torch.ones_like(loc), generator())
    assert found == pytest.approx(math.log(50), abs=1e-9)
    assert error == pytest.approx(0, abs=1e-9)


def test_two_groups_have_one_bit_and_the_rest_of_the_kl_is_marginal() -> None:
    loc = torch.tensor([[20.0, 0.0], [-20.0, 0.0]], dtype=torch.float64).repeat(300, 1)
    found, _, kl = mutual_information(loc, torch.ones_like(loc), generator())
    assert found == pytest.approx(math.log(2), abs=1e-9)
    assert kl == pytest.approx(200)


def test_posteriors_that_are_all_the_same_have_none() -> None:
    loc = torch.ones(40, 3, dtype=torch.float64)
    found, error, kl = mutual_information(loc, torch.full_like(loc, 0.5), generator())
    assert found == pytest.approx(0, abs=1e-12)
    assert error == pytest.approx(0, abs=1e-12)
    assert kl == pytest.approx(3 * ((1 + 0.25 - 1) / 2 - math.log(0.5)))
    assert mutual_information(loc[:1], loc[:1], generator())[:2] == pytest.approx((0.0, 0.0))


def test_sums_are_the_same_however_replies_come_and_choose_at_random(monkeypatch) -> None:
    monkeypatch.setattr(latent, "_MUTUAL_UNITS", 30)
    some = LatentGaussians(
        normal(90, 4), normal(90, 4, seed=3).exp(), normal(90, 4, seed=4), normal(90, 4).exp()
    )
    whole, pieces = _Sums(generator()), _Sums(generator())
    whole.add(some)
    for part in torch.arange(90).split(7):
        pieces.add(
            LatentGaussians(
                some.prior_loc[part],
                some.prior_scale[part],
                some.posterior_loc[part],
                some.posterior_scale[part],
            )
        )
    assert whole.count == pieces.count == 90
    torch.testing.assert_close(whole.kl, pieces.kl)
    shift = (some.posterior_loc - some.prior_loc) / some.prior_scale
    for sums in (whole, pieces):
        variance, given_context = sums.variances()
        torch.testing.assert_close(variance, some.posterior_loc.var(0, correction=0))
        torch.testing.assert_close(given_context, shift.var(0, correction=0))
        assert len(sums.loc) == len(sums.scale) == 30
        places = [(shift == row).all(1).nonzero().item() for row in sums.loc]
        assert len(set(places)) == 30
        assert max(places) > 60 and min(places) < 30


def lively(model: ReplyModel) -> ReplyModel:
    """Makes the means of prior and posterior differ much from one context and reply to another."""
    with torch.no_grad():
        for network in (model.prior, model.posterior):
            for layer in (network.hidden[0], network.hidden[2], network.loc):
                layer.weight.mul_(4)
    return model


@pytest.mark.parametrize("window_turns", [128, 3])
def test_kl_of_the_dimensions_is_that_of_the_loss(window_turns) -> None:
    model, split = lively(make_model("vhred")), Talks()
    found = evaluate_latent(model, split, window_turns=window_turns)
    assert found.num_units == split.targets.sum()
    assert len(found.kl) == 3
    assert sum(found.kl) == pytest.approx(evaluate_likelihood(model, split).kl_per_reply)
    assert 0 < found.mutual_information <= math.log(found.mutual_information_units) + 1e-9
    assert found.mutual_information + found.marginal_kl == pytest.approx(sum(found.kl))
    assert found.active_units == found.active_units_given_context == 3


def test_a_collapsed_latent_variable_repeats_the_context_and_tells_nothing_of_replies() -> None:
    model = without_choice(lively(make_model("vhred")))
    found = evaluate_latent(model, Talks())
    assert found.kl == pytest.approx((0.0, 0.0, 0.0), abs=1e-12)
    assert found.active_units > 0  # by the letter of the paper, whose prior knows no context
    assert found.active_units_given_context == 0
    assert found.mutual_information == pytest.approx(0, abs=1e-9)


def test_one_dimension_that_lives_is_counted_alone() -> None:
    model = without_choice(make_model("vhred"))
    with torch.no_grad():  # the posterior's last mean looks at the reply
        model.posterior.hidden[0].weight[0, model.config.context_size :] = 1
        model.posterior.loc.weight[:2, 0] = model.prior.loc.weight[:2, 0] = 0
        model.posterior.variance.weight[:, 0] = model.prior.variance.weight[:, 0] = 0
        model.posterior.hidden[2].weight[1:, 0] = model.prior.hidden[2].weight[1:, 0] = 0
        model.posterior.loc.weight[2, 0] *= 3
        model.posterior.hidden[2].weight[0, 0] = 3
    found = evaluate_latent(model, Talks())
    assert found.active_units_given_context == 1
    assert found.kl[:2] == pytest.approx((0.0, 0.0), abs=1e-12)
    assert found.kl[2] > 0.01
    assert found.mutual_information > 0


def test_without_a_latent_variable_there_is_nothing_to_look_at() -> None:
    with pytest.raises(UsageError, match="no latent variable"):
        evaluate_latent(make_model("hred"), Talks())
