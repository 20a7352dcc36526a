"""A reply stepped through as it is, token by token, the way it is decoded: what the model makes of each place."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from dialog.models.base import DecoderState, ReplyModel
from dialog.text.batches import BOS

__all__ = ["Forced", "step_through"]


@dataclass(frozen=True, slots=True)
class Forced:
    """What a model makes of a reply.

    Attributes:
        nats: (row, time) float64, log p(token | earlier tokens) behind each row's context.
        logits: (time, vocabulary), the first row's.
        weights: (time, place), where the first row looked, each summing to 1; None for a model that looks at nothing.
    """

    nats: NDArray[np.float64]
    logits: NDArray[np.float32]
    weights: NDArray[np.float64] | None


@torch.inference_mode()
def step_through(model: ReplyModel, state: DecoderState, tokens: Sequence[int]) -> Forced:
    """Has every row of a planned state say the same reply.

    Args:
        model: in evaluation mode.
        state: from `plan`, before any step; a row for each context.
        tokens: of the reply, 1 or more.
    """
    first, looked = [], []
    nats = torch.empty(state.num_rows, len(tokens), dtype=torch.float64)
    for place, (before, token) in enumerate(zip([BOS, *tokens[:-1]], tokens, strict=True)):
        read = torch.full((state.num_rows,), before, device=state.device)
        logits, state = model.step(read, state)
        nats[:, place] = torch.log_softmax(logits.double(), dim=1)[:, token]
        first.append(logits[0].float())
        if state.attention is not None and state.attention.numel():
            looked.append(state.attention[0].flatten().double())
    weights = None
    if looked:
        # Each state that keeps attention over a context has the mask of it; the base class of states does not say so.
        is_real = state.mask[0].flatten()  # type: ignore[attr-defined]
        weights = torch.stack(looked)[:, is_real].cpu().numpy() if bool(is_real.any()) else None
    return Forced(nats.numpy(), torch.stack(first).cpu().numpy(), weights)
