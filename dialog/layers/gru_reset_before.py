"""The gated recurrent unit as it was published: the reset gate acts on the state, before the product.

Cho et al. 2014, "Learning Phrase Representations using RNN Encoder-Decoder", equations 5 to 8:

    r_t = sigmoid(W_ir x_t + b_ir + W_hr h_{t-1} + b_hr)
    u_t = sigmoid(W_iz x_t + b_iz + W_hz h_{t-1} + b_hz)
    n_t = tanh(W_in x_t + b_in + W_hn (r_t h_{t-1}) + b_hn)
    h_t = (1 - u_t) n_t + u_t h_{t-1}

`layers.gru` has the form of cuDNN and torch, r_t (W_hn h_{t-1} + b_hn), which needs one product a step where this
needs two, one after the other. With skip connections r_t acts on every state that is seen.

| paper | here |
|---|---|
| W_i, b_i and W_h, b_h | `weight_input`, …, rows in the order r, u, n |
| r h | `reset_seen` |
"""

import torch
from torch import Tensor
from torch.nn import functional

from dialog.layers.cell_rule import CellRule, RecurrentProduct, Tensors, Trace, newest
from dialog.layers.recurrent import RecurrentLayer

__all__ = ["GRUResetBeforeLayer"]


class _ResetBeforeRule(CellRule):
    """Kept: r and u (token, 2 * hidden), and n (token, hidden)."""

    num_gates = 3

    def keep(self, gates: Tensor, bias: Tensor, own: Tensors) -> Tensors:
        size = len(bias) // 3
        switches = gates[:, : 2 * size] + bias[: 2 * size]
        return switches, gates[:, 2 * size :] + bias[2 * size :]

    def advance(self, trace: Trace, block: slice, seen: Tensor, product: RecurrentProduct) -> None:
        switches, candidates = trace.kept[0][block], trace.kept[1][block]
        size = trace.outputs.shape[1]
        product.add_to(switches, seen, slice(0, 2 * size))
        switches.sigmoid_()
        product.add_to(candidates, _times(switches[:, :size], seen), slice(2 * size, 3 * size))
        candidates.tanh_()
        torch.lerp(candidates, newest(seen, size), switches[:, size:], out=trace.outputs[block])

    def opened(self, trace: Trace) -> dict[str, Tensor]:
        reset, update = trace.kept[0].chunk(2, dim=1)
        return {"reset": reset, "update": update}

    def factors(self, trace: Trace) -> Tensors:
        switches, candidates = trace.kept
        size = trace.outputs.shape[1]
        reset, update = switches[:, :size], switches[:, size:]
        to_candidate = (1 - update) * (1 - candidates * candidates)
        to_update = (newest(trace.seen, size) - candidates) * update * (1 - update)
        to_reset = _times(reset * (1 - reset), trace.seen)
        return to_candidate, to_update, to_reset

    def retreat(
        self,
        trace: Trace,
        factors: Tensors,
        block: slice,
        arriving: tuple[Tensor, Tensor],
        inner: Tensor,
        product: RecurrentProduct,
    ) -> tuple[Tensor, Tensor]:
        to_candidate, to_update, to_reset = factors
        hidden, switches, size = arriving[0], trace.kept[0][block], trace.outputs.shape[1]
        torch.mul(hidden, to_candidate[block], out=inner[:, 2 * size :])
        reset_seen = product.back(inner[:, 2 * size :], slice(2 * size, 3 * size))
        torch.mul(hidden, to_update[block], out=inner[:, size : 2 * size])
        of_reset = (reset_seen * to_reset[block]).view(len(inner), -1, size)
        torch.sum(of_reset, dim=1, out=inner[:, :size])
        leaving = product.back(inner[:, : 2 * size], slice(0, 2 * size))
        leaving += _times(switches[:, :size], reset_seen)
        newest(leaving, size).addcmul_(hidden, switches[:, size:])
        return leaving, arriving[1]

    def weight_gradient(self, trace: Trace, inner: Tensor, product: RecurrentProduct) -> Tensor:
        size = trace.outputs.shape[1]
        reset_seen = _times(trace.kept[0][:, :size], trace.seen)
        of_switches = product.weight_gradient(inner[:, : 2 * size], trace.seen)
        return torch.cat([of_switches, product.weight_gradient(inner[:, 2 * size :], reset_seen)])


def _times(gate: Tensor, seen: Tensor) -> Tensor:
    """Returns each state of `seen` (token, states * hidden) times `gate` (token, hidden)."""
    size = gate.shape[1]
    if seen.shape[1] == size:
        return gate * seen
    return (gate[:, None] * seen.view(len(seen), -1, size)).flatten(1)


class GRUResetBeforeLayer(RecurrentLayer):
    """A gated recurrent unit whose reset gate acts before the product."""

    rule = _ResetBeforeRule()

    def _advance(self, gates: Tensor, seen: Tensor, hidden: Tensor, cell: Tensor | None) -> Tensor:
        size, weight, bias = self.hidden_size, self.weight_hidden, self.bias_hidden
        switches = gates[:, : 2 * size] + functional.linear(seen, weight[: 2 * size], bias[: 2 * size])
        reset, update = torch.sigmoid(switches).split(size, dim=1)
        reset_seen = _times(reset, seen)
        recurrent = functional.linear(reset_seen, weight[2 * size :], bias[2 * size :])
        candidate = torch.tanh(gates[:, 2 * size :] + recurrent)
        new: Tensor = candidate + update * (hidden - candidate)
        return new
