"""Weights of one model as the start of another, such as HRED's for VHRED."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from dialog.errors import ConfigError

__all__ = ["take_over"]


def take_over(model: nn.Module, weights: Mapping[str, Tensor]) -> list[str]:
    """Copies every weight that `model` has too; the leading columns where `model` has more of them.

    A latent's columns stand behind those of the context, so HRED's weights are VHRED's leading columns.

    Returns:
        The names that were taken over.

    Raises:
        ConfigError: no name is shared, or a shared weight does not fit.
    """
    own = {**dict(model.named_parameters()), **dict(model.named_buffers())}  # a reservoir is of buffers
    shared = [name for name in weights if name in own]
    if not shared:
        raise ConfigError("the two models share no weight by name; start from a run of a related model")
    with torch.no_grad():
        for name in shared:
            target, source = own[name], weights[name]
            if (
                source.dim() != target.dim()
                or source.shape[0] != target.shape[0]
                or (source.dim() == 2 and source.shape[1] > target.shape[1])
            ):
                raise ConfigError(
                    f"the weight {name} has the shape {tuple(source.shape)} there and {tuple(target.shape)} "
                    "here; set the same sizes and the same tokenizer as in the run to start from"
                )
            if source.dim() == 2:
                target[:, : source.shape[1]] = source
            else:
                target.copy_(source)
    return shared
