"""What the tests of VHCR share: its cases, what it drew, its conversations' latents."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Normal

from dialog.models.base import ContextState, LossParts, ReplyModel
from dialog.text.batches import Batch, Window
from tests.dialog.models.tiny import states_before

SHARED, OWN = 2, 3  # dimensions of z_conv and of z
CASES = [
    {"context_turns": 16, "attention_turns": 1},
    {"context_turns": 2, "attention_turns": 3, "layers": 2},
    {"context_turns": 1, "attention_turns": 2},
]
"""A window of 13 turns is longer than each of `context_turns` but the first."""


def close(found: Tensor, wanted: Tensor, tolerance: float = 1e-10) -> None:
    torch.testing.assert_close(found, wanted, atol=tolerance, rtol=0)


def drawn(
    model: ReplyModel, batch: Batch, state: ContextState | None = None, seed: int = 5
) -> tuple[LossParts, Tensor]:
    """Returns what `loss` gives, and the [z_conv; z] of each reply that it drew."""
    seen = []
    hook = model.decoder.initial.register_forward_hook(lambda _, given, __: seen.append(given[0]))
    parts = model.loss(batch, torch.Generator().manual_seed(seed), state)
    hook.remove()
    own, shared = seen[0][:, -OWN - SHARED : -SHARED], seen[0][:, -SHARED:]
    return parts, torch.cat([shared, own], dim=1)


def gaussians(model: ReplyModel, batch: Batch, state: ContextState | None = None) -> tuple[Normal, Normal]:
    """Returns q(z_conv) of each window, and the N(0, 1) beside it."""
    found = model.describe_latents(batch, state).conversation
    return (Normal(found.posterior_loc, found.posterior_scale), Normal(found.prior_loc, found.prior_scale))


def joined(model: ReplyModel, windows: Sequence[Window]) -> ContextState:
    """Returns the state behind each of some windows."""
    return type(model.start(1)).concat([states_before(model, window)[-1] for window in windows])


def behind(begun: Sequence[Window], windows: Sequence[Window]) -> list[Window]:
    """Returns windows with what was said before them, which is not scored."""
    return [
        Window([*a.utterances, *b.utterances], np.concatenate([np.zeros(len(a.targets), bool), b.targets]))
        for a, b in zip(begun, windows, strict=True)
    ]


def without_choice(model: ReplyModel) -> ReplyModel:
    """Makes both posteriors their priors."""
    config = model.config
    with torch.no_grad():
        weights = dict(model.prior.state_dict())
        first = weights["hidden.0.weight"]
        context, shared = first[:, : config.context_size], first[:, config.context_size :]
        deaf = first.new_zeros(len(first), config.hidden_size)
        weights["hidden.0.weight"] = torch.cat([context, deaf, shared], dim=1)
        model.posterior.load_state_dict(weights)
        for layer in (model.hierarchy.posterior.loc, model.hierarchy.posterior.variance):
            layer.weight.zero_()
            layer.bias.zero_()
    return model
