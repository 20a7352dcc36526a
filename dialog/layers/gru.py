"""The gated recurrent unit.

Cho et al. 2014, "Learning Phrase Representations using RNN Encoder-Decoder", in the form of cuDNN and
torch, where the reset gate acts after the recurrent product (the "v1" form of the paper's preprint); see
`layers.gru_reset_before` for the form that was published:

    r_t = sigmoid(W_ir x_t + b_ir + W_hr h_{t-1} + b_hr)
    u_t = sigmoid(W_iz x_t + b_iz + W_hz h_{t-1} + b_hz)
    n_t = tanh(W_in x_t + b_in + r_t (W_hn h_{t-1} + b_hn))
    h_t = (1 - u_t) n_t + u_t h_{t-1}

| paper | here |
|---|---|
| W_i, b_i | `weight_input`, `bias_input`, rows in the order r, u, n |
| W_h, b_h | `weight_hidden`, `bias_hidden` |
| r, u, n | `reset`, `update`, `candidate` |
"""

import torch
from torch import Tensor, nn

from dialog.layers.cell_rule import CellRule, RecurrentProduct, Tensors, Trace, newest
from dialog.layers.fused import FusedLayer

__all__ = ["GRULayer"]


class _GRURule(CellRule):
    """Kept: r and u (token, 2 * hidden), n, W_hn h + b_hn, and the bias."""

    num_gates = 3

    def keep(self, gates: Tensor, bias: Tensor, own: Tensors) -> Tensors:
        size = gates.shape[1] // 3
        # The recurrent biases of reset and update are added to all tokens at once.
        switches = gates[:, : 2 * size] + bias[: 2 * size]
        candidates = gates[:, 2 * size :].clone()
        return switches, candidates, torch.empty_like(candidates), bias[2 * size :]

    def advance(self, trace: Trace, block: slice, seen: Tensor, product: RecurrentProduct) -> None:
        switches, candidates, recurrent, bias = trace.kept
        size = trace.outputs.shape[1]
        products = product.of(seen)
        switches[block].add_(products[:, : 2 * size]).sigmoid_()
        torch.add(products[:, 2 * size :], bias, out=recurrent[block])
        candidates[block].addcmul_(switches[block, :size], recurrent[block]).tanh_()
        torch.lerp(candidates[block], newest(seen, size), switches[block, size:], out=trace.outputs[block])

    def opened(self, trace: Trace) -> dict[str, Tensor]:
        reset, update = trace.kept[0].chunk(2, dim=1)
        return {"reset": reset, "update": update}

    def factors(self, trace: Trace) -> Tensors:
        switches, candidates, recurrent, _ = trace.kept
        size = trace.outputs.shape[1]
        reset, update = switches[:, :size], switches[:, size:]
        to_candidate = (1 - update) * (1 - candidates * candidates)
        to_update = (newest(trace.seen, size) - candidates) * update * (1 - update)
        to_reset = recurrent * reset * (1 - reset)
        # The last takes the gradients of n's sum, which of r (W_hn h + b_hn) are others.
        return to_candidate, to_update, to_reset, torch.empty_like(to_candidate)

    def retreat(
        self,
        trace: Trace,
        factors: Tensors,
        block: slice,
        arriving: tuple[Tensor, Tensor],
        inner: Tensor,
        product: RecurrentProduct,
    ) -> tuple[Tensor, Tensor]:
        to_candidate, to_update, to_reset, outer = factors
        switches, size = trace.kept[0], trace.outputs.shape[1]
        hidden = arriving[0]
        torch.mul(hidden, to_candidate[block], out=outer[block])
        torch.mul(outer[block], to_reset[block], out=inner[:, :size])
        torch.mul(hidden, to_update[block], out=inner[:, size : 2 * size])
        torch.mul(outer[block], switches[block, :size], out=inner[:, 2 * size :])
        leaving = product.back(inner)
        newest(leaving, size).addcmul_(hidden, switches[block, size:])
        return leaving, arriving[1]

    def gate_gradient(self, factors: Tensors, inner: Tensor) -> Tensor:
        size = inner.shape[1] // 3
        return torch.cat([inner[:, : 2 * size], factors[3]], dim=1)


class GRULayer(FusedLayer):
    """A gated recurrent unit whose reset gate acts after the product."""

    rule = _GRURule()
    kernel = "gru"

    step_products: tuple[nn.Module, nn.Module] | None = None
    """What computes W_i x + b_i and W_h s + b_h of a step instead; see `models.int8`."""

    def _advance(self, gates: Tensor, seen: Tensor, hidden: Tensor, cell: Tensor | None) -> Tensor:
        recurrent, size = self._hidden_product(seen), self.hidden_size
        reset, update = torch.sigmoid(gates[:, : 2 * size] + recurrent[:, : 2 * size]).split(size, dim=1)
        candidate = torch.tanh(gates[:, 2 * size :] + reset * recurrent[:, 2 * size :])
        new: Tensor = candidate + update * (hidden - candidate)
        return new

    def _input_product(self, inputs: Tensor) -> Tensor:
        if self.step_products is None:
            return super()._input_product(inputs)
        gates: Tensor = self.step_products[0](inputs)
        return gates

    def _hidden_product(self, seen: Tensor) -> Tensor:
        if self.step_products is None:
            return super()._hidden_product(seen)
        gates: Tensor = self.step_products[1](seen)
        return gates
