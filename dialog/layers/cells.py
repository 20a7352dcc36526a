"""The list of cells, and how to make a layer of one.

| cell | layer | equations in |
|---|---|---|
| `gru` | `GRULayer` | `layers.gru` |
| `lstm` | `LSTMLayer` | `layers.lstm` |
| `rnn_tanh`, `rnn_relu` | `TanhLayer`, `ReluLayer` | `layers.simple` |
"""

from dataclasses import dataclass

from dialog.errors import ConfigError
from dialog.layers.gru import GRULayer
from dialog.layers.lstm import LSTMLayer
from dialog.layers.recurrent import RecurrentLayer
from dialog.layers.simple import ReluLayer, TanhLayer

__all__ = ["CELLS", "CellOptions", "make_layer"]

_LAYERS: dict[str, type[RecurrentLayer]] = {
    "gru": GRULayer,
    "lstm": LSTMLayer,
    "rnn_tanh": TanhLayer,
    "rnn_relu": ReluLayer,
}

CELLS: tuple[str, ...] = tuple(_LAYERS)


@dataclass(frozen=True, slots=True)
class CellOptions:
    """Which cell, and what it is made with.

    Attributes:
        cell: one of `CELLS`.
        skips: how many steps back further connections reach, each 2 or more, ascending.

    Raises:
        ConfigError: a value that is not allowed.
    """

    cell: str = "gru"
    skips: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.cell not in _LAYERS:
            raise ConfigError(
                f"cell is {self.cell!r}, which is no cell; it must be one of {', '.join(CELLS)}"
            )
        if any(skip < 2 for skip in self.skips) or list(self.skips) != sorted(set(self.skips)):
            raise ConfigError(
                f"skips is {self.skips}; its numbers must be 2 or more, each larger than the last"
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
    return _LAYERS[options.cell](input_size, hidden_size, constant_size, reverse, options.skips)
