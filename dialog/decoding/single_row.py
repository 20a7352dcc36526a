"""One reply alone, decoded by NumPy: the same sums as the model's `step`, at the pace of reading the weights.

A single row is a chain of small matrix-vector products. torch takes some microseconds for each operation, and
its product of one row with the token table reads memory at a third of the machine's rate; NumPy's BLAS reads
it at the full rate, and an elementwise operation costs it half a microsecond. What it takes:

- on the CPU, in float32, a model whose decoder is a plain `ReplyDecoder`, GRU layers under Luong's attention
  (`single_row_of` says None for others, and for one that decodes in int8);
- W_i y, the product of each token's embedding with the first layer's input weights, is looked up: it is
  computed once for all tokens (vocabulary x 3 hidden numbers, 37 MB at a vocabulary of 8,000 and hidden 384).

Results differ from `step` by rounding only, as those of another batch size do; a test holds both together.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dialog.layers.gru import GRULayer
from dialog.models.base import DecoderState, ReplyModel
from dialog.models.decoder import RecurrentDecoderState, ReplyDecoder
from dialog.models.parts import TokenTable

__all__ = ["SingleRow", "SingleRowWeights", "single_row_of"]

_Array = NDArray[np.float32]


def single_row_of(model: ReplyModel) -> "SingleRowWeights | None":
    """Returns what decodes a single row of `model`, or None if the model is not of the kind that it takes."""
    decoder, table = getattr(model, "decoder", None), getattr(model, "table", None)
    if type(decoder) is not ReplyDecoder or type(table) is not TokenTable:
        return None
    if table.step_product is not None or not decoder.is_plain:
        return None
    if any(w.dtype != torch.float32 or w.device.type != "cpu" for w in (*decoder.parameters(), table.weight)):
        return None
    return SingleRowWeights(table, decoder)


class _Layer:
    """A GRU layer's weights as arrays; they share memory with the model's.

    Args:
        layer: the layer.
    """

    def __init__(self, layer: GRULayer) -> None:
        self.size = layer.hidden_size
        self.input = _array(layer.weight_input)[:, : layer.input_size]
        self.hidden = _array(layer.weight_hidden)
        self.input_bias = _array(layer.bias_input)
        self.hidden_bias = _array(layer.bias_hidden)

    def step(self, gates: _Array, hidden: _Array) -> _Array:
        """Returns h_t (hidden,) for `gates` (3 hidden,), W_i x + b_i, which is overwritten; see `layers.gru`."""
        size = self.size
        recurrent = self.hidden @ hidden
        recurrent += self.hidden_bias
        switches = gates[: 2 * size]
        switches += recurrent[: 2 * size]
        _sigmoid(switches)
        candidate = recurrent[2 * size :]
        candidate *= switches[:size]
        candidate += gates[2 * size :]
        np.tanh(candidate, out=candidate)
        new: _Array = hidden - candidate
        new *= switches[size:]
        new += candidate
        return new


class SingleRowWeights:
    """A model's decoder and output layer, for `SingleRow`.

    Args:
        table: the token table.
        decoder: the decoder; both in float32 on the CPU.
    """

    def __init__(self, table: TokenTable, decoder: ReplyDecoder) -> None:
        with torch.inference_mode():
            first, *further = [_only(level) for level in decoder.rnn.layers]
            own = first.weight_input[:, : first.input_size]
            self.token_gates = _array(torch.addmm(first.bias_input, table.weight, own.t()))
        self.layers: Sequence[_Layer] = [_Layer(layer) for layer in (first, *further)]
        self.table = _array(table.weight)
        self.combine, self.combine_bias = _array(decoder.combine.weight), _array(decoder.combine.bias)

    def begin(self, state: DecoderState) -> "SingleRow":
        """Takes a reply over from a state of one row, at its start or under way."""
        return SingleRow(self, state)


class SingleRow:
    """A reply under way.

    Args:
        weights: the model's.
        state: of one row.
    """

    def __init__(self, weights: SingleRowWeights, state: DecoderState) -> None:
        assert isinstance(state, RecurrentDecoderState)
        assert state.num_rows == 1, f"a state of {state.num_rows} rows"
        self._weights, self._state = weights, state
        real = state.mask[0]
        self._key, self._value = _array(state.key[0, real]), _array(state.value[0, real].t().contiguous())
        self._constant = None if state.constant_gates is None else _array(state.constant_gates[0])
        self._hidden = list(_array(state.hidden[0]))
        self._attention: _Array | None = None
        self._features = np.empty(self._value.shape[0] + len(self._hidden[-1]), np.float32)

    def step(self, token: int) -> _Array:
        """Reads a token; returns the next one's logits (vocabulary,), the caller's to change."""
        weights = self._weights
        gates = weights.token_gates[token]
        gates = gates.copy() if self._constant is None else gates + self._constant
        for index, layer in enumerate(weights.layers):
            if index:
                gates = layer.input @ self._hidden[index - 1]
                gates += layer.input_bias
            self._hidden[index] = layer.step(gates, self._hidden[index])
        features = weights.combine @ self._attend(self._hidden[-1])
        features += weights.combine_bias
        np.tanh(features, out=features)
        logits: _Array = weights.table @ features
        return logits

    def _attend(self, output: _Array) -> _Array:
        """Returns [summary; output]; see `layers.attention`."""
        size, features = self._value.shape[0], self._features
        features[size:] = output
        if not len(self._key):
            features[:size] = 0.0
            self._attention = np.zeros(0, np.float32)
            return features
        shares = self._key @ output
        shares -= shares.max()
        np.exp(shares, out=shares)
        shares /= shares.sum()
        self._attention = shares
        np.dot(self._value, shares, out=features[:size])
        return features

    def state(self) -> DecoderState:
        """Returns the state after the last token, for decoding on beside others."""
        start = self._state
        attention = start.attention
        if self._attention is not None:
            attention = start.mask.new_zeros(start.mask.shape, dtype=torch.float32)
            attention[start.mask] = torch.from_numpy(self._attention)
        return RecurrentDecoderState(
            torch.from_numpy(np.stack(self._hidden))[None],
            start.constant,
            start.constant_gates,
            start.key,
            start.value,
            start.mask,
            start.latents,
            attention,
        )


def _sigmoid(values: _Array) -> None:
    values *= np.float32(0.5)  # sigmoid(x) = (1 + tanh(x / 2)) / 2, which overflows nowhere
    np.tanh(values, out=values)
    values += np.float32(1.0)
    values *= np.float32(0.5)


def _only(level: Any) -> GRULayer:
    (layer,) = level
    assert isinstance(layer, GRULayer)
    return layer


def _array(tensor: torch.Tensor) -> _Array:
    return tensor.detach().numpy()
