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


@pytest.mark.parametrize("cell", ["gru", "lstm", "rnn_tanh", "rnn_relu"])
def test_torchs_kernel_stays_in_the_weights_own_type_whatever_comes_from_below(cell) -> None:
    """By autocast cuDNN gave float16 between bfloat16, which torch joins to nothing."""
    torch.manual_seed(1)
    layer = make_layer(CellOptions(cell), 8, 16)
    packing, inputs = Packing.of(torch.tensor([9, 2, 5])), random(16, 8).bfloat16()
    exact = layer._fused(inputs.float(), packing, torch.zeros(3, layer.state_size), None)
    with torch.autocast("cpu", torch.bfloat16):
        found = layer._fused(inputs, packing, torch.zeros(3, layer.state_size).bfloat16(), None)
    assert torch.equal(found, exact)


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


@pytest.mark.parametrize("skips", SKIPS, ids=str)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_rows_know_nothing_of_each_other_nor_of_padding(cell, reverse, skips) -> None:
    layer, lengths = layer_of(cell, skips, reverse), torch.tensor([4, 0, 7, 3])
    packing, padded, initial = Packing.of(lengths), random(4, 7, 3), random(4, layer.state_size, seed=3)
    whole = packing.pad(layer(packing.pack(padded), packing, initial))
    for row in (0, 2, 3):
        alone = Packing.of(lengths[row : row + 1])
        one = layer(alone.pack(padded[row : row + 1]), alone, initial[row : row + 1])
        torch.testing.assert_close(alone.pad(one)[0], whole[row, : lengths[row]], atol=1e-10, rtol=0)


@pytest.mark.parametrize("cell", CELLS)
def test_a_start_that_is_not_given_is_zero(cell) -> None:
    layer, packing, inputs = layer_of(cell, (2,)), Packing.of(torch.tensor([3, 2])), random(5, 3)
    zero = inputs.new_zeros(2, layer.state_size)
    assert torch.equal(layer(inputs, packing), layer(inputs, packing, zero))


@pytest.mark.parametrize("skips", [(), (2,)], ids=str)
@pytest.mark.parametrize("cell", CELLS)
def test_half_precision_products_stay_near_and_states_stay_whole(cell, skips) -> None:
    torch.manual_seed(1)
    layer = make_layer(CellOptions(cell, skips), 8, 16)
    packing, inputs = Packing.of(torch.tensor([9, 2, 5])), random(16, 8).float().requires_grad_()
    exact = layer(inputs, packing)
    with torch.autocast("cpu", torch.bfloat16):
        near = layer(inputs, packing)
        with torch.no_grad():
            torch.testing.assert_close(layer(inputs, packing), near, atol=0, rtol=0)
    assert near.dtype == torch.float32
    torch.testing.assert_close(near, exact, atol=0.05, rtol=0.05)
    assert not torch.equal(near, exact)
    leaves = [inputs, *layer.parameters()]
    for one, other in zip(*(torch.autograd.grad(out.sum(), leaves) for out in (near, exact)), strict=True):
        assert one.dtype == torch.float32
        assert (one - other).norm() < 0.05 * other.norm()


def test_sizes_are_those_of_the_state() -> None:
    sizes = {}
    for cell in CELLS:
        for skips in ((), (2, 5)):
            layer = make_layer(CellOptions(cell, skips), 3, 4)
            sizes[cell, skips] = (layer.state_size, layer.initial_size)
            assert layer.weight_hidden.shape == (4 * layer.num_gates, 4 * (1 + len(skips)))
    for cell in CELLS:
        cells = 4 if cell.startswith("lstm") else 0
        assert sizes[cell, ()] == (4 + cells, 4 + cells)
        assert sizes[cell, (2, 5)] == (20 + cells, 4 + cells)


@pytest.mark.parametrize("cell", ["lstm", "lstm_peephole"])
def test_the_forget_gate_starts_with_a_bias_of_1(cell) -> None:
    layer = make_layer(CellOptions(cell), 3, 4)
    bias = layer.bias_input + layer.bias_hidden
    assert bias[4:8].tolist() == [1.0] * 4
    assert bias.sum() == 4


def test_peepholes_start_closed() -> None:
    torch.manual_seed(1)
    closed = make_layer(CellOptions("lstm_peephole"), 3, 4)
    torch.manual_seed(1)
    without = make_layer(CellOptions("lstm"), 3, 4)
    packing, inputs = Packing.of(torch.tensor([3, 2])), random(5, 3).float()
    torch.testing.assert_close(closed(inputs, packing), without(inputs, packing), atol=1e-6, rtol=0)


@pytest.mark.parametrize("skips", SKIPS, ids=str)
@pytest.mark.parametrize("cell", ["gru", "gru_reset_before", "lstm", "lstm_peephole", "rnn_tanh", "leaky"])
def test_recurrent_blocks_start_orthogonal_and_keep_the_length_of_what_they_see(cell, skips) -> None:
    layer = make_layer(CellOptions(cell, skips), 3, 4)
    for gate in layer.weight_hidden.split(4):
        for block in gate.split(4, dim=1):
            wanted = torch.eye(4) / (1 + len(skips))
            torch.testing.assert_close(block @ block.t(), wanted, atol=1e-6, rtol=0)


def test_with_relu_a_state_that_nothing_is_added_to_stays() -> None:
    for skips in SKIPS:
        layer = make_layer(CellOptions("rnn_relu", skips), 3, 4).double()
        state = random(2, 4).abs().repeat(1, layer.depth)
        torch.testing.assert_close(layer.step(random(2, 3) * 0, state), state)


def test_units_that_leak_wholly_are_a_simple_network() -> None:
    torch.manual_seed(1)
    leaky, simple = (
        make_layer(CellOptions("leaky", leak=1.0), 3, 4),
        make_layer(CellOptions("rnn_tanh"), 3, 4),
    )
    simple.load_state_dict(leaky.state_dict())
    packing, inputs = Packing.of(torch.tensor([3, 2])), random(5, 3).float()
    torch.testing.assert_close(leaky(inputs, packing), simple(inputs, packing), atol=1e-6, rtol=0)


def test_a_leak_that_is_learnt_starts_as_told_and_is_one_a_unit() -> None:
    torch.manual_seed(1)
    learnt = make_layer(CellOptions("leaky", leak=0.2, leak_learnt=True), 3, 4)
    torch.manual_seed(1)
    fixed = make_layer(CellOptions("leaky", leak=0.2), 3, 4)
    packing, inputs = Packing.of(torch.tensor([3, 2])), random(5, 3).float()
    torch.testing.assert_close(learnt(inputs, packing), fixed(inputs, packing), atol=1e-6, rtol=0)
    extra = set(dict(learnt.named_parameters())) - set(dict(fixed.named_parameters()))
    assert extra == {"leak_logit"}
    assert dict(learnt.named_parameters())["leak_logit"].shape == (4,)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"cell": "GRU"}, "cell is 'GRU', which is no cell; it must be one of gru, "),
        ({"skips": (1,)}, r"skips is \(1,\); its numbers must be 2 or more"),
        ({"skips": (3, 2)}, "each larger than the last"),
        ({"skips": (2, 2)}, "each larger than the last"),
        (
            {"leak": 0.3},
            "leak is 0.3, which the cell gru does not use .only leaky, esn does.; leave it at 0.5",
        ),
        ({"cell": "esn", "leak_learnt": True}, "leak_learnt is True, which the cell esn does not use"),
        ({"cell": "leaky", "density": 0.5}, "density is 0.5, which the cell leaky does not use"),
        ({"cell": "leaky", "leak": 0.0}, "leak is 0.0; it must be above 0 and at most 1"),
        ({"cell": "esn", "leak": 1.5}, "leak is 1.5; it must be above 0 and at most 1"),
        ({"cell": "leaky", "leak": 1.0, "leak_learnt": True}, "below 1 where it is learnt"),
        ({"cell": "esn", "density": 0.0}, "density is 0.0; it must be above 0 and at most 1"),
        ({"cell": "esn", "spectral_radius": 0.0}, "spectral_radius is 0.0; it must be above 0"),
        ({"cell": "esn", "skips": (64,), "spectral_radius": 0.5}, "faded to 5e-20 when it is seen"),
        ({"cell": "esn", "input_scale": float("nan")}, "input_scale is nan; it must be above 0"),
    ],
)
def test_options_that_cannot_be_or_that_the_cell_does_not_read_are_refused(options, sentence) -> None:
    with pytest.raises(ConfigError, match=sentence):
        CellOptions(**options)
