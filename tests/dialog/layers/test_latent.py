"""Diagonal Gaussians: the KL that the library gives is the one that sampling finds."""

import pytest
import torch
from torch.distributions import kl_divergence
from torch.nn import functional

from dialog.layers.latent import DiagonalGaussian, diagonal_gaussian, draw


def network(seed: int, variance_scale: float = 0.5) -> DiagonalGaussian:
    torch.manual_seed(seed)
    gaussian = DiagonalGaussian(3, 5, 4, variance_scale).double()
    with torch.no_grad():
        for parameter in gaussian.parameters():
            parameter.normal_()
    return gaussian


@torch.no_grad()
def test_the_kl_is_the_one_that_sampling_finds() -> None:
    """Within five standard errors of 100,000 samples, as a whole and dimension by dimension."""
    condition = torch.randn(2, 3, dtype=torch.float64)
    q, p = network(1)(condition), network(2)(condition)
    generator = torch.Generator().manual_seed(3)
    noise = torch.randn(100_000, 2, 4, generator=generator, dtype=torch.float64)
    samples = q.mean + q.stddev * noise
    whole = q.log_prob(samples) - p.log_prob(samples)
    single = q.base_dist.log_prob(samples) - p.base_dist.log_prob(samples)
    for ratio, kl in ((whole, kl_divergence(q, p)), (single, kl_divergence(q.base_dist, p.base_dist))):
        error = ratio.std(0) / len(ratio) ** 0.5
        assert ((ratio.mean(0) - kl).abs() < 5 * error).all()
        assert (error < 0.02 * kl.sum()).all()
    torch.testing.assert_close(kl_divergence(q.base_dist, p.base_dist).sum(1), kl_divergence(q, p))


def test_the_kl_is_zero_where_both_are_one_and_above_elsewhere() -> None:
    gaussian, condition = network(1), torch.randn(3, 3, dtype=torch.float64)
    assert (kl_divergence(gaussian(condition), gaussian(condition)).abs() < 1e-12).all()
    q = gaussian(condition)
    for loc, scale in ((q.mean + 0.1, q.stddev), (q.mean, q.stddev * 1.1), (q.mean, q.stddev * 0.9)):
        assert (kl_divergence(q, diagonal_gaussian(loc, scale)) > 0).all()


@pytest.mark.parametrize("variance_scale", [0.1, 0.7])
def test_softplus_times_the_scale_is_the_variance(variance_scale) -> None:
    gaussian, condition = network(1, variance_scale), torch.randn(3, 3, dtype=torch.float64)
    hidden = condition
    for layer in (gaussian.hidden[0], gaussian.hidden[2]):
        hidden = torch.tanh(hidden @ layer.weight.t() + layer.bias)
    wanted = variance_scale * functional.softplus(gaussian.variance(hidden))
    torch.testing.assert_close(gaussian(condition).variance, wanted, atol=2e-8, rtol=0)
    torch.testing.assert_close(gaussian(condition).mean, gaussian.loc(hidden))
    assert gaussian(condition).event_shape == (4,) and gaussian(condition).batch_shape == (3,)


def test_extreme_conditions_stay_finite_with_their_gradients() -> None:
    gaussian = network(1)
    with torch.no_grad():
        gaussian.variance.bias.fill_(-1e4)  # softplus gives 0 here
    q = gaussian(torch.full((1, 3), 1e3, dtype=torch.float64))
    kl = kl_divergence(q, network(2)(torch.zeros(1, 3, dtype=torch.float64))).sum()
    kl.backward()
    assert kl.isfinite() and all(p.grad.isfinite().all() for p in gaussian.parameters())


def test_half_precision_leaves_mean_and_spread_whole() -> None:
    gaussian, condition = network(1).float(), torch.randn(3, 3)
    with torch.autocast("cpu", torch.bfloat16):
        half = gaussian(condition)
    assert half.mean.dtype == half.stddev.dtype == torch.float32
    torch.testing.assert_close(half.mean, gaussian(condition).mean, atol=0.1, rtol=0.05)


def test_a_draw_has_the_mean_and_spread_and_carries_gradients() -> None:
    """Within five standard errors of 20,000 draws."""
    loc = torch.tensor([[1.0, -2.0]], dtype=torch.float64, requires_grad=True)
    scale = torch.tensor([[0.5, 3.0]], dtype=torch.float64, requires_grad=True)
    gaussian, count = diagonal_gaussian(loc.expand(20_000, -1), scale.expand(20_000, -1)), 20_000
    drawn = draw(gaussian, torch.Generator().manual_seed(1))
    assert torch.equal(drawn, draw(gaussian, torch.Generator().manual_seed(1)))
    assert ((drawn.mean(0) - loc[0]).abs() < 5 * scale[0] / count**0.5).all()
    assert ((drawn.std(0) / scale[0] - 1).abs() < 5 / (2 * count) ** 0.5).all()
    drawn.sum().backward()
    torch.testing.assert_close(loc.grad, torch.full_like(loc, count))  # dz/dloc = 1
    noise = ((drawn - loc) / scale).detach().sum(0, keepdim=True)
    torch.testing.assert_close(scale.grad, noise)  # dz/dscale = noise
