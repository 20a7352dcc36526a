"""Every cell: its scan is its own step and torch's kernel, in values and gradients, over rows of any lengths."""

import pytest
import torch
from torch import Tensor, nn

from dialog.errors import ConfigError
from dialog.layers.cells import CELLS, CellOptions, make_layer
from dialog.layers.fused import FusedLayer
from dialog.layers.packing import Packing
from dialog.layers.recurrent import RecurrentLayer

LENGTHS = [[4, 1, 7, 3], [0, 7, 0, 2], [0, 0], []]
SKIPS: list[tuple[int, ...]] = [(), (2,), (2, 5)]


def layer_of(
    cell: str, skips: tuple[int, ...] = (), reverse: bool = False, constant: int = 0
) -> RecurrentLayer:
    torch.manual_seed(1)
    layer = make_layer(CellOptions(cell, skips), 3, 4, constant, reverse).double()
    for bias in (layer.bias_input, layer.bias_hidden):
        bias.data += torch.randn_like(bias)
    return layer


def random(*shape: int, seed: int = 2) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def by_steps(
    layer: RecurrentLayer, inputs: Tensor, packing: Packing, initial: Tensor, constant: Tensor | None
) -> Tensor:
    """The outputs of each row by itself, one step at a time."""
    table, outputs = packing.table(), [inputs.new_zeros(layer.hidden_size)] * packing.num_tokens
    gates = None if constant is None else layer.project_constant(constant)
    for row, length in enumerate(packing.lengths.tolist()):
        state = initial[row : row + 1]
        for time in reversed(range(length)) if layer.reverse else range(length):
            place = int(table[row, time])
            state = layer.step(inputs[place][None], state, None if gates is None else gates[row][None])
            outputs[place] = state[0, : layer.hidden_size]
    return torch.stack(outputs) if outputs else inputs.new_zeros(0, layer.hidden_size)


def assert_same(one: Tensor, other: Tensor, leaves: list[Tensor]) -> None:
    torch.testing.assert_close(one, other, atol=1e-10, rtol=0)
    weights = random(*one.shape, seed=5)
    if not other.requires_grad:
        return
    pairs = [
        torch.autograd.grad((out * weights).sum(), leaves, allow_unused=True, materialize_grads=True)
        for out in (one, other)
    ]
    for ours, theirs in zip(*pairs, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-10, rtol=0)


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.parametrize("constant_size", [0, 2])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("skips", SKIPS, ids=str)
@pytest.mark.parametrize("cell", CELLS)
def test_the_scan_is_the_step_again_and_again(cell, skips, reverse, constant_size, lengths) -> None:
    layer = layer_of(cell, skips, reverse, constant_size)
    packing = Packing.of(torch.tensor(lengths, dtype=torch.int64))
    inputs = random(packing.num_tokens, 3).requires_grad_()
    initial = random(len(lengths), layer.state_size, seed=3).requires_grad_()
    constant = random(len(lengths), constant_size, seed=4).requires_grad_() if constant_size else None
    leaves = [inputs, initial, *([] if constant is None else [constant]), *layer.parameters()]
    ours = layer(inputs, packing, initial, constant)
    assert_same(ours, by_steps(layer, inputs, packing, initial, constant), leaves)


@pytest.mark.parametrize("lengths", [[4, 1, 6, 3], [0, 5, 0, 2]], ids=str)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("cell", ["gru", "lstm", "rnn_tanh", "rnn_relu"])
def test_torchs_kernel_gives_the_same_by_the_same_weights(cell, reverse, lengths) -> None:
    """This is the path that runs on CUDA."""
    layer = layer_of(cell, reverse=reverse, constant=2)
    assert isinstance(layer, FusedLayer)
    packing = Packing.of(torch.tensor(lengths))
    inputs = random(packing.num_tokens, 3).requires_grad_()
    initial = random(len(lengths), layer.state_size, seed=3).requires_grad_()
    constant = random(len(lengths), 2, seed=4).requires_grad_()
    ours = layer(inputs, packing, initial, constant)
    theirs = layer._fused(inputs, packing, initial, constant)
    assert_same(ours, theirs, [inputs, initial, constant, *layer.parameters()])
    with torch.no_grad():
        torch.testing.assert_close(layer(inputs, packing, initial, constant), ours, atol=1e-10, rtol=0)


@pytest.mark.parametrize(("cell", "kind"), [("gru", nn.GRU), ("lstm", nn.LSTM), ("rnn_tanh", nn.RNN)])
def test_torchs_layer_gives_the_same_final_state(cell, kind) -> None:
    layer, theirs = layer_of(cell), kind(3, 4, batch_first=True).double()
    parameters = (layer.weight_input, layer.weight_hidden, layer.bias_input, layer.bias_hidden)
    with torch.no_grad():
        for own, given in zip(theirs.parameters(), parameters, strict=True):
            own.copy_(given)
    inputs = random(2, 5, 3)
    outputs, final = theirs(inputs)
    wanted = torch.cat([*final], dim=1) if cell != "lstm" else torch.cat([final[0][0], final[1][0]], dim=1)
    packing = Packing.of(torch.tensor([5, 5]))
    torch.testing.assert_close(packing.pad(layer(packing.pack(inputs), packing)), outputs, atol=1e-10, rtol=0)
    state = inputs.new_zeros(2, layer.state_size)
    for time in range(5):
        state = layer.step(inputs[:, time], state)
    torch.testing.assert_close(state, wanted, atol=1e-10, rtol=0)


def test_the_forget_gate_starts_with_a_bias_of_1() -> None:
    layer = make_layer(CellOptions("lstm"), 3, 4)
    bias = layer.bias_input + layer.bias_hidden
    assert bias[4:8].tolist() == [1.0] * 4
    assert bias.sum() == 4


@pytest.mark.parametrize("skips", [(1,), (3, 2), (2, 2)])
def test_skips_that_cannot_be_are_refused(skips) -> None:
    with pytest.raises(ConfigError, match="skips"):
        CellOptions("gru", skips)


def test_an_unknown_cell_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="no cell; it must be one of gru"):
        CellOptions("GRU")
