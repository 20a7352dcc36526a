"""Learning rate and KL weight as functions of the update, counted from 1."""

import math

from dialog.training.config import LatentTrainingConfig, TrainingConfig

__all__ = ["annealing_is_over", "kl_weight", "learning_rate"]


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
    """The weight of the KL: 1 for a model without a latent variable, and for all once annealing is over.

    Linear (Bowman et al. 2016, section 3.1): update / T. Cyclical (Fu et al. 2019, "Cyclical Annealing
    Schedule", equations 6 and 7), with T updates, M cycles and R the share of a cycle in which it rises:

        tau = mod(t - 1, ceil(T / M)) / (T / M),   weight = tau / R if tau <= R, else 1
    """
    if not isinstance(config, LatentTrainingConfig) or update > config.kl_annealing_updates:
        return 1.0
    if config.kl_schedule == "linear":
        return update / config.kl_annealing_updates
    cycle = config.kl_annealing_updates / config.kl_cycles
    place = (update - 1) % math.ceil(cycle) / cycle
    return min(1.0, place / config.kl_rising_share)


def annealing_is_over(update: int, config: TrainingConfig) -> bool:
    """Returns whether the KL weight is 1 from here on; between the cycles' ends it is 1 for a time only."""
    return not isinstance(config, LatentTrainingConfig) or (
        update > config.kl_annealing_updates
        or (config.kl_schedule == "linear" and update == config.kl_annealing_updates)
    )
