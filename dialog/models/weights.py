"""Log weights of replies that have a z each: log p(x|z) + log p(z) - log q(z|x), many samples of each reply."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from dialog.layers.latent import diagonal_gaussian, draw, log_ratio, repeated
from dialog.models.sampled import PlainReplies, RunReplies, chunks

if TYPE_CHECKING:
    from torch.distributions import Independent, Normal

__all__ = ["reply_log_weights"]


def reply_log_weights(
    replies: PlainReplies | RunReplies,
    prior: "Independent[Normal]",
    posterior: "Independent[Normal]",
    num_samples: int,
    generator: torch.Generator,
    from_prior: bool,
) -> Tensor:
    """Returns what `ReplyModel.log_weights` promises, (reply, sample) float64.

    Args:
        replies: ready to be scored.
        prior: of each reply's z.
        posterior: of each reply's z.
        num_samples: of each reply.
        generator: on the replies' device; the noise of a part of them is one draw (reply, sample, latent).
        from_prior: whether z is drawn from the prior.
    """
    utterances, device = replies.utterances, replies.contexts.device
    weights = torch.empty(len(utterances), num_samples, dtype=torch.float64, device=device)
    done = [0] * len(utterances)  # samples of each reply
    for part, samples in chunks(utterances.lengths, num_samples, device):
        rows = part.to(device)
        of_prior, of_posterior = (repeated(_of(one, rows), samples) for one in (prior, posterior))
        drawn_from = of_prior if from_prior else of_posterior
        latents = draw(drawn_from, generator)
        ratio = log_ratio(of_prior, drawn_from, latents)
        first = done[int(part[0])]
        weights[rows, first : first + samples] = ratio - replies.nll(part, latents)
        for reply in part.tolist():
            done[reply] += samples
    return weights


def _of(gaussian: "Independent[Normal]", rows: Tensor) -> "Independent[Normal]":
    """Returns the distributions of some rows."""
    return diagonal_gaussian(gaussian.base_dist.loc[rows], gaussian.base_dist.scale[rows])
