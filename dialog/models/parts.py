"""What the models are composed of: the token table and the utterance encoder; `models.decoder` has the decoder.

Tokens are handled packed (see `layers.packing`): no part computes anything for padding.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from dialog.errors import UsageError
from dialog.layers.dropout import dropout
from dialog.layers.output import token_losses
from dialog.layers.packing import Packing
from dialog.layers.stack import Stack
from dialog.models.options import EncoderSettings
from dialog.text.batches import Utterances

__all__ = ["Encoded", "TokenTable", "UtteranceEncoder", "generators_noise"]


class TokenTable(nn.Module):
    """The embedding, and the output layer that is tied to it.

    Args:
        vocab_size: number of tokens.
        size: size of a token's vector.
        dropout_rate: share of the values of embedded tokens that is dropped.
        deviation: standard deviation of the values before training.
    """

    def __init__(self, vocab_size: int, size: int, dropout_rate: float, deviation: float = 0.1):
        super().__init__()
        self.dropout_rate = dropout_rate
        self.weight = nn.Parameter(torch.empty(vocab_size, size).normal_(std=deviation))
        self.step_product: nn.Module | None = None
        """What computes the logits of a step instead; see `models.int8`."""

    def embed(self, tokens: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Returns (token, size) for `tokens` (token,)."""
        embedded = functional.embedding(tokens, self.weight)
        return dropout(embedded, self.dropout_rate, generator, self.training)

    def logits(self, features: Tensor) -> Tensor:
        """Returns (row, vocabulary) for the `features` (row, size) of a step."""
        if self.step_product is not None:
            logits: Tensor = self.step_product(features)
            return logits
        return functional.linear(features, self.weight)

    def losses(self, features: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the cross-entropy of `targets` (token,) and against the uniform distribution, in nats."""
        return token_losses(features, self.weight, targets, with_uniform=self.training)


@dataclass(frozen=True, slots=True)
class Encoded:
    """Utterances after the encoder.

    Attributes:
        outputs: (token, size), one for each token read, packed.
        vectors: (utterance, size), each direction's last state.
        positions: (utterance, time) int64, where a token stands in `outputs`, -1 behind an end.
    """

    outputs: Tensor
    vectors: Tensor
    positions: Tensor


class UtteranceEncoder(nn.Module):
    """A recurrent stack over the tokens of an utterance; it reads at most `max_tokens` of them.

    Args:
        settings: its cell, layers and directions, and the sizes of a token and of an output.
        max_tokens: the longest utterance that is read to its end, in tokens, the end token counted.
    """

    def __init__(self, settings: EncoderSettings, max_tokens: int):
        super().__init__()
        self.max_tokens = max_tokens
        self.rnn = Stack(settings.encoder_stack(), settings.embedding_size, settings.hidden_size)
        self.output_size = self.rnn.output_size

    def forward(
        self, table: TokenTable, utterances: Utterances, generator: torch.Generator | None = None
    ) -> Encoded:
        """Encodes rows of tokens; a row of length 0 gets a vector of zeros."""
        read = utterances.cut(self.max_tokens)
        packing = Packing.of(read.lengths, read.tokens.device)
        outputs = self.rnn(table.embed(packing.pack(read.tokens), generator), packing, generator=generator)
        return Encoded(outputs, self.rnn.ends(outputs, packing), packing.table())


def generators_noise(generators: Sequence[torch.Generator], size: int, like: Tensor) -> Tensor:
    """Returns standard normal draws (generator, size), each row from its own generator on the CPU.

    Raises:
        UsageError: there is not one generator for each row of `like`; fewer would share a draw unseen.
    """
    if len(generators) != len(like):
        raise UsageError(f"{len(generators)} generators for {len(like)} replies; give one for each reply")
    rows: list[Any] = [torch.randn(size, generator=generator) for generator in generators]
    return torch.stack(rows).to(device=like.device, dtype=like.dtype)
