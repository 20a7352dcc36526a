"""What a cell brings to the shared scan (`layers.scan`): the elementwise part of a step, and its derivative.

A rule is written by hand, and tested against NumPy. Three things make a scan of rules fast: no padding is touched;
the factors of the chain rule are computed for all tokens at once, so that a step back is a few multiplications
and one product; and the weight's gradient is one product for all steps, where torch's own layers take one a step.

In half precision only the products run in the autocast type; states and gates stay in the weights' own.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["CellRule", "RecurrentProduct", "Tensors", "Trace", "newest"]

Tensors = tuple[Tensor, ...]
_ALL = slice(None)


class RecurrentProduct:
    """Products with the recurrent weight, in the autocast type where there is one.

    Args:
        weight: (gates, seen).
        product_type: what the products run in.
    """

    def __init__(self, weight: Tensor, product_type: torch.dtype) -> None:
        self._weight, self.type, self._own = weight.to(product_type), product_type, weight.dtype
        self._turned = self._weight.t()

    def of(self, seen: Tensor) -> Tensor:
        """Returns W s (row, gates)."""
        if self.type == self._own:
            return seen @ self._turned
        return (seen.to(self.type) @ self._turned).to(self._own)

    def add_to(self, gates: Tensor, seen: Tensor, which: slice = _ALL) -> None:
        """Adds W s to `gates` (row, gates), in place; `which` are the rows of W that it takes."""
        turned = self._turned if which is _ALL else self._weight[which].t()
        if self.type == self._own:
            gates.addmm_(seen, turned)
        else:
            gates.add_(seen.to(self.type) @ turned)

    def back(self, gradient: Tensor, which: slice = _ALL) -> Tensor:
        """Returns the gradient (row, seen) of s from that of W s."""
        weight = self._weight if which is _ALL else self._weight[which]
        if self.type == self._own:
            return gradient @ weight
        return (gradient.to(self.type) @ weight).to(self._own)

    def weight_gradient(self, gradient: Tensor, seen: Tensor) -> Tensor:
        """Returns the gradient (gates, seen) of W from those of all tokens."""
        return (gradient.to(self.type).t() @ seen.to(self.type)).to(self._own)


@dataclass(frozen=True, slots=True)
class Trace:
    """What a scan keeps of all tokens.

    Attributes:
        outputs: (token, hidden), h_t.
        seen: (token, seen), s_t.
        cells: (token, hidden), c_t; empty for cells without.
        cells_before: (token, hidden), c_{t-1}.
        own: parameters of the rule's own.
        kept: whatever the rule kept.
    """

    outputs: Tensor
    seen: Tensor
    cells: Tensor
    cells_before: Tensor
    own: Tensors
    kept: Tensors


class CellRule(ABC):
    """The part of a cell that is not its recurrent product; it holds no tensors."""

    num_gates: int
    has_cell: bool = False

    @abstractmethod
    def keep(self, gates: Tensor, bias: Tensor, own: Tensors) -> Tensors:
        """Returns the tensors of all tokens that `advance` fills block by block.

        Args:
            gates: (token, gates), W_i x + b_i.
            bias: (gates,), b_h.
            own: parameters of the rule's own.
        """

    @abstractmethod
    def advance(self, trace: Trace, block: slice, seen: Tensor, product: RecurrentProduct) -> None:
        """One step: fills a block's `outputs` (and `cells`); `seen` (row, seen) is the block's s_t."""

    @abstractmethod
    def factors(self, trace: Trace) -> Tensors:
        """Returns, for all tokens, the factors that `retreat` multiplies gradients with."""

    @abstractmethod
    def retreat(
        self,
        trace: Trace,
        factors: Tensors,
        block: slice,
        arriving: tuple[Tensor, Tensor],
        inner: Tensor,
        product: RecurrentProduct,
    ) -> tuple[Tensor, Tensor]:
        """One step back.

        Args:
            trace: of the way forward.
            factors: from `factors`.
            block: the step's tokens.
            arriving: gradients (row, hidden) of h_t and c_t; the second may be changed in place.
            inner: (row, gates), to be filled with the gradient of W_h s + b_h.
            product: with W_h.

        Returns:
            The gradients of s_t (row, seen) and c_{t-1} (row, hidden).
        """

    def opened(self, trace: Trace) -> dict[str, Tensor]:
        """Returns how far each gate was open, (token, hidden) by its name; nothing for a cell without gates."""
        return {}

    def gate_gradient(self, factors: Tensors, inner: Tensor) -> Tensor:
        """Returns the gradient (token, gates) of W_i x + b_i."""
        return inner

    def weight_gradient(self, trace: Trace, inner: Tensor, product: RecurrentProduct) -> Tensor:
        """Returns the gradient of W_h, for all steps at once."""
        return product.weight_gradient(inner, trace.seen)

    def own_gradients(self, trace: Trace, inner: Tensor, arrived: Tensor) -> Tensors:
        """Returns the gradients of `own`; `arrived` (token, hidden) is all that arrived at h_t."""
        raise NotImplementedError


def newest(seen: Tensor, size: int) -> Tensor:
    """Returns h_{t-1}'s part (row, hidden) of `seen` (row, seen), or of its gradient."""
    return seen if seen.shape[1] == size else seen[:, :size]  # a slice for nothing costs small batches
