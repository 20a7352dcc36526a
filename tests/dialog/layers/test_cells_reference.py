"""Every cell against NumPy: the papers' equations, and back-propagation through time written by hand."""

import numpy as np
import pytest
import torch
from torch import Tensor

from dialog.layers.cells import CELLS, CellOptions, make_layer
from dialog.layers.packing import Packing
from dialog.layers.recurrent import RecurrentLayer
from tests.dialog.layers.reference import Reference

LENGTHS = [4, 0, 7, 1, 4]
INPUT, HIDDEN, CONSTANT = 3, 4, 2
SKIPS: list[tuple[int, ...]] = [(), (2,), (2, 5)]
KINDS = [*CELLS, "leaky learnt"]


def layer_of(kind: str, skips: tuple[int, ...], reverse: bool, constant: int = CONSTANT) -> RecurrentLayer:
    """A layer with no weight at a special value, in float64; what it draws can be written in float32, too."""
    torch.manual_seed(1)
    cell, _, learnt = kind.partition(" ")
    if cell in ("leaky", "esn"):
        options = CellOptions(cell, skips, leak=0.25, leak_learnt=bool(learnt))
    else:
        options = CellOptions(cell, skips)
    layer = make_layer(options, INPUT, HIDDEN, constant, reverse)
    for name, weight in layer.state_dict(keep_vars=True).items():
        if "bias" in name or "peephole" in name or "leak" in name:
            weight.data += torch.randn_like(weight)
    return layer.double()


def random(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double()


class Run:
    """A batch through a layer and back, and the same by the reference."""

    def __init__(self, kind: str, skips: tuple[int, ...], reverse: bool, dtype: torch.dtype):
        self.layer = layer_of(kind, skips, reverse).to(dtype)
        self.packing = Packing.of(torch.tensor(LENGTHS))
        rows = len(LENGTHS)
        shapes = [(self.packing.num_tokens, INPUT), (rows, self.layer.state_size), (rows, CONSTANT)]
        self.leaves = [
            random(*shape, seed=seed).to(dtype).requires_grad_() for seed, shape in enumerate(shapes)
        ]
        self.arriving = random(self.packing.num_tokens, HIDDEN, seed=9)
        self.weights = {name: weight.double().numpy() for name, weight in self.layer.state_dict().items()}
        self.kind, self.skips, self.reverse = kind, skips, reverse

    def by_layer(self) -> dict[str, Tensor]:
        """Outputs, and the gradients of inputs, start, constant and parameters."""
        inputs, initial, constant = self.leaves
        outputs = self.layer(inputs, self.packing, initial, constant)
        outputs.backward(self.arriving.to(outputs.dtype))
        of_parameters = {name: parameter.grad for name, parameter in self.layer.named_parameters()}
        names = ("inputs", "initial", "constant")
        return {"outputs": outputs, **dict(zip(names, (leaf.grad for leaf in self.leaves), strict=True))} | (
            of_parameters
        )

    def by_reference(self) -> dict[str, Tensor]:
        cell = self.kind.partition(" ")[0]
        reference = Reference(cell, HIDDEN, self.weights, self.skips, self.reverse, leak=0.25)
        inputs, initial, constant = (leaf.detach().double().numpy() for leaf in self.leaves)
        outputs, of_inputs = np.zeros((len(inputs), HIDDEN)), np.zeros_like(inputs)
        of_initial, of_constant = np.zeros_like(initial), np.zeros_like(constant)
        table = self.packing.table().numpy()
        for row, length in enumerate(LENGTHS):
            places = table[row, :length]
            read = np.concatenate([inputs[places], np.tile(constant[row], (length, 1))], axis=1)
            outputs[places] = reference.forward(read, initial[row])
            of_read, of_initial[row] = reference.backward(self.arriving.numpy()[places])
            if length:
                of_inputs[places], of_constant[row] = of_read[:, :INPUT], of_read[:, INPUT:].sum(0)
        found = {"outputs": outputs, "inputs": of_inputs, "initial": of_initial, "constant": of_constant}
        names = dict(self.layer.named_parameters())
        found |= {name: of for name, of in reference.gradients.items() if name in names}
        return {name: torch.from_numpy(values) for name, values in found.items()}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("reverse", [False, True], ids=["forwards", "backwards"])
@pytest.mark.parametrize("skips", SKIPS, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_the_layer_is_the_papers_equation_forward_and_back(kind, skips, reverse, dtype) -> None:
    run = Run(kind, skips, reverse, dtype)
    ours, wanted = run.by_layer(), run.by_reference()
    assert ours.keys() == wanted.keys()
    tolerance = {"atol": 1e-10, "rtol": 0.0}
    if dtype == torch.float32:
        tolerance = {"atol": 1e-5, "rtol": 1e-5}
    for name, values in wanted.items():
        assert values.abs().max() > 0.01, name  # a law about zeros would say nothing
        torch.testing.assert_close(
            ours[name].double(), values, **tolerance, msg=lambda m, n=name: f"{n}: {m}"
        )


@pytest.mark.parametrize("reverse", [False, True], ids=["forwards", "backwards"])
@pytest.mark.parametrize("skips", [(), (2,)], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_those_of_differences(kind, skips, reverse) -> None:
    layer, packing = layer_of(kind, skips, reverse, constant=1), Packing.of(torch.tensor([1, 0, 3]))
    names = [name for name, _ in layer.named_parameters()]

    def run(inputs: Tensor, initial: Tensor, constant: Tensor, *parameters: Tensor) -> Tensor:
        given = dict(zip(names, parameters, strict=True))
        return torch.func.functional_call(layer, given, (inputs, packing, initial, constant))

    shapes = [(4, INPUT), (3, layer.state_size), (3, 1)]
    leaves = [random(*shape, seed=seed).requires_grad_() for seed, shape in enumerate(shapes)]
    assert torch.autograd.gradcheck(run, [*leaves, *layer.parameters()])
