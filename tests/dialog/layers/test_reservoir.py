"""The echo state network: its radius and density are as asked for, it echoes, and it is never trained."""

import numpy as np
import pytest
import torch
from torch import Tensor

from dialog.layers.packing import Packing
from dialog.layers.reservoir import ReservoirLayer


def layer_of(hidden: int = 40, skips: tuple[int, ...] = (), **options: float) -> ReservoirLayer:
    torch.manual_seed(1)
    return ReservoirLayer(3, hidden, skips=skips, **options).double()


def random(*shape: int, seed: int = 2) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("density", [0.02, 0.1, 1.0])
@pytest.mark.parametrize("radius", [0.3, 0.9, 1.25])
def test_the_largest_eigenvalue_is_as_asked_for(radius, density) -> None:
    layer = layer_of(spectral_radius=radius, density=density)
    eigenvalues = np.linalg.eigvals(layer.weight_hidden.numpy())
    assert np.abs(eigenvalues).max() == pytest.approx(radius, rel=1e-5)  # the weights are rounded to float32


def companion(weight: Tensor, skips: tuple[int, ...]) -> np.ndarray:
    """The matrix that takes [h_{t-1}; …; h_{t-D}] to [h_t; …; h_{t-D+1}]."""
    size, depth = len(weight), max(skips)
    matrix = np.eye(size * depth, k=-size)
    matrix[:size] = 0
    for block, step in zip(weight.numpy().reshape(size, -1, size).swapaxes(0, 1), (1, *skips), strict=True):
        matrix[:size, (step - 1) * size : step * size] = block
    return matrix


@pytest.mark.parametrize(
    ("hidden", "skips", "tolerance"),
    [(40, (2,), 1e-6), (40, (2, 5), 1e-6), (3, (64,), 1e-6), (1, (2,), 1e-6), (100, (2, 8), 1e-3)],
    ids=str,
)
def test_with_skips_it_is_the_largest_eigenvalue_of_all_that_is_seen(hidden, skips, tolerance) -> None:
    weight = layer_of(hidden, skips, spectral_radius=0.9).weight_hidden
    eigenvalues = np.linalg.eigvals(companion(weight, skips))
    assert np.abs(eigenvalues).max() == pytest.approx(0.9, rel=tolerance)


def test_no_skip_is_scaled_away() -> None:
    weight = layer_of(skips=(2, 5), spectral_radius=0.9).weight_hidden
    sizes = [float(block.norm()) for block in weight.split(len(weight), dim=1)]
    assert min(sizes) > 0.5 * max(sizes)


@pytest.mark.parametrize(
    ("hidden", "density", "count"), [(40, 0.1, 4), (40, 0.001, 1), (7, 1.0, 7), (1, 0.1, 1)]
)
def test_each_row_has_its_share_of_weights_that_are_not_0(hidden, density, count) -> None:
    weight = layer_of(hidden, skips=(3,), density=density).weight_hidden
    for block in weight.split(hidden, dim=1):
        assert (block != 0).sum(1).tolist() == [count] * hidden


def test_input_weights_fill_the_input_scale() -> None:
    layer = layer_of(400, input_scale=0.2, density=0.01)
    for values in (layer.weight_input, layer.bias_input):
        assert values.abs().max() <= 0.2
        assert values.abs().max() > 0.19
        assert abs(values.mean()) < 0.02


def test_nothing_of_it_is_trained_and_all_of_it_is_saved() -> None:
    layer = layer_of()
    assert list(layer.parameters()) == []
    assert set(layer.state_dict()) == {"weight_input", "weight_hidden", "bias_input", "bias_hidden"}
    torch.manual_seed(7)
    other = ReservoirLayer(3, 40).double()
    assert not torch.equal(other.weight_hidden, layer.weight_hidden)
    other.load_state_dict(layer.state_dict())
    packing, inputs = Packing.of(torch.tensor([4, 2])), random(6, 3)
    assert torch.equal(other(inputs, packing), layer(inputs, packing))


def test_what_stands_below_is_trained() -> None:
    layer, packing = layer_of(), Packing.of(torch.tensor([4, 2]))
    inputs = random(6, 3).requires_grad_()
    layer(inputs, packing).sum().backward()
    assert inputs.grad is not None
    assert (inputs.grad != 0).all()


def test_states_that_began_apart_converge_and_the_inputs_alone_are_left() -> None:
    layer, packing = layer_of(), Packing.of(torch.tensor([300, 300]))
    same = random(1, 300, 3).expand(2, -1, -1)
    starts = 3 * random(2, layer.state_size)
    outputs = packing.pad(layer(packing.pack(same), packing, starts))
    apart = (outputs[0] - outputs[1]).norm(dim=1)
    assert apart[0] > 1
    assert apart[-1] < 1e-6
    other = packing.pad(layer(packing.pack(random(2, 300, 3)), packing, starts))
    assert (other[0] - other[1]).norm(dim=1)[-1] > 0.1  # the inputs are not forgotten with the start


def test_beyond_radius_1_it_need_not_echo() -> None:
    layer, packing = layer_of(spectral_radius=3.0, leak=1.0), Packing.of(torch.tensor([300, 300]))
    starts = 3 * random(2, layer.state_size)
    outputs = packing.pad(layer(packing.pack(0.0 * random(2, 300, 3)), packing, starts))
    assert (outputs[0] - outputs[1]).norm(dim=1)[-1] > 0.1


def test_the_same_seed_draws_the_same_reservoir() -> None:
    assert torch.equal(layer_of().weight_hidden, layer_of().weight_hidden)
