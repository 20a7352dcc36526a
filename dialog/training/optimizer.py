"""AdamW as every model here is trained: decoupled weight decay on matrices, none on vectors."""

import torch

from dialog.models.base import ReplyModel
from dialog.training.config import TrainingConfig

__all__ = ["make_optimizer"]


def make_optimizer(model: ReplyModel, config: TrainingConfig) -> torch.optim.AdamW:
    """Returns AdamW (Loshchilov and Hutter 2019) over the parameters of `model`.

    Args:
        model: on the device that it is trained on.
        config: the step size and the weight decay.
    """
    matrices = [p for p in model.parameters() if p.dim() > 1]
    vectors = [p for p in model.parameters() if p.dim() <= 1]
    groups = [
        {"params": matrices, "weight_decay": config.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.98), fused=True)
