"""Layers of the Transformer; what is done to each token is done to packed tokens, attention pads within groups.

Vaswani et al. 2017, "Attention Is All You Need", sections 3.1 to 3.3 and 3.5:

    Attention(Q, K, V) = softmax(Q K^T / sqrt(d_k)) V
    MultiHead(Q, K, V) = [head_1; ...; head_h] W^O,   head_i = Attention(Q W_i^Q, K W_i^K, V W_i^V)
    FFN(x) = max(0, x W_1 + b_1) W_2 + b_2
    PE(pos, 2i) = sin(pos / 10000^(2i/d)),   PE(pos, 2i+1) = cos(pos / 10000^(2i/d))

The norm stands before each part, x + Dropout(Part(LayerNorm(x))), and once behind the last layer. Xiong et al.
2020, "On Layer Normalization in the Transformer Architecture": with the norm behind the sum, as in 2017,
gradients near the output are large at the start, and training must warm up slowly to survive them.

| paper | here |
|---|---|
| W_i^Q, W_i^K, W_i^V of all heads, W^O | `query`, `key`, `value`, `output` |
| W_1, W_2 | `widen`, `narrow` |
| PE | `sinusoids` |
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from dialog.layers.dropout import dropout
from dialog.layers.looking import Looking
from dialog.layers.soft_attention import masked_softmax

__all__ = ["DecoderLayer", "EncoderLayer", "FeedForward", "TransformerAttention", "sinusoids"]


def sinusoids(places: Tensor, like: Tensor) -> Tensor:
    """Returns the vectors (…, size) of `places` (…) int64, with the size and type of `like` (…, size)."""
    size = like.shape[-1]
    pairs = torch.arange(0, size, 2, device=like.device, dtype=like.dtype)
    angles = places[..., None] * 10_000.0 ** (-pairs / size)  # (…, pair)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2)[..., :size]


class TransformerAttention(nn.Module):
    """Scaled dot-product attention by several heads, of many tokens that look at once.

    A bias of the keys would add the same to all energies of a query and change no weight, so there is none.

    Args:
        size: of a token's vector; a multiple of `heads`.
        heads: that share it.
    """

    def __init__(self, size: int, heads: int):
        super().__init__()
        self.heads = heads
        self.query, self.key = _linear(size, size), _linear(size, size, bias=False)
        self.value, self.output = _linear(size, size), _linear(size, size)

    def forward(
        self, tokens: Tensor, key: Tensor, value: Tensor, looking: Looking, causal: bool = False
    ) -> Tensor:
        """Attends from packed tokens to packed sources.

        Args:
            tokens: (token, size) that look.
            key: (source, size), what `key` made of the sources.
            value: (source, size), what `value` made of them.
            looking: which token looks at which sources.
            causal: whether a row's token looks at the row's sources up to its own time alone.

        Returns:
            (token, size); where a row has no source, what `output` makes of zeros.
        """
        mixed = [
            self._mix(queries, keys, values, None if causal else mask)
            for queries, keys, values, mask in looking.groups(self.query(tokens), key, value)
        ]
        return self.output(looking.pack(mixed))  # type: ignore[no-any-return]

    def step(self, tokens: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
        """Attends from one token (row, size) of each row to `key`, `value` (row, time, size) where `mask` is True."""
        mixed = self._mix(self.query(tokens)[:, None], key, value, mask)
        return self.output(mixed[:, 0])  # type: ignore[no-any-return]

    def weights(self, tokens: Tensor, key: Tensor, mask: Tensor) -> Tensor:
        """Returns the mean of the heads' weights (row, time) in such a step; all 0 where a row has no source."""
        query = self.query(tokens).unflatten(1, (self.heads, -1))  # (row, head, part)
        energies = torch.einsum("rhp,rthp->rht", query, key.unflatten(2, (self.heads, -1)))
        return masked_softmax(energies / query.shape[2] ** 0.5, mask[:, None]).mean(1)

    def _mix(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
        """Returns (row, time, size) for projected rows; without a mask time t looks at the times up to t."""
        if key.shape[1] == 0:
            return torch.zeros_like(query)
        query, key, value = (
            rows.unflatten(2, (self.heads, -1)).transpose(1, 2) for rows in (query, key, value)
        )
        if mask is None:
            mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
            return mixed.transpose(1, 2).flatten(2)
        some = mask.any(1)[:, None]  # a row of nothing looks everywhere, and what it sees is thrown away
        looks = (mask | ~some)[:, None, None]  # (row, 1, 1, source_time)
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=looks)
        return mixed.transpose(1, 2).flatten(2) * some[:, :, None]


class FeedForward(nn.Module):
    """Two linear maps with a ReLU between, for each token by itself.

    Args:
        size: of a token's vector.
        inner_size: between the maps.
    """

    def __init__(self, size: int, inner_size: int):
        super().__init__()
        self.widen, self.narrow = _linear(size, inner_size), _linear(inner_size, size)

    def forward(self, tokens: Tensor) -> Tensor:
        """Returns (token, size) for `tokens` (token, size)."""
        return self.narrow(functional.relu(self.widen(tokens), inplace=True))  # type: ignore[no-any-return]


class EncoderLayer(nn.Module):
    """Self-attention, then the feed-forward part.

    Args:
        size: of a token's vector; a multiple of `heads`.
        heads: of attention.
        inner_size: of the feed-forward part.
        dropout_rate: of what each part adds.
    """

    def __init__(self, size: int, heads: int, inner_size: int, dropout_rate: float):
        super().__init__()
        self.dropout_rate = dropout_rate
        self.own_norm, self.own = nn.LayerNorm(size), TransformerAttention(size, heads)
        self.forward_norm, self.feed_forward = nn.LayerNorm(size), FeedForward(size, inner_size)

    def forward(self, tokens: Tensor, looking: Looking, generator: torch.Generator | None) -> Tensor:
        """Returns (token, size) for packed `tokens` that look at each other."""
        normed = self.own_norm(tokens)
        seen = self.own(normed, self.own.key(normed), self.own.value(normed), looking)
        tokens = tokens + dropout(seen, self.dropout_rate, generator, self.training)
        further = self.feed_forward(self.forward_norm(tokens))
        return tokens + dropout(further, self.dropout_rate, generator, self.training)


class DecoderLayer(nn.Module):
    """Self-attention over what was said, attention over the source, then the feed-forward part.

    Args:
        size: of a token's vector; a multiple of `heads`.
        heads: of both attentions.
        inner_size: of the feed-forward part.
        dropout_rate: of what each part adds.
    """

    def __init__(self, size: int, heads: int, inner_size: int, dropout_rate: float):
        super().__init__()
        self.dropout_rate = dropout_rate
        self.own_norm, self.own = nn.LayerNorm(size), TransformerAttention(size, heads)
        self.source_norm, self.source = nn.LayerNorm(size), TransformerAttention(size, heads)
        self.forward_norm, self.feed_forward = nn.LayerNorm(size), FeedForward(size, inner_size)

    def forward(
        self,
        tokens: Tensor,
        own: Looking,
        source: Looking,
        key: Tensor,
        value: Tensor,
        generator: torch.Generator | None,
    ) -> Tensor:
        """Reads whole replies.

        Args:
            tokens: (token, size), packed.
            own: how the tokens of a reply look at each other.
            source: how they look at the source.
            key: (source, size), what `source.key` made of the encoded source.
            value: (source, size), what `source.value` made of it.
            generator: draws dropout, in training.

        Returns:
            (token, size).
        """
        normed = self.own_norm(tokens)
        seen = self.own(normed, self.own.key(normed), self.own.value(normed), own, causal=True)
        tokens = tokens + dropout(seen, self.dropout_rate, generator, self.training)
        seen = self.source(self.source_norm(tokens), key, value, source)
        tokens = tokens + dropout(seen, self.dropout_rate, generator, self.training)
        further = self.feed_forward(self.forward_norm(tokens))
        return tokens + dropout(further, self.dropout_rate, generator, self.training)

    def step(
        self,
        tokens: Tensor,
        own: tuple[Tensor, Tensor, Tensor],
        source: tuple[Tensor, Tensor, Tensor],
        with_weights: bool,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """Reads one token of each reply.

        Args:
            tokens: (row, size).
            own: keys and values (row, time, size) of the tokens before, and a mask (row, time), True is real.
            source: keys and values (row, source_time, size), and a mask (row, source_time).
            with_weights: whether the last result is wanted.

        Returns:
            (row, size), then this token's own key and value (row, size), and its weights over the source
            (row, source_time), the mean of the heads, or None.
        """
        normed = self.own_norm(tokens)
        key, value = self.own.key(normed), self.own.value(normed)
        keys, values = torch.cat([own[0], key[:, None]], 1), torch.cat([own[1], value[:, None]], 1)
        tokens = tokens + self.own.step(normed, keys, values, functional.pad(own[2], (0, 1), value=True))
        normed = self.source_norm(tokens)
        weights = self.source.weights(normed, source[0], source[2]) if with_weights else None
        tokens = tokens + self.source.step(normed, *source)
        return tokens + self.feed_forward(self.forward_norm(tokens)), key, value, weights


def _linear(inputs: int, outputs: int, bias: bool = True) -> nn.Linear:
    linear = nn.Linear(inputs, outputs, bias=bias)
    nn.init.xavier_uniform_(linear.weight)
    if bias:
        nn.init.zeros_(linear.bias)
    return linear
