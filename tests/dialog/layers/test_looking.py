"""Laying packed tokens out in groups and packing them again is the identity, and each sees its own sources."""

from collections.abc import Sequence

import pytest
import torch

from dialog.layers.looking import Looking
from dialog.layers.packing import Packing


def tables(lengths: Sequence[int]) -> tuple[Packing, torch.Tensor]:
    packing = Packing.of(torch.tensor(lengths, dtype=torch.int64))
    return packing, packing.table()


MANY = [(7 * row) % 11 + 1 for row in range(50)]


@pytest.mark.parametrize("lengths", [[3], [2, 5, 1], MANY, [0, 3, 0], [0], []])
def test_laid_out_and_packed_again_it_is_the_same(lengths) -> None:
    packing, table = tables(lengths)
    tokens = torch.randn(packing.num_tokens, 4, dtype=torch.float64)
    looking = Looking.of(table, table)
    queries = [query for query, *_ in looking.groups(tokens, tokens, tokens)]
    assert torch.equal(looking.pack(queries), tokens)


@pytest.mark.parametrize("source_lengths", [MANY[::-1], [0, 2] * 25, [0] * 50])
def test_each_row_meets_its_own_sources(source_lengths) -> None:
    packing, table = tables(MANY)
    sources, positions = tables(source_lengths)
    of_tokens = packing.rows[:, None].double()
    of_sources = sources.rows[:, None].double()
    looking = Looking.of(table, positions)
    num_rows = num_sources = 0
    for query, key, value, mask in looking.groups(of_tokens, of_sources, -of_sources):
        row = query[:, :1]
        assert ((key == row) | ~mask[:, :, None]).all()
        assert torch.equal(value, -key)
        num_rows, num_sources = num_rows + len(query), num_sources + int(mask.sum())
    assert (num_rows, num_sources) == (len(MANY), sum(source_lengths))


def test_rows_of_like_length_stand_together_so_that_little_is_padded() -> None:
    packing, table = tables(MANY)
    looking = Looking.of(table, table)
    assert len(looking.tokens) < 1.2 * packing.num_tokens < 0.8 * table.numel()
