"""int8 products: exact sums of whole numbers, the same for a row whatever stands beside it."""

import pytest
import torch

from dialog.layers.int8 import Int8Linear, weight_levels


def whole_numbers(values, scale):
    return (values / scale).round()


@pytest.mark.parametrize(("inputs", "outputs", "bound"), [(16, 30, 1.0), (384, 1152, 1.0), (256, 999, 3.7)])
def test_a_product_is_the_exact_one_of_the_rounded_numbers(inputs, outputs, bound):
    draw = torch.Generator().manual_seed(1)
    weight = torch.randn(outputs, inputs, generator=draw)
    bias = torch.randn(outputs, generator=draw)
    rows = (torch.rand(67, inputs, generator=draw) * 2 - 1) * bound
    rows[0], rows[1] = bound, -bound  # the ends of the range are levels like others
    found = Int8Linear(weight, bias, bound)(rows)
    scale = weight.abs().amax(1) / weight_levels()
    sums = whole_numbers(rows, bound / 127).double() @ whole_numbers(weight, scale[:, None]).double().t()
    exact = sums * scale.double() * (bound / 127) + bias.double()
    # A number that lies halfway between two levels may go to either; none does but by float32's rounding.
    step = (scale * bound / 127 * 127).max()
    assert (found - exact).abs().max() < max(1e-4, float(step) * 1.01)
    assert (found - exact).abs().median() < 1e-5


def test_an_error_is_no_larger_than_rounding_can_make_it():
    draw = torch.Generator().manual_seed(2)
    weight = torch.randn(50, 80, generator=draw)
    rows = torch.rand(20, 80, generator=draw) * 2 - 1
    found = Int8Linear(weight, None)(rows).double()
    exact = rows.double() @ weight.double().t()
    of_weights = (
        weight.abs().amax(1).double() / (2 * weight_levels()) * rows.abs().sum(1, keepdim=True).double()
    )
    of_inputs = (
        weight.abs().sum(1).double() + 80 * weight.abs().amax(1).double() / (2 * weight_levels())
    ) / 254
    assert ((found - exact).abs() <= of_weights + of_inputs + 1e-5).all()
    assert (found - exact).abs().max() > 1e-4  # it is not float32 under another name


def test_a_row_is_the_same_whatever_stands_beside_it():
    """To the last bit but one: the sum is exact, and kernels of other sizes may scale it in another order."""
    draw = torch.Generator().manual_seed(3)
    product = Int8Linear(torch.randn(100, 64, generator=draw), None)
    rows = torch.rand(200, 64, generator=draw) * 2 - 1
    together = product(rows)
    for row in (0, 57, 199):
        torch.testing.assert_close(product(rows[row : row + 1])[0], together[row], rtol=2.4e-7, atol=0)


def test_the_largest_sum_does_not_overflow():
    """Without VNNI neighbours are added in 16 bits: an input at its end beside weights at theirs."""
    found = Int8Linear(torch.ones(4, 256), None)(torch.ones(3, 256))
    assert torch.allclose(found, torch.full((3, 4), 256.0), rtol=1e-5)


def test_an_output_without_weights_is_its_bias():
    product = Int8Linear(torch.zeros(3, 8), torch.tensor([1.0, -2.0, 0.5]))
    assert torch.equal(product(torch.ones(2, 8)), torch.tensor([[1.0, -2.0, 0.5]] * 2))
