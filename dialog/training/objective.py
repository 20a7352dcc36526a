"""What training minimises, in nats per target token.

    [ sum NLL + epsilon (sum uniform - sum NLL) + weight (KL' + KL'_conversation) + lambda sum bag_of_words
      + sum hard_attention ] / sum target tokens

with label smoothing epsilon, KL weight `weight`, and KL' the KL after free bits: for each dimension the
larger of lambda_d and its mean over the replies, times the number of replies (Kingma et al. 2016,
"Improved Variational Inference with Inverse Autoregressive Flow", appendix C.8). KL'_conversation is the same of
the latent that the replies of a window share, for a model that has one: its dimensions have means of their
own, over windows.

All sums are those of an update: over its batches, on all processes. A batch's share of the objective needs
figures of the whole update, the target tokens and the mean KL of each dimension. Then the shares add up to the
objective, and their gradients to its gradient: n max(lambda, mean) is n lambda for a dimension below
lambda, which is lambda for each reply of each batch and has no gradient, and else the sum of the KL of
each reply of each batch.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from dialog.models.base import LossParts
from dialog.training.config import LatentTrainingConfig, TrainingConfig

__all__ = ["Whole", "needs_mean_kl", "objective"]


@dataclass(frozen=True, slots=True)
class Whole:
    """What a batch must know of the update that it is a part of.

    Attributes:
        num_tokens: target tokens of all its batches.
        mean_kl: (latent,) nats, the mean over all their replies, without gradient; None if no free bits ask.
        mean_conversation_kl: the same of the latent that a window's replies share, the mean over all windows.
    """

    num_tokens: int
    mean_kl: Tensor | None = None
    mean_conversation_kl: Tensor | None = None


def needs_mean_kl(config: TrainingConfig) -> bool:
    """Whether the objective depends on the mean KL of the whole update."""
    return isinstance(config, LatentTrainingConfig) and config.free_bits > 0


def objective(parts: LossParts, config: TrainingConfig, weight: float, whole: Whole | None = None) -> Tensor:
    """Returns the share of a batch in the objective, a scalar.

    Args:
        parts: of the batch, from a model in training mode.
        config: label smoothing, free bits, the weight of the bag-of-words loss.
        weight: of the KL, from 0 to 1.
        whole: figures of the update; None if the batch is all of it.
    """
    total = parts.nll.sum()
    if config.label_smoothing:
        smoothing = config.label_smoothing
        total = (1 - smoothing) * total + smoothing * parts.auxiliary["uniform"].sum()
    if (
        "hard_attention" in parts.auxiliary
    ):  # its value says nothing, its gradient trains the choice of a place
        total = total + parts.auxiliary["hard_attention"].sum()
    if parts.kl is not None and isinstance(config, LatentTrainingConfig):
        mean = None if whole is None else whole.mean_kl
        total = total + weight * _after_free_bits(parts.kl, config.free_bits, mean)
        if parts.conversation_kl is not None:
            mean = None if whole is None else whole.mean_conversation_kl
            total = total + weight * _after_free_bits(parts.conversation_kl, config.free_bits, mean)
        if "bag_of_words" in parts.auxiliary:
            total = total + config.bag_of_words_weight * parts.auxiliary["bag_of_words"].sum()
    return total / (parts.num_tokens.sum() if whole is None else whole.num_tokens)


def _after_free_bits(kl: Tensor, free_bits: float, mean: Tensor | None) -> Tensor:
    if free_bits == 0:
        return kl.sum()
    mean = kl.detach().mean(0) if mean is None else mean  # (latent,)
    is_free = mean < free_bits  # not where the mean is no number: that must be seen
    return torch.where(is_free, len(kl) * free_bits, kl.sum(0)).sum()
