"""Long short-term memory.

Hochreiter and Schmidhuber 1997, "Long Short-Term Memory", with the forget gate of Gers et al. 2000, "Learning
to Forget"; its bias starts at 1, so that a cell keeps what it has until it learns to drop it:

    i_t = sigmoid(W_ii x_t + b_ii + W_hi h_{t-1} + b_hi)
    f_t = sigmoid(W_if x_t + b_if + W_hf h_{t-1} + b_hf)
    g_t = tanh(W_ig x_t + b_ig + W_hg h_{t-1} + b_hg)
    o_t = sigmoid(W_io x_t + b_io + W_ho h_{t-1} + b_ho)
    c_t = f_t c_{t-1} + i_t g_t
    h_t = o_t tanh(c_t)

Gers and Schmidhuber 2000, "Recurrent Nets that Time and Count": with peepholes each unit's gates also see its
cell, i_t and f_t with + p_i c_{t-1} and + p_f c_{t-1} inside, o_t with + p_o c_t. The three vectors start at 0,
so that training begins at the LSTM without.

| paper | here |
|---|---|
| W_i, b_i and W_h, b_h | `weight_input`, …, rows in the order i, f, g, o |
| p | `weight_peephole` (3, hidden), in the order i, f, o |
| c | `cells`, the constant error carousel; a state is [h; c] |
"""

import torch
from torch import Tensor

from dialog.layers.cell_rule import CellRule, RecurrentProduct, Tensors, Trace
from dialog.layers.fused import FusedLayer
from dialog.layers.recurrent import RecurrentLayer

__all__ = ["LSTMLayer", "LSTMPeepholeLayer"]


class _LSTMRule(CellRule):
    """Kept: the gates (token, 4 * hidden) after their functions, and tanh(c_t); own: peepholes, or nothing."""

    num_gates = 4
    has_cell = True

    def keep(self, gates: Tensor, bias: Tensor, own: Tensors) -> Tensors:
        gates = gates + bias
        return gates, gates.new_empty(len(gates), gates.shape[1] // 4)

    def advance(self, trace: Trace, block: slice, seen: Tensor, product: RecurrentProduct) -> None:
        size = trace.outputs.shape[1]
        gates, squashed = trace.kept[0][block], trace.kept[1][block]
        product.add_to(gates, seen)
        if trace.own:
            peepholes = trace.own[0]
            gates[:, : 2 * size] += (trace.cells_before[block, None] * peepholes[:2]).flatten(1)
        gates[:, : 2 * size].sigmoid_()
        gates[:, 2 * size : 3 * size].tanh_()
        cell = trace.cells[block]
        torch.mul(gates[:, :size], gates[:, 2 * size : 3 * size], out=cell)
        cell.addcmul_(gates[:, size : 2 * size], trace.cells_before[block])
        torch.tanh(cell, out=squashed)
        if trace.own:
            gates[:, 3 * size :].addcmul_(cell, trace.own[0][2])
        gates[:, 3 * size :].sigmoid_()
        torch.mul(gates[:, 3 * size :], squashed, out=trace.outputs[block])

    def opened(self, trace: Trace) -> dict[str, Tensor]:
        entered, kept, _, shown = trace.kept[0].chunk(4, dim=1)
        return {"input": entered, "forget": kept, "output": shown}

    def factors(self, trace: Trace) -> Tensors:
        gates, squashed = trace.kept
        entered, kept, candidate, shown = gates.chunk(4, dim=1)
        to_gates = torch.cat(
            [
                candidate * entered * (1 - entered),
                trace.cells_before * kept * (1 - kept),
                entered * (1 - candidate * candidate),
            ],
            dim=1,
        )
        to_output = squashed * shown * (1 - shown)
        to_cell = shown * (1 - squashed * squashed)
        return to_gates.view(len(gates), 3, -1), to_output, to_cell

    def retreat(
        self,
        trace: Trace,
        factors: Tensors,
        block: slice,
        arriving: tuple[Tensor, Tensor],
        inner: Tensor,
        product: RecurrentProduct,
    ) -> tuple[Tensor, Tensor]:
        size = inner.shape[1] // 4
        to_gates, to_output, to_cell = factors
        hidden, cell = arriving
        torch.mul(hidden, to_output[block], out=inner[:, 3 * size :])
        cell.addcmul_(hidden, to_cell[block])
        if trace.own:
            cell.addcmul_(inner[:, 3 * size :], trace.own[0][2])
        of_gates = inner[:, : 3 * size].view(len(inner), 3, size)
        torch.mul(cell[:, None], to_gates[block], out=of_gates)
        leaving = cell * trace.kept[0][block, size : 2 * size]
        if trace.own:
            leaving += (of_gates[:, :2] * trace.own[0][:2]).sum(1)
        return product.back(inner), leaving

    def own_gradients(self, trace: Trace, inner: Tensor, arrived: Tensor) -> Tensors:
        entered, kept, _, shown = inner.chunk(4, dim=1)
        before, after = trace.cells_before, trace.cells
        return (torch.stack([(entered * before).sum(0), (kept * before).sum(0), (shown * after).sum(0)]),)


class LSTMLayer(FusedLayer):
    """An LSTM."""

    rule = _LSTMRule()
    kernel = "lstm"

    @torch.no_grad()
    def _draw(self) -> None:
        super()._draw()
        _open_forget_gate(self)

    def _advance(self, gates: Tensor, seen: Tensor, hidden: Tensor, cell: Tensor | None) -> Tensor:
        assert cell is not None
        entered, kept, candidate, shown = (gates + self._hidden_product(seen)).chunk(4, dim=1)
        cell = torch.sigmoid(kept) * cell + torch.sigmoid(entered) * torch.tanh(candidate)
        return torch.cat([torch.sigmoid(shown) * torch.tanh(cell), cell], dim=1)


class LSTMPeepholeLayer(RecurrentLayer):
    """An LSTM whose gates see the cell."""

    rule = _LSTMRule()
    weight_peephole: Tensor

    @torch.no_grad()
    def _draw(self) -> None:
        super()._draw()
        _open_forget_gate(self)
        self._add("weight_peephole", torch.zeros(3, self.hidden_size))

    def _own(self) -> Tensors:
        return (self.weight_peephole,)

    def _advance(self, gates: Tensor, seen: Tensor, hidden: Tensor, cell: Tensor | None) -> Tensor:
        assert cell is not None
        peepholes = self.weight_peephole
        entered, kept, candidate, shown = (gates + self._hidden_product(seen)).chunk(4, dim=1)
        entered, kept = (
            torch.sigmoid(entered + peepholes[0] * cell),
            torch.sigmoid(kept + peepholes[1] * cell),
        )
        cell = kept * cell + entered * torch.tanh(candidate)
        return torch.cat([torch.sigmoid(shown + peepholes[2] * cell) * torch.tanh(cell), cell], dim=1)


def _open_forget_gate(layer: RecurrentLayer) -> None:
    layer.bias_input[layer.hidden_size : 2 * layer.hidden_size] = 1
