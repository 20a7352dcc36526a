"""Leaky units: a simple recurrent network that keeps a share of what it was.

Mozer 1992, "Induction of Multiscale Temporal Structure"; Jaeger et al. 2007, "Optimization and applications of
echo state networks with leaky-integrator neurons", in the form of Lukoševičius 2012, "A Practical Guide to
Applying Echo State Networks", equations 2 and 3:

    h_t = (1 - a) h_{t-1} + a tanh(W_i x_t + b_i + W_h h_{t-1} + b_h),   a in (0, 1]

A unit forgets at the pace a: what it was is worth (1 - a)^T after T steps. a is one fixed number, or one a unit,
learnt through a sigmoid.

| paper | here |
|---|---|
| a | `leak`, or sigmoid(`leak_logit`) |
| tanh(…) | `target`, which the state leaks towards |
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dialog.layers.cell_rule import CellRule, RecurrentProduct, Tensors, Trace, newest
from dialog.layers.recurrent import RecurrentLayer

__all__ = ["LeakyLayer", "LeakyRule"]


class LeakyRule(CellRule):
    """Own: a (hidden,). Kept: the targets (token, hidden)."""

    num_gates = 1

    def keep(self, gates: Tensor, bias: Tensor, own: Tensors) -> Tensors:
        """Returns the targets' sums."""
        return (gates + bias,)

    def advance(self, trace: Trace, block: slice, seen: Tensor, product: RecurrentProduct) -> None:
        """One step."""
        target = trace.kept[0][block]
        product.add_to(target, seen)
        target.tanh_()
        before = newest(seen, target.shape[1])
        torch.lerp(before, target, trace.own[0], out=trace.outputs[block])

    def factors(self, trace: Trace) -> Tensors:
        """Returns a (1 - target²) for all tokens, and 1 - a."""
        (targets,), (leak,) = trace.kept, trace.own
        return leak * (1 - targets * targets), 1 - leak

    def retreat(
        self,
        trace: Trace,
        factors: Tensors,
        block: slice,
        arriving: tuple[Tensor, Tensor],
        inner: Tensor,
        product: RecurrentProduct,
    ) -> tuple[Tensor, Tensor]:
        """One step back."""
        to_target, kept_share = factors
        torch.mul(arriving[0], to_target[block], out=inner)
        leaving = product.back(inner)
        newest(leaving, inner.shape[1]).addcmul_(arriving[0], kept_share)
        return leaving, arriving[1]

    def own_gradients(self, trace: Trace, inner: Tensor, arrived: Tensor) -> Tensors:
        """Returns the gradient of a."""
        before = newest(trace.seen, arrived.shape[1])
        return ((arrived * (trace.kept[0] - before)).sum(0),)


class LeakyLayer(RecurrentLayer):
    """Leaky units.

    Args:
        input_size: size of x_t.
        hidden_size: size of h_t.
        constant_size: size of the input that stays over a row; 0 for none.
        reverse: whether time runs from each row's end to its start.
        skips: how many steps back further connections reach.
        leak: a, in (0, 1]; where it is learnt, what it starts from, in (0, 1).
        leak_learnt: whether each unit learns its own.
    """

    rule = LeakyRule()

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        constant_size: int = 0,
        reverse: bool = False,
        skips: Sequence[int] = (),
        leak: float = 0.5,
        leak_learnt: bool = False,
    ):
        super().__init__(input_size, hidden_size, constant_size, reverse, skips)
        self.leak = leak
        self.leak_logit = None
        if leak_learnt:
            self.leak_logit = nn.Parameter(torch.full((hidden_size,), math.log(leak / (1 - leak))))

    def _own(self) -> Tensors:
        if self.leak_logit is None:
            return (self.weight_hidden.new_full((self.hidden_size,), self.leak),)
        return (torch.sigmoid(self.leak_logit),)

    def _advance(self, gates: Tensor, seen: Tensor, hidden: Tensor, cell: Tensor | None) -> Tensor:
        target = torch.tanh(gates + self._hidden_product(seen))
        leak = self.leak if self.leak_logit is None else torch.sigmoid(self.leak_logit)
        new: Tensor = hidden + leak * (target - hidden)
        return new
