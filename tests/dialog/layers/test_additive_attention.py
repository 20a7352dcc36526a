"""Blocks bound the memory of additive attention and change nothing else."""

import pytest
import torch

from dialog.layers import additive_attention
from dialog.layers.additive_attention import additive_energies
from tests.dialog.layers.attention_cases import random


def operands() -> list[torch.Tensor]:
    return [random(3, 5, 4, seed=1), random(3, 7, 4, seed=2), random(4, seed=3)]


@pytest.mark.parametrize("values", [1, 28, 60, 140, 300, 10**9], ids=str)
def test_blocks_of_any_size_are_the_equation_as_autograd_has_it(values, monkeypatch) -> None:
    """One query, some, a row, two rows, all at a time."""
    monkeypatch.setitem(additive_attention._BLOCK_VALUES, "cpu", values)
    query, key, score = leaves = [leaf.requires_grad_() for leaf in operands()]
    ours = additive_energies(query, key, score)
    theirs = torch.tanh(query[:, :, None] + key[:, None]) @ score
    torch.testing.assert_close(ours, theirs, atol=1e-12, rtol=0)
    arriving = random(3, 5, 7, seed=4)
    for one, other in zip(
        torch.autograd.grad(ours, leaves, arriving),
        torch.autograd.grad(theirs, leaves, arriving),
        strict=True,
    ):
        torch.testing.assert_close(one, other, atol=1e-12, rtol=0)


@pytest.mark.parametrize("values", [60, 300])
def test_no_more_is_made_at_a_time_than_the_bound(values, monkeypatch) -> None:
    made: list[int] = []
    tanh = torch.tanh

    def counted(values: torch.Tensor) -> torch.Tensor:
        made.append(values.numel())
        return tanh(values)

    monkeypatch.setitem(additive_attention._BLOCK_VALUES, "cpu", values)
    monkeypatch.setattr(torch, "tanh", counted)
    additive_energies(*(leaf.requires_grad_() for leaf in operands())).sum().backward()
    assert max(made) <= values and sum(made) == 2 * 3 * 5 * 7 * 4  # forward, and again backward


def test_what_is_kept_for_the_backward_pass_does_not_grow_with_the_pairs_times_the_size() -> None:
    kept: list[torch.Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor) or tensor, lambda t: t):
        additive_energies(*(leaf.requires_grad_() for leaf in operands()))
    assert sum(tensor.numel() for tensor in kept) == 3 * 5 * 4 + 3 * 7 * 4 + 4


@pytest.mark.parametrize(("rows", "times", "places"), [(0, 5, 7), (3, 0, 7), (3, 5, 0)])
def test_nothing_to_score_gives_nothing(rows, times, places) -> None:
    leaves = [leaf.requires_grad_() for leaf in (random(rows, times, 4), random(rows, places, 4), random(4))]
    energies = additive_energies(*leaves)
    assert energies.shape == (rows, times, places)
    assert not any(gradient.any() for gradient in torch.autograd.grad(energies.sum(), leaves))
