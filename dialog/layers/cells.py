"""The list of cells, and how to make a layer of one.

| cell | layer | equations in |
|---|---|---|
| `gru` | `GRULayer` | `layers.gru` |
| `gru_reset_before` | `GRUResetBeforeLayer` | `layers.gru_reset_before` |
| `lstm`, `lstm_peephole` | `LSTMLayer`, `LSTMPeepholeLayer` | `layers.lstm` |
| `rnn_tanh`, `rnn_relu` | `TanhLayer`, `ReluLayer` | `layers.simple` |
| `leaky` | `LeakyLayer` | `layers.leaky` |
| `esn` | `ReservoirLayer` | `layers.reservoir` |
"""

import dataclasses
from dataclasses import dataclass
from typing import Any

from dialog.errors import ConfigError
from dialog.layers.gru import GRULayer
from dialog.layers.gru_reset_before import GRUResetBeforeLayer
from dialog.layers.leaky import LeakyLayer
from dialog.layers.lstm import LSTMLayer, LSTMPeepholeLayer
from dialog.layers.recurrent import RecurrentLayer
from dialog.layers.reservoir import ReservoirLayer
from dialog.layers.simple import ReluLayer, TanhLayer

__all__ = ["CELLS", "CELL_OPTIONS", "CellOptions", "make_layer"]

_LAYERS: dict[str, type[RecurrentLayer]] = {
    "gru": GRULayer,
    "gru_reset_before": GRUResetBeforeLayer,
    "lstm": LSTMLayer,
    "lstm_peephole": LSTMPeepholeLayer,
    "rnn_tanh": TanhLayer,
    "rnn_relu": ReluLayer,
    "leaky": LeakyLayer,
    "esn": ReservoirLayer,
}

CELLS: tuple[str, ...] = tuple(_LAYERS)

CELL_OPTIONS: dict[str, tuple[str, ...]] = {
    "leaky": ("leak", "leak_learnt"),
    "esn": ("leak", "spectral_radius", "density", "input_scale"),
}
"""The options of `CellOptions` that a cell reads beside `skips`, which all read; the others read none."""

_LEAST_LEFT = 1e-6


@dataclass(frozen=True, slots=True)
class CellOptions:
    """Which cell, and what it is made with.

    Attributes:
        cell: one of `CELLS`.
        skips: how many steps back further connections reach, each 2 or more, ascending.
        leak: share in (0, 1] by which leaky units and echo state networks move at a step; where it is
            learnt, what it starts from, in (0, 1).
        leak_learnt: whether each leaky unit learns its own.
        spectral_radius: of an echo state network's recurrence, above 0.
        density: share in (0, 1] of its recurrent weights that are not 0.
        input_scale: largest absolute value of its input weights, above 0.

    Raises:
        ConfigError: a value that is not allowed, or an option that the cell does not read.
    """

    cell: str = "gru"
    skips: tuple[int, ...] = ()
    leak: float = 0.5
    leak_learnt: bool = False
    spectral_radius: float = 0.9
    density: float = 0.1
    input_scale: float = 0.5

    def __post_init__(self) -> None:
        if self.cell not in _LAYERS:
            raise ConfigError(
                f"cell is {self.cell!r}, which is no cell; it must be one of {', '.join(CELLS)}"
            )
        if any(skip < 2 for skip in self.skips) or list(self.skips) != sorted(set(self.skips)):
            raise ConfigError(
                f"skips is {self.skips}; its numbers must be 2 or more, each larger than the last"
            )
        self._check_read()
        if not 0 < self.leak <= 1 or (self.leak_learnt and self.leak == 1):
            allowed = (
                "above 0 and below 1 where it is learnt" if self.leak_learnt else "above 0 and at most 1"
            )
            raise ConfigError(f"leak is {self.leak}; it must be {allowed}")
        if not 0 < self.density <= 1:
            raise ConfigError(f"density is {self.density}; it must be above 0 and at most 1")
        for name in ("spectral_radius", "input_scale"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be above 0")

        left = self.spectral_radius ** max(self.skips, default=1)
        if self.cell == "esn" and self.skips and left < _LEAST_LEFT:
            raise ConfigError(
                f"skips is {self.skips} with a spectral_radius of {self.spectral_radius}, by which a state has faded "
                f"to {left:.0e} when it is seen; take shorter skips or a radius nearer to 1"
            )

    def _check_read(self) -> None:
        read = ("cell", "skips", *CELL_OPTIONS.get(self.cell, ()))
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name not in read and value != field.default:
                users = ", ".join(cell for cell, names in CELL_OPTIONS.items() if field.name in names)
                raise ConfigError(
                    f"{field.name} is {value}, which the cell {self.cell} does not use (only {users} does); "
                    f"leave it at {field.default}"
                )


def make_layer(
    options: CellOptions, input_size: int, hidden_size: int, constant_size: int = 0, reverse: bool = False
) -> RecurrentLayer:
    """Makes a layer in one direction; its weights are drawn from torch's global generator.

    Args:
        options: the cell and its options.
        input_size: size of x_t.
        hidden_size: size of h_t.
        constant_size: size of the input that stays over a row; 0 for none.
        reverse: whether time runs from each row's end to its start.
    """
    read: dict[str, Any] = {name: getattr(options, name) for name in CELL_OPTIONS.get(options.cell, ())}
    return _LAYERS[options.cell](input_size, hidden_size, constant_size, reverse, options.skips, **read)
