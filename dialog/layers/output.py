"""The output layer and its cross-entropy, tied to the embedding, on real target tokens only.

Press and Wolf 2017, "Using the Output Embedding to Improve Language Models" (tying); Szegedy et al. 2016,
"Rethinking the Inception Architecture" (the uniform part that label smoothing mixes in).

    nll_i     = -log softmax(E f_i)[y_i]
    uniform_i = -(1/V) sum_v log softmax(E f_i)[v]

Logits are the largest tensor of all. They are made in blocks that stay in the processor's cache, turned
into probabilities there, and only these are kept for the backward pass, so that a token's vocabulary row
crosses the memory bus once each way.
"""

from typing import Any

import torch
from torch import Tensor

__all__ = ["token_losses"]

_BLOCK_VALUES = 8_000_000
"""Logits made at a time (32 MB of float32); `docs/log.md` has the sizes that were tried."""


def token_losses(
    features: Tensor, embedding: Tensor, targets: Tensor, with_uniform: bool = False
) -> tuple[Tensor, Tensor]:
    """Cross-entropy of each token, unsmoothed, and beside it against the uniform distribution.

    Args:
        features: (token, size), what the decoder says of each position.
        embedding: (vocabulary, size).
        targets: (token,) int64.
        with_uniform: whether the second result is wanted; without it, it is zeros and costs nothing.

    Returns:
        `nll` and `uniform`, each (token,) in nats.
    """
    keeps = torch.is_grad_enabled()  # inside the function gradients are always off
    return _TokenLosses.apply(features, embedding, targets, with_uniform, keeps)  # type: ignore[no-any-return, no-untyped-call]


class _TokenLosses(torch.autograd.Function):
    @staticmethod
    def forward(
        run: Any, features: Tensor, embedding: Tensor, targets: Tensor, with_uniform: bool, keeps: bool
    ) -> tuple[Tensor, Tensor]:
        device = features.device.type
        autocast = torch.is_autocast_enabled(device)
        product_type = torch.get_autocast_dtype(device) if autocast else embedding.dtype
        features, weight = features.to(product_type), embedding.to(product_type)
        wants_gradient = keeps and any(run.needs_input_grad)
        probabilities = features.new_empty((len(targets) if wants_gradient else 0, len(weight)))
        nll = embedding.new_empty(len(targets))
        uniform = embedding.new_zeros(len(targets))
        for block in _blocks(len(targets), len(weight)):
            logits = (features[block] @ weight.t()).to(embedding.dtype)
            wanted = logits.gather(1, targets[block, None])[:, 0]
            highest = logits.amax(1)
            if with_uniform:
                average = logits.mean(1)
            # Where a backward pass will come, the shares are written to where it finds them.
            shares = logits if logits.dtype != product_type or not wants_gradient else probabilities[block]
            torch.softmax(logits, dim=1, out=shares)
            # log-sum-exp from the softmax itself: exp(highest - lse) is its largest value.
            normaliser = highest - shares.amax(1).log()
            nll[block] = normaliser - wanted
            if with_uniform:
                uniform[block] = normaliser - average
            if wants_gradient and shares is logits:
                probabilities[block] = shares
        run.save_for_backward(features, weight, targets, probabilities)
        run.with_uniform, run.weight_type = with_uniform, embedding.dtype
        return nll, uniform

    @staticmethod
    def backward(run: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        features, weight, targets, probabilities = run.saved_tensors
        of_nll = gradients[0].to(weight.dtype)
        of_uniform = gradients[1].to(weight.dtype) if run.with_uniform else torch.zeros_like(of_nll)
        of_features = torch.empty_like(features)
        of_weight = torch.zeros_like(weight, dtype=run.weight_type)
        for block in _blocks(len(targets), len(weight)):
            logits = probabilities[block] * (of_nll + of_uniform)[block, None]
            if run.with_uniform:
                logits -= (of_uniform[block] / len(weight))[:, None]
            logits.scatter_add_(1, targets[block, None], -of_nll[block, None])
            torch.mm(logits, weight, out=of_features[block])
            if weight.dtype == run.weight_type:
                of_weight.addmm_(logits.t(), features[block])
            else:
                of_weight += logits.t() @ features[block]
        return of_features.to(run.weight_type), of_weight, None, None, None


def _blocks(tokens: int, vocabulary: int) -> list[slice]:
    size = max(1, _BLOCK_VALUES // vocabulary)
    return [slice(start, min(start + size, tokens)) for start in range(0, tokens, size)]
