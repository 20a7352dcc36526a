"""The gated recurrent unit, over packed rows, one step at a time, and with an input that stays.

Cho et al. 2014, "Learning Phrase Representations using RNN Encoder-Decoder", in the form of cuDNN and
torch, where the reset gate acts after the recurrent product (the "v1" form of the paper's preprint):

    r_t = sigmoid(W_ir x_t + b_ir + W_hr h_{t-1} + b_hr)
    u_t = sigmoid(W_iz x_t + b_iz + W_hz h_{t-1} + b_hz)
    n_t = tanh(W_in x_t + b_in + r_t (W_hn h_{t-1} + b_hn))
    h_t = (1 - u_t) n_t + u_t h_{t-1}

An input that is the same at every time of a row (a context vector, a latent) is named `constant`: it
stands behind x_t in W_i's columns, and its product is computed once a row.

Why not `torch.nn.GRU` on the CPU: its backward pass computes a weight-gradient product for each time
step. `_Scan` keeps the gate gradients and computes one product for all steps, and it never touches
padding. On CUDA, and where no gradient is wanted, the layer calls torch's own with the same weights.

| paper | here |
|---|---|
| W_i, b_i | `weight_input`, `bias_input`, rows in the order r, u, n |
| W_h, b_h | `weight_hidden`, `bias_hidden` |
| r, u, n | `reset`, `update`, `candidate` |
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from dialog.layers.dropout import dropout
from dialog.layers.packing import Packing

__all__ = ["GRU", "GRULayer"]


class GRULayer(nn.Module):
    """One layer in one direction.

    Args:
        input_size: size of x_t.
        hidden_size: size of h_t.
        constant_size: size of the input that stays over a row; 0 for none.
        reverse: whether time runs from each row's end to its start.
    """

    def __init__(self, input_size: int, hidden_size: int, constant_size: int = 0, reverse: bool = False):
        super().__init__()
        self.input_size, self.hidden_size, self.reverse = input_size, hidden_size, reverse
        self.step_products: tuple[nn.Module, nn.Module] | None = None
        """What computes W_i x + b_i and W_h h + b_h of a step instead; see `models.int8`."""
        self.weight_input = nn.Parameter(torch.empty(3 * hidden_size, input_size + constant_size))
        self.weight_hidden = nn.Parameter(torch.empty(3 * hidden_size, hidden_size))
        self.bias_input = nn.Parameter(torch.zeros(3 * hidden_size))
        self.bias_hidden = nn.Parameter(torch.zeros(3 * hidden_size))
        nn.init.xavier_uniform_(self.weight_input)
        for gate in self.weight_hidden.data.split(hidden_size):
            nn.init.orthogonal_(gate)

    def project_constant(self, constant: Tensor) -> Tensor:
        """Returns what `constant` (row, size) adds to the gates: (row, 3 * hidden)."""
        return functional.linear(constant, self.weight_input[:, self.input_size :])

    def forward(
        self, inputs: Tensor, packing: Packing, initial: Tensor | None = None, constant: Tensor | None = None
    ) -> Tensor:
        """Runs over packed rows.

        Args:
            inputs: (token, input).
            packing: where each token stands.
            initial: (row, hidden), h_0; zeros if None.
            constant: (row, constant), if the layer takes one.

        Returns:
            (token, hidden).
        """
        if initial is None:
            initial = inputs.new_zeros(len(packing.lengths), self.hidden_size)
        if packing.num_tokens and _has_faster_fused(inputs):
            return self._fused(inputs, packing, initial, constant)
        gates = functional.linear(inputs, self.weight_input[:, : self.input_size], self.bias_input)
        if constant is not None:
            gates = gates + self.project_constant(constant)[packing.rows]
        outputs: Tensor = _Scan.apply(  # type: ignore[no-untyped-call]
            gates,
            initial[packing.order],
            self.weight_hidden,
            self.bias_hidden,
            packing.batch_sizes,
            self.reverse,
        )
        return outputs

    def _fused(self, inputs: Tensor, packing: Packing, initial: Tensor, constant: Tensor | None) -> Tensor:
        if constant is not None:
            inputs = torch.cat([inputs, constant.to(inputs.dtype)[packing.rows]], dim=1)
        rows = packing.batch_sizes[0]  # rows of length 0 stand last and have no output
        outputs, _ = run_fused(self, inputs, packing, initial[packing.order][:rows])
        return outputs

    def step(self, inputs: Tensor, hidden: Tensor, constant_gates: Tensor | None = None) -> Tensor:
        """One step.

        Args:
            inputs: (row, input), x_t.
            hidden: (row, hidden), h_{t-1}.
            constant_gates: (row, 3 * hidden) from `project_constant`.

        Returns:
            (row, hidden), h_t.
        """
        gates, recurrent = self._products(inputs, hidden)
        if constant_gates is not None:
            gates = gates + constant_gates
        size = self.hidden_size
        reset, update = torch.sigmoid(gates[:, : 2 * size] + recurrent[:, : 2 * size]).split(size, dim=1)
        candidate = torch.tanh(gates[:, 2 * size :] + reset * recurrent[:, 2 * size :])
        new: Tensor = candidate + update * (hidden - candidate)
        return new

    def _products(self, inputs: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        if self.step_products is not None:
            of_input, of_hidden = self.step_products
            return of_input(inputs), of_hidden(hidden)
        own = self.weight_input[:, : self.input_size]
        gates = functional.linear(inputs, own, self.bias_input)
        return gates, functional.linear(hidden, self.weight_hidden, self.bias_hidden)


def _has_faster_fused(inputs: Tensor) -> bool:
    """On CUDA always; on the CPU where nothing is kept for a backward pass, and in full precision."""
    return inputs.is_cuda or not (torch.is_grad_enabled() or torch.is_autocast_enabled("cpu"))


def run_fused(layer: GRULayer, inputs: Tensor, packing: Packing, initial: Tensor) -> tuple[Tensor, Tensor]:
    """Runs a layer by torch's own GRU (cuDNN on CUDA), inputs with the constant appended.

    Its reverse direction exists only beside a forward one, so rows are turned round instead.
    """
    turned = _turned(packing) if layer.reverse else None
    outputs, final = torch._VF.gru(
        inputs if turned is None else inputs[turned],
        torch.tensor(packing.batch_sizes),
        initial[None],
        [layer.weight_input, layer.weight_hidden, layer.bias_input, layer.bias_hidden],
        True,
        1,
        0.0,
        layer.training,
        False,
    )
    return (outputs if turned is None else outputs[turned]), final[0]


def _turned(packing: Packing) -> Tensor:
    """For each packed position the position of the same row counted from the row's other end."""
    lengths = packing.lengths.to(packing.rows.device)
    return packing.table()[packing.rows, lengths[packing.rows] - 1 - packing.times]


class GRU(nn.Module):
    """A stack of layers, one direction or both.

    Args:
        input_size: size of x_t.
        hidden_size: size of each direction's state.
        num_layers: 1 or more.
        bidirectional: for encoders; a layer's output is then both directions, side by side.
        constant_size: size of the input that stays over a row; it enters the first layer.
        dropout_rate: share of the values dropped between layers.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bidirectional: bool = False,
        constant_size: int = 0,
        dropout_rate: float = 0.0,
    ):
        super().__init__()
        self.num_layers, self.dropout_rate = num_layers, dropout_rate
        directions = 2 if bidirectional else 1
        self.output_size = directions * hidden_size
        self.layers = nn.ModuleList(
            nn.ModuleList(
                GRULayer(
                    self.output_size if layer else input_size,
                    hidden_size,
                    0 if layer else constant_size,
                    reverse=direction == 1,
                )
                for direction in range(directions)
            )
            for layer in range(num_layers)
        )

    def forward(
        self,
        inputs: Tensor,
        packing: Packing,
        initial: Tensor | None = None,
        constant: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Runs over packed rows.

        Args:
            inputs: (token, input).
            packing: where each token stands.
            initial: (row, layer, hidden) for one direction; zeros if None.
            constant: (row, constant) for the first layer.
            generator: draws the dropout between layers, in training.

        Returns:
            (token, output) of the last layer.
        """
        outputs = inputs
        for index in range(len(self.layers)):
            if index:
                outputs = dropout(outputs, self.dropout_rate, generator, self.training)
            start = None if initial is None else initial[:, index]
            given = constant if index == 0 else None
            outputs = torch.cat(
                [layer(outputs, packing, start, given) for layer in self._level(index)], dim=1
            )
        return outputs

    def step(
        self, inputs: Tensor, hidden: Tensor, constant_gates: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """One step of a stack in one direction.

        Args:
            inputs: (row, input).
            hidden: (row, layer, hidden).
            constant_gates: (row, 3 * hidden) for the first layer.

        Returns:
            The last layer's output (row, hidden), and the new hidden (row, layer, hidden).
        """
        output, states = inputs, []
        for index in range(len(self.layers)):
            (layer,) = self._level(index)
            output = layer.step(output, hidden[:, index], constant_gates if index == 0 else None)
            states.append(output)
        return output, torch.stack(states, dim=1)

    def first(self) -> GRULayer:
        """Returns the first forward layer, the one that takes the constant."""
        return self._level(0)[0]

    def _level(self, index: int) -> list[GRULayer]:
        level: Any = self.layers[index]
        return list(level)


class _Scan(torch.autograd.Function):
    """h_1 … h_T from the input gates, over packed rows, with one weight-gradient product for all steps."""

    @staticmethod
    def forward(
        run: Any,
        gates: Tensor,
        initial: Tensor,
        weight: Tensor,
        bias: Tensor,
        batch_sizes: tuple[int, ...],
        reverse: bool,
    ) -> Tensor:
        """`gates` (token, 3 * hidden) with W_i x + b_i; `initial` (row, hidden), longest row first."""
        size = initial.shape[1]
        # Half precision is for the products only: states and gates stay in the states' own precision.
        product_type = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else weight.dtype
        product_weight = weight.to(product_type).t()
        gates, initial, bias = gates.to(weight.dtype), initial.to(weight.dtype), bias.to(weight.dtype)
        outputs = gates.new_empty(len(gates), size)
        before = torch.empty_like(outputs)  # h_{t-1} of each token
        recurrent = gates.new_empty(len(gates), size)  # W_hn h_{t-1} + b_hn
        # The recurrent biases of reset and update are added to all tokens at once.
        switches = gates[:, : 2 * size] + bias[: 2 * size]
        candidates = gates[:, 2 * size :].clone()
        blocks = _blocks(batch_sizes, reverse)
        for block, previous in blocks:
            hidden = before[block]
            _carry(outputs, initial, previous, hidden)
            products = (hidden.to(product_type) @ product_weight).to(weight.dtype)
            switches[block].add_(products[:, : 2 * size]).sigmoid_()
            torch.add(products[:, 2 * size :], bias[2 * size :], out=recurrent[block])
            candidates[block].addcmul_(switches[block, :size], recurrent[block]).tanh_()
            torch.lerp(candidates[block], hidden, switches[block, size:], out=outputs[block])
        run.save_for_backward(switches, candidates, recurrent, before, weight)
        run.blocks, run.num_rows, run.product_type = blocks, len(initial), product_type
        return outputs

    @staticmethod
    def backward(run: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Back-propagation through time; the chain's factors are computed for all tokens at once."""
        switches, candidates, recurrent, before, weight = run.saved_tensors
        size = before.shape[1]
        reset, update = switches[:, :size], switches[:, size:]
        to_candidate = (1 - update) * (1 - candidates * candidates)
        to_update = (before - candidates) * update * (1 - update)
        to_reset = recurrent * reset * (1 - reset)
        # Gradients of (reset, update, W_hn h + b_hn); the candidate's own is kept apart.
        inner = before.new_empty(len(before), 3 * size)
        outer = torch.empty_like(before)
        product_weight = weight.to(run.product_type)
        hidden = gradients[0].clone()
        initial = hidden.new_zeros(run.num_rows, size)
        for block, previous in reversed(run.blocks):
            arriving = hidden[block]
            gradient = inner[block]
            torch.mul(arriving, to_candidate[block], out=outer[block])
            torch.mul(outer[block], to_reset[block], out=gradient[:, :size])
            torch.mul(arriving, to_update[block], out=gradient[:, size : 2 * size])
            torch.mul(outer[block], reset[block], out=gradient[:, 2 * size :])
            leaving = (gradient.to(run.product_type) @ product_weight).to(weight.dtype)
            leaving.addcmul_(arriving, update[block])
            _give_back(hidden, initial, previous, leaving)
        product = inner.to(run.product_type).t() @ before.to(run.product_type)
        gates = torch.cat([inner[:, : 2 * size], outer], dim=1)
        return gates, initial, product.to(weight.dtype), inner.sum(0), None, None


_Blocks = list[tuple[slice, slice]]


def _blocks(batch_sizes: tuple[int, ...], reverse: bool) -> _Blocks:
    """For each time, in the order of the scan: its tokens, and the tokens of the time before in the scan."""
    starts, start = [], 0
    for rows in batch_sizes:
        starts.append(slice(start, start + rows))
        start += rows
    if reverse:
        starts.reverse()
    return list(zip(starts, [slice(0, 0), *starts[:-1]], strict=True)) if starts else []


def _carry(outputs: Tensor, initial: Tensor, previous: slice, hidden: Tensor) -> None:
    """Fills `hidden` with the states that the rows of a time start from."""
    rows, running = len(hidden), previous.stop - previous.start
    kept = min(rows, running)  # forwards rows end, backwards rows begin
    hidden[:kept] = outputs[previous.start : previous.start + kept]
    hidden[kept:] = initial[kept:rows]


def _give_back(hidden: Tensor, initial: Tensor, previous: slice, leaving: Tensor) -> None:
    """Adds a time's gradients to the states that `_carry` took them from."""
    kept = min(len(leaving), previous.stop - previous.start)
    hidden[previous.start : previous.start + kept] += leaving[:kept]
    initial[kept : len(leaving)] += leaving[kept:]
