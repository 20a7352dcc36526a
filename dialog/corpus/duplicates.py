"""Which conversations are the first of their kind, in some 20 bytes of memory a conversation."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["first_of_each"]

_AT_ONCE = 1_000_000


def first_of_each(digests: NDArray[np.uint64], splits: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Returns for each row whether no row before it has the same digest and split.

    Args:
        digests: (row, 2), 16 bytes a row; is changed.
        splits: (row), the number of the split.
    """
    digests[:, 0] ^= splits  # equal digests of different splits are no duplicates
    is_first = np.ones(len(digests), np.bool_)
    if len(digests) <= _AT_ONCE:
        _mark(digests, np.arange(len(digests)), is_first)
        return is_first
    # Equal digests have equal first bytes: sorting one byte's rows at a time bounds what sorting takes.
    bytes_ = (digests[:, 1] & np.uint64(0xFF)).astype(np.uint8)
    for byte in range(256):
        _mark(digests, np.flatnonzero(bytes_ == byte), is_first)
    return is_first


def _mark(digests: NDArray[np.uint64], rows: NDArray[np.int64], is_first: NDArray[np.bool_]) -> None:
    some = digests[rows]
    order = np.lexsort((some[:, 0], some[:, 1]))  # stable: of equal ones the first stays first
    same = (some[order[1:]] == some[order[:-1]]).all(axis=1)
    is_first[rows[order[1:][same]]] = False
