"""Dropout drawn from a named generator, with masks that cost little on a CPU.

Srivastava et al. 2014, "Dropout: A Simple Way to Prevent Neural Networks from Overfitting"; word dropout
as in Bowman et al. 2016, "Generating Sentences from a Continuous Space".

A mask takes one random byte a value, so a rate is met to the nearest 1/256; values that stay are scaled
by the share that really stays.
"""

import torch
from torch import Tensor

__all__ = ["dropout", "keep_mask"]


def dropout(values: Tensor, rate: float, generator: torch.Generator | None, training: bool) -> Tensor:
    """Returns `values` with about `rate` of them set to 0 and the others scaled up, in training.

    Args:
        values: any shape.
        rate: share that is dropped, in [0, 1), met to the nearest 1/256.
        generator: draws the mask; on the values' device.
        training: outside training the values are returned as they are.
    """
    dropped = min(round(rate * 256), 255)  # some byte is always kept, or no scale would keep the mean
    if not training or dropped == 0:
        return values
    kept = _random_bytes(values.shape, values.device, generator) >= dropped
    return values * kept * (256 / (256 - dropped))


def keep_mask(shape: torch.Size, rate: float, generator: torch.Generator, device: torch.device) -> Tensor:
    """Returns a boolean tensor that is False in a share `rate` of its places, each place by its own coin."""
    return torch.rand(shape, generator=generator, device=device) >= rate


def _random_bytes(shape: torch.Size, device: torch.device, generator: torch.Generator | None) -> Tensor:
    count = shape.numel()
    words = torch.empty((count + 7) // 8, dtype=torch.int64, device=device)
    words.random_(-(2**63), None, generator=generator)
    return words.view(torch.uint8)[:count].view(shape)
