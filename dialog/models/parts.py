"""What the models are composed of: token table, utterance encoder, hierarchical context, reply decoder.

Tokens are handled packed (see `layers.packing`): no part computes anything for padding but attention,
which pads within groups of replies of like length.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from dialog.errors import UsageError
from dialog.layers.attention import attend
from dialog.layers.dropout import dropout, keep_mask
from dialog.layers.gru import GRU
from dialog.layers.output import token_losses
from dialog.layers.packing import Packing
from dialog.models.base import DecoderState
from dialog.text.batches import BOS, UNK, Utterances

__all__ = [
    "Encoded",
    "Memory",
    "RecurrentDecoderState",
    "Replies",
    "ReplyDecoder",
    "TokenTable",
    "UtteranceEncoder",
    "rows_or_zero",
]


def rows_or_zero(values: Tensor, positions: Tensor) -> Tensor:
    """Returns `values` (token, size) at `positions` (any shape), zeros where a position is -1."""
    padded = torch.cat([values.new_zeros(1, values.shape[1]), values])
    return functional.embedding(positions + 1, padded)  # its gradient is faster than that of indexing


class TokenTable(nn.Module):
    """The embedding, and the output layer that is tied to it.

    Args:
        vocab_size: number of tokens.
        size: size of a token's vector.
        dropout_rate: share of the values of embedded tokens that is dropped.
    """

    def __init__(self, vocab_size: int, size: int, dropout_rate: float):
        super().__init__()
        self.dropout_rate = dropout_rate
        self.weight = nn.Parameter(torch.empty(vocab_size, size).normal_(std=0.1))
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
    """A bidirectional GRU over the tokens of an utterance; it reads at most `max_tokens` of them.

    Args:
        embedding_size: size of an embedded token.
        hidden_size: size of an output; half of it for each direction.
        num_layers: 1 or more.
        max_tokens: the longest utterance that is read to its end, in tokens, the end token counted.
        dropout_rate: between layers.
    """

    def __init__(
        self, embedding_size: int, hidden_size: int, num_layers: int, max_tokens: int, dropout_rate: float
    ):
        super().__init__()
        self.max_tokens = max_tokens
        self.rnn = GRU(
            embedding_size, hidden_size // 2, num_layers, bidirectional=True, dropout_rate=dropout_rate
        )
        self.output_size = self.rnn.output_size

    def forward(
        self, table: TokenTable, utterances: Utterances, generator: torch.Generator | None = None
    ) -> Encoded:
        """Encodes rows of tokens; a row of length 0 gets a vector of zeros."""
        read = utterances.cut(self.max_tokens)
        packing = Packing.of(read.lengths, read.tokens.device)
        outputs = self.rnn(table.embed(packing.pack(read.tokens), generator), packing, generator=generator)
        positions = packing.table()
        lengths = packing.lengths.to(positions.device)
        if positions.shape[1] == 0:
            return Encoded(outputs, outputs.new_zeros(len(utterances), self.output_size), positions)
        last = positions.gather(1, (lengths - 1).clamp(min=0)[:, None])[:, 0]
        half = self.output_size // 2  # forwards the last state stands at the end, backwards at the start
        ends = rows_or_zero(outputs[:, :half], last), rows_or_zero(outputs[:, half:], positions[:, 0])
        return Encoded(outputs, torch.cat(ends, dim=1), positions)


@dataclass(frozen=True, slots=True)
class Memory:
    """What replies may attend over.

    Attributes:
        values: (token, size), encoded tokens of any utterances.
        positions: (reply, source_time) int64 into `values`, -1 where there is nothing.
    """

    values: Tensor
    positions: Tensor


@dataclass(frozen=True, slots=True)
class Replies:
    """Target utterances as the decoder takes them.

    Attributes:
        packing: of the targets.
        inputs: (token,) int64, each target token's predecessor, the start token first.
        targets: (token,) int64.
        num_tokens: (reply,) int64, on the targets' device.
    """

    packing: Packing
    inputs: Tensor
    targets: Tensor
    num_tokens: Tensor

    @staticmethod
    def of(utterances: Utterances) -> "Replies":
        """Lays target rows out for the decoder."""
        tokens = utterances.tokens
        packing = Packing.of(utterances.lengths, tokens.device)
        shifted = torch.cat([torch.full_like(tokens[:, :1], BOS), tokens[:, :-1]], dim=1)
        return Replies(
            packing, packing.pack(shifted), packing.pack(tokens), utterances.lengths.to(tokens.device)
        )

    def drop_words(self, rate: float, generator: torch.Generator) -> "Replies":
        """Returns the replies with a share `rate` of the input tokens unknown, each by its own coin."""
        kept = keep_mask(self.inputs.shape, rate, generator, self.inputs.device) | (self.inputs == BOS)
        inputs = torch.where(kept, self.inputs, torch.full_like(self.inputs, UNK))
        return Replies(self.packing, inputs, self.targets, self.num_tokens)


@dataclass(frozen=True, slots=True)
class RecurrentDecoderState(DecoderState):
    """What a `ReplyDecoder` goes on from.

    Attributes:
        hidden: (row, layer, hidden) of the decoder.
        constant: (row, size), what the decoder is given at every step, or None.
        constant_gates: (row, 3 * hidden), the product of `constant`, computed once a reply.
        key: (row, source_time, hidden), what attention compares with.
        value: (row, source_time, size), what attention sums.
        mask: (row, source_time), True is real.
        latents: (row, latent), the z of each reply, or None.
        attention: (row, source_time), the weights of the last step, or None before the first.
    """

    hidden: Tensor
    constant: Tensor | None
    constant_gates: Tensor | None
    key: Tensor
    value: Tensor
    mask: Tensor
    latents: Tensor | None = None
    attention: Tensor | None = None


class ReplyDecoder(nn.Module):
    """A GRU that attends over a memory by Luong's general form, without input feeding.

    Args:
        embedding_size: size of an embedded token, and of the features that meet the token table.
        hidden_size: size of the state.
        num_layers: 1 or more.
        condition_size: size of the vector that the first state is computed from.
        memory_size: size of a memory value.
        at_every_step: whether that vector is an input at every step, too.
        dropout_rate: of the features, and between layers.
    """

    def __init__(
        self,
        embedding_size: int,
        hidden_size: int,
        num_layers: int,
        condition_size: int,
        memory_size: int,
        at_every_step: bool,
        dropout_rate: float,
    ):
        super().__init__()
        self.hidden_size, self.num_layers = hidden_size, num_layers
        self.at_every_step, self.dropout_rate = at_every_step, dropout_rate
        self.initial = nn.Linear(condition_size, num_layers * hidden_size)
        self.rnn = GRU(
            embedding_size,
            hidden_size,
            num_layers,
            constant_size=condition_size if at_every_step else 0,
            dropout_rate=dropout_rate,
        )
        self.key = nn.Linear(memory_size, hidden_size, bias=False)  # W_a
        self.combine = nn.Linear(memory_size + hidden_size, embedding_size)  # W_c
        self.step_combine: nn.Module | None = None
        """What computes W_c in a step instead; see `models.int8`."""

    def first_hidden(self, condition: Tensor) -> Tensor:
        """Returns the first state (row, layer, hidden) for conditions (row, condition)."""
        return torch.tanh(self.initial(condition)).view(len(condition), self.num_layers, self.hidden_size)

    def begin(
        self, condition: Tensor, memory: Memory, latents: Tensor | None = None
    ) -> RecurrentDecoderState:
        """Starts a reply for each row of `condition` (row, condition)."""
        mask = memory.positions >= 0
        value = rows_or_zero(memory.values, memory.positions)
        constant = condition if self.at_every_step else None
        gates = self.rnn.first().project_constant(condition) if self.at_every_step else None
        hidden = self.first_hidden(condition)
        return RecurrentDecoderState(hidden, constant, gates, self.key(value), value, mask, latents)

    def step(self, embedded: Tensor, state: RecurrentDecoderState) -> tuple[Tensor, RecurrentDecoderState]:
        """Reads one embedded token (row, size); returns features (row, size) and the new state."""
        output, hidden = self.rnn.step(embedded, state.hidden, state.constant_gates)
        summary, weights = attend(output[:, None], state.key, state.value, state.mask)
        combine = self.combine if self.step_combine is None else self.step_combine
        features = torch.tanh(combine(torch.cat([summary[:, 0], output], dim=1)))
        return features, RecurrentDecoderState(
            hidden,
            state.constant,
            state.constant_gates,
            state.key,
            state.value,
            state.mask,
            state.latents,
            weights[:, 0],
        )

    def run(
        self,
        embedded: Tensor,
        packing: Packing,
        condition: Tensor,
        memory: Memory,
        generator: torch.Generator | None = None,
        hidden: Tensor | None = None,
    ) -> Tensor:
        """Decodes whole targets, teacher-forced, all steps at once.

        Args:
            embedded: (token, size), the packed inputs.
            packing: of the targets.
            condition: (reply, condition); ignored after the first state unless given at every step.
            memory: what each reply may look at.
            generator: draws dropout, in training.
            hidden: (reply, layer, hidden) to start from instead of the state of `condition`.

        Returns:
            Features (token, size), to be compared with the token table.
        """
        first = self.first_hidden(condition) if hidden is None else hidden
        outputs = self.rnn(embedded, packing, first, condition if self.at_every_step else None, generator)
        summary = self._attend_groups(outputs, packing, memory)
        features = self._features(summary, outputs)
        return dropout(features, self.dropout_rate, generator, self.training)

    def _features(self, summary: Tensor, output: Tensor) -> Tensor:
        return torch.tanh(self.combine(torch.cat([summary, output], dim=1)))

    def _attend_groups(self, outputs: Tensor, packing: Packing, memory: Memory) -> Tensor:
        """Returns the summary (token, memory) of each packed output."""
        keys = self.key(memory.values)
        table = packing.table()  # (reply, time)
        summaries, places = [], []
        for rows in _groups(packing, memory.positions.device):
            times, sources = table[rows], memory.positions[rows]
            times = times[:, : int((times >= 0).sum(1).max())]
            sources = sources[:, (sources >= 0).any(0)]
            summary, _ = attend(
                rows_or_zero(outputs, times),
                rows_or_zero(keys, sources),
                rows_or_zero(memory.values, sources),
                sources >= 0,
            )
            real = times >= 0
            summaries.append(summary[real])
            places.append(times[real])
        back = torch.argsort(torch.cat(places))
        return torch.cat(summaries)[back]


def _groups(packing: Packing, device: torch.device) -> Sequence[Tensor]:
    """Cuts the rows, longest first, into groups that differ little in length, to be padded together."""
    if device.type != "cpu":
        return (packing.order,)
    groups: Sequence[Tensor] = packing.order.split(max(8, -(-len(packing.order) // 8)))
    return groups


def generators_noise(generators: Sequence[torch.Generator], size: int, like: Tensor) -> Tensor:
    """Returns standard normal draws (generator, size), each row from its own generator on the CPU.

    Raises:
        UsageError: there is not one generator for each row of `like`; fewer would share a draw unseen.
    """
    if len(generators) != len(like):
        raise UsageError(f"{len(generators)} generators for {len(like)} replies; give one for each reply")
    rows: list[Any] = [torch.randn(size, generator=generator) for generator in generators]
    return torch.stack(rows).to(device=like.device, dtype=like.dtype)
