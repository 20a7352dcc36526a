"""Rows of unequal lengths without padding: the layout of torch's `PackedSequence`, with its indices named.

Rows are taken by descending length, and positions are laid out time by time, so that a recurrent layer
finds the rows that are still running at time t at the front of one contiguous block.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["Packing", "rows_or_zero"]


def rows_or_zero(values: Tensor, positions: Tensor) -> Tensor:
    """Returns `values` (token, size) at `positions` (any shape), zeros where a position is -1."""
    padded = torch.cat([values.new_zeros(1, values.shape[1]), values])
    return functional.embedding(positions + 1, padded)  # its gradient is faster than that of indexing


@dataclass(frozen=True, slots=True)
class Packing:
    """Where each real position of some rows stands when packed.

    Attributes:
        lengths: (row,) int64 on the CPU; 0 is allowed.
        batch_sizes: for each time the number of rows that are longer than it.
        order: (row,) int64, the rows by descending length.
        rows: (token,) int64, the row of each packed position.
        times: (token,) int64, its time.
    """

    lengths: Tensor
    batch_sizes: tuple[int, ...]
    order: Tensor
    rows: Tensor
    times: Tensor

    @staticmethod
    def of(lengths: Tensor, device: torch.device | str = "cpu") -> "Packing":
        """Makes the packing of rows with the given lengths (row,), its indices on `device`."""
        lengths = lengths.cpu()
        longest = int(lengths.max()) if len(lengths) else 0
        descending, order = torch.sort(lengths, descending=True, stable=True)
        running = torch.arange(longest)[:, None] < descending[None, :]  # (time, row)
        times, places = torch.nonzero(running, as_tuple=True)
        sizes = tuple(running.sum(1).tolist())
        return Packing(lengths, sizes, order.to(device), order[places].to(device), times.to(device))

    @property
    def num_tokens(self) -> int:
        """How many real positions there are."""
        return len(self.rows)

    def pack(self, padded: Tensor) -> Tensor:
        """Returns the real positions (token, …) of `padded` (row, time, …)."""
        return padded[self.rows, self.times]

    def pad(self, packed: Tensor, longest: int | None = None) -> Tensor:
        """Returns `packed` (token, …) as (row, time, …) with zeros behind each row's end."""
        time = len(self.batch_sizes) if longest is None else longest
        padded = packed.new_zeros((len(self.lengths), time, *packed.shape[1:]))
        return padded.index_put((self.rows, self.times), packed)

    def sum_rows(self, values: Tensor) -> Tensor:
        """Returns the sum (row,) of `values` (token,) over each row's positions."""
        return values.new_zeros(len(self.lengths)).index_add(0, self.rows, values)

    def table(self) -> Tensor:
        """Returns (row, time) int64: the packed position of each real position, -1 elsewhere."""
        table = torch.full((len(self.lengths), len(self.batch_sizes)), -1, device=self.rows.device)
        table[self.rows, self.times] = torch.arange(self.num_tokens, device=self.rows.device)
        return table
