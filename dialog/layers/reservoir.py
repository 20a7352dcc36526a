"""The echo state network: leaky units whose weights are drawn once and never trained.

Jaeger 2001, "The 'echo state' approach to analysing and training recurrent neural networks", with the leaky units
of Jaeger et al. 2007 (`layers.leaky`). What reads the state is trained, and so is what stands below: gradients
pass through. The weights are buffers: saved with the model, and no parameters.

- W_h has the same number of weights in each row, at random places, the others are 0; normal draws, scaled so
  that the spectral radius (the largest absolute value of an eigenvalue) is as asked for. Below 1, what a state
  began with fades away and the state is an echo of the inputs; near 1, it fades slowly.
- With skip connections the recurrence is h_t = W_1 h_{t-1} + Σ_d W_d h_{t-d}; its spectral radius is that of its
  companion matrix, and W_d is scaled by the d-th power of what W_1 is scaled by, which meets the radius exactly.
- W_i and b_i are uniform within the input scale; b_h is 0.

The eigenvalues of 512 units take half a second of one processor; with skip connections they are those of D times
as many.
"""

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
    """
    size, depth = len(weight), max(skips, default=1)
    companion = torch.zeros(size * depth, size * depth, dtype=torch.float64)
    for block, steps in zip(weight.double().split(size, dim=1), (1, *skips), strict=True):
        companion[:size, (steps - 1) * size : steps * size] = block
    companion[size:, :-size] = torch.eye(size * (depth - 1))
    return float(torch.linalg.eigvals(companion).abs().max())


def _reservoir(size: int, skips: Sequence[int], radius: float, density: float) -> Tensor:
    """Draws W_h. One weight a row is enough for a cycle, and so for an eigenvalue that is not 0."""
    count = max(1, round(density * size))
    blocks = []
    for _ in (1, *skips):
        places = torch.rand(size, size).argsort(dim=1)[:, :count]
        drawn = torch.randn(size, count, dtype=torch.float64) / (count * (1 + len(skips))) ** 0.5
        blocks.append(torch.zeros(size, size, dtype=torch.float64).scatter_(1, places, drawn))
    scale = radius / spectral_radius(torch.cat(blocks, dim=1), skips)
    return torch.cat([block * scale**steps for block, steps in zip(blocks, (1, *skips), strict=True)], dim=1)
