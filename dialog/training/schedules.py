"""Learning rate and KL weight as functions of the update, counted from 1."""

import math

from dialog.training.config import LatentTrainingConfig, TrainingConfig

__all__ = ["kl_weight", "learning_rate"]


def learning_rate(update: int, config: TrainingConfig) -> float:
    """Linear warm-up, then a half cosine (Loshchilov and Hutter 2017) down to the final rate, which stays."""
    peak = config.learning_rate
    if update <= config.warmup_updates:
        return peak * update / config.warmup_updates
    span = max(1, config.decay_updates - config.warmup_updates)
    progress = min(1.0, (update - config.warmup_updates) / span)
    final = config.final_learning_rate
    return peak * (final + (1 - final) * (1 + math.cos(math.pi * progress)) / 2)


def kl_weight(update: int, config: TrainingConfig) -> float:
    """KL annealing (Bowman et al. 2016): linear from 0 to 1; 1 for a model without a latent variable."""
    if not isinstance(config, LatentTrainingConfig) or config.kl_annealing_updates == 0:
        return 1.0
    return min(1.0, update / config.kl_annealing_updates)
