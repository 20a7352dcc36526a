"""How much of a gradient arrives at the lower layers of a deep stack, and at the tokens of an utterance.

As in `gradient_flow`, a row is a random sequence with a random direction v of length 1 that a vector y is pulled in,
and what is measured is the length of a gradient, the root of the mean square over the rows:

- over layers: y is the last layer's last output, the gradient of v · y is by all outputs of a layer. Wu et al. 2016,
  "Google's Neural Machine Translation System", section 3.1, is why deep stacks have residual connections; Ba, Kiros and
  Hinton 2016, "Layer Normalization";
- over tokens: y is the vector that one layer makes of an utterance, the gradient of v · y is by a token's input. In one
  direction y is the last state, in two it is both ends (Schuster and Paliwal 1997, "Bidirectional Recurrent Neural
  Networks").
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dialog.evaluation.pictures.canvas import canvas
from dialog.layers.cells import CellOptions
from dialog.layers.packing import Packing
from dialog.layers.stack import Stack, StackOptions

__all__ = ["READINGS", "VARIANTS", "StackCurve", "draw_stacks", "layer_gradients", "token_gradients"]

VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "residual from layer 2": {"residual_from": 2},
    "layer norm": {"layer_norm": True},
    "both": {"residual_from": 2, "layer_norm": True},
}
"""What is set of `StackOptions`, by the name of the line."""

READINGS: dict[str, str] = {"forwards": "forward", "in both directions": "both"}
"""Directions of a layer, by the name of the line."""

_ROWS, _INPUT_SCALE = 32, 0.1


@dataclass(frozen=True, slots=True)
class StackCurve:
    """What was measured of a stack.

    Attributes:
        name: of the line.
        norms: at layer 1, 2, …, or at token 1, 2, …
    """

    name: str
    norms: tuple[float, ...]


def layer_gradients(
    cell: str, num_layers: int, hidden_size: int, length: int, seed: int, **variant: Any
) -> tuple[float, ...]:
    """Measures a stack as it begins, over its layers.

    Args:
        cell: of all layers.
        num_layers: 1 or more.
        hidden_size: of a layer's output, and of an input.
        length: tokens of a sequence.
        seed: of weights, inputs and directions.
        **variant: further fields of `StackOptions`.

    Raises:
        ConfigError: there is no such cell.
    """
    stack = _fresh(StackOptions(CellOptions(cell), num_layers, **variant), hidden_size, seed)
    outputs: list[Tensor] = []
    for level in stack.layers:
        level[0].register_forward_hook(lambda _, __, output: outputs.append(output))  # type: ignore[index]
    _, _, pulled = _pulled(stack, hidden_size, length, seed)
    gradients = torch.autograd.grad(pulled, outputs)
    return tuple(float((one.square().sum() / _ROWS).sqrt()) for one in gradients)


def token_gradients(
    cell: str, directions: str, hidden_size: int, length: int, seed: int
) -> tuple[float, ...]:
    """Measures one layer as it begins, over the tokens of an utterance.

    Args:
        cell: of the layer.
        directions: as of `StackOptions`.
        hidden_size: of its output, even for two directions, and of an input.
        length: tokens of an utterance.
        seed: of weights, inputs and directions.

    Raises:
        ConfigError: there is no such cell, or two directions share an odd size.
    """
    stack = _fresh(StackOptions(CellOptions(cell), 1, directions), hidden_size, seed)
    inputs, packing, pulled = _pulled(stack, hidden_size, length, seed)
    (gradient,) = torch.autograd.grad(pulled, [inputs])
    squares = packing.pad(gradient).square().sum(2).mean(0)  # (time,)
    return tuple(squares.sqrt().tolist())


def draw_stacks(layers: Sequence[StackCurve], tokens: Sequence[StackCurve], cell: str, path: Path) -> None:
    """Draws the lengths over the layers, and over the tokens.

    Raises:
        UsageError: see `canvas`.
    """
    with canvas(path, 10.4, 3.8) as figure:
        left, right = figure.subplots(1, 2)
        for panel, curves in ((left, layers), (right, tokens)):
            for curve in curves:
                places = range(1, len(curve.norms) + 1)
                panel.plot(places, curve.norms, marker="o", markersize=3, linewidth=1.2, label=curve.name)
            panel.set_yscale("log", nonpositive="mask")
            panel.grid(alpha=0.3)
            panel.legend(fontsize=8)
        left.set_title(f"gradient of the last output by a layer's, {cell}")
        left.set_xlabel("layer, 1 is the lowest")
        right.set_title(f"gradient of an utterance's vector by a token, {cell}")
        right.set_xlabel("token")


def _fresh(options: StackOptions, size: int, seed: int) -> Stack:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Stack(options, size, size).double()


def _pulled(stack: Stack, size: int, length: int, seed: int) -> tuple[Tensor, Packing, Tensor]:
    """Returns the packed inputs, their packing, and the sum over the rows of v · y."""
    generator = torch.Generator().manual_seed(seed)
    packing = Packing.of(torch.full((_ROWS,), length))
    drawn = torch.randn(packing.num_tokens, size, generator=generator, dtype=torch.float64)
    directions = torch.randn(_ROWS, size, generator=generator, dtype=torch.float64)
    directions /= directions.norm(dim=1, keepdim=True)
    inputs = (drawn * _INPUT_SCALE).requires_grad_()
    vectors = stack.ends(stack(inputs, packing), packing)
    return inputs, packing, (vectors * directions).sum()
