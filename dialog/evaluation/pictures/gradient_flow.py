"""How much of a gradient arrives d steps back: gradients that vanish, and that explode.

Bengio, Simard and Frasconi 1994, "Learning Long-Term Dependencies with Gradient Descent is Difficult"; Pascanu,
Mikolov and Bengio 2013, "On the difficulty of training recurrent neural networks", section 2:

    d h_T / d h_{T-d}  =  prod_{t = T-d+1 .. T}  d h_t / d h_{t-1}

A row is a random sequence with a random direction v of length 1 that a loss might pull the last output h_T in. What
is measured is the gradient of v · h_T by the state d steps back (all that the cell keeps, an LSTM's c and the older
states of skip connections, too), or by the input d steps back: its length, the root of the mean square over the rows.
By the state it is 1 at d = 0. As many steps are read before those that are measured, so that no distance is special
for being near the zeros that a sequence begins with.

| paper | here |
|---|---|
| h_T | the first `hidden_size` numbers of the last state |
| d | `distance`, the place in the list |
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from dialog.evaluation.pictures.canvas import canvas
from dialog.evaluation.pictures.cells import CellSpec

__all__ = ["PANELS", "Curve", "FlowOptions", "draw_flow", "gradient_norms", "measure_flow"]

PANELS: dict[str, tuple[str, ...]] = {
    "the simple network, its recurrent weights scaled": (
        "rnn_tanh,scale=0.5",
        "rnn_tanh",
        "rnn_tanh,scale=1.5",
        "rnn_tanh,scale=2",
        "rnn_relu,scale=0.9",
        "rnn_relu",
        "rnn_relu,scale=1.1",
    ),
    "gates, by the bias of the one that keeps": (
        "lstm,keep=0",
        "lstm",
        "lstm_peephole",
        "lstm,keep=3",
        "gru",
        "gru_reset_before",
        "gru,keep=3",
    ),
    "leaky units and echo state networks": (
        "leaky",
        "leaky,leak=0.1",
        "leaky,leak=0.01",
        "esn,leak=1,spectral_radius=0.5",
        "esn,leak=1,spectral_radius=0.9",
        "esn,leak=1,spectral_radius=1.5",
    ),
    "skip connections over time": (
        "rnn_tanh",
        "rnn_tanh,skips=5",
        "rnn_tanh,skips=10",
        "rnn_tanh,skips=2+5+10",
        "gru",
        "gru,skips=10",
    ),
}
"""The cells that are drawn when none are named, by the title of their panel."""

_FLOOR, _CEILING = 1e-9, 1e6
"""What a picture shows; the figures go further."""
_STYLES = ("-", "--", "-.", ":")


@dataclass(frozen=True, slots=True)
class FlowOptions:
    """What a gradient is sent through.

    Attributes:
        steps: the largest distance.
        hidden_size: of a state, and of an input.
        by: `state` or `input`.
        input_scale: standard deviation of the inputs; a model's fresh token vectors have 0.1.
        num_rows: sequences.
        seed: of weights, inputs and directions.
    """

    steps: int = 100
    hidden_size: int = 64
    by: str = "state"
    input_scale: float = 0.1
    num_rows: int = 32
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Curve:
    """What was measured of a cell.

    Attributes:
        spec: the cell.
        norms: at distance 0, 1, 2, …
    """

    spec: CellSpec
    norms: tuple[float, ...]


def gradient_norms(spec: CellSpec, options: FlowOptions) -> tuple[float, ...]:
    """Measures a cell; see the module's docstring. In float64, so that 1e-300 is still a number.

    Returns:
        By the state `steps` + 1 lengths, from distance 0 on; by the input `steps` of them, the last input first.
    """
    size, rows = options.hidden_size, options.num_rows
    layer = spec.make(size, size, options.seed).double()
    generator = torch.Generator().manual_seed(options.seed)
    inputs = torch.randn(2 * options.steps, rows, size, generator=generator, dtype=torch.float64)
    directions = torch.randn(rows, size, generator=generator, dtype=torch.float64)
    directions /= directions.norm(dim=1, keepdim=True)
    earlier, later = (inputs * options.input_scale).split(options.steps)
    state = torch.zeros(rows, layer.state_size, dtype=torch.float64)
    with torch.no_grad():
        for one in earlier:
            state = layer.step(one, state)
    given, states = [one.requires_grad_() for one in later], [state.requires_grad_()]
    for one in given:
        states.append(layer.step(one, states[-1]))
    pulled = (states[-1][:, :size] * directions).sum()
    gradients = torch.autograd.grad(pulled, states if options.by == "state" else given)
    return tuple(float(one.norm(dim=1).square().mean().sqrt()) for one in reversed(gradients))


def measure_flow(specs: Sequence[CellSpec], options: FlowOptions) -> list[Curve]:
    """Measures several cells, each on the same inputs."""
    return [Curve(spec, gradient_norms(spec, options)) for spec in specs]


def draw_flow(panels: Mapping[str, Sequence[Curve]], options: FlowOptions, path: Path) -> None:
    """Draws the lengths over the distance, a panel each title.

    Raises:
        UsageError: see `canvas`.
    """
    columns = min(2, len(panels))
    lines = math.ceil(len(panels) / columns)
    with canvas(path, 5.4 * columns, 3.6 * lines) as figure:
        axes = figure.subplots(lines, columns, squeeze=False).flatten()
        for panel, (title, curves) in zip(axes, panels.items(), strict=False):
            for number, curve in enumerate(curves):
                style = _STYLES[number % len(_STYLES)]  # of two that are the same, both are seen
                panel.plot(curve.norms, label=curve.spec.text, linewidth=1.4, linestyle=style)
            heights = [norm for curve in curves for norm in curve.norms]
            panel.set_yscale("log", nonpositive="mask")
            panel.set_ylim(max(_FLOOR, min(heights)) / 2, 2 * min(_CEILING, max(heights)))
            panel.minorticks_off()
            panel.set_title(title)
            panel.set_xlabel("steps back, d")
            panel.set_ylabel(f"gradient of the last output by the {options.by}")
            panel.grid(alpha=0.3)
            panel.legend(fontsize=7)
        for unused in axes[len(panels) :]:
            unused.set_axis_off()
