"""Cross-entropy of target tokens where no gradient is wanted: one exponential and one sum a logit.

    nll_i = log sum_v exp(E f_i)_v - (E f_i)[y_i]

The largest logit is not looked for first, which saves a pass: float32 holds exp of -87 to 88, and logits
beyond are met by computing their block once more, in the safe way. Logits are made in blocks, so that they
stay in the processor's cache and memory is bounded. `output.token_losses` is the form for training.
"""

import torch
from torch import Tensor

__all__ = ["token_nll"]

_BLOCK_VALUES = 8_200_000
"""Logits made at a time (33 MB of float32, 1,025 rows of 8,000); a product of fewer rows is slower."""

_LEAST, _MOST = 1e-25, 1e37
"""Sums of exponentials between these are exact to float32's precision."""


def token_nll(features: Tensor, embedding: Tensor, targets: Tensor) -> Tensor:
    """Returns -log softmax(E f)[y] of each row, in nats; no gradient flows.

    Args:
        features: (row, size).
        embedding: (vocabulary, size).
        targets: (row,) int64.

    Returns:
        (row,).
    """
    nll = features.new_empty(len(targets))
    size = max(1, _BLOCK_VALUES // len(embedding))
    ones = embedding.new_ones(len(embedding))
    with torch.no_grad():
        for start in range(0, len(targets), size):
            block = slice(start, start + size)
            logits = features[block] @ embedding.t()
            wanted = logits.gather(1, targets[block, None])[:, 0]
            sums = logits.exp_() @ ones
            if bool(((sums > _LEAST) & (sums < _MOST)).all()):
                nll[block] = sums.log() - wanted
            else:  # numbers that are none arrive here, too, and stay what they are
                nll[block] = torch.logsumexp(features[block] @ embedding.t(), dim=1) - wanted
    return nll
