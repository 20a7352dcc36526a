"""How a decoder scores each reply under many latents at once, for bounds by sampling.

All rows of a step, (reply, sample), go through one product; whatever does not depend on z is computed once a
reply: the tokens' part of the gates, the context's part of the first state and of the constant gates, the
keys. Luong's W_c [c_t; h_t] is W_cs c_t + W_ch h_t, and c_t a weighted sum, so W_cs meets each source token
once and attention sums what it made. Nothing is kept of a step: memory depends on the rows, not on lengths.

| name | what |
|---|---|
| `sampled_replies` | the replies of a batch, ready to be scored; `PlainReplies` for plain GRU decoders, as above |
| `RunReplies` | the same for any other decoder: it runs anew for each sample |
| `chunks` | which replies, and how many samples of each, are scored together |
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from dialog.layers.attention import attend
from dialog.layers.gru import GRULayer
from dialog.layers.normaliser import token_nll
from dialog.layers.packing import rows_or_zero
from dialog.models.decoder import Memory, Replies, ReplyDecoder, Source
from dialog.models.parts import TokenTable
from dialog.text.batches import BOS, Utterances

__all__ = ["PlainReplies", "RunReplies", "chunks", "sampled_replies"]

_ROWS = {"cpu": 2_048}
_ROWS_ELSEWHERE = 16_384
"""Rows that are scored together at most; products of fewer are slower."""


def chunks(lengths: Tensor, num_samples: int, device: torch.device) -> Iterator[tuple[Tensor, int]]:
    """Cuts replies and samples into parts that are scored together.

    Args:
        lengths: (reply,) tokens of each.
        num_samples: of each reply.
        device: that the rows are on.

    Yields:
        Replies (part,) int64 of like length, longest first, and a number of samples of each; over all parts
        `num_samples` for each reply.
    """
    most = _ROWS.get(device.type, _ROWS_ELSEWHERE)
    parts = -(-num_samples // most)
    order = torch.argsort(lengths, descending=True, stable=True)
    for part in range(parts):
        samples = num_samples * (part + 1) // parts - num_samples * part // parts
        for replies in order.split(max(1, most // samples)):
            yield replies, samples


@dataclass(frozen=True, slots=True)
class PlainReplies:
    """The replies of a batch, ready to be scored under any latents by a plain GRU decoder.

    Attributes:
        table: the token table.
        decoder: gets [context; z] at the start and at every step.
        utterances: the replies.
        contexts: (reply, context).
        keys: (token, hidden), W_a s of the tokens that are attended over.
        values: (token, embedding), W_cs s of the same tokens.
        positions: (reply, source_time) int64 into both, -1 where there is nothing.
    """

    table: TokenTable
    decoder: ReplyDecoder
    utterances: Utterances
    contexts: Tensor
    keys: Tensor
    values: Tensor
    positions: Tensor

    @staticmethod
    def of(
        table: TokenTable, decoder: ReplyDecoder, utterances: Utterances, contexts: Tensor, memory: Memory
    ) -> "PlainReplies":
        """Computes what the samples share."""
        summary_weight = decoder.combine.weight[:, : memory.values.shape[1]]
        values = functional.linear(memory.values, summary_weight)
        keys = decoder.source(memory).key
        return PlainReplies(table, decoder, utterances, contexts, keys, values, memory.positions)

    def nll(self, replies: Tensor, latents: Tensor) -> Tensor:
        """Scores some replies, teacher-forced, without dropout.

        Args:
            replies: (part,) int64 on the CPU, longest first.
            latents: (part, sample, latent).

        Returns:
            (part, sample) float64, nats of each reply's tokens.
        """
        count, samples = latents.shape[:2]
        chosen = self.utterances.select(replies)
        inputs = torch.cat([torch.full_like(chosen.tokens[:, :1], BOS), chosen.tokens[:, :-1]], dim=1)
        sources = self.positions[replies.to(self.positions.device)]
        sources = sources[:, (sources >= 0).any(0)]
        keys, values = rows_or_zero(self.keys, sources), rows_or_zero(self.values, sources)
        mask = sources >= 0
        running = (torch.arange(inputs.shape[1])[:, None] < chosen.lengths).sum(1).tolist()  # at each time
        hidden, steps = self._begin(self.contexts[replies.to(self.contexts.device)], latents)
        total = torch.zeros(count, samples, dtype=torch.float64, device=latents.device)
        for time, rows in enumerate(running):
            tokens = self.table.weight[inputs[:rows, time]]
            below: Tensor | None = None
            for layer, step in enumerate(steps):
                hidden[layer] = below = step.run(tokens, below, hidden[layer][: rows * samples])
            assert below is not None
            summary, _ = attend(below.view(rows, samples, -1), keys[:rows], values[:rows], mask[:rows])
            features = self._features(below, summary.flatten(0, 1))
            targets = chosen.tokens[:rows, time, None].expand(-1, samples).flatten()
            total[:rows] += token_nll(features, self.table.weight, targets).view(rows, samples)
        return total

    def _begin(self, contexts: Tensor, latents: Tensor) -> tuple[list[Tensor], list["_Step"]]:
        """Returns for each layer the first state (row, hidden) and its step."""
        samples, decoder = latents.shape[1], self.decoder
        levels: Any = decoder.rnn.layers  # of one direction each
        layers: list[GRULayer] = [level[0] for level in levels]
        first = _of_both(contexts, latents, decoder.initial.weight, decoder.initial.bias).tanh_()
        hidden = [state.contiguous() for state in first.split(decoder.hidden_size, dim=1)]
        constant_weight = layers[0].weight_input[:, layers[0].input_size :]
        constant = _of_both(contexts, latents, constant_weight, layers[0].bias_input)
        steps = [
            _Step(layer, samples, constant if index == 0 else None) for index, layer in enumerate(layers)
        ]
        return hidden, steps

    def _features(self, output: Tensor, summary: Tensor) -> Tensor:
        """Returns tanh(W_cs c + W_ch h + b), where `summary` is W_cs c already."""
        combine = self.decoder.combine
        weight = combine.weight[:, -output.shape[1] :]
        return torch.addmm(combine.bias, output, weight.t()).add_(summary).tanh_()


@dataclass(frozen=True, slots=True)
class RunReplies:
    """The replies of a batch, ready to be scored under any latents by any decoder.

    Attributes:
        table: the token table.
        decoder: gets [context; z] at the start and at every step.
        utterances: the replies.
        contexts: (reply, context).
        source: what they attend over.
    """

    table: TokenTable
    decoder: ReplyDecoder
    utterances: Utterances
    contexts: Tensor
    source: Source

    def nll(self, replies: Tensor, latents: Tensor) -> Tensor:
        """See `PlainReplies.nll`."""
        count, samples = latents.shape[:2]
        rows = replies.repeat_interleave(samples)
        here = rows.to(self.contexts.device)
        laid_out = Replies.of(self.utterances.select(rows))
        condition = torch.cat([self.contexts[here], latents.flatten(0, 1).to(self.contexts)], dim=1)
        source = Source(self.source.key, self.source.value, self.source.positions[here])
        embedded = functional.embedding(laid_out.inputs, self.table.weight)
        was_training = self.decoder.training
        self.decoder.eval()
        try:
            decoded = self.decoder.run(embedded, laid_out.packing, condition, source)
        finally:
            self.decoder.train(was_training)
        nll = token_nll(decoded.features, self.table.weight, laid_out.targets)
        return laid_out.packing.sum_rows(nll.double()).view(count, samples)


def sampled_replies(
    table: TokenTable, decoder: ReplyDecoder, utterances: Utterances, contexts: Tensor, memory: Memory
) -> PlainReplies | RunReplies:
    """Returns what scores `utterances` under latents, the fastest for the decoder; its `nll` does."""
    if decoder.is_plain:
        return PlainReplies.of(table, decoder, utterances, contexts, memory)
    return RunReplies(table, decoder, utterances, contexts, decoder.source(memory))


def _of_both(contexts: Tensor, latents: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Returns W [c; z] + b (reply * sample, size), the context's part computed once a reply."""
    size = contexts.shape[1]
    shared = functional.linear(contexts, weight[:, :size], bias)
    own = functional.linear(latents.to(contexts.dtype), weight[:, size:])  # (reply, sample, size)
    return own.add_(shared[:, None]).flatten(0, 1)


class _Step:
    """One layer's step for rows (reply, sample), of which a reply's samples read the same token.

    Args:
        layer: the layer.
        samples: rows of a reply.
        constant: (row, 3 * hidden), the gates' part that stays, for the first layer alone.
    """

    def __init__(self, layer: GRULayer, samples: int, constant: Tensor | None) -> None:
        self._layer, self._samples = layer, samples
        size = layer.hidden_size
        self._candidate_bias = layer.bias_hidden[2 * size :]
        self._switch_bias = layer.bias_hidden[: 2 * size]
        self._constant = None
        if constant is not None:
            self._constant = constant[:, : 2 * size] + self._switch_bias, constant[:, 2 * size :].contiguous()

    def run(self, tokens: Tensor, below: Tensor | None, hidden: Tensor) -> Tensor:
        """Returns h_t (row, hidden).

        Args:
            tokens: (reply, embedding), what the first layer reads.
            below: (row, hidden), what a further layer reads.
            hidden: (row, hidden), h_{t-1}.
        """
        layer, size, rows = self._layer, self._layer.hidden_size, len(hidden)
        switch_weight, candidate_weight = layer.weight_hidden[: 2 * size], layer.weight_hidden[2 * size :]
        recurrent = torch.addmm(self._candidate_bias, hidden, candidate_weight.t())
        if self._constant is None:
            assert below is not None
            gates = functional.linear(below, layer.weight_input, layer.bias_input)
            switches = torch.addmm(gates[:, : 2 * size], hidden, switch_weight.t()).add_(self._switch_bias)
            candidate = gates[:, 2 * size :]
        else:
            gates = functional.linear(tokens, layer.weight_input[:, : layer.input_size])
            switches = torch.addmm(self._constant[0][:rows], hidden, switch_weight.t())
            self._each_sample(switches).add_(gates[:, None, : 2 * size])
            candidate = self._constant[1][:rows].clone()
            self._each_sample(candidate).add_(gates[:, None, 2 * size :])
        switches.sigmoid_()
        candidate = candidate.addcmul_(switches[:, :size], recurrent).tanh_()
        return torch.lerp(candidate, hidden, switches[:, size:])

    def _each_sample(self, rows: Tensor) -> Tensor:
        return rows.view(-1, self._samples, rows.shape[1])
