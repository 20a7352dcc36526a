"""What every attention promises, and the kinds whose scores are products: Luong's dot and general.

Luong, Pham and Manning 2015, "Effective Approaches to Attention-based Neural Machine Translation",
equations 5 to 8, section 3.1 (global attention):

    score(h_t, s) = h_t^T s (dot) or h_t^T W_a s (general),   a_t = softmax(score),   c_t = sum_s a_t(s) s

The paper's h~_t = tanh(W_c [c_t; h_t]) belongs to the decoder. Where nothing of c_t is fed back into the
decoder, all target steps are computed in one product.

| paper | here |
|---|---|
| h_t | `query` |
| s, or W_a s | `key`, computed once a source token |
| s | `value` |
| a_t, c_t | `weights`, `summary` |
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dialog.errors import ConfigError

__all__ = ["Attended", "Attention", "DotAttention", "GeneralAttention", "attend", "masked_softmax"]


@dataclass(frozen=True, slots=True)
class Attended:
    """What attention gives.

    Attributes:
        summary: (row, target_time, summary_size).
        weights: (row, target_time, source_time); they sum to 1 over the real places and are exactly 0
            elsewhere. The mean over the heads, if there are several; one-hot, if attention is hard.
        choice_log_probability: (row, target_time), nats, with gradient: of the place that hard attention
            drew in training, where REINFORCE needs it; else None.
    """

    summary: Tensor
    weights: Tensor
    choice_log_probability: Tensor | None = None


class Attention(nn.Module, ABC):
    """Sums values, weighted by how well their keys fit a query.

    Attributes:
        summary_size: size of a summary.
    """

    summary_size: int

    @abstractmethod
    def project(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Returns key (…, key_size) and value (…, size) of each of `values` (…, value_size), once for all queries.

        Zeros become zeros, so that places filled with zeros may be added before or after.
        """

    @abstractmethod
    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Tensor,
        generator: torch.Generator | None = None,
    ) -> Attended:
        """Attends.

        Args:
            query: (row, target_time, query_size).
            key: (row, source_time, key_size), from `project`.
            value: (row, source_time, size), from `project`.
            mask: (row, source_time), True is real; a row without any real place gets zeros.
            generator: draws, in training, for the kinds that draw; on the query's device.
        """


class DotAttention(Attention):
    """Luong's dot: the keys are the values themselves, and there is nothing to learn.

    Args:
        query_size: size of a query.
        value_size: size of a value.

    Raises:
        ConfigError: the sizes differ, so that there is no such product.
    """

    def __init__(self, query_size: int, value_size: int):
        super().__init__()
        if query_size != value_size:
            raise ConfigError(
                f"attention=dot needs queries and values of one size, but they have {query_size} and"
                f" {value_size}; set sizes that agree, or take attention=general"
            )
        self.summary_size = value_size

    def project(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the values, twice."""
        return values, values

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Tensor,
        generator: torch.Generator | None = None,
    ) -> Attended:
        """See `Attention`; nothing is drawn."""
        return Attended(*attend(query, key, value, mask))


class GeneralAttention(Attention):
    """Luong's general: W_a stands between query and value.

    Args:
        query_size: size of a query.
        value_size: size of a value.
    """

    def __init__(self, query_size: int, value_size: int):
        super().__init__()
        self.summary_size = value_size
        self.key = nn.Linear(value_size, query_size, bias=False)  # W_a

    def project(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Returns W_a s, and the values as they are."""
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
        return Attended(*attend(query, key, value, mask))


def attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Sums the values, weighted by the softmax of the products of query and key.

    Args:
        query: (row, target_time, size).
        key: (row, source_time, size).
        value: (row, source_time, value).
        mask: (row, source_time), True is real; a row without any real place gets a summary of zeros.

    Returns:
        The summary (row, target_time, value) and the weights (row, target_time, source_time), which sum
        to 1 over the real places and are exactly 0 elsewhere.
    """
    weights = masked_softmax(query @ key.transpose(1, 2), mask[:, None, :])
    return weights @ value, weights


def masked_softmax(energies: Tensor, mask: Tensor) -> Tensor:
    """Returns the softmax over the real places of the last dimension, exactly 0 elsewhere.

    Args:
        energies: (…, place).
        mask: True is real; its shape broadcasts to that of `energies`. Where no place is real, all weights
            are 0, and so are their gradients.
    """
    energies = energies.masked_fill(~mask, torch.finfo(energies.dtype).min)
    return torch.softmax(energies, dim=-1).masked_fill(~mask, 0.0)
