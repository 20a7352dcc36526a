"""A layer over a fixed window of tokens: each place of the window has a matrix of its own.

Bengio et al. 2003, "A Neural Probabilistic Language Model", section 2:

    x = [C(w_{t-1}); ...; C(w_{t-n+1})],   a = tanh(d + H x)

H x is a sum over the places, H_1 C(w_{t-n+1}) + ... + H_{n-1} C(w_{t-1}). Where many windows share few tokens,
as in a batch of text, every different token meets every place's matrix once, and a window sums what was made.

| paper | here |
|---|---|
| C(w), a row for each token | `embedded` |
| H, d | `places` |
| n - 1 | `window` |
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["WindowLayer"]


class WindowLayer(nn.Module):
    """See the module's docstring.

    Args:
        size: of a token's vector.
        hidden_size: of the result.
        window: places of a window.
    """

    def __init__(self, size: int, hidden_size: int, window: int):
        super().__init__()
        self.hidden_size, self.window = hidden_size, window
        self.places = nn.Linear(window * size, hidden_size)

    def forward(self, embedded: Tensor, windows: Tensor) -> Tensor:
        """Reads windows.

        Args:
            embedded: (different, size), different tokens.
            windows: (row, window) int64 into `embedded`, the oldest first.

        Returns:
            (row, hidden).
        """
        if len(embedded) < len(windows):
            return torch.tanh(self._by_token(embedded, windows))
        return torch.tanh(self.places(functional.embedding(windows, embedded).flatten(1)))

    def _by_token(self, embedded: Tensor, windows: Tensor) -> Tensor:
        weight = self.places.weight.unflatten(1, (self.window, -1))  # (hidden, place, size)
        products = functional.linear(
            embedded, weight.transpose(0, 1).flatten(0, 1)
        )  # (different, place * hidden)
        products = products.unflatten(1, (self.window, -1)).flatten(0, 1)  # (different * place, hidden)
        rows = windows * self.window + torch.arange(self.window, device=windows.device)
        return self.places.bias + functional.embedding_bag(
            rows, products.to(self.places.bias.dtype), mode="sum"
        )
