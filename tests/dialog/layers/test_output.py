"""The cross-entropy in blocks is torch's, in values and gradients."""

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from dialog.layers import output
from dialog.layers.output import token_losses

SIZES = {"one": 10**9, "several": 3 * 11, "one token each": 1}


@pytest.fixture(params=SIZES.values(), ids=SIZES.keys())
def block_values(request, monkeypatch):
    """Logits of one block; the vocabulary has 11 tokens."""
    monkeypatch.setattr(output, "_BLOCK_VALUES", request.param)


def problem(tokens: int = 10) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    features = torch.randn(tokens, 5, generator=generator, dtype=torch.float64)
    embedding = 2 * torch.randn(11, 5, generator=generator, dtype=torch.float64)
    return (
        features.requires_grad_(),
        embedding.requires_grad_(),
        torch.randint(11, (tokens,), generator=generator),
    )


def by_torch(features: Tensor, embedding: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    shares = (features @ embedding.t()).log_softmax(1)
    return -shares.gather(1, targets[:, None])[:, 0], -shares.mean(1)


@pytest.mark.parametrize("tokens", [10, 1, 0])
@pytest.mark.usefixtures("block_values")
def test_values_and_gradients_are_torchs(tokens) -> None:
    features, embedding, targets = problem(tokens)
    weights = torch.randn(2, tokens, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    results = []
    for losses in (token_losses(features, embedding, targets, True), by_torch(features, embedding, targets)):
        total = (losses[0] * weights[0] + losses[1] * weights[1]).sum()
        results.append([*losses, *torch.autograd.grad(total, [features, embedding])])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-10, rtol=0)


@pytest.mark.usefixtures("block_values")
@pytest.mark.parametrize("with_uniform", [False, True])
def test_gradcheck(with_uniform) -> None:
    features, embedding, targets = problem()

    def losses(features: Tensor, embedding: Tensor) -> tuple[Tensor, ...]:
        both = token_losses(features, embedding, targets, with_uniform)
        return both if with_uniform else both[:1]

    assert torch.autograd.gradcheck(losses, (features, embedding))


def test_the_uniform_part_is_zero_unless_wanted() -> None:
    nll, uniform = token_losses(*problem())
    assert not uniform.any()
    torch.testing.assert_close(nll, token_losses(*problem(), True)[0])
    assert (token_losses(*problem(), True)[1] >= torch.tensor(11.0).log()).all()


def test_large_logits_neither_overflow_nor_vanish() -> None:
    features, embedding, targets = problem()
    features, embedding = features.float() * 100, embedding.float() * 10
    ours, theirs = token_losses(features, embedding, targets, True), by_torch(features, embedding, targets)
    for one, other in zip(ours, theirs, strict=True):
        assert one.isfinite().all()
        torch.testing.assert_close(one, other, atol=1e-2, rtol=1e-5)


@pytest.mark.usefixtures("block_values")
@pytest.mark.parametrize("with_uniform", [False, True])
def test_half_precision_products_are_near(with_uniform) -> None:
    features, embedding, targets = problem()
    features = features.detach().float().requires_grad_()
    embedding = embedding.detach().float().requires_grad_()
    results = []
    for half in (True, False):
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            nll, uniform = token_losses(features, embedding, targets, with_uniform)
        assert nll.dtype == torch.float32
        results.append([nll, uniform, *torch.autograd.grad((nll + uniform).sum(), [features, embedding])])
    for one, other in zip(*results, strict=True):
        assert one.dtype == torch.float32
        assert (one - other).norm() <= 0.02 * other.norm()


class Largest(TorchDispatchMode):
    """Watches how many values the largest tensor has that is made."""

    values = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if isinstance(result, Tensor):
            self.values = max(self.values, result.numel())
        return result


def test_without_gradients_no_more_than_a_block_is_made(monkeypatch) -> None:
    monkeypatch.setattr(output, "_BLOCK_VALUES", 3 * 11)
    problem_of_40 = problem(40)
    with Largest() as with_gradients:
        wanted = token_losses(*problem_of_40, True)
    with torch.no_grad(), Largest() as without:
        found = token_losses(*problem_of_40, True)
    assert with_gradients.values == 40 * 11
    assert without.values <= 40 * 5  # the features themselves
    for one, other in zip(found, wanted, strict=True):
        assert torch.equal(one, other) and not one.requires_grad
