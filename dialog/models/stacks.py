"""The Transformer's encoder and decoder: its layers, and the norm behind the last one."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from dialog.layers.looking import Looking
from dialog.layers.transformer import DecoderLayer, EncoderLayer

__all__ = ["DecoderStack", "EncoderStack", "SourceMemory"]

SourceMemory = Sequence[tuple[Tensor, Tensor]]
"""For each layer of the decoder keys and values (source, size) of the encoded source."""


class EncoderStack(nn.Module):
    """Layers of self-attention over a source.

    Args:
        num_layers: 1 or more.
        size: of a token's vector; a multiple of `heads`.
        heads: of each attention.
        inner_size: of the feed-forward parts.
        dropout_rate: of what each part adds.
    """

    def __init__(self, num_layers: int, size: int, heads: int, inner_size: int, dropout_rate: float):
        super().__init__()
        self.layers = nn.ModuleList(
            EncoderLayer(size, heads, inner_size, dropout_rate) for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(size)

    def forward(self, tokens: Tensor, positions: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Encodes sources.

        Args:
            tokens: (source, size), packed.
            positions: (row, source_time) int64, where each row's tokens stand in `tokens`, -1 behind its end.
            generator: draws dropout, in training.

        Returns:
            (source, size).
        """
        looking = Looking.of(positions, positions)
        for layer in self.layers:
            tokens = layer(tokens, looking, generator)
        return self.norm(tokens)  # type: ignore[no-any-return]


class DecoderStack(nn.Module):
    """Layers that look at the reply so far and at the source.

    Args:
        num_layers: 1 or more.
        size: of a token's vector; a multiple of `heads`.
        heads: of each attention.
        inner_size: of the feed-forward parts.
        dropout_rate: of what each part adds.
    """

    def __init__(self, num_layers: int, size: int, heads: int, inner_size: int, dropout_rate: float):
        super().__init__()
        self.layers = nn.ModuleList(
            DecoderLayer(size, heads, inner_size, dropout_rate) for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(size)

    def look_at(self, source: Tensor) -> SourceMemory:
        """Returns each layer's keys and values of the encoded `source` (source, size)."""
        layers: Any = self.layers
        return [(layer.source.key(source), layer.source.value(source)) for layer in layers]

    def forward(
        self,
        tokens: Tensor,
        positions: Tensor,
        memory: SourceMemory,
        source_positions: Tensor,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Decodes whole replies, all tokens at once.

        Args:
            tokens: (token, size), the packed inputs.
            positions: (row, time) int64, where each reply's tokens stand in `tokens`, -1 behind its end.
            memory: from `look_at`.
            source_positions: (row, source_time) int64, what each reply looks at, -1 where there is nothing.
            generator: draws dropout, in training.

        Returns:
            Features (token, size), to be compared with the token table.
        """
        own, source = Looking.of(positions, positions), Looking.of(positions, source_positions)
        for layer, (key, value) in zip(self.layers, memory, strict=True):
            tokens = layer(tokens, own, source, key, value, generator)
        return self.norm(tokens)  # type: ignore[no-any-return]

    def step(
        self, tokens: Tensor, own: tuple[Tensor, Tensor, Tensor], source: tuple[Tensor, Tensor, Tensor]
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Decodes one token of each reply.

        Args:
            tokens: (row, size).
            own: keys and values (row, layer, time, size) of the tokens before, and a mask (row, time).
            source: keys and values (row, layer, source_time, size), and a mask (row, source_time).

        Returns:
            Features (row, size), the token's own keys and values (row, layer, size), and the last layer's
            weights (row, source_time).
        """
        keys, values = [], []
        layers: Any = self.layers
        last = len(layers) - 1
        for index, layer in enumerate(layers):
            tokens, key, value, weights = layer.step(
                tokens,
                (own[0][:, index], own[1][:, index], own[2]),
                (source[0][:, index], source[1][:, index], source[2]),
                with_weights=index == last,
            )
            keys.append(key)
            values.append(value)
        return self.norm(tokens), torch.stack(keys, dim=1), torch.stack(values, dim=1), weights
