"""What a latent variable does over a split: KL a dimension, active units, mutual information.

The prior of these models depends on the context c, so z is first looked at as the prior sees it,

    e = (z - loc_p(c)) / scale_p(c),   p(e) = N(0, 1),   q(e | c, x) = N(m, s^2)

which changes no KL. Every law for a prior N(0, 1) then holds for e:

- *KL a dimension*: the mean over replies of KL(q(z_d | c, x) || p(z_d | c)), raw, in closed form.
- *Active units* (Burda, Grosse and Salakhutdinov 2016, "Importance Weighted Autoencoders", section 5.2):
  dimensions where the variance over the data of the posterior mean is above 0.01. As written, of E[z_d], it
  counts what z repeats of the context, too, and so is above 0 for a latent variable that has collapsed;
  *given the context* it is of m_d, which a posterior that equals the prior leaves at 0.
- *Mutual information* (Hoffman and Johnson 2016, "ELBO surgery", section 2), from N replies:

      E KL(q || p) = I_q(e; c, x) + KL(q(e) || p(e)),   q(e) = 1/N sum_n q(e | c_n, x_n)

  I is estimated by one e_n from each q(e | c_n, x_n): the mean of log q(e_n | c_n, x_n) - log q(e_n), its own
  term counted. Over these N replies that is unbiased; as an estimate for all talk it is too low, for it cannot
  be above log N. It is the information of e in context and reply together, an upper bound, over all talk, of
  that in the reply alone given the context, I(z; x | c); E KL is a looser one.

A latent variable that the replies of a conversation share is looked at in the same way, a row a window instead of a
reply; its prior is N(0, 1), so e is z. The replies' own prior and posterior are then those given a draw of it, as in
the bound.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from dialog.errors import UsageError
from dialog.evaluation.passes import WINDOW_TURNS, evaluating, parts_of
from dialog.models.base import LatentGaussians, ReplyModel
from dialog.text.loader import EncodedSplit

__all__ = ["ACTIVE_VARIANCE", "LatentUse", "evaluate_latent", "mutual_information"]

ACTIVE_VARIANCE = 0.01
"""A dimension is active above this variance of its posterior mean (Burda et al. 2016)."""

_MUTUAL_UNITS = 2_000
"""Replies, or conversations, that mutual information is estimated from; it costs the square of them."""


@dataclass(frozen=True, slots=True)
class LatentUse:
    """How a model uses a latent variable; see the module's docstring.

    Attributes:
        num_units: of the split that were looked at.
        kl: nats a unit, of each dimension.
        active_units: by the variance of the posterior mean of z.
        active_units_given_context: by the variance of the mean of e.
        mutual_information: nats, of e with context and reply.
        mutual_information_error: standard error, of drawing the units and e.
        mutual_information_units: N; log N is the most that can be found.
        marginal_kl: nats, KL(q(e) || p(e)) over the same N units.
        unit: what has a z of its own, `reply` or `conversation` (which counts once a window, if it is longer).
        conversation: the use of the latent that the replies of a conversation share, or None without one.
    """

    num_units: int
    kl: tuple[float, ...]
    active_units: int
    active_units_given_context: int
    mutual_information: float
    mutual_information_error: float
    mutual_information_units: int
    marginal_kl: float
    unit: str = "reply"
    conversation: "LatentUse | None" = None

    def to_json(self) -> dict[str, Any]:
        """Returns the figures as plain JSON values."""
        units = {"reply": "replies", "conversation": "conversations"}[self.unit]
        figures = {
            f"num_{units}": self.num_units,
            "dimensions": len(self.kl),
            f"kl_per_{self.unit}": sum(self.kl),
            "active_units": self.active_units,
            "active_units_given_context": self.active_units_given_context,
            "mutual_information": self.mutual_information,
            "mutual_information_error": self.mutual_information_error,
            "mutual_information_at_most": math.log(self.mutual_information_units),
            f"mutual_information_{units}": self.mutual_information_units,
            "marginal_kl": self.marginal_kl,
            "kl_per_dimension": list(self.kl),
        }
        return (
            figures if self.conversation is None else figures | {"conversation": self.conversation.to_json()}
        )


def evaluate_latent(
    model: ReplyModel,
    split: EncodedSplit,
    seed: int = 0,
    max_conversations: int | None = None,
    max_replies: int | None = None,
    progress: Callable[[int], None] | None = None,
    window_turns: int = WINDOW_TURNS,
) -> LatentUse:
    """Looks at the prior and the posterior of every latent of a split; no reply is decoded.

    Args:
        model: is put into evaluation mode for the time, then back.
        split: the conversations.
        seed: of the units that mutual information is estimated from, and of their e.
        max_conversations: the first so many only; None for all.
        max_replies: the first so many only; None for all.
        progress: is told how many conversations were read since it was last called.
        window_turns: longer conversations are read in windows of so many turns.

    Raises:
        UsageError: the model has no latent variable.
        CorpusError: the split has no target.
    """
    if not model.is_latent:
        raise UsageError(f"{type(model).__name__} has no latent variable to look at; give a VHRED")
    generator = torch.Generator().manual_seed(seed)
    of_replies, of_conversations = _Sums(generator), _Sums(generator)
    with evaluating(model) as device:
        shared = torch.Generator(device=device).manual_seed(seed)
        for part in parts_of(model, split, max_conversations, max_replies, progress, window_turns):
            latents = model.describe_latents(part.batch, part.state, shared)
            of_replies.add(latents)
            if latents.conversation is not None:
                of_conversations.add(latents.conversation)
    use = _use(of_replies, generator)
    if not of_conversations.count:
        return use
    return replace(use, conversation=_use(of_conversations, generator, "conversation"))


def _use(sums: "_Sums", generator: torch.Generator, unit: str = "reply") -> LatentUse:
    variance, variance_given_context = sums.variances()
    information, error, kl = mutual_information(sums.loc, sums.scale, generator)
    return LatentUse(
        num_units=sums.count,
        kl=tuple((sums.kl / sums.count).tolist()),
        active_units=int((variance > ACTIVE_VARIANCE).sum()),
        active_units_given_context=int((variance_given_context > ACTIVE_VARIANCE).sum()),
        mutual_information=information,
        mutual_information_error=error,
        mutual_information_units=len(sums.loc),
        marginal_kl=kl - information,
        unit=unit,
    )


def mutual_information(loc: Tensor, scale: Tensor, generator: torch.Generator) -> tuple[float, float, float]:
    """Estimates I_q(e; unit) of posteriors N(loc, scale^2) beside a prior N(0, 1).

    Args:
        loc: (unit, latent) float64.
        scale: (unit, latent) float64.
        generator: on the CPU; draws one e a unit.

    Returns:
        The information, its standard error (0 for one unit), and the mean KL(q || p), all in nats.
    """
    drawn = loc + scale * torch.randn(loc.shape, generator=generator, dtype=loc.dtype)
    precision = scale**-2
    # -2 log q_m(e_n) less its constant, a sum over dimensions of (e - loc)^2 / scale^2 + log scale^2.
    fixed = (loc.square() * precision + 2 * scale.log()).sum(1)
    terms = []
    for some in drawn.split(512):  # 512 rows of N densities at a time
        distances = some.square() @ precision.t() - 2 * some @ (loc * precision).t() + fixed
        terms.append(torch.logsumexp(-distances / 2, dim=1) - math.log(len(loc)))
    own = -(((drawn - loc) / scale).square() / 2 + scale.log()).sum(1)
    differences = own - torch.cat(terms)
    error = float(differences.std()) / math.sqrt(len(loc)) if len(loc) > 1 else 0.0
    kl = ((loc.square() + scale.square() - 1) / 2 - scale.log()).sum(1)
    return float(differences.mean()), error, float(kl.mean())


class _Sums:
    """Sums over units in float64, and a random choice of them.

    Args:
        generator: on the CPU; chooses.
    """

    def __init__(self, generator: torch.Generator) -> None:
        self._generator = generator
        self.count = 0
        self.kl: Tensor = torch.zeros(())
        self._means = self._given_context = torch.zeros(2, 1, dtype=torch.float64)  # sum, sum of squares
        self._keys = torch.empty(0)
        self.loc = self.scale = torch.empty(0)

    def add(self, latents: LatentGaussians) -> None:
        """Adds the units of a batch."""
        prior_loc, prior_scale, posterior_loc, posterior_scale = (
            value.double().cpu()
            for value in (
                latents.prior_loc,
                latents.prior_scale,
                latents.posterior_loc,
                latents.posterior_scale,
            )
        )
        loc, scale = (posterior_loc - prior_loc) / prior_scale, posterior_scale / prior_scale
        self.count += len(loc)
        self.kl = self.kl + ((loc.square() + scale.square() - 1) / 2 - scale.log()).sum(0)
        self._means = self._means + torch.stack([posterior_loc.sum(0), posterior_loc.square().sum(0)])
        self._given_context = self._given_context + torch.stack([loc.sum(0), loc.square().sum(0)])
        keys = torch.rand(len(loc), generator=self._generator)
        if self.count == len(loc):
            self._keys, self.loc, self.scale = keys, loc, scale
        else:
            self._keys = torch.cat([self._keys, keys])
            self.loc, self.scale = torch.cat([self.loc, loc]), torch.cat([self.scale, scale])
        if len(self._keys) > _MUTUAL_UNITS:
            chosen = self._keys.topk(_MUTUAL_UNITS).indices
            self._keys, self.loc, self.scale = self._keys[chosen], self.loc[chosen], self.scale[chosen]

    def variances(self) -> tuple[Tensor, Tensor]:
        """Returns the variance over units of the posterior mean of z, and of e, (latent,) each."""
        return _variance(self._means, self.count), _variance(self._given_context, self.count)


def _variance(sums: Tensor, count: int) -> Tensor:
    return sums[1] / count - (sums[0] / count).square()
