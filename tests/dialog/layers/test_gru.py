"""The scan is torch's own GRU, in values and gradients, over rows of any lengths, in both directions."""

import pytest
import torch
from torch import Tensor, nn

from dialog.layers.gru import GRULayer
from dialog.layers.packing import Packing
from dialog.layers.stack import Stack, StackOptions

LENGTHS = [[4, 1, 6, 3], [0, 5, 0, 2], [1], [3, 3, 3], [0, 0], []]


def layer_of(reverse: bool, constant_size: int = 0) -> GRULayer:
    torch.manual_seed(1)
    layer = GRULayer(3, 4, constant_size, reverse).double()
    for bias in (layer.bias_input, layer.bias_hidden):
        nn.init.normal_(bias)
    return layer


def random(*shape: int, seed: int = 2) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def by_equation(layer: GRULayer, inputs: Tensor, hidden: Tensor) -> Tensor:
    """h_1 … h_T of one row, the equations of the module's docstring word for word."""
    outputs = [hidden] * len(inputs)
    times = reversed(range(len(inputs))) if layer.reverse else range(len(inputs))
    for time in times:
        w_r, w_u, w_n = (layer.weight_input @ inputs[time] + layer.bias_input).chunk(3)
        v_r, v_u, v_n = (layer.weight_hidden @ hidden + layer.bias_hidden).chunk(3)
        reset, update = torch.sigmoid(w_r + v_r), torch.sigmoid(w_u + v_u)
        hidden = (1 - update) * torch.tanh(w_n + reset * v_n) + update * hidden
        outputs[time] = hidden
    return torch.stack(outputs) if outputs else inputs.new_zeros(0, layer.hidden_size)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.parametrize("constant_size", [0, 2])
def test_the_scan_is_the_equation_in_values_and_gradients(lengths, reverse, constant_size) -> None:
    layer = layer_of(reverse, constant_size)
    packing = Packing.of(torch.tensor(lengths, dtype=torch.int64))
    rows = len(lengths)
    inputs = random(packing.num_tokens, 3).requires_grad_()
    initial = random(rows, 4, seed=3).requires_grad_()
    constant = random(rows, constant_size, seed=4).requires_grad_()
    ours = layer(inputs, packing, initial, constant if constant_size else None)
    padded = torch.cat(
        [packing.pad(inputs), constant[:, None].expand(-1, max(lengths, default=0), -1)], dim=2
    )
    theirs = [by_equation(layer, padded[row, :n], initial[row]) for row, n in enumerate(lengths)]
    wanted = torch.zeros_like(ours.detach())
    for row, states in enumerate(theirs):
        wanted = wanted.index_put((packing.table()[row, : lengths[row]],), states)
    torch.testing.assert_close(ours, wanted, atol=1e-10, rtol=0)
    weights = random(*ours.shape, seed=5)
    leaves = [inputs, initial, constant, *layer.parameters()]
    pairs = zip(
        torch.autograd.grad((ours * weights).sum(), leaves, allow_unused=True, materialize_grads=True),
        torch.autograd.grad((wanted * weights).sum(), leaves, allow_unused=True, materialize_grads=True)
        if wanted.requires_grad
        else [torch.zeros_like(leaf) for leaf in leaves],
        strict=True,
    )
    for one, other in pairs:
        torch.testing.assert_close(one, other, atol=1e-10, rtol=0)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("lengths", [[4, 1, 6, 3], [0, 5, 0, 2]], ids=str)
def test_torchs_own_gru_gives_the_same_by_the_same_weights(lengths, reverse) -> None:
    """This is the path that runs on CUDA."""
    layer = layer_of(reverse, constant_size=2)
    packing = Packing.of(torch.tensor(lengths))
    inputs = random(packing.num_tokens, 3).requires_grad_()
    initial = random(len(lengths), 4, seed=3).requires_grad_()
    constant = random(len(lengths), 2, seed=4).requires_grad_()
    ours = layer(inputs, packing, initial, constant)
    theirs = layer._fused(inputs, packing, initial, constant)
    torch.testing.assert_close(ours, theirs, atol=1e-10, rtol=0)
    weights = random(*ours.shape, seed=5)
    leaves = [inputs, initial, constant, *layer.parameters()]
    gradients = [torch.autograd.grad((out * weights).sum(), leaves) for out in (ours, theirs)]
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, atol=1e-10, rtol=0)


@pytest.mark.parametrize("reverse", [False, True])
def test_gradcheck(reverse) -> None:
    layer, packing = layer_of(reverse), Packing.of(torch.tensor([2, 0, 3]))

    def run(inputs: Tensor, initial: Tensor, *parameters: Tensor) -> Tensor:
        names = [name for name, _ in layer.named_parameters()]
        given = dict(zip(names, parameters, strict=True))
        return torch.func.functional_call(layer, given, (inputs, packing, initial))

    leaves = [random(5, 3).requires_grad_(), random(3, 4, seed=3).requires_grad_()]
    assert torch.autograd.gradcheck(run, [*leaves, *layer.parameters()])


@pytest.mark.parametrize("num_layers", [1, 2])
def test_a_bidirectional_stack_is_torchs(num_layers) -> None:
    torch.manual_seed(1)
    ours = (
        Stack(StackOptions(num_layers=num_layers, directions="both", dropout_rate=0.5), 3, 8).double().eval()
    )
    theirs = nn.GRU(3, 4, num_layers, bidirectional=True).double()
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    with torch.no_grad():
        for level in range(num_layers):
            for direction, suffix in enumerate(("", "_reverse")):
                layer = ours.layers[level][direction]
                nn.init.normal_(layer.bias_input)
                nn.init.normal_(layer.bias_hidden)
                for name, parameter in zip(names, layer_parameters(layer), strict=True):
                    getattr(theirs, f"{name}_l{level}{suffix}").copy_(parameter)
    lengths = torch.tensor([4, 1, 6, 3])
    packing, inputs = Packing.of(lengths), random(14, 3)
    packed = nn.utils.rnn.pack_padded_sequence(
        packing.pad(inputs), lengths, batch_first=True, enforce_sorted=False
    )
    wanted, _ = nn.utils.rnn.pad_packed_sequence(theirs(packed)[0], batch_first=True)
    torch.testing.assert_close(packing.pad(ours(inputs, packing)), wanted, atol=1e-10, rtol=0)
    assert ours.output_size == 8


def layer_parameters(layer: GRULayer) -> list[Tensor]:
    return [layer.weight_input, layer.weight_hidden, layer.bias_input, layer.bias_hidden]


@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("constant_size", [0, 2])
def test_step_by_step_is_the_scan(num_layers, constant_size) -> None:
    torch.manual_seed(1)
    stack = Stack(StackOptions(num_layers=num_layers), 3, 4, constant_size).double()
    packing = Packing.of(torch.tensor([5, 5, 5]))
    inputs, hidden = random(15, 3), random(3, num_layers, 4, seed=3)
    constant = random(3, constant_size, seed=4) if constant_size else None
    whole = packing.pad(stack(inputs, packing, hidden, constant))
    gates = None if constant is None else stack.first().project_constant(constant)
    for time in range(5):
        output, hidden = stack.step(packing.pad(inputs)[:, time], hidden, gates)
        torch.testing.assert_close(output, whole[:, time], atol=1e-10, rtol=0)
        torch.testing.assert_close(output, hidden[:, -1])


def test_rows_know_nothing_of_each_other() -> None:
    stack = Stack(StackOptions(num_layers=2, directions="both"), 3, 8).double()
    lengths = torch.tensor([4, 0, 6, 3])
    packing = Packing.of(lengths)
    padded = random(4, 6, 3)
    whole = packing.pad(stack(packing.pack(padded), packing))
    for row in (0, 2, 3):
        alone = Packing.of(lengths[row : row + 1])
        one = stack(alone.pack(padded[row : row + 1]), alone)
        torch.testing.assert_close(alone.pad(one)[0], whole[row, : lengths[row]], atol=1e-10, rtol=0)


def test_dropout_between_layers_is_drawn_in_training_alone_and_by_the_generator() -> None:
    stack = Stack(StackOptions(num_layers=2, dropout_rate=0.5), 3, 8).double()
    packing, inputs = Packing.of(torch.tensor([5, 4])), random(9, 3)

    def run(seed: int) -> Tensor:
        return stack(inputs, packing, generator=torch.Generator().manual_seed(seed)).detach()

    assert torch.equal(run(1), run(1)) and not torch.equal(run(1), run(2))
    stack.eval()
    assert torch.equal(run(1), run(2))
    single = Stack(StackOptions(dropout_rate=0.5), 3, 8).double()
    draws = [single(inputs, packing, generator=torch.Generator().manual_seed(seed)) for seed in (1, 2)]
    assert torch.equal(*draws)


def test_half_precision_products_stay_near_and_states_stay_whole() -> None:
    torch.manual_seed(1)
    stack = Stack(StackOptions(num_layers=2, directions="both"), 8, 32)
    packing, inputs = Packing.of(torch.tensor([9, 2, 5])), random(16, 8).float().requires_grad_()
    exact = stack(inputs, packing)
    with torch.autocast("cpu", torch.bfloat16):
        near = stack(inputs, packing)
    assert near.dtype == torch.float32
    torch.testing.assert_close(near, exact, atol=0.03, rtol=0)
    assert not torch.equal(near, exact)
    leaves = [inputs, *stack.parameters()]
    for one, other in zip(*(torch.autograd.grad(out.sum(), leaves) for out in (near, exact)), strict=True):
        assert one.dtype == torch.float32
        assert (one - other).norm() < 0.05 * other.norm()
