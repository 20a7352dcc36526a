"""The reply decoder: a recurrent stack that attends over what was said, a token at a time or all at once.

Tokens are handled packed (see `layers.packing`); only attention pads, within groups of replies of like length.

| name | what |
|---|---|
| `Memory` | what a reply may look at: encoded tokens or turns |
| `Source` | the same after attention's own products, computed once |
| `Replies` | targets as the decoder takes them |
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from dialog.layers.attention import (
    Attention,
    GeneralAttention,
    HierarchicalAttention,
    make_attention,
    make_hierarchical_attention,
)
from dialog.layers.dropout import dropout, keep_mask
from dialog.layers.gru import GRULayer
from dialog.layers.packing import Packing, rows_or_zero
from dialog.layers.stack import Stack
from dialog.models.base import DecoderState
from dialog.models.options import RecurrentSettings
from dialog.text.batches import BOS, UNK, Utterances

__all__ = ["Decoded", "Memory", "RecurrentDecoderState", "Replies", "ReplyDecoder", "Source"]


@dataclass(frozen=True, slots=True)
class Memory:
    """What replies may attend over.

    Attributes:
        values: (place, size), encoded tokens of any utterances, or the utterances' vectors.
        positions: (reply, source_time) int64 into `values`, -1 where there is nothing; (reply, turn,
            source_time) where attention is over tokens and then over turns.
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
class Source:
    """What replies attend over, after attention's own products.

    Attributes:
        key: (place, key).
        value: (place, value).
        positions: as of `Memory`.
    """

    key: Tensor
    value: Tensor
    positions: Tensor


@dataclass(frozen=True, slots=True)
class Decoded:
    """What the decoder says of each target token.

    Attributes:
        features: (token, embedding), to be compared with the token table.
        choice_log_probability: (token,) of the place that hard attention drew, where REINFORCE trains it.
    """

    features: Tensor
    choice_log_probability: Tensor | None


@dataclass(frozen=True, slots=True)
class RecurrentDecoderState(DecoderState):
    """What a `ReplyDecoder` goes on from.

    Attributes:
        hidden: (row, layer, state) of the decoder.
        constant: (row, size), what the decoder is given at every step, or None.
        constant_gates: (row, gates), the product of `constant`, computed once a reply.
        key: (row, source_time, key), what attention compares with; (row, turn, source_time, key) over tokens
            and then turns, as are the following.
        value: (row, source_time, value), what attention sums.
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

    def source(self) -> Source:
        """Returns what the replies attend over, for all their steps at once."""
        places = torch.arange(self.mask.numel(), device=self.mask.device).view(self.mask.shape)
        flat = self.mask.dim() - 1
        return Source(
            self.key.flatten(0, flat), self.value.flatten(0, flat), torch.where(self.mask, places, -1)
        )


class ReplyDecoder(nn.Module):
    """A recurrent stack that attends over a memory; nothing of what it finds is fed back to the layer that asks.

        h_t = RNN([y_{t-1}; c], h_{t-1}),   s_t = attend(h_t, memory),   f_t = tanh(W_c [s_t; h_t])

    Where the bottom layer asks (Wu et al. 2016, section 3), s_t is an input of all layers above it, and h_t is
    the top layer's.

    Args:
        settings: its cell, layers and attention, and the sizes of a token and of a state.
        condition_size: size of the vector c that the first state is computed from.
        memory_size: size of a memory value; 0 for a decoder that has nothing to look at.
        at_every_step: whether that vector is an input at every step, too.
        over_turns: whether attention is over tokens and then over turns.
    """

    def __init__(
        self,
        settings: RecurrentSettings,
        condition_size: int,
        memory_size: int,
        at_every_step: bool,
        over_turns: bool = False,
    ):
        super().__init__()
        self.at_every_step, self.dropout_rate = at_every_step, settings.dropout
        self.hidden_size, self.num_layers = settings.hidden_size, settings.decoder_layers
        options, attention = settings.decoder_stack(), settings.attention_options()
        attends = attention.kind != "none" and memory_size > 0
        self.asks_below = attends and settings.asks_below
        self.attention: Attention | HierarchicalAttention | None = None
        if attends:
            make = make_hierarchical_attention if over_turns else make_attention
            self.attention = make(attention, self.hidden_size, memory_size)
        summary_size = self.attention.summary_size if self.attention is not None else 0
        constant_size = condition_size if at_every_step else 0
        sizes = settings.embedding_size, self.hidden_size
        first = replace(options, num_layers=1) if self.asks_below else options
        self.rnn = Stack(first, *sizes, constant_size)
        self.upper: Stack | None = None
        if self.asks_below:
            above = replace(options, num_layers=self.num_layers - 1, first_number=2)
            self.upper = Stack(above, self.hidden_size, self.hidden_size, side_size=summary_size)
        self.initial = nn.Linear(condition_size, self.num_layers * self.rnn.first().initial_size)
        self.combine = nn.Linear(summary_size + self.hidden_size, settings.embedding_size)  # W_c
        self.step_combine: nn.Module | None = None
        """What computes W_c in a step instead; see `models.int8`."""

    @property
    def is_plain(self) -> bool:
        """Whether it is GRU layers without anything between them under Luong's attention of the top layer.

        What is written for speed alone (`models.int8`, `models.sampled`, `decoding.single_row`) is for these.
        """
        cells = [layer for level in self.rnn.layers for layer in level]  # type: ignore[attr-defined]
        return (
            not self.asks_below
            and type(self.attention) is GeneralAttention
            and all(type(cell) is GRULayer and cell.state_size == cell.hidden_size for cell in cells)
            and not self.rnn.options.layer_norm
            and not self.rnn.options.has_residual
        )

    def first_hidden(self, condition: Tensor) -> Tensor:
        """Returns the first state (row, layer, state) for conditions (row, condition)."""
        start = torch.tanh(self.initial(condition)).view(len(condition), self.num_layers, -1)
        earlier = self.rnn.state_size - start.shape[2]  # of steps before the first: zeros
        return nn.functional.pad(start, (0, earlier)) if earlier else start

    def source(self, memory: Memory) -> Source:
        """Computes what attention needs of a memory once, whatever asks later."""
        if self.attention is None:
            nothing = memory.values[:, :0]
            return Source(nothing, nothing, memory.positions[:, :0])
        return Source(*self.attention.project(memory.values), memory.positions)

    def begin(
        self, condition: Tensor, memory: Memory, latents: Tensor | None = None
    ) -> RecurrentDecoderState:
        """Starts a reply for each row of `condition` (row, condition)."""
        source = self.source(memory)
        constant = condition if self.at_every_step else None
        gates = self.rnn.first().project_constant(condition) if self.at_every_step else None
        return RecurrentDecoderState(
            self.first_hidden(condition),
            constant,
            gates,
            rows_or_zero(source.key, source.positions),
            rows_or_zero(source.value, source.positions),
            source.positions >= 0,
            latents,
        )

    def step(self, embedded: Tensor, state: RecurrentDecoderState) -> tuple[Tensor, RecurrentDecoderState]:
        """Reads one embedded token (row, size); returns features (row, size) and the new state."""
        own = state.hidden[:, : self.rnn.num_layers]
        output, hidden = self.rnn.step(embedded, own, state.constant_gates)
        summary = weights = None
        if self.attention is not None:
            attended = self.attention(output[:, None], state.key, state.value, state.mask)
            summary, weights = attended.summary[:, 0], attended.weights[:, 0]
        if self.upper is not None:
            output, above = self.upper.step(output, state.hidden[:, 1:], side=summary)
            hidden = torch.cat([hidden, above], dim=1)
        combine = self.combine if self.step_combine is None else self.step_combine
        features = torch.tanh(combine(output if summary is None else torch.cat([summary, output], dim=1)))
        return features, replace(state, hidden=hidden, attention=weights)

    def run(
        self,
        embedded: Tensor,
        packing: Packing,
        condition: Tensor,
        source: Source,
        generator: torch.Generator | None = None,
        hidden: Tensor | None = None,
    ) -> Decoded:
        """Decodes whole targets, teacher-forced, all steps at once.

        Args:
            embedded: (token, size), the packed inputs.
            packing: of the targets.
            condition: (reply, condition); ignored after the first state unless given at every step.
            source: what each reply may look at.
            generator: draws dropout and the places of hard attention, in training.
            hidden: (reply, layer, state) to start from instead of the state of `condition`.
        """
        first = self.first_hidden(condition) if hidden is None else hidden
        constant = condition if self.at_every_step else None
        own = first[:, : self.rnn.num_layers]
        output = self.rnn(embedded, packing, own, constant, generator)
        summary = choice = None
        if self.attention is not None:
            summary, choice = self._attend_groups(output, packing, source, generator)
        if self.upper is not None:
            output = self.upper(output, packing, first[:, 1:], generator=generator, side=summary)
        features = torch.tanh(
            self.combine(output if summary is None else torch.cat([summary, output], dim=1))
        )
        return Decoded(dropout(features, self.dropout_rate, generator, self.training), choice)

    def _attend_groups(
        self, outputs: Tensor, packing: Packing, source: Source, generator: torch.Generator | None
    ) -> tuple[Tensor, Tensor | None]:
        """Returns the summary (token, value) of each packed output, and the log-probability of hard choices."""
        assert self.attention is not None
        table = packing.table()  # (reply, time)
        summaries, choices, places = [], [], []
        for rows in _groups(packing, source.positions.device):
            times, sources = table[rows], _trimmed(source.positions[rows])
            times = times[:, : int((times >= 0).sum(1).max())]
            attended = self.attention(
                rows_or_zero(outputs, times),
                rows_or_zero(source.key, sources),
                rows_or_zero(source.value, sources),
                sources >= 0,
                generator,
            )
            real = times >= 0
            summaries.append(attended.summary[real])
            places.append(times[real])
            if attended.choice_log_probability is not None:
                choices.append(attended.choice_log_probability[real])
        back = torch.argsort(torch.cat(places))
        return torch.cat(summaries)[back], torch.cat(choices)[back] if choices else None


def _trimmed(positions: Tensor) -> Tensor:
    """Returns positions (row, …, source_time) without the times that no row has."""
    return positions[..., (positions >= 0).flatten(0, -2).any(0)]


def _groups(packing: Packing, device: torch.device) -> Sequence[Tensor]:
    """Cuts the rows, longest first, into groups that differ little in length, to be padded together."""
    if device.type != "cpu":
        return (packing.order,)
    groups: Sequence[Tensor] = packing.order.split(max(8, -(-len(packing.order) // 8)))
    return groups
