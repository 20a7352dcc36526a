"""What training minimises, in nats per target token.

    [ sum NLL + epsilon (sum uniform - sum NLL) + weight KL' + lambda sum bag_of_words ] / sum target tokens

with label smoothing epsilon, KL weight `weight`, and KL' the KL after free bits: for each dimension the
larger of lambda_d and its mean over the batch's replies, times the number of replies (Kingma et al. 2016,
"Improved Variational Inference with Inverse Autoregressive Flow", appendix C.8).
"""

from torch import Tensor

from dialog.models.base import LossParts
from dialog.training.config import LatentTrainingConfig, TrainingConfig

__all__ = ["objective"]


def objective(parts: LossParts, config: TrainingConfig, weight: float) -> Tensor:
    """Returns the objective, a scalar.

    Args:
        parts: of a batch, from a model in training mode.
        config: label smoothing, free bits, the weight of the bag-of-words loss.
        weight: of the KL, from 0 to 1.
    """
    total = parts.nll.sum()
    if config.label_smoothing:
        smoothing = config.label_smoothing
        total = (1 - smoothing) * total + smoothing * parts.auxiliary["uniform"].sum()
    if parts.kl is not None and isinstance(config, LatentTrainingConfig):
        mean = parts.kl.mean(0)  # (latent,)
        total = total + weight * len(parts.kl) * mean.clamp(min=config.free_bits).sum()
        if "bag_of_words" in parts.auxiliary:
            total = total + config.bag_of_words_weight * parts.auxiliary["bag_of_words"].sum()
    return total / parts.num_tokens.sum()
