"""Layers that torch has as one kernel (cuDNN on CUDA), called with a layer's own weights over packed rows.

torch runs a reverse direction only beside a forward one, so rows are turned round instead.
"""

from typing import Any

import torch
from torch import Tensor

from dialog.layers.packing import Packing
from dialog.layers.recurrent import RecurrentLayer

__all__ = ["FusedLayer"]


class FusedLayer(RecurrentLayer):
    """A layer whose equations torch has fused, too.

    It takes torch's kernel on CUDA always, and on the CPU where nothing is kept for a backward pass, in full
    precision: with a gradient the scan is faster there (`docs/cells.md`).

    Where autocast is on, the kernel runs without: torch would call cuDNN in float16 whatever type is asked for, and
    states stay in the weights' own type in the scan, too. On an H200 that is as fast as bfloat16.
    """

    kernel: str
    """Its name in `torch._VF`."""

    def _has_faster_fused(self, inputs: Tensor) -> bool:
        if self.skips:
            return False
        return inputs.is_cuda or not (torch.is_grad_enabled() or torch.is_autocast_enabled("cpu"))

    def _fused(self, inputs: Tensor, packing: Packing, initial: Tensor, constant: Tensor | None) -> Tensor:
        own_type = self.weight_hidden.dtype
        inputs = inputs.to(own_type)
        if constant is not None:
            inputs = torch.cat([inputs, constant.to(own_type)[packing.rows]], dim=1)
        rows = packing.batch_sizes[0]  # rows of length 0 stand last and have no output
        turned = _turned(packing) if self.reverse else None
        starts = initial[packing.order][:rows].to(own_type).split(self.hidden_size, dim=1)
        states = [start.contiguous()[None] for start in starts]
        kernel: Any = getattr(torch._VF, self.kernel)
        with torch.autocast(inputs.device.type, enabled=False):
            outputs: Tensor = kernel(
                inputs if turned is None else inputs[turned],
                torch.tensor(packing.batch_sizes),
                states if self.rule.has_cell else states[0],
                [self.weight_input, self.weight_hidden, self.bias_input, self.bias_hidden],
                True,
                1,
                0.0,
                self.training,
                False,
            )[0]
        return outputs if turned is None else outputs[turned]


def _turned(packing: Packing) -> Tensor:
    """For each packed position the position of the same row counted from the row's other end."""
    lengths = packing.lengths.to(packing.rows.device)
    return packing.table()[packing.rows, lengths[packing.rows] - 1 - packing.times]
