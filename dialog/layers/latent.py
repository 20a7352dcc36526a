"""Diagonal Gaussians computed by networks: the prior and the posterior of a latent variable.

Serban et al. 2017, "A Hierarchical Latent Variable Encoder-Decoder Model for Generating Dialogues",
equations 3 to 6: two tanh layers, then a linear layer each for the mean and, through softplus, for the
variance, which is multiplied by a small constant so that prior and posterior start close together.
"""

import math

import torch
from torch import Tensor, nn
from torch.distributions import Independent, Normal
from torch.nn import functional

__all__ = [
    "TO_UNIT_VARIANCE",
    "DiagonalGaussian",
    "diagonal_gaussian",
    "draw",
    "log_ratio",
    "repeated",
    "standard_gaussian",
]

TO_UNIT_VARIANCE = 1 / math.log(2)
"""Times softplus(0) it is 1: with this scale of the variance an untrained posterior is near a prior N(0, I)."""


def diagonal_gaussian(loc: Tensor, scale: Tensor) -> "Independent[Normal]":
    """Returns N(loc, scale^2) over vectors (row, latent), its dimensions independent."""
    return Independent(Normal(loc, scale), 1)


def standard_gaussian(like: Tensor) -> "Independent[Normal]":
    """Returns N(0, I) over vectors of the shape of `like`, (…, latent)."""
    return diagonal_gaussian(torch.zeros_like(like), torch.ones_like(like))


def draw(gaussian: "Independent[Normal]", generator: torch.Generator) -> Tensor:
    """Returns a reparameterised sample (…, latent), its noise from `generator`."""
    loc, scale = gaussian.base_dist.loc, gaussian.base_dist.scale
    noise = torch.randn(loc.shape, generator=generator, device=loc.device, dtype=loc.dtype)
    sample: Tensor = loc + scale * noise
    return sample


def repeated(gaussian: "Independent[Normal]", num_samples: int) -> "Independent[Normal]":
    """Returns the distributions of (row, latent) as such of (row, sample, latent), for many samples of each."""
    loc, scale = gaussian.base_dist.loc[:, None], gaussian.base_dist.scale[:, None]
    return diagonal_gaussian(loc.expand(-1, num_samples, -1), scale.expand(-1, num_samples, -1))


def log_ratio(prior: "Independent[Normal]", posterior: "Independent[Normal]", latents: Tensor) -> Tensor:
    """Returns log p(z) - log q(z) of `latents` (…, latent), (…) float64."""
    ratio: Tensor = prior.log_prob(latents).double() - posterior.log_prob(latents).double()
    return ratio


class DiagonalGaussian(nn.Module):
    """p(z | condition), named by what it parameterises.

    Args:
        condition_size: size of what it is conditioned on.
        hidden_size: size of both tanh layers.
        latent_size: dimensions of z.
        variance_scale: what softplus is multiplied by to give the *variance*; 0.1 in the paper's code.
    """

    def __init__(self, condition_size: int, hidden_size: int, latent_size: int, variance_scale: float):
        super().__init__()
        self.variance_scale = variance_scale
        self.hidden = nn.Sequential(
            nn.Linear(condition_size, hidden_size), nn.Tanh(), nn.Linear(hidden_size, hidden_size), nn.Tanh()
        )
        self.loc = nn.Linear(hidden_size, latent_size)
        self.variance = nn.Linear(hidden_size, latent_size)

    def forward(self, condition: Tensor) -> "Independent[Normal]":
        """Returns the distribution over (…, latent) for conditions (…, condition)."""
        hidden = self.hidden(condition)
        # Half precision would leave too few digits for a difference of two variances.
        variance = self.variance_scale * functional.softplus(self.variance(hidden).to(self.loc.weight.dtype))
        return diagonal_gaussian(self.loc(hidden).to(self.loc.weight.dtype), (variance + 1e-8).sqrt())
