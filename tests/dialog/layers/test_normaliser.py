"""The cross-entropy without a largest logit is torch's, where that is safe and where it is not."""

import pytest
import torch

from dialog.layers import normaliser
from dialog.layers.normaliser import token_nll


def by_torch(features: torch.Tensor, embedding: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    shares = (features.double() @ embedding.double().t()).log_softmax(1)
    return -shares.gather(1, targets[:, None])[:, 0]


@pytest.mark.parametrize("block_values", [1, 33, 10**9], ids=["one row each", "several", "one block"])
@pytest.mark.parametrize("rows", [10, 1, 0])
def test_it_is_torchs_however_it_is_cut(monkeypatch, block_values, rows) -> None:
    monkeypatch.setattr(normaliser, "_BLOCK_VALUES", block_values)
    generator = torch.Generator().manual_seed(1)
    features = torch.randn(rows, 5, generator=generator, dtype=torch.float64, requires_grad=True)
    embedding = 2 * torch.randn(11, 5, generator=generator, dtype=torch.float64)
    targets = torch.randint(11, (rows,), generator=generator)
    found = token_nll(features, embedding, targets)
    assert not found.requires_grad
    torch.testing.assert_close(found, by_torch(features, embedding, targets).detach(), atol=1e-10, rtol=0)


@pytest.mark.parametrize("shift", [0.0, 60.0, 200.0, -40.0, -60.0, -200.0])
def test_logits_of_any_size_neither_overflow_nor_vanish(shift) -> None:
    generator = torch.Generator().manual_seed(2)
    features = torch.cat([torch.randn(6, 5, generator=generator), torch.ones(6, 1)], dim=1)
    embedding = torch.cat([torch.randn(11, 5, generator=generator), torch.full((11, 1), shift)], dim=1)
    targets = torch.randint(11, (6,), generator=generator)
    found = token_nll(features, embedding, targets)
    assert found.isfinite().all()
    wanted = by_torch(features, embedding, targets).float()
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=0)


def test_logits_far_apart_are_exact_where_one_row_alone_needs_care() -> None:
    features, embedding = torch.tensor([[1.0], [300.0]]), torch.tensor([[1.0], [-1.0], [0.5]])
    targets = torch.tensor([0, 1])
    found = token_nll(features, embedding, targets)
    torch.testing.assert_close(found, by_torch(features, embedding, targets).float(), atol=1e-4, rtol=1e-6)


def test_what_is_no_number_stays_none() -> None:
    features = torch.tensor([[float("nan")], [1.0]])
    found = token_nll(features, torch.ones(3, 1), torch.tensor([0, 1]))
    assert found[0].isnan()
    torch.testing.assert_close(found[1], torch.tensor(3.0).log())
