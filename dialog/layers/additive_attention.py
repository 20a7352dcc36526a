"""Additive attention: a small network scores each pair of query and source token.

Bahdanau, Cho and Bengio 2015, "Neural Machine Translation by Jointly Learning to Align and Translate",
appendix A.1.2:

    e_ij = v_a^T tanh(W_a s_i + U_a h_j)

The paper scores with s_{i-1}, the state before the step, since c_i goes into the step; the decoder here
decides what the query is. The network's hidden layer is as wide as a query.

tanh is of (target_time, source_time, size) values a row, by far the most of all kinds. They are made in
blocks of a bounded number, turned into scores there, and made again in the backward pass, so that memory
grows with target_time × source_time only.

| paper | here |
|---|---|
| s_i, h_j | `query`, `value` |
| W_a, v_a | `query.weight`, `score` |
| U_a h_j | `key`, computed once a source token |
| e_ij | energies |
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from dialog.layers.soft_attention import Attended, Attention, masked_softmax

__all__ = ["AdditiveAttention", "additive_energies"]

_BLOCK_VALUES = {"cpu": 500_000}
_BLOCK_VALUES_ELSEWHERE = 32_000_000
"""Values of tanh made at a time, or those of one query if they are more; on a CPU they stay in its cache."""


class AdditiveAttention(Attention):
    """A network with one hidden layer says how well a source token fits.

    Args:
        query_size: size of a query, and of the hidden layer.
        value_size: size of a value.
    """

    def __init__(self, query_size: int, value_size: int):
        super().__init__()
        self.summary_size = value_size
        self.query = nn.Linear(query_size, query_size, bias=False)  # W_a
        self.key = nn.Linear(value_size, query_size, bias=False)  # U_a
        self.score = nn.Parameter(torch.empty(query_size).uniform_(-1, 1) / query_size**0.5)  # v_a

    def project(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Returns U_a h, and the values as they are."""
        return self.key(values), values

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Tensor,
        generator: torch.Generator | None = None,
    ) -> Attended:
        """See `Attention`; nothing is drawn."""
        weights = masked_softmax(additive_energies(self.query(query), key, self.score), mask[:, None, :])
        return Attended(weights @ value, weights)


def additive_energies(query: Tensor, key: Tensor, score: Tensor) -> Tensor:
    """Returns v^T tanh(query + key) for each pair.

    Args:
        query: (row, target_time, size), projected.
        key: (row, source_time, size), projected.
        score: (size,), v.

    Returns:
        (row, target_time, source_time).
    """
    energies: Tensor = _Energies.apply(query, key, score)  # type: ignore[no-untyped-call]
    return energies


class _Energies(torch.autograd.Function):
    @staticmethod
    def forward(run: Any, query: Tensor, key: Tensor, score: Tensor) -> Tensor:
        run.save_for_backward(query, key, score)
        energies = torch.empty(
            *query.shape[:2],
            key.shape[1],
            dtype=torch.promote_types(query.dtype, key.dtype),
            device=query.device,
        )
        for rows, times in _blocks(query, key):
            fit = torch.tanh(query[rows, times, None] + key[rows, None])  # (row, target, source, size)
            energies[rows, times] = fit @ score.to(fit.dtype)
        return energies

    @staticmethod
    def backward(run: Any, *gradients: Tensor) -> tuple[Tensor, ...]:
        query, key, score = run.saved_tensors
        of_query, of_key, of_score = (
            leaf.new_zeros(leaf.shape, dtype=score.dtype) for leaf in (query, key, score)
        )
        for rows, times in _blocks(query, key):
            fit = torch.tanh(query[rows, times, None] + key[rows, None])
            arriving = gradients[0][rows, times].to(fit.dtype)  # (row, target, source)
            of_score += arriving.flatten() @ fit.flatten(0, 2)
            inner = (1 - fit.square_()).mul_(score).mul_(arriving[..., None])
            of_query[rows, times] = inner.sum(2)
            of_key[rows] += inner.sum(1)
        return of_query.to(query.dtype), of_key.to(key.dtype), of_score


def _blocks(query: Tensor, key: Tensor) -> Iterator[tuple[slice, slice]]:
    """Cuts rows, and where one is too much its target times, into blocks of a bounded number of values."""
    num_rows, num_times, size = query.shape
    most = _BLOCK_VALUES.get(query.device.type, _BLOCK_VALUES_ELSEWHERE)
    of_a_time = max(1, key.shape[1] * size)
    times = max(1, min(num_times, most // of_a_time))
    rows = max(1, most // (of_a_time * times))
    for row in range(0, num_rows, rows):
        for time in range(0, num_times, times):
            yield slice(row, row + rows), slice(time, time + times)
