"""Multi-head scaled dot-product attention of a decoder over encoded tokens.

Vaswani et al. 2017, "Attention Is All You Need", sections 3.2.1 and 3.2.2:

    head_i = softmax((Q W_i^Q) (K W_i^K)^T / sqrt(d_k)) (V W_i^V),   summary = [head_1; …; head_h] W^O

with K = V, what is attended over. Each head looks at d_k = value_size / h dimensions of its own, so that a
decoder may look at several places at once, each for something else.

| paper | here |
|---|---|
| Q, W^Q | `query`, `query.weight` |
| K W^K, V W^V | `key`, `value`, computed once a source token |
| W^O | `output.weight` |
| h, d_k | `num_heads`, value_size / `num_heads` |
"""

import torch
from torch import Tensor, nn

from dialog.errors import ConfigError
from dialog.layers.soft_attention import Attended, Attention, masked_softmax

__all__ = ["MultiheadAttention"]


class MultiheadAttention(Attention):
    """Several soft attentions side by side. The products have no bias, so what is made of zeros is zero.

    Args:
        query_size: size of a query.
        value_size: size of a value, and of a summary.
        num_heads: divides `value_size`.

    Raises:
        ConfigError: it does not.
    """

    def __init__(self, query_size: int, value_size: int, num_heads: int):
        super().__init__()
        if value_size % num_heads:
            raise ConfigError(
                f"attention_heads={num_heads} does not divide the {value_size} dimensions that are attended"
                " over; take a number that does"
            )
        self.summary_size, self.num_heads = value_size, num_heads
        self.query = nn.Linear(query_size, value_size, bias=False)  # W^Q of all heads
        self.key = nn.Linear(value_size, value_size, bias=False)
        self.value = nn.Linear(value_size, value_size, bias=False)
        self.output = nn.Linear(value_size, value_size, bias=False)

    def project(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Returns W^K and W^V times the values, the heads one behind another."""
        return self.key(values), self.value(values)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Tensor,
        generator: torch.Generator | None = None,
    ) -> Attended:
        """See `Attention`; nothing is drawn. The weights are the mean over the heads."""
        of_heads = self._split(self.query(query) / (self.summary_size // self.num_heads) ** 0.5)
        energies = of_heads @ self._split(key).transpose(2, 3)  # (row, head, target_time, source_time)
        weights = masked_softmax(energies, mask[:, None, None, :])
        heads = (weights @ self._split(value)).transpose(1, 2)  # (row, target_time, head, d_k)
        return Attended(self.output(heads.flatten(2)), weights.mean(1))

    def _split(self, vectors: Tensor) -> Tensor:
        """Returns (row, head, time, d_k) of (row, time, size)."""
        heads: Tensor = vectors.unflatten(2, (self.num_heads, -1))
        return heads.transpose(1, 2)
