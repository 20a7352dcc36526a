"""Dropout meets its rate, keeps the mean, and does what its generator says."""

import pytest
import torch

from dialog.layers.dropout import dropout, keep_mask

COUNT = 200_000


def drawn(rate: float, seed: int = 1, shape: tuple[int, ...] = (COUNT,)) -> torch.Tensor:
    return dropout(torch.ones(shape), rate, torch.Generator().manual_seed(seed), training=True)


@pytest.mark.parametrize("rate", [0.004, 0.1, 0.25, 0.5, 0.9, 0.996])
def test_the_rate_is_met_and_the_mean_kept(rate) -> None:
    values = drawn(rate)
    kept = values != 0
    real = round(rate * 256) / 256
    error = (real * (1 - real) / COUNT) ** 0.5
    assert abs(float((~kept).double().mean()) - real) < 5 * error
    torch.testing.assert_close(values[kept].unique(), torch.tensor([1 / (1 - real)]))
    assert abs(float(values.double().mean()) - 1) < 5 * error / (1 - real)


@pytest.mark.parametrize("rate", [0.997, 0.999, 0.9999999])
def test_the_highest_rates_leave_something_and_stay_finite(rate) -> None:
    values = drawn(rate)
    assert values.isfinite().all() and values.any()


def test_the_same_generator_gives_the_same_mask_and_another_another() -> None:
    assert torch.equal(drawn(0.5), drawn(0.5)) and not torch.equal(drawn(0.5), drawn(0.5, seed=2))
    generator = torch.Generator().manual_seed(1)
    first, second = (dropout(torch.ones(999), 0.5, generator, True) for _ in range(2))
    assert not torch.equal(first, second)


def test_each_place_has_a_coin_of_its_own() -> None:
    kept = (drawn(0.5, shape=(64, 33, 17)) != 0).double()
    for dim in range(3):
        share = kept.movedim(dim, 0).flatten(1).mean(1)
        assert ((share - 0.5).abs() < 5 * (0.25 / (kept.numel() / len(share))) ** 0.5).all()
    neighbours = (kept.flatten()[1:] == kept.flatten()[:-1]).double().mean()
    assert abs(float(neighbours) - 0.5) < 5 * (0.25 / kept.numel()) ** 0.5


def test_outside_training_and_at_rate_zero_nothing_happens() -> None:
    values = torch.randn(5, 3)
    assert dropout(values, 0.5, None, training=False) is values
    assert dropout(values, 0.0, None, training=True) is values


@pytest.mark.parametrize("shape", [(0,), (3, 0), (1,), (7,), (3, 5)])
def test_any_shape_and_its_gradient_is_its_mask(shape) -> None:
    values = torch.randn(shape, dtype=torch.float64).requires_grad_()
    out = dropout(values, 0.5, torch.Generator().manual_seed(3), training=True)
    assert out.shape == values.shape and out.dtype == values.dtype
    (gradient,) = torch.autograd.grad(out.sum(), values)
    torch.testing.assert_close(gradient * values, out)


def test_a_keep_mask_meets_its_rate() -> None:
    kept = keep_mask(torch.Size([COUNT]), 0.25, torch.Generator().manual_seed(1), torch.device("cpu"))
    assert kept.dtype == torch.bool
    assert abs(float(kept.double().mean()) - 0.75) < 5 * (0.25 * 0.75 / COUNT) ** 0.5
    assert keep_mask(torch.Size([50]), 0.0, torch.Generator(), torch.device("cpu")).all()
