"""The gates of a trained cell over the tokens of a text.

The cell is a layer of what reads text: the utterance encoder of a reply model, which reads the text as an
utterance, or the network of a language model, which reads it behind the start token.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from dialog.errors import UsageError
from dialog.evaluation.pictures.canvas import canvas, heat_map
from dialog.evaluation.pictures.names import token_names
from dialog.layers.packing import Packing
from dialog.layers.recurrent import RecurrentLayer
from dialog.layers.stack import Stack
from dialog.models.parts import UtteranceEncoder
from dialog.run_folder import Run
from dialog.text.batches import BOS, EOS

__all__ = ["Gates", "draw_gates", "gates_of"]

_KEEPERS = ("forget", "update")


@dataclass(frozen=True, slots=True)
class Gates:
    """How far the gates of a layer were open.

    Attributes:
        tokens: names of what was read.
        values: (unit, token) in (0, 1) by the gate's name.
        layer: which layer, in words.
    """

    tokens: tuple[str, ...]
    values: dict[str, NDArray[np.float64]]
    layer: str


@torch.no_grad()
def gates_of(run: Run, text: str, layer: int = 1, backward: bool = False) -> Gates:
    """Reads a text and looks at the gates of a layer.

    Args:
        run: of a model with a recurrent network that reads text.
        text: with words.
        layer: counted from 1, the lowest.
        backward: of the two directions of a layer the one that reads from the end.

    Raises:
        UsageError: there is no such network or layer, its cell has no gates, or the text has no words.
    """
    tokens = run.tokenizer.encode(text)
    if not tokens:
        raise UsageError(f"the text {text!r} has no words; give one to read")
    stack, is_encoder = _reader(run)
    tokens = [*tokens, EOS] if is_encoder else [BOS, *tokens]
    if not 1 <= layer <= stack.num_layers:
        raise UsageError(
            f"{run.folder} has no layer {layer} that reads text; it has {stack.num_layers}, counted from 1"
        )
    directions: Any = stack.layers[layer - 1]
    if backward and len(directions) == 1:
        raise UsageError(f"layer {layer} of {run.folder} reads forwards alone; leave --backward out")
    cell: RecurrentLayer = directions[1 if backward else 0]
    packing = Packing.of(torch.tensor([len(tokens)]))
    given: list[Any] = []
    handle = cell.register_forward_pre_hook(lambda _, arguments: given.append(arguments[0]))
    table: Any = run.model.table
    stack(table.embed(torch.tensor(tokens)), packing)
    handle.remove()
    found = cell.gates(given[0], packing)
    if not found:
        raise UsageError(
            f"{run.folder} reads text with a cell that has no gates; draw a run whose cell is lstm, lstm_peephole, "
            "gru or gru_reset_before"
        )
    values = {name: opened.T.double().numpy() for name, opened in found.items()}
    where = f"layer {layer} of {stack.num_layers}{', read backwards' if backward else ''}"
    return Gates(tuple(token_names(run.tokenizer, tokens)), values, where)


def draw_gates(gates: Gates, path: Path) -> None:
    """Draws a heat map a gate, the units ordered by how far the gate that keeps is open on average.

    Raises:
        UsageError: see `canvas`.
    """
    keeper = next(values for name, values in gates.values.items() if name in _KEEPERS)
    order = np.argsort(-keeper.mean(axis=1), kind="stable")
    with canvas(path, min(16.0, max(4.0, 1.5 + 0.3 * len(gates.tokens))), 2.2 * len(gates.values)) as figure:
        figure.suptitle(gates.layer)
        axes = figure.subplots(len(gates.values), 1, squeeze=False).flatten()
        for panel, (name, values) in zip(axes, gates.values.items(), strict=True):
            heat_map(panel, values[order], gates.tokens if panel is axes[-1] else [""] * len(gates.tokens))
            panel.set_title(f"{name} gate, mean {values.mean():.2f}")
            panel.set_ylabel(f"{len(values)} units")


def _reader(run: Run) -> tuple[Stack, bool]:
    """Returns the network that reads text, and whether it is an encoder's."""
    model: nn.Module = run.model
    encoder = next((part for part in model.modules() if isinstance(part, UtteranceEncoder)), None)
    if encoder is not None:
        return encoder.rnn, True
    own = getattr(model, "rnn", None)
    if isinstance(own, Stack):
        return own, False
    raise UsageError(
        f"{run.folder} is a run of {run.name}, which reads text without a recurrent network, so there are no gates; "
        "give a run of seq2seq, hred, vhred or lm"
    )
