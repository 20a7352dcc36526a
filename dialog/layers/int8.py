"""Products with 8-bit whole numbers, for inference on the CPU: y = W x + b.

Weights are symmetric, a scale for each output; inputs have one scale that is fixed beforehand, from a bound of
their absolute value:

    W_oi ~ s_o V_oi,  V in -L ... L       x_i ~ (bound / 127) u_i,  u in -127 ... 127
    y_o = s_o (bound / 127) sum_i V_oi u_i + b_o

L is 127. A processor without VNNI adds the products of two neighbours in 16 bits, which 2 * 255 * 127 overflows; there
L is 63, a weight has 7 bits. The sum is exact, so the rows beside a row can change its result in the last bit alone
(kernels for few and for many rows may scale the sum in another order); a scale taken from the batch at hand, as dynamic
quantisation does, would make it depend on them. Jacob et al. 2018, "Quantization and Training of Neural Networks for
Efficient Integer-Arithmetic-Only Inference", section 2.
"""

import torch
from torch import Tensor, nn

from dialog.errors import UsageError

__all__ = ["Int8Linear", "weight_levels"]

_LEVELS = 127
_ZERO = 128  # inputs are stored as 1 ... 255: oneDNN is fast for unsigned inputs alone
_LEVELS_IN_16_BITS = 63
"""Of weights whose products with two inputs are added up in 16 bits: 2 * 255 * 63 < 2 ** 15."""


class Int8Linear(nn.Module):
    """A linear map whose product is computed in int8.

    Args:
        weight: (out, in) float32, on the CPU.
        bias: (out,) or None.
        bound: no input's absolute value is larger.

    Raises:
        UsageError: this build of PyTorch has no oneDNN, so no such product.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None, bound: float = 1.0):
        super().__init__()
        if not torch.backends.mkldnn.is_available():
            raise UsageError(
                "int8 needs a PyTorch with oneDNN, and this one has none; serve in float32 instead, without --int8"
            )
        weight = weight.detach()
        scale = weight.abs().amax(1).clamp(min=torch.finfo(torch.float32).tiny) / weight_levels()
        levels = (weight / scale[:, None]).round().to(torch.int8)
        self._bound = bound
        self._weight = torch.ops.onednn.qlinear_prepack(levels, None)
        self._scale, self._zeros = scale, torch.zeros(len(weight), dtype=torch.int32)
        self._bias = None if bias is None else bias.detach()

    def forward(self, inputs: Tensor) -> Tensor:
        """Returns (row, out) float32 for `inputs` (row, in) float32, at most `bound` in absolute value."""
        levels = (inputs * (_LEVELS / self._bound)).add_(_ZERO + 0.5).to(torch.uint8)
        outputs: Tensor = torch.ops.onednn.qlinear_pointwise(
            levels,
            self._bound / _LEVELS,
            _ZERO,
            self._weight,
            self._scale,
            self._zeros,
            self._bias,
            1.0,
            0,
            torch.float32,
            "none",
            [],
            "",
        )
        return outputs


def weight_levels() -> int:
    """Returns the largest whole number that stands for a weight on this processor."""
    return _LEVELS if torch.cpu._is_vnni_supported() else _LEVELS_IN_16_BITS
