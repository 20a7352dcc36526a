"""Recurrent layers on top of one another: depth, two directions, residual connections, layer norm.

    x^1 = inputs,   h^i = layer_i(x^i),   y^i = norm(h^i) [+ x^i],   x^{i+1} = dropout(y^i)

- Two directions (Schuster and Paliwal 1997, "Bidirectional Recurrent Neural Networks"): a layer's output is both
  directions side by side, half its size each. They are for what is there whole before it is read: an encoder.
- Residual connections (Wu et al. 2016, "Google's Neural Machine Translation System", section 3.1) add a layer's
  input to its output, from a given layer on.
- Layer norm (Ba, Kiros and Hinton 2016, "Layer Normalization") is of what a layer gives to the next, not inside the
  recurrence: its states are what they would be without.
- `side` is a further input of every layer that changes with time, such as what attention summed up.

What is kept from step to step is each layer's own state (see `layers.recurrent`), (row, layer, state).
"""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from dialog.errors import ConfigError
from dialog.layers.cells import CellOptions, make_layer
from dialog.layers.dropout import dropout
from dialog.layers.packing import Packing, rows_or_zero
from dialog.layers.recurrent import RecurrentLayer

__all__ = ["DIRECTIONS", "Stack", "StackOptions"]

DIRECTIONS = ("both", "first", "forward")
"""Both directions in every layer, in the first layer alone, or in none."""


@dataclass(frozen=True, slots=True)
class StackOptions:
    """How a stack is built.

    Attributes:
        cell: of every layer.
        num_layers: 1 or more.
        directions: one of `DIRECTIONS`.
        residual_from: the first layer, counted from 1, whose input is added to its output; 0 for none.
        layer_norm: whether what a layer gives is normalised.
        dropout_rate: share of the values dropped between layers.
        first_number: the number of the lowest layer; above 1 where others stand below this stack.
    """

    cell: CellOptions = field(default_factory=CellOptions)
    num_layers: int = 1
    directions: str = "forward"
    residual_from: int = 0
    layer_norm: bool = False
    dropout_rate: float = 0.0
    first_number: int = 1

    @property
    def has_residual(self) -> bool:
        """Whether some layer's input is added to its output."""
        return 0 < self.residual_from < self.first_number + self.num_layers


class Stack(nn.Module):
    """Layers of one kind of cell.

    Args:
        options: how it is built.
        input_size: size of x_t.
        hidden_size: size of a layer's output; half of it for each of two directions.
        constant_size: size of the input that stays over a row; it enters the first layer.
        side_size: size of the input that enters every layer behind what comes from below.

    Raises:
        ConfigError: two directions share an odd size.
    """

    def __init__(
        self,
        options: StackOptions,
        input_size: int,
        hidden_size: int,
        constant_size: int = 0,
        side_size: int = 0,
    ) -> None:
        super().__init__()
        if options.directions != "forward" and hidden_size % 2:
            raise ConfigError(f"two directions cannot share {hidden_size} numbers; give an even size")
        self.options, self.output_size = options, hidden_size
        self.num_layers, self.dropout_rate = options.num_layers, options.dropout_rate
        self.layers = nn.ModuleList()
        for index in range(options.num_layers):
            size = (hidden_size if index else input_size) + side_size
            directions = 2 if self._has_both(index) else 1
            self.layers.append(
                nn.ModuleList(
                    make_layer(
                        options.cell,
                        size,
                        hidden_size // directions,
                        0 if index else constant_size,
                        reverse=direction == 1,
                    )
                    for direction in range(directions)
                )
            )
        norms = options.num_layers if options.layer_norm else 0
        self.norms = nn.ModuleList(nn.LayerNorm(hidden_size) for _ in range(norms))

    @property
    def state_size(self) -> int:
        """Numbers that a layer of one direction keeps from step to step."""
        return self.first().state_size

    def first(self) -> RecurrentLayer:
        """Returns the first forward layer, the one that takes the constant."""
        return self._level(0)[0]

    def ends(self, outputs: Tensor, packing: Packing) -> Tensor:
        """Returns where each row's reading ended, (row, output): each direction's last output of the last layer.

        Args:
            outputs: (token, output), from `forward`.
            packing: of the same rows; a row of length 0 gets zeros.
        """
        table = packing.table()
        if table.shape[1] == 0:
            return outputs.new_zeros(len(packing.lengths), self.output_size)
        lengths = packing.lengths.to(table.device)
        last = table.gather(1, (lengths - 1).clamp(min=0)[:, None])[:, 0]
        if not self._has_both(self.num_layers - 1):
            return rows_or_zero(outputs, last)
        half = self.output_size // 2  # forwards the last state stands at the end, backwards at the start
        ends = rows_or_zero(outputs[:, :half], last), rows_or_zero(outputs[:, half:], table[:, 0])
        return torch.cat(ends, dim=1)

    def forward(
        self,
        inputs: Tensor,
        packing: Packing,
        initial: Tensor | None = None,
        constant: Tensor | None = None,
        generator: torch.Generator | None = None,
        side: Tensor | None = None,
    ) -> Tensor:
        """Runs over packed rows.

        Args:
            inputs: (token, input).
            packing: where each token stands.
            initial: (row, layer, state) for one direction; zeros if None.
            constant: (row, constant) for the first layer.
            generator: draws the dropout between layers, in training.
            side: (token, side) for every layer.

        Returns:
            (token, output) of the last layer.
        """
        outputs = inputs
        for index in range(self.num_layers):
            given = outputs
            if self.options.first_number + index > 1:
                given = dropout(given, self.dropout_rate, generator, self.training)
            if side is not None:
                given = torch.cat([given, side.to(given.dtype)], dim=1)
            start = None if initial is None else initial[:, index]
            stays = constant if index == 0 else None
            states = [layer(given, packing, start, stays) for layer in self._level(index)]
            outputs = self._given_on(
                index, outputs, states[0] if len(states) == 1 else torch.cat(states, dim=1)
            )
        return outputs

    def step(
        self,
        inputs: Tensor,
        state: Tensor,
        constant_gates: Tensor | None = None,
        side: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """One step of a stack in one direction.

        Args:
            inputs: (row, input).
            state: (row, layer, state).
            constant_gates: (row, gates) for the first layer, from its `project_constant`.
            side: (row, side) for every layer.

        Returns:
            The last layer's output (row, output), and the new state (row, layer, state).
        """
        output, states = inputs, []
        for index in range(self.num_layers):
            (layer,) = self._level(index)
            given = output if side is None else torch.cat([output, side], dim=1)
            after = layer.step(given, state[:, index], constant_gates if index == 0 else None)
            states.append(after)
            output = self._given_on(index, output, after[:, : self.output_size])
        return output, torch.stack(states, dim=1)

    def _given_on(self, index: int, below: Tensor, output: Tensor) -> Tensor:
        """Returns what a layer gives to the next, from what it got and what it found."""
        if self.options.layer_norm:
            output = self.norms[index](output)
        if 0 < self.options.residual_from <= self.options.first_number + index:
            output = output + below
        return output

    def _has_both(self, index: int) -> bool:
        return self.options.directions == "both" or (self.options.directions == "first" and index == 0)

    def _level(self, index: int) -> list[RecurrentLayer]:
        level: Any = self.layers[index]
        return list(level)
