"""The gates that can be looked at are those of the equations, whichever way the words are read."""

import pytest
import torch
from torch import Tensor

from dialog.layers.cells import CELLS, CellOptions, make_layer
from dialog.layers.packing import Packing
from dialog.layers.recurrent import RecurrentLayer

GATES = {
    "lstm": ("input", "forget", "output"),
    "lstm_peephole": ("input", "forget", "output"),
    "gru": ("reset", "update"),
    "gru_reset_before": ("reset", "update"),
}
SIZE = 4


def layer_of(cell: str, reverse: bool = False, skips: tuple[int, ...] = ()) -> RecurrentLayer:
    torch.manual_seed(1)
    layer = make_layer(CellOptions(cell, skips), 3, SIZE, reverse=reverse).double()
    for weight in layer.parameters():
        weight.data += 0.5 * torch.randn_like(weight)
    return layer


@torch.no_grad()
def by_hand(layer: RecurrentLayer, words: Tensor) -> dict[str, Tensor]:
    """The gates (time, hidden) of one row, from the states that `step` goes through; no skip connections."""
    states = [torch.zeros(1, layer.state_size, dtype=torch.float64)]
    for word in words:
        states.append(layer.step(word[None], states[-1]))
    before, after = torch.cat(states[:-1]), torch.cat(states[1:])
    sums = words @ layer.weight_input.T + layer.bias_input
    sums = sums + before[:, :SIZE] @ layer.weight_hidden.T + layer.bias_hidden
    blocks = sums.split(SIZE, dim=1)
    if not layer.rule.has_cell:
        return {"reset": blocks[0].sigmoid(), "update": blocks[1].sigmoid()}
    peephole = getattr(layer, "weight_peephole", torch.zeros(3, SIZE, dtype=torch.float64))
    seen = before[:, SIZE:], before[:, SIZE:], after[:, SIZE:]
    return {
        name: (blocks[block] + peephole[number] * seen[number]).sigmoid()
        for number, (name, block) in enumerate((("input", 0), ("forget", 1), ("output", 3)))
    }


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("cell", GATES)
def test_they_are_those_of_the_equations(cell, reverse) -> None:
    layer, packing = layer_of(cell, reverse), Packing.of(torch.tensor([2, 5]))
    words = torch.randn(2, 5, 3, dtype=torch.float64)
    found = layer.gates(packing.pack(words), packing)
    assert tuple(found) == GATES[cell]
    for row, length in enumerate((2, 5)):
        read = words[row, :length]
        wanted = by_hand(layer, read.flip(0) if reverse else read)
        for name, values in found.items():
            own = wanted[name].flip(0) if reverse else wanted[name]
            torch.testing.assert_close(packing.pad(values)[row, :length], own, atol=1e-12, rtol=0)


@pytest.mark.parametrize("cell", GATES)
def test_with_skip_connections_the_first_steps_are_those_without(cell) -> None:
    """Until a step looks back at a state that is not zero."""
    layer, packing = layer_of(cell, skips=(3,)), Packing.of(torch.tensor([5]))
    plain, words = layer_of(cell), torch.randn(5, 3, dtype=torch.float64)
    own = dict(layer.named_parameters())
    for name, weight in plain.named_parameters():
        weight.data = own[name].data[:, :SIZE] if name == "weight_hidden" else own[name].data
    for name, values in plain.gates(words, packing).items():
        found = layer.gates(words, packing)[name]
        torch.testing.assert_close(found[:3], values[:3], atol=1e-12, rtol=0)
        assert not torch.allclose(found[3:], values[3:])


@pytest.mark.parametrize("cell", sorted(set(CELLS) - set(GATES)))
def test_other_cells_have_none(cell) -> None:
    assert layer_of(cell).gates(torch.randn(2, 3, dtype=torch.float64), Packing.of(torch.tensor([2]))) == {}
