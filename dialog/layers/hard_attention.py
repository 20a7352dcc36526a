"""Hard attention: a reply looks at one place a token, and the place is drawn.

Xu et al. 2015, "Show, Attend and Tell", section 4.1. The place s_t is drawn from a_t, the softmax of Luong's
general scores, and the bound L = sum_s p(s) log p(y | s) <= log p(y) is raised. What is drawn has no
derivative, so training needs one of two estimators; outside training the most probable place is taken.

`gumbel` (Jang, Gu and Poole 2017, "Categorical Reparameterization with Gumbel-Softmax", sections 2.1 and 2.2):
the place is the largest of e + g with Gumbel noise g, which draws from a_t; backwards the one-hot weights
count as softmax((e + g) / temperature). Biased, of low variance.

`reinforce` (equation 13 there; Williams 1992): the gradient of L is that of

    log p(y_t | s_t) + (reward_t - baseline) log a_t(s_t),   reward_t = log p(y_t | s_t) held constant

`reinforce_term` is the second part, to be minimised. As long as nothing of a summary is fed back into the
decoder, the place of token t has a part in y_t alone, so y_t's log-probability is all of its reward: what the
other tokens earn would be noise. Where the decoder does see its summaries, a place has a part in all later tokens
too, and the reward must be the sum from t on. Unlike the paper, the baseline is the mean reward of the
*other* tokens of the batch instead of a moving average, which leaves the estimate unbiased; and there is
no entropy term, and no mixing with the expected place.

| paper | here |
|---|---|
| a_t, s_t | the softmax of the energies, the place of the 1 in `weights` |
| log p(s_t given a) | `choice_log_probability` |
| b | the mean of the other tokens' `reward` |
"""

import torch
from torch import Tensor, nn

from dialog.errors import ConfigError, UsageError
from dialog.layers.soft_attention import Attended, Attention, masked_softmax

__all__ = ["HARD_TRAININGS", "HardAttention", "reinforce_term"]

HARD_TRAININGS = ("gumbel", "reinforce")


class HardAttention(Attention):
    """One place a query: drawn in training, the most probable one outside it.

    Args:
        query_size: size of a query.
        value_size: size of a value.
        estimator: of `HARD_TRAININGS`, where the scores get their gradient from.
        temperature: of the relaxed weights; `gumbel` alone uses it.
    """

    def __init__(self, query_size: int, value_size: int, estimator: str = "gumbel", temperature: float = 1.0):
        super().__init__()
        if estimator not in HARD_TRAININGS:
            raise ConfigError(
                f"hard_attention={estimator} is unknown; take one of {', '.join(HARD_TRAININGS)}"
            )
        self.summary_size = value_size
        self.estimator, self.temperature = estimator, temperature
        self.key = nn.Linear(value_size, query_size, bias=False)  # W_a

    def project(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Returns W_a s, and the values as they are."""
        return self.key(values), values

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Tensor,
        generator: torch.Generator | None = None,
    ) -> Attended:
        """See `Attention`; one draw a place, in training.

        Raises:
            UsageError: in training without a generator.
        """
        # Noise and log-probabilities in half precision would favour some places.
        energies = (query @ key.transpose(1, 2)).to(self.key.weight.dtype)
        real = mask[:, None, :].expand_as(energies)
        if not self.training:
            weights = _one_hot(energies, real)
            return Attended(weights @ value, weights)
        if generator is None:
            raise UsageError(
                "hard attention draws its places in training; give it a generator, or call eval() first"
            )
        noisy = energies + _gumbel(energies, generator)
        weights = _one_hot(noisy, real)
        if self.estimator == "gumbel":
            relaxed = masked_softmax(noisy / self.temperature, real)
            weights = weights + (relaxed - relaxed.detach())  # the bracket is 0, and has the gradient
            return Attended(weights @ value, weights)
        logarithms = torch.log_softmax(energies.masked_fill(~real, torch.finfo(energies.dtype).min), dim=2)
        # 0 for a row without any place, and no gradient
        return Attended(weights @ value, weights, logarithms.masked_fill(weights == 0, 0.0).sum(2))


def reinforce_term(choice_log_probability: Tensor, reward: Tensor) -> Tensor:
    """Returns what to add to a loss, so that its gradient is REINFORCE's; the value itself means nothing.

    Args:
        choice_log_probability: any shape, an entry a token, nats; from `Attended`, for real tokens only.
        reward: of the same shape, nats: the log-probability of the token, given the place that was drawn.
            Its gradient is not used.

    Returns:
        Of the same shape: (mean reward of the other tokens - reward) × choice_log_probability. A single token has
        no others, and 0 is its baseline.

    Raises:
        UsageError: the shapes differ.
    """
    if choice_log_probability.shape != reward.shape:
        raise UsageError(
            f"{tuple(choice_log_probability.shape)} choices and {tuple(reward.shape)} rewards; give a reward a choice"
        )
    reward = reward.detach()
    others = (reward.sum() - reward) / max(reward.numel() - 1, 1)
    return (others - reward) * choice_log_probability


def _one_hot(energies: Tensor, real: Tensor) -> Tensor:
    """Returns 1 at the real place with the highest of `energies` (…, place), 0 elsewhere and without places."""
    if energies.shape[-1] == 0:
        return energies.detach()
    energies = energies.detach().masked_fill(~real, torch.finfo(energies.dtype).min)
    place = energies.argmax(dim=-1, keepdim=True)
    return torch.zeros_like(energies).scatter_(-1, place, 1.0).masked_fill_(~real, 0.0)


def _gumbel(like: Tensor, generator: torch.Generator) -> Tensor:
    """Returns standard Gumbel noise: minus the logarithm of an exponential draw."""
    draws = torch.empty_like(like).exponential_(generator=generator)
    return -draws.clamp_(min=torch.finfo(draws.dtype).tiny).log_()
