"""The echo state network: leaky units whose weights are drawn once and never trained.

Jaeger 2001, "The 'echo state' approach to analysing and training recurrent neural networks", with the leaky units
of Jaeger et al. 2007 (`layers.leaky`). What reads the state is trained, and so is what stands below: gradients
pass through. The weights are buffers: saved with the model, and no parameters.

- W_h has the same number of weights in each row, at random places, the others are 0; normal draws, scaled so
  that the spectral radius (the largest absolute value of an eigenvalue) is as asked for. Below 1, what a state
  began with fades away and the state is an echo of the inputs; near 1, it fades slowly.
- With skip connections the recurrence is h_t = W_1 h_{t-1} + Σ_d W_d h_{t-d}. Its spectral radius is that of its
  companion matrix, D times as large: the pace at which it grows a step. W_d is scaled by the d-th power of what
  W_1 is scaled by, which scales that radius exactly; so a skip over d steps counts where radius^d does.
- W_i and b_i are uniform within the input scale; b_h is 0.

The eigenvalues of 512 units take half a second. Those of a companion matrix of more than 600 rows are not computed:
the recurrence is run and its growth measured, to about a thousandth.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dialog.layers.leaky import LeakyLayer

__all__ = ["ReservoirLayer", "spectral_radius"]


class ReservoirLayer(LeakyLayer):
    """An echo state network.

    Args:
        input_size: size of x_t.
        hidden_size: size of h_t.
        constant_size: size of the input that stays over a row; 0 for none.
        reverse: whether time runs from each row's end to its start.
        skips: how many steps back further connections reach.
        leak: a, in (0, 1].
        spectral_radius: of the recurrence without leak, above 0.
        density: share of each row's recurrent weights that are not 0, rounded to whole weights, at least one.
        input_scale: largest absolute value of W_i and b_i.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        constant_size: int = 0,
        reverse: bool = False,
        skips: Sequence[int] = (),
        leak: float = 0.5,
        spectral_radius: float = 0.9,
        density: float = 0.1,
        input_scale: float = 0.5,
    ):
        super().__init__(input_size, hidden_size, constant_size, reverse, skips, leak)
        nn.init.uniform_(self.weight_input, -input_scale, input_scale)
        nn.init.uniform_(self.bias_input, -input_scale, input_scale)
        self.weight_hidden.copy_(_reservoir(hidden_size, self.skips, spectral_radius, density))

    def _add(self, name: str, values: Tensor) -> None:
        self.register_buffer(name, values)

    def _draw(self) -> None:
        """Draws nothing yet: how the weights are drawn is known once the layer is there."""


def spectral_radius(weight: Tensor, skips: Sequence[int] = ()) -> float:
    """Returns the spectral radius of h_t = W_1 h_{t-1} + Σ_d W_d h_{t-d}.

    Args:
        weight: (hidden, hidden * (1 + len(skips))), W_1 and the W_d side by side.
        skips: each d.

    Returns:
        The largest absolute value of an eigenvalue, where there are many to about a thousandth.
    """
    size, depth, steps = len(weight), max(skips, default=1), (1, *skips)
    if skips and size * depth > _MOST_EIGENVALUES:
        return _growth(weight.double(), steps)
    companion = torch.zeros(size * depth, size * depth, dtype=torch.float64)
    companion[size:, :-size] = torch.eye(size * (depth - 1))
    for block, step in zip(weight.double().split(size, dim=1), steps, strict=True):
        companion[:size, (step - 1) * size : step * size] = block
    return float(torch.linalg.eigvals(companion).abs().max())


_MOST_EIGENVALUES = 600
_SOUNDINGS = 4
_SETTLING, _MEASURED = 1000, 1000


def _growth(weight: Tensor, steps: Sequence[int]) -> float:
    """Runs the recurrence from random states; returns the factor that it grows by a step, once it has settled."""
    depth = max(steps)
    states = list(torch.randn(depth, len(weight), _SOUNDINGS, dtype=torch.float64))
    lengths: list[float] = []  # logarithm of the window's size after each `depth` steps
    while depth * len(lengths) < _SETTLING + _MEASURED:
        for _ in range(depth):
            states.append(weight @ torch.cat([states[-step] for step in steps]))
        length = torch.stack(states[-depth:]).norm()
        states = [state / length for state in states[-depth:]]
        lengths.append(math.log(length))
    measured = lengths[-(-_SETTLING // depth) :]
    return math.exp(sum(measured) / (depth * len(measured)))


def _reservoir(size: int, skips: Sequence[int], radius: float, density: float) -> Tensor:
    """Draws W_h. One weight a row is enough for a cycle, and so for an eigenvalue that is not 0."""
    count = max(1, round(density * size))
    steps = (1, *skips)
    blocks = []
    for _ in steps:
        places = torch.rand(size, size).argsort(dim=1)[:, :count]
        drawn = torch.randn(size, count, dtype=torch.float64) / (count * len(steps)) ** 0.5
        blocks.append(torch.zeros(size, size, dtype=torch.float64).scatter_(1, places, drawn))
    scale = radius / spectral_radius(torch.cat(blocks, dim=1), skips)
    return torch.cat([block * scale**step for block, step in zip(blocks, steps, strict=True)], dim=1)
