"""A cell as it begins, and what is changed of it: `rnn_tanh,scale=1.5`, `lstm,keep=3`, `gru,skips=5+10`.

| name | what |
|---|---|
| `scale` | what the recurrent weights are multiplied by |
| `keep` | bias of the gate that keeps the state: an LSTM's forget gate, a GRU's update gate |
| `skips` | steps back of skip connections, + between them |
| `leak`, `spectral_radius`, `density`, `input_scale` | as of `layers.cells.CellOptions` |
"""

import math
from dataclasses import dataclass
from typing import Any

import torch

from dialog.errors import UsageError
from dialog.layers.cells import CellOptions, make_layer
from dialog.layers.recurrent import RecurrentLayer

__all__ = ["CellSpec"]

_KEEPERS = ("lstm", "lstm_peephole", "gru", "gru_reset_before")
"""Their gate that keeps the state has the second block of rows."""
_NUMBERS = ("leak", "spectral_radius", "density", "input_scale")


@dataclass(frozen=True, slots=True)
class CellSpec:
    """See the module's docstring.

    Attributes:
        text: as it was given.
        options: which cell.
        scale: what its recurrent weights are multiplied by.
        keep: bias of the gate that keeps the state; None for what the cell begins with.
    """

    text: str
    options: CellOptions
    scale: float = 1.0
    keep: float | None = None

    @staticmethod
    def parse(text: str) -> "CellSpec":
        """Reads `CELL,NAME=VALUE,…`.

        Raises:
            UsageError: a name that is none of the table's, a value that is no number, or `keep` for a cell
                without such a gate.
            ConfigError: no such cell, or a value that it does not take.
        """
        cell, *parts = (part.strip() for part in text.split(","))
        given: dict[str, float] = {}
        skips: tuple[int, ...] = ()
        for part in parts:
            name, _, value = part.partition("=")
            if name in given or (name == "skips" and skips):
                raise UsageError(f"{text!r} sets {name} twice; leave one of them out")
            if name == "skips":
                skips = tuple(sorted(_whole(text, name, one) for one in value.split("+")))
            elif name in ("scale", "keep", *_NUMBERS):
                given[name] = _number(text, name, value)
            else:
                raise UsageError(
                    f"{text!r} sets {name!r}, which is none of scale, keep, skips, {', '.join(_NUMBERS)}; "
                    "write a cell such as rnn_tanh,scale=1.5"
                )
        numbers: dict[str, Any] = {name: given[name] for name in _NUMBERS if name in given}
        options = CellOptions(cell, skips, **numbers)
        if "keep" in given and cell not in _KEEPERS:
            raise UsageError(
                f"{text!r} sets keep, but only {', '.join(_KEEPERS)} have a gate that keeps the state; leave it out"
            )
        return CellSpec(text, options, given.get("scale", 1.0), given.get("keep"))

    @torch.no_grad()
    def make(self, input_size: int, hidden_size: int, seed: int) -> RecurrentLayer:
        """Draws the cell's weights in float32 by the seed, torch's own generator left as it was."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            layer = make_layer(self.options, input_size, hidden_size)
        layer.weight_hidden *= self.scale
        if self.keep is not None:
            layer.bias_input[hidden_size : 2 * hidden_size] = self.keep
        return layer


def _whole(text: str, name: str, value: str) -> int:
    number = _number(text, name, value)
    if number != int(number):
        raise UsageError(
            f"{text!r} sets {name} to {value!r}, which is no whole number of steps; write {name}=2"
        )
    return int(number)


def _number(text: str, name: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise UsageError(f"{text!r} sets {name} to {value!r}, which is no number; write {name}=2")
    return number
