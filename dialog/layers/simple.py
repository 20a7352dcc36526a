"""The simple recurrent network, with tanh or max(0, x).

Elman 1990, "Finding Structure in Time":

    h_t = tanh(W_i x_t + b_i + W_h h_{t-1} + b_h)            `TanhLayer`; max(0, …) for `ReluLayer`

Le et al. 2015, "A Simple Way to Initialize Recurrent Networks of Rectified Linear Units": with relu, W_h
starts as the identity, so that a state that nothing is added to stays. With skip connections the identity
is shared out among the states that are seen.
"""

import torch
from torch import Tensor, nn

from dialog.layers.cell_rule import CellRule, RecurrentProduct, Tensors, Trace
from dialog.layers.fused import FusedLayer

__all__ = ["ReluLayer", "TanhLayer"]


class _TanhRule(CellRule):
    num_gates = 1

    def keep(self, gates: Tensor, bias: Tensor, own: Tensors) -> Tensors:
        return (gates + bias,)

    def advance(self, trace: Trace, block: slice, seen: Tensor, product: RecurrentProduct) -> None:
        new = trace.kept[0][block]
        product.add_to(new, seen)
        torch.tanh(new, out=trace.outputs[block])

    def factors(self, trace: Trace) -> Tensors:
        return (1 - trace.outputs * trace.outputs,)

    def retreat(
        self,
        trace: Trace,
        factors: Tensors,
        block: slice,
        arriving: tuple[Tensor, Tensor],
        inner: Tensor,
        product: RecurrentProduct,
    ) -> tuple[Tensor, Tensor]:
        torch.mul(arriving[0], factors[0][block], out=inner)
        return product.back(inner), arriving[1]


class _ReluRule(_TanhRule):
    def advance(self, trace: Trace, block: slice, seen: Tensor, product: RecurrentProduct) -> None:
        new = trace.kept[0][block]
        product.add_to(new, seen)
        torch.clamp(new, min=0, out=trace.outputs[block])

    def factors(self, trace: Trace) -> Tensors:
        return ((trace.outputs > 0).to(trace.outputs.dtype),)


class TanhLayer(FusedLayer):
    """The simple recurrent network with tanh."""

    rule = _TanhRule()
    kernel = "rnn_tanh"

    def _advance(self, gates: Tensor, seen: Tensor, hidden: Tensor, cell: Tensor | None) -> Tensor:
        return torch.tanh(gates + self._hidden_product(seen))


class ReluLayer(FusedLayer):
    """The simple recurrent network with max(0, x)."""

    rule = _ReluRule()
    kernel = "rnn_relu"

    @torch.no_grad()
    def _draw(self) -> None:
        nn.init.xavier_uniform_(self.weight_input)
        for block in self.weight_hidden.split(self.hidden_size, dim=1):
            nn.init.eye_(block).mul_(1 / (1 + len(self.skips)))

    def _advance(self, gates: Tensor, seen: Tensor, hidden: Tensor, cell: Tensor | None) -> Tensor:
        return torch.relu(gates + self._hidden_product(seen))
