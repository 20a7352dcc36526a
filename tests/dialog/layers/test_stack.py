"""Stacks: depth, directions, residual connections, layer norm, a side input."""

import dataclasses

import pytest
import torch

from dialog.errors import ConfigError
from dialog.layers.cells import CellOptions
from dialog.layers.packing import Packing
from dialog.layers.stack import Stack, StackOptions

LENGTHS = [5, 2, 7, 0, 3]
GRU3 = StackOptions(num_layers=3)
FORWARD = [
    StackOptions(),
    GRU3,
    StackOptions(num_layers=4, residual_from=2),
    StackOptions(num_layers=2, layer_norm=True),
    StackOptions(num_layers=3, residual_from=3, layer_norm=True),
    StackOptions(CellOptions("lstm"), num_layers=3, residual_from=2),
    StackOptions(CellOptions("gru", skips=(2, 4)), num_layers=2),
    StackOptions(CellOptions("lstm", skips=(3,)), num_layers=2, layer_norm=True),
    StackOptions(num_layers=2, residual_from=3, first_number=2),
]


def stack(options: StackOptions, *sizes: int, seed: int = 1) -> Stack:
    torch.manual_seed(seed)
    made = Stack(options, *sizes).double().eval()
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.dim() == 1:
                parameter.normal_(std=0.3)
    return made


def rows(size: int, lengths: list[int] = LENGTHS, seed: int = 2) -> tuple[torch.Tensor, Packing]:
    torch.manual_seed(seed)
    return torch.randn(sum(lengths), size, dtype=torch.float64), Packing.of(torch.tensor(lengths))


@pytest.mark.parametrize("options", FORWARD, ids=str)
@pytest.mark.parametrize("side_size", [0, 3])
def test_step_by_step_equals_all_at_once(options, side_size) -> None:
    made = stack(options, 6, 6, 4, side_size)
    inputs, packing = rows(6)
    side, _ = rows(side_size, seed=3) if side_size else (None, None)
    constant = torch.randn(5, 4, dtype=torch.float64)
    state = torch.randn(5, options.num_layers, made.state_size, dtype=torch.float64)
    whole = made(inputs, packing, state, constant, side=side)
    padded, sides = packing.pad(inputs), None if side is None else packing.pad(side)
    gates = made.first().project_constant(constant)
    found = []
    for time in range(7):
        beside = None if sides is None else sides[:, time]
        output, state = made.step(padded[:, time], state, gates, beside)
        found.append(output)
    stepped = packing.pack(torch.stack(found, dim=1))
    torch.testing.assert_close(stepped, whole, atol=1e-12, rtol=0)


def test_a_residual_layer_adds_its_input_and_those_below_do_not() -> None:
    inputs, packing = rows(6)
    for number in (0, 2, 3):
        made = stack(StackOptions(num_layers=3, residual_from=number), 6, 6)
        expected = inputs
        for index, (layer,) in enumerate(made.layers):
            output = layer(expected, packing)
            expected = output + expected if number and index + 1 >= number else output
        torch.testing.assert_close(made(inputs, packing), expected)


def test_layers_above_others_are_counted_on() -> None:
    inputs, packing = rows(6)
    options = StackOptions(num_layers=2, residual_from=3, first_number=2, dropout_rate=0.5)
    made = stack(options, 6, 6)
    first = made.layers[0][0](inputs, packing)
    torch.testing.assert_close(made(inputs, packing), made.layers[1][0](first, packing) + first)
    made.train()
    draws = [made(inputs, packing, generator=torch.Generator().manual_seed(i)) for i in (1, 1, 2)]
    assert torch.equal(draws[0], draws[1]) and not torch.equal(draws[0], draws[2])
    bottom = stack(dataclasses.replace(options, num_layers=1, first_number=1), 6, 6).train()
    assert torch.equal(bottom(inputs, packing), bottom.eval()(inputs, packing))  # its input is not dropped


def test_a_normalised_layer_gives_mean_0_and_variance_1_at_first() -> None:
    inputs, packing = rows(6)
    made = Stack(StackOptions(num_layers=2, layer_norm=True), 6, 8).double()
    outputs = made(inputs, packing)
    torch.testing.assert_close(outputs.mean(1), torch.zeros(len(outputs)).double(), atol=1e-6, rtol=0)
    variance = outputs.var(1, unbiased=False)
    torch.testing.assert_close(variance, torch.ones_like(variance), atol=1e-2, rtol=0)


@pytest.mark.parametrize(
    ("directions", "both"), [("both", [2, 2, 2]), ("first", [2, 1, 1]), ("forward", [1, 1, 1])]
)
def test_directions_stand_where_they_were_asked_for(directions, both) -> None:
    made = stack(dataclasses.replace(GRU3, directions=directions), 6, 8)
    assert [len(level) for level in made.layers] == both
    inputs, packing = rows(6)
    assert made(inputs, packing).shape == (17, 8)


@pytest.mark.parametrize("directions", ["both", "first", "forward"])
@pytest.mark.parametrize("layers", [1, 2])
def test_the_end_is_where_each_direction_has_read_all(directions, layers) -> None:
    made = stack(StackOptions(num_layers=layers, directions=directions), 6, 8)
    inputs, packing = rows(6)
    outputs = made(inputs, packing)
    ends = made.ends(outputs, packing)
    padded = packing.pad(outputs)
    both = directions == "both" or (directions == "first" and layers == 1)
    for row, length in enumerate(LENGTHS):
        if not length:
            assert (ends[row] == 0).all()
            continue
        last, first = padded[row, length - 1], padded[row, 0]
        torch.testing.assert_close(ends[row], torch.cat([last[:4], first[4:]]) if both else last)
    nothing = Packing.of(torch.tensor([0, 0]))
    assert made.ends(outputs[:0], nothing).tolist() == [[0.0] * 8] * 2


def test_reading_backwards_is_reading_the_turned_row() -> None:
    made = stack(StackOptions(directions="both"), 6, 8)
    made.layers[0][0].load_state_dict(made.layers[0][1].state_dict())
    inputs, packing = rows(6, [5])
    turned = made(inputs.flip(0), packing).flip(0)
    torch.testing.assert_close(made(inputs, packing)[:, 4:], turned[:, :4])


def test_an_odd_size_cannot_be_shared_by_two_directions() -> None:
    with pytest.raises(ConfigError, match="two directions cannot share 7 numbers"):
        Stack(StackOptions(directions="first"), 4, 7)


def test_neighbours_change_nothing() -> None:
    options = StackOptions(CellOptions("lstm", skips=(2,)), num_layers=3, directions="both", residual_from=2)
    made = stack(options, 6, 8)
    inputs, packing = rows(6)
    whole = packing.pad(made(inputs, packing))
    padded = packing.pad(inputs)
    for row, length in enumerate(LENGTHS):
        alone = made(padded[row, :length], Packing.of(torch.tensor([length])))
        torch.testing.assert_close(alone, whole[row, :length])
