"""From logits to the next token: temperature, top-k and top-p, then one uniform draw a token and a row.

Fan et al. 2018, "Hierarchical Neural Story Generation" (top-k); Holtzman et al. 2020, "The Curious Case of
Neural Text Degeneration" (top-p). Control tokens are never chosen, and a reply never ends before its
first token, for no utterance that models are trained on is empty.
"""

import hashlib
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from dialog.decoding.replies import Sampling
from dialog.text.batches import BOS, EOS, PAD, UNK

__all__ = ["choose", "filtered_log_probabilities", "reply_generator"]

_FIRST_LOOK = 256
"""Tokens that top-p looks at before it sorts them all."""


def reply_generator(seed: int, index: int) -> torch.Generator:
    """Returns the generator (on the CPU) of reply `index` of `seed`; other replies never draw from it."""
    digest = hashlib.sha256(f"{seed}/{index}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


def filtered_log_probabilities(logits: Tensor, sampling: Sampling, is_first: bool = False) -> Tensor:
    """Returns the log-probabilities that the next token is drawn from, -inf for what is filtered out.

    Args:
        logits: (row, vocabulary).
        sampling: temperature, then top-k, then top-p.
        is_first: whether this is each reply's first token, which may not be the end.
    """
    logits = logits.double() / sampling.temperature  # float64: sums must not decide what is filtered
    logits[:, [PAD, UNK, BOS, *([EOS] if is_first else [])]] = -math.inf
    if 0 < sampling.top_k < logits.shape[1]:
        kept = logits.topk(sampling.top_k, dim=1).indices
        logits = torch.full_like(logits, -math.inf).scatter(1, kept, logits.gather(1, kept))
    if sampling.top_p < 1.0:
        logits = logits.masked_fill(~_nucleus(torch.softmax(logits, dim=1), sampling.top_p), -math.inf)
    return torch.log_softmax(logits, dim=1)


def _nucleus(shares: Tensor, reach: float) -> Tensor:
    """Returns the mask (row, vocabulary) of the most probable tokens that reach `reach` together.

    A sort of the whole vocabulary would cost more than the model's step; few rows need it. Which rows do
    follows from the row alone, so that batch-mates change nothing.
    """
    kept = torch.zeros_like(shares, dtype=torch.bool)
    values, tokens = shares.topk(min(_FIRST_LOOK, shares.shape[1]), dim=1)
    kept.scatter_(1, tokens, values.cumsum(1) - values < reach)  # what came before had not reached it
    wide = torch.nonzero(values.sum(1) < reach)[:, 0]
    if len(wide):
        values, tokens = shares[wide].sort(dim=1, descending=True, stable=True)
        kept[wide] = torch.zeros_like(kept[wide]).scatter(1, tokens, values.cumsum(1) - values < reach)
    return kept


def choose(log_probabilities: Tensor, sampling: Sampling, generators: Sequence[torch.Generator]) -> Tensor:
    """Returns the next token (row,) int64 of each row.

    Args:
        log_probabilities: (row, vocabulary), filtered.
        sampling: `greedy` takes the most probable token, `sample` inverts the distribution function.
        generators: one a row, on the CPU; each is drawn from once, unless greedy.
    """
    if sampling.method == "greedy":
        return log_probabilities.argmax(dim=1)
    draws = torch.stack([torch.rand(1, generator=g, dtype=torch.float64) for g in generators])
    cumulative = log_probabilities.double().exp().cumsum(1)
    points = draws.to(cumulative.device) * cumulative[:, -1:]
    return torch.searchsorted(cumulative, points, right=True)[:, 0].clamp(max=cumulative.shape[1] - 1)
