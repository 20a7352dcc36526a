"""What every recurrent layer has: its weights, its state, a run over packed rows and a single step.

An input that is the same at every time of a row (a context vector, a latent) is named `constant`: it stands
behind x_t in W_i's columns, and its product is computed once a row.

A state is one row of numbers for each row of the batch, newest first:

    [h_{t-1}; c_{t-1} (LSTMs); h_{t-2}; …; h_{t-D}]      D: the longest skip connection, 1 without

so that its first `hidden_size` numbers are always the output, and a layer with neither cell nor skip
connections has h_{t-1} alone.

A skip connection over d steps (Lin et al. 1996, "Learning long-term dependencies in NARX recurrent neural
networks") lets the recurrent product see h_{t-d} beside h_{t-1}: a gradient that goes back over T steps then
passes T/d products.

| paper | here |
|---|---|
| W_i, b_i | `weight_input`, `bias_input`, one block of `hidden_size` rows a gate |
| W_h, b_h | `weight_hidden`, `bias_hidden`; columns in the order h_{t-1}, then each skip's h_{t-d} |
| [h_{t-1}; h_{t-d}; …] | `seen` |
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from dialog.layers.cell_rule import CellRule
from dialog.layers.packing import Packing
from dialog.layers.scan import ScanPlan, run_forward, scan

__all__ = ["RecurrentLayer"]


class RecurrentLayer(nn.Module, ABC):
    """One layer in one direction.

    Args:
        input_size: size of x_t.
        hidden_size: size of h_t.
        constant_size: size of the input that stays over a row; 0 for none.
        reverse: whether time runs from each row's end to its start.
        skips: how many steps back further connections reach, ascending, each 2 or more.
    """

    rule: ClassVar[CellRule]
    """The cell's part of the scan."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        constant_size: int = 0,
        reverse: bool = False,
        skips: Sequence[int] = (),
    ):
        super().__init__()
        self.input_size, self.hidden_size, self.reverse = input_size, hidden_size, reverse
        self.skips = tuple(skips)
        self.num_gates = self.rule.num_gates
        self.depth = max(self.skips, default=1)
        self.initial_size = hidden_size * (2 if self.rule.has_cell else 1)
        self.state_size = self.initial_size + hidden_size * (self.depth - 1)
        rows = self.num_gates * hidden_size
        self._add("weight_input", torch.empty(rows, input_size + constant_size))
        self._add("weight_hidden", torch.empty(rows, hidden_size * (1 + len(self.skips))))
        self._add("bias_input", torch.zeros(rows))
        self._add("bias_hidden", torch.zeros(rows))
        self._draw()

    weight_input: Tensor
    weight_hidden: Tensor
    bias_input: Tensor
    bias_hidden: Tensor

    def _add(self, name: str, values: Tensor) -> None:
        self.register_parameter(name, nn.Parameter(values))

    @torch.no_grad()
    def _draw(self) -> None:
        """Draws the weights: Glorot's for the input, an orthogonal block for each gate and state seen.

        Several orthogonal blocks side by side are scaled so that the state they see is not made larger.
        """
        nn.init.xavier_uniform_(self.weight_input)
        gain = (1 + len(self.skips)) ** -0.5
        for gate in self.weight_hidden.split(self.hidden_size):
            for block in gate.split(self.hidden_size, dim=1):
                nn.init.orthogonal_(block, gain)

    def project_constant(self, constant: Tensor) -> Tensor:
        """Returns what `constant` (row, size) adds to the gates: (row, num_gates * hidden)."""
        return functional.linear(constant, self.weight_input[:, self.input_size :])

    def forward(
        self, inputs: Tensor, packing: Packing, initial: Tensor | None = None, constant: Tensor | None = None
    ) -> Tensor:
        """Runs over packed rows.

        Args:
            inputs: (token, input).
            packing: where each token stands.
            initial: (row, state_size), the state before each row's first step; zeros if None.
            constant: (row, constant), if the layer takes one.

        Returns:
            (token, hidden).
        """
        if initial is None:
            initial = inputs.new_zeros(len(packing.lengths), self.state_size)
        if packing.num_tokens and self._has_faster_fused(inputs):
            return self._fused(inputs, packing, initial, constant)
        return self._scanned(inputs, packing, initial, constant)

    @torch.no_grad()
    def gates(self, inputs: Tensor, packing: Packing) -> dict[str, Tensor]:
        """Returns how far each gate is open over packed rows that start from zeros, to be looked at.

        Args:
            inputs: (token, input).
            packing: where each token stands.

        Returns:
            (token, hidden) in (0, 1) by the gate's name; nothing for a cell without gates.
        """
        initial = inputs.new_zeros(len(packing.lengths), self.state_size)
        trace, _ = run_forward(self.rule, *self._scan_inputs(inputs, packing, initial, None))
        return self.rule.opened(trace)

    def _scanned(self, inputs: Tensor, packing: Packing, initial: Tensor, constant: Tensor | None) -> Tensor:
        return scan(self.rule, *self._scan_inputs(inputs, packing, initial, constant))

    def _scan_inputs(
        self, inputs: Tensor, packing: Packing, initial: Tensor, constant: Tensor | None
    ) -> tuple[Any, ...]:
        gates = functional.linear(inputs, self.weight_input[:, : self.input_size], self.bias_input)
        if constant is not None:
            gates = gates + self.project_constant(constant)[packing.rows]
        hidden, cell, older = self._parts(initial[packing.order])
        starts = torch.cat([hidden, older], dim=1).view(len(hidden), self.depth, self.hidden_size)
        plan = ScanPlan.of(packing, self.reverse, self.skips)
        return plan, gates, starts, cell, self.weight_hidden, self.bias_hidden, *self._own()

    def _own(self) -> tuple[Tensor, ...]:
        """Returns the tensors that the rule needs beside the weights that all cells have."""
        return ()

    def _has_faster_fused(self, inputs: Tensor) -> bool:
        """Whether torch has this layer in one kernel that is faster here than the scan."""
        return False

    def _fused(self, inputs: Tensor, packing: Packing, initial: Tensor, constant: Tensor | None) -> Tensor:
        raise NotImplementedError

    def step(self, inputs: Tensor, state: Tensor, constant_gates: Tensor | None = None) -> Tensor:
        """One step.

        Args:
            inputs: (row, input), x_t.
            state: (row, state_size).
            constant_gates: (row, num_gates * hidden) from `project_constant`.

        Returns:
            (row, state_size), the state after it; it begins with h_t.
        """
        hidden, cell, older = self._parts(state)
        seen = self._seen(hidden, older)
        gates = self._input_product(inputs)
        if constant_gates is not None:
            gates = gates + constant_gates
        new = self._advance(gates, seen, hidden, cell)
        if self.depth == 1:
            return new
        return torch.cat([new, hidden, older[:, : self.hidden_size * (self.depth - 2)]], dim=1)

    @abstractmethod
    def _advance(self, gates: Tensor, seen: Tensor, hidden: Tensor, cell: Tensor | None) -> Tensor:
        """Returns h_t, or [h_t; c_t].

        Args:
            gates: (row, num_gates * hidden), W_i x + b_i.
            seen: (row, seen).
            hidden: (row, hidden), h_{t-1}.
            cell: (row, hidden), c_{t-1}, for cells that have one.
        """

    def _parts(self, state: Tensor) -> tuple[Tensor, Tensor | None, Tensor]:
        """Returns h_{t-1}, c_{t-1} or None, and [h_{t-2}; …; h_{t-D}]."""
        size = self.hidden_size
        cell = state[:, size : 2 * size] if self.rule.has_cell else None
        return state[:, :size], cell, state[:, self.initial_size :]

    def _seen(self, hidden: Tensor, older: Tensor) -> Tensor:
        if not self.skips:
            return hidden
        size = self.hidden_size
        return torch.cat([hidden, *(older[:, (d - 2) * size : (d - 1) * size] for d in self.skips)], dim=1)

    def _input_product(self, inputs: Tensor) -> Tensor:
        return functional.linear(inputs, self.weight_input[:, : self.input_size], self.bias_input)

    def _hidden_product(self, seen: Tensor) -> Tensor:
        return functional.linear(seen, self.weight_hidden, self.bias_hidden)
