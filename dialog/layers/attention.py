"""Attention of a decoder over encoded tokens: Luong's general form.

Luong, Pham and Manning 2015, "Effective Approaches to Attention-based Neural Machine Translation",
equations 5 to 8, section 3.1 (global attention):

    score(h_t, s) = h_t^T W_a s,   a_t = softmax(score),   c_t = sum_s a_t(s) s,   h~_t = tanh(W_c [c_t; h_t])

Nothing of h~_t is fed back into the decoder, so all target steps are computed in one product.

| paper | here |
|---|---|
| h_t, s | `query`, `value` |
| W_a s | `key`, computed once a token |
| a_t, c_t | `weights`, `summary` |
"""

import torch
from torch import Tensor

__all__ = ["attend"]


def attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Sums the values, weighted by how well their keys fit each query.

    Args:
        query: (row, target_time, size).
        key: (row, source_time, size).
        value: (row, source_time, value).
        mask: (row, source_time), True is real; a row without any real place gets a summary of zeros.

    Returns:
        The summary (row, target_time, value) and the weights (row, target_time, source_time), which sum
        to 1 over the real places and are exactly 0 elsewhere.
    """
    energies = query @ key.transpose(1, 2)  # (row, target_time, source_time)
    energies = energies.masked_fill(~mask[:, None, :], torch.finfo(energies.dtype).min)
    weights = torch.softmax(energies, dim=2).masked_fill(~mask[:, None, :], 0.0)
    return weights @ value, weights
