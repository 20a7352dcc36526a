"""A recurrence over packed rows, forward and back through time, shared by all cells.

    s_t = [h_{t-1}; h_{t-d}; …],  (h_t, c_t) = cell(gates_t, W_h s_t, h_{t-1}, c_{t-1})

A cell gives its `CellRule`. Here stands what the rules share: the order of the steps, where a step finds the states
that it sees, and where their gradients go.

Rows stand by descending length. Forwards they end at the back of a time's block; backwards they begin there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from dialog.layers.cell_rule import CellRule, RecurrentProduct, Trace, newest
from dialog.layers.packing import Packing

__all__ = ["ScanPlan", "run_forward", "scan"]


@dataclass(frozen=True, slots=True)
class ScanPlan:
    """The order of a scan's steps.

    Attributes:
        blocks: for each step its tokens, and the tokens of the step before.
        num_rows: rows, those of length 0 counted.
        depth: how many steps back a step sees.
        skips: for each skip connection (token,) int64: where h_{t-d} stands in the `history`.
    """

    blocks: list[tuple[slice, slice]]
    num_rows: int
    depth: int
    skips: Sequence[Tensor]

    @staticmethod
    def of(packing: Packing, reverse: bool, skips: Sequence[int] = ()) -> "ScanPlan":
        """Plans a scan of a packing's rows, from their starts to their ends or the other way."""
        starts, start = [], 0
        for rows in packing.batch_sizes:
            starts.append(slice(start, start + rows))
            start += rows
        if reverse:
            starts.reverse()
        blocks = list(zip(starts, [slice(0, 0), *starts[:-1]], strict=True)) if starts else []
        depth = max(skips, default=1)
        return ScanPlan(blocks, len(packing.lengths), depth, _skip_places(packing, reverse, skips))

    def history(self, outputs: Tensor, starts: Tensor) -> Tensor:
        """Returns `outputs`, and behind them, where skip connections look, `starts` (row, depth, hidden)."""
        return torch.cat([outputs, starts.flatten(0, 1)]) if self.skips else outputs


def _skip_places(packing: Packing, reverse: bool, skips: Sequence[int]) -> list[Tensor]:
    """Returns `ScanPlan.skips`."""
    if not skips:
        return []
    rows, times, depth = packing.rows, packing.times, max(skips)
    passed = times  # steps of the row before this one
    if reverse:
        passed = packing.lengths.to(rows.device)[rows] - 1 - times
    places = torch.empty_like(packing.order)
    places[packing.order] = torch.arange(len(places), device=places.device)
    table, longest = packing.table(), len(packing.batch_sizes)
    found = []
    for skip in skips:
        earlier = (times + skip if reverse else times - skip).clamp(0, max(longest - 1, 0))
        started = packing.num_tokens + places[rows] * depth + (skip - passed - 1)
        found.append(torch.where(passed >= skip, table[rows, earlier], started))
    return found


def scan(
    rule: CellRule,
    plan: ScanPlan,
    gates: Tensor,
    starts: Tensor,
    start_cells: Tensor | None,
    weight: Tensor,
    bias: Tensor,
    *own: Tensor,
) -> Tensor:
    """Runs a cell over packed rows.

    Args:
        rule: the cell's.
        plan: the order.
        gates: (token, gates), W_i x + b_i.
        starts: (row, depth, hidden), h_0, h_{-1}, …, longest row first.
        start_cells: (row, hidden), c_0, for cells that have one.
        weight: (gates, seen), W_h.
        bias: (gates,), b_h.
        *own: parameters of the rule's own.

    Returns:
        (token, hidden).
    """
    outputs: Tensor = _Scan.apply(  # type: ignore[no-untyped-call]
        rule, plan, gates, starts, start_cells, weight, bias, *own
    )
    return outputs


def run_forward(
    rule: CellRule,
    plan: ScanPlan,
    gates: Tensor,
    starts: Tensor,
    start_cells: Tensor | None,
    weight: Tensor,
    bias: Tensor,
    *own: Tensor,
) -> tuple[Trace, torch.dtype]:
    """Runs a cell over packed rows; the arguments are those of `scan`.

    Returns:
        What is kept of all tokens, and the type that the products ran in.
    """
    device, own_type, size = gates.device.type, weight.dtype, starts.shape[2]
    is_half = torch.is_autocast_enabled(device)
    product = RecurrentProduct(weight, torch.get_autocast_dtype(device) if is_half else own_type)
    gates, starts, bias = gates.to(own_type), starts.to(own_type), bias.to(own_type)
    history, first = plan.history(gates.new_empty(len(gates), size), starts), starts[:, 0]
    outputs, seen = history[: len(gates)], gates.new_empty(len(gates), weight.shape[1])
    cells = gates.new_empty(len(gates) if rule.has_cell else 0, size)
    trace = Trace(outputs, seen, cells, torch.empty_like(cells), own, rule.keep(gates, bias, own))
    for block, previous in plan.blocks:
        of_block = seen[block]
        _carry(outputs, first, previous, newest(of_block, size))
        for number, places in enumerate(plan.skips, 1):
            of_block[:, number * size : (number + 1) * size] = history[places[block]]
        if start_cells is not None:
            _carry(cells, start_cells, previous, trace.cells_before[block])
        rule.advance(trace, block, of_block, product)
    return trace, product.type


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(
        run: Any,
        rule: CellRule,
        plan: ScanPlan,
        gates: Tensor,
        starts: Tensor,
        start_cells: Tensor | None,
        weight: Tensor,
        bias: Tensor,
        *own: Tensor,
    ) -> Tensor:
        trace, product_type = run_forward(rule, plan, gates, starts, start_cells, weight, bias, *own)
        outputs, seen, cells = trace.outputs, trace.seen, trace.cells
        if plan.skips:
            outputs = outputs.clone()  # what is handed out is no part of a larger tensor
        run.save_for_backward(outputs, seen, cells, trace.cells_before, weight, *own, *trace.kept)
        run.rule, run.plan, run.product_type, run.num_own = rule, plan, product_type, len(own)
        return outputs

    @staticmethod
    @once_differentiable
    def backward(run: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        outputs, seen, cells, cells_before, weight, *rest = run.saved_tensors
        rule, plan, num_own = run.rule, run.plan, run.num_own
        trace = Trace(outputs, seen, cells, cells_before, tuple(rest[:num_own]), tuple(rest[num_own:]))
        product, factors = RecurrentProduct(weight, run.product_type), rule.factors(trace)
        (tokens, size), rows = outputs.shape, plan.num_rows
        history = torch.cat([gradients[0].to(weight.dtype), outputs.new_zeros(rows * plan.depth, size)])
        hidden, starts = history[:tokens], history[tokens:].view(rows, plan.depth, size)
        cell, start_cells = torch.zeros_like(cells), outputs.new_zeros(rows if rule.has_cell else 0, size)
        inner, first = outputs.new_empty(tokens, rule.num_gates * size), starts[:, 0]
        for block, previous in reversed(plan.blocks):
            arriving = hidden[block], cell[block] if rule.has_cell else cell
            leaving, cell_leaving = rule.retreat(trace, factors, block, arriving, inner[block], product)
            _give_back(hidden, first, previous, newest(leaving, size))
            for number, places in enumerate(plan.skips, 1):
                history.index_add_(0, places[block], leaving[:, number * size : (number + 1) * size])
            if rule.has_cell:
                _give_back(cell, start_cells, previous, cell_leaving)
        *_, wants_weight, wants_bias = run.needs_input_grad[:7]
        return (
            *(None, None, rule.gate_gradient(factors, inner), starts),
            start_cells if rule.has_cell else None,
            rule.weight_gradient(trace, inner, product) if wants_weight else None,
            inner.sum(0) if wants_bias else None,
            *(
                rule.own_gradients(trace, inner, hidden)
                if any(run.needs_input_grad[7:])
                else [None] * num_own
            ),
        )


def _carry(states: Tensor, first: Tensor, previous: slice, before: Tensor) -> None:
    """Fills `before` with the states that the rows of a step start from."""
    rows, running = len(before), previous.stop - previous.start
    kept = min(rows, running)  # forwards rows end, backwards rows begin
    before[:kept] = states[previous.start : previous.start + kept]
    before[kept:] = first[kept:rows]


def _give_back(states: Tensor, first: Tensor, previous: slice, leaving: Tensor) -> None:
    """Adds a step's gradients to the states that `_carry` took them from."""
    kept = min(len(leaving), previous.stop - previous.start)
    states[previous.start : previous.start + kept] += leaving[:kept]
    first[kept : len(leaving)] += leaving[kept:]
