"""Points between two vectors.

    linear      p(t) = (1 - t) a + t b
    spherical   p(t) = sin((1 - t) w) / sin w  a + sin(t w) / sin w  b,   w the angle between a and b

Spherical interpolation is Shoemake 1985, "Animating Rotation with Quaternion Curves"; White 2016, "Sampling Generative
Networks", section 2.1, takes it for latent variables: where a and b are as long as each other, so is every point
between.
"""

import torch
from torch import Tensor

__all__ = ["linear", "spherical"]

_SMALLEST_SINE = 1e-4
"""Below it, a and b lie on one line: an arc is no longer told from it, or is not told at all."""


def linear(first: Tensor, last: Tensor, shares: Tensor) -> Tensor:
    """Returns points on the line.

    Args:
        first: (row, size), a.
        last: (row, size), b.
        shares: (row,), t; 0 is a, 1 is b.

    Returns:
        (row, size).
    """
    share = shares.to(first)[:, None]
    return (1 - share) * first + share * last


def spherical(first: Tensor, last: Tensor, shares: Tensor) -> Tensor:
    """Returns points on the arc, as `linear` does on the line; rows whose a and b lie on one line stay on it."""
    a, b, share = first.double(), last.double(), shares.to(first.device).double()[:, None]
    lengths = a.norm(dim=1, keepdim=True) * b.norm(dim=1, keepdim=True)
    angle = ((a * b).sum(1, keepdim=True) / lengths.clamp(min=1e-300)).clamp(-1, 1).acos()
    sine = angle.sin()
    has_arc = (sine > _SMALLEST_SINE) & (lengths > 0)
    divisor = torch.where(has_arc, sine, 1.0)
    arc = (((1 - share) * angle).sin() * a + (share * angle).sin() * b) / divisor
    return torch.where(has_arc, arc, linear(a, b, shares)).to(first.dtype)
