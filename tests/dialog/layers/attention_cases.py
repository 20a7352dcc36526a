"""Attention layers with parameters that matter, and a batch with ragged rows, one of them empty."""

import torch
from torch import Tensor, nn

from dialog.layers.attention import Attended, Attention, AttentionOptions, make_attention

SIZE = 4
"""Of queries and of values, so that every kind can be made."""

KINDS = {
    kind: AttentionOptions(kind, heads=2) for kind in ("additive", "dot", "general", "multihead", "hard")
}


def layer_of(name: str, query_size: int = SIZE, value_size: int = SIZE) -> Attention:
    torch.manual_seed(7)
    layer = make_attention(KINDS[name], query_size, value_size).double()
    for parameter in layer.parameters():
        nn.init.normal_(parameter)
    return layer.eval()


def random(*shape: int, seed: int = 2) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def problem(query_size: int = SIZE, value_size: int = SIZE) -> tuple[Tensor, Tensor, Tensor]:
    """Queries (4, 2, size), values (4, 5, size) and a mask: full, with holes, empty, of one place."""
    mask = torch.tensor(
        [[1, 1, 1, 1, 1], [1, 0, 1, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 1, 0]], dtype=torch.bool
    )
    return random(4, 2, query_size, seed=1), random(4, 5, value_size, seed=2), mask


class Whole(nn.Module):
    """A layer from queries and values on, so that a test can give it other parameters."""

    def __init__(self, layer: Attention):
        super().__init__()
        self.layer = layer

    def forward(
        self, query: Tensor, values: Tensor, mask: Tensor, generator: torch.Generator | None = None
    ) -> Attended:
        attended: Attended = self.layer(query, *self.layer.project(values), mask, generator)
        return attended


def attended(layer: Attention, query: Tensor, values: Tensor, mask: Tensor) -> Attended:
    result: Attended = Whole(layer)(query, values, mask)
    return result
