"""A packed tensor has the real positions, each once, and comes back as it was."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from dialog.layers.packing import Packing

rows_of_lengths = st.lists(st.integers(0, 6), max_size=8)


def padded_rows(lengths: list[int]) -> torch.Tensor:
    """Values (row, time, 2), each unlike all others, zeros behind the ends."""
    time = max(lengths, default=0)
    values = torch.arange(1, len(lengths) * time * 2 + 1, dtype=torch.float64).view(len(lengths), time, 2)
    return values * (torch.arange(time) < torch.tensor(lengths)[:, None])[:, :, None]


@given(rows_of_lengths)
def test_pad_undoes_pack(lengths) -> None:
    packing, padded = Packing.of(torch.tensor(lengths, dtype=torch.int64)), padded_rows(lengths)
    packed = packing.pack(padded)
    assert packing.num_tokens == len(packed) == sum(lengths)
    assert torch.equal(packing.pad(packed), padded)
    assert torch.equal(packing.pack(packing.pad(packed)), packed)
    wider = packing.pad(packed, longest=9)
    assert wider.shape == (len(lengths), 9, 2)
    assert torch.equal(wider[:, : padded.shape[1]], padded) and not wider[:, padded.shape[1] :].any()


@given(rows_of_lengths)
def test_times_follow_one_another_and_the_longest_row_comes_first(lengths) -> None:
    packing = Packing.of(torch.tensor(lengths, dtype=torch.int64))
    assert list(packing.batch_sizes) == [sum(n > t for n in lengths) for t in range(max(lengths, default=0))]
    assert sorted(packing.order.tolist()) == list(range(len(lengths)))
    ordered = [lengths[row] for row in packing.order.tolist()]
    assert ordered == sorted(lengths, reverse=True)
    expected = [
        (row, t) for t, size in enumerate(packing.batch_sizes) for row in packing.order[:size].tolist()
    ]
    assert list(zip(packing.rows.tolist(), packing.times.tolist(), strict=True)) == expected


@given(rows_of_lengths)
def test_sums_and_the_table_name_the_same_positions(lengths) -> None:
    packing, padded = Packing.of(torch.tensor(lengths, dtype=torch.int64)), padded_rows(lengths)
    packed = packing.pack(padded)
    assert torch.equal(packing.sum_rows(packed[:, 0]), padded[:, :, 0].sum(1))
    table = packing.table()
    assert table.shape == padded.shape[:2]
    for row, length in enumerate(lengths):
        assert (table[row, length:] == -1).all()
        assert torch.equal(packed[table[row, :length]], padded[row, :length])


@given(rows_of_lengths.filter(any))
def test_it_is_the_layout_of_torch(lengths) -> None:
    kept = [n for n in lengths if n]  # torch takes no empty rows
    packing, padded = Packing.of(torch.tensor(kept)), padded_rows(kept)
    theirs = torch.nn.utils.rnn.pack_padded_sequence(
        padded, torch.tensor(kept), batch_first=True, enforce_sorted=False
    )
    assert theirs.batch_sizes.tolist() == list(packing.batch_sizes)
    assert torch.equal(packing.pack(padded).sort(0).values, theirs.data.sort(0).values)


def test_gradients_go_through_pack_pad_and_sums() -> None:
    packing = Packing.of(torch.tensor([2, 0, 3]))
    packed = torch.randn(5, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: packing.pack(packing.pad(x) ** 2), packed)
    assert torch.autograd.gradcheck(lambda x: packing.sum_rows(x[:, 0] ** 2), packed)
