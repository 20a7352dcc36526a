"""A recurrence over packed rows, forward and back through time, shared by all cells.

    s_t = [h_{t-1}; h_{t-d}; …],  (h_t, c_t) = cell(gates_t, W_h s_t, h_{t-1}, c_{t-1})

A cell gives its `CellRule`: the elementwise part of a step and its derivative, both written by hand. What the
rules share stands here: where a step finds the states that it sees, and where their gradients go. Three things
make it fast: no padding is touched; the factors of the chain rule are computed for all tokens at once, so that
a step back is a few multiplications and one product; and the weight's gradient is one product for all steps,
where torch's own layers take one a step.

Rows stand by descending length. Forwards they end at the back of a time's block; backwards they begin there.

In half precision only the products run in the autocast type; states and gates stay in the weights' own.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from dialog.layers.packing import Packing

__all__ = ["CellRule", "RecurrentProduct", "ScanPlan", "Trace", "scan"]

Tensors = tuple[Tensor, ...]
_ALL = slice(None)


@dataclass(frozen=True, slots=True)
class ScanPlan:
    """The order of a scan's steps.

    Attributes:
        blocks: for each step its tokens, and the tokens of the step before.
        num_rows: rows, those of length 0 counted.
        depth: how many steps back a step sees.
        skips: (skip, token) int64: where h_{t-d} stands in the outputs with the rows' starts (row * depth)
            behind them; None without skip connections.
    """

    blocks: list[tuple[slice, slice]]
    num_rows: int
    depth: int
    skips: Tensor | None

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
        index = _skip_index(packing, reverse, skips) if skips else None
        return ScanPlan(blocks, len(packing.lengths), depth, index)


def _skip_index(packing: Packing, reverse: bool, skips: Sequence[int]) -> Tensor:
    """Returns `ScanPlan.skips`."""
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
    return torch.stack(found)


class RecurrentProduct:
    """Products with the recurrent weight, in the autocast type where there is one.

    Args:
        weight: (gates, seen).
        product_type: what the products run in.
    """

    def __init__(self, weight: Tensor, product_type: torch.dtype) -> None:
        self._weight, self._type, self._own = weight.to(product_type), product_type, weight.dtype
        self._turned = self._weight.t()

    def of(self, seen: Tensor) -> Tensor:
        """Returns W s (row, gates)."""
        if self._type == self._own:
            return seen @ self._turned
        return (seen.to(self._type) @ self._turned).to(self._own)

    def add_to(self, gates: Tensor, seen: Tensor, which: slice = _ALL) -> None:
        """Adds W s to `gates` (row, gates), in place; `which` are the rows of W that it takes."""
        turned = self._turned if which is _ALL else self._weight[which].t()
        if self._type == self._own:
            gates.addmm_(seen, turned)
        else:
            gates.add_(seen.to(self._type) @ turned)

    def back(self, gradient: Tensor, which: slice = _ALL) -> Tensor:
        """Returns the gradient (row, seen) of s from that of W s."""
        weight = self._weight if which is _ALL else self._weight[which]
        if self._type == self._own:
            return gradient @ weight
        return (gradient.to(self._type) @ weight).to(self._own)

    def weight_gradient(self, gradient: Tensor, seen: Tensor) -> Tensor:
        """Returns the gradient (gates, seen) of W from those of all tokens."""
        return (gradient.to(self._type).t() @ seen.to(self._type)).to(self._own)


@dataclass(frozen=True, slots=True)
class Trace:
    """What a scan keeps of all tokens.

    Attributes:
        outputs: (token, hidden), h_t.
        seen: (token, seen), s_t.
        cells: (token, hidden), c_t; empty for cells without.
        cells_before: (token, hidden), c_{t-1}.
        own: parameters of the rule's own.
        kept: whatever the rule kept.
    """

    outputs: Tensor
    seen: Tensor
    cells: Tensor
    cells_before: Tensor
    own: Tensors
    kept: Tensors


class CellRule(ABC):
    """The part of a cell that is not its recurrent product; it holds no tensors."""

    num_gates: int
    has_cell: bool = False

    @abstractmethod
    def keep(self, gates: Tensor, bias: Tensor, own: Tensors) -> Tensors:
        """Returns the tensors of all tokens that `advance` fills block by block.

        Args:
            gates: (token, gates), W_i x + b_i.
            bias: (gates,), b_h.
            own: parameters of the rule's own.
        """

    @abstractmethod
    def advance(self, trace: Trace, block: slice, product: RecurrentProduct) -> None:
        """One step: fills `outputs` (and `cells`) of a block, whose `seen` (and `cells_before`) are filled."""

    @abstractmethod
    def factors(self, trace: Trace) -> Tensors:
        """Returns, for all tokens, the factors that `retreat` multiplies gradients with."""

    @abstractmethod
    def retreat(
        self,
        trace: Trace,
        factors: Tensors,
        block: slice,
        arriving: tuple[Tensor, Tensor],
        inner: Tensor,
        product: RecurrentProduct,
    ) -> tuple[Tensor, Tensor]:
        """One step back.

        Args:
            trace: of the way forward.
            factors: from `factors`.
            block: the step's tokens.
            arriving: gradients (row, hidden) of h_t and c_t.
            inner: (row, gates), to be filled with the gradient of W_h s + b_h.
            product: with W_h.

        Returns:
            The gradients of s_t (row, seen) and c_{t-1} (row, hidden).
        """

    def gate_gradient(self, factors: Tensors, inner: Tensor) -> Tensor:
        """Returns the gradient (token, gates) of W_i x + b_i."""
        return inner

    def weight_gradient(self, trace: Trace, inner: Tensor, product: RecurrentProduct) -> Tensor:
        """Returns the gradient of W_h, for all steps at once."""
        return product.weight_gradient(inner, trace.seen)

    def own_gradients(self, trace: Trace, inner: Tensor, arrived: Tensor) -> Tensors:
        """Returns the gradients of `own`; `arrived` (token, hidden) is all that arrived at h_t."""
        raise NotImplementedError


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
        device, own_type = gates.device.type, weight.dtype
        product_type = own_type
        if torch.is_autocast_enabled(device):
            product_type = torch.get_autocast_dtype(device)
        gates, starts, bias = gates.to(own_type), starts.to(own_type), bias.to(own_type)
        product = RecurrentProduct(weight, product_type)
        tokens, size = len(gates), starts.shape[2]
        history = gates.new_empty(
            tokens + (plan.num_rows * plan.depth if plan.skips is not None else 0), size
        )
        outputs = history[:tokens]
        cells = gates.new_empty(tokens if rule.has_cell else 0, size)
        seen = gates.new_empty(tokens, weight.shape[1])
        trace = Trace(outputs, seen, cells, torch.empty_like(cells), own, rule.keep(gates, bias, own))
        first, newest = starts[:, 0], seen[:, :size]
        if plan.skips is not None:
            history[tokens:] = starts.flatten(0, 1)
        for block, previous in plan.blocks:
            _carry(outputs, first, previous, newest[block])
            if plan.skips is not None:
                for number, places in enumerate(plan.skips, 1):
                    seen[block, number * size : (number + 1) * size] = history[places[block]]
            if start_cells is not None:
                _carry(cells, start_cells, previous, trace.cells_before[block])
            rule.advance(trace, block, product)
        if plan.skips is not None:
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
        product = RecurrentProduct(weight, run.product_type)
        factors = rule.factors(trace)
        (tokens, size), rows = outputs.shape, plan.num_rows
        history = torch.cat([gradients[0].to(weight.dtype), outputs.new_zeros(rows * plan.depth, size)])
        hidden, starts = history[:tokens], history[tokens:].view(rows, plan.depth, size)
        first = starts[:, 0]
        cell, start_cells = torch.zeros_like(cells), outputs.new_zeros(rows if rule.has_cell else 0, size)
        inner = outputs.new_empty(tokens, rule.num_gates * size)
        for block, previous in reversed(plan.blocks):
            arriving = hidden[block], cell[block]
            leaving, cell_leaving = rule.retreat(trace, factors, block, arriving, inner[block], product)
            _give_back(hidden, first, previous, leaving[:, :size])
            if plan.skips is not None:
                for number, places in enumerate(plan.skips, 1):
                    history.index_add_(0, places[block], leaving[:, number * size : (number + 1) * size])
            if rule.has_cell:
                _give_back(cell, start_cells, previous, cell_leaving)
        weight_gradient = bias_gradient = None
        if run.needs_input_grad[5]:
            weight_gradient = rule.weight_gradient(trace, inner, product)
            bias_gradient = inner.sum(0)
        of_own: Sequence[Tensor | None] = [None] * num_own
        if any(run.needs_input_grad[7:]):
            of_own = rule.own_gradients(trace, inner, hidden)
        of_cells = start_cells if rule.has_cell else None
        of_gates = rule.gate_gradient(factors, inner)
        return None, None, of_gates, starts, of_cells, weight_gradient, bias_gradient, *of_own


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
