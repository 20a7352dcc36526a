"""The window layer is Bengio's equation, forward and back, however many tokens the windows share."""

import numpy as np
import pytest
import torch

from dialog.layers.window import WindowLayer

SIZE, HIDDEN, WINDOW = 4, 5, 3


def reference(
    h: np.ndarray, d: np.ndarray, c: np.ndarray, windows: np.ndarray, g: np.ndarray
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """a = tanh(d + H x), x the concatenation of the window's rows of C; g is the gradient of a."""
    found = np.zeros((len(windows), len(d)))
    gradients = {"h": np.zeros_like(h), "d": np.zeros_like(d), "c": np.zeros_like(c)}
    for row, window in enumerate(windows):
        x = np.concatenate([c[token] for token in window])
        found[row] = np.tanh(d + h @ x)
        inner = g[row] * (1 - found[row] ** 2)
        gradients["h"] += np.outer(inner, x)
        gradients["d"] += inner
        for place, token in enumerate(window):
            gradients["c"][token] += (h.T @ inner)[place * SIZE : (place + 1) * SIZE]
    return found, gradients


@pytest.mark.parametrize("num_tokens", [2, 7, 40])  # fewer and more than windows: two ways to compute it
def test_it_is_the_equation_forward_and_back(num_tokens) -> None:
    torch.manual_seed(1)
    layer = WindowLayer(SIZE, HIDDEN, WINDOW).double()
    embedded = torch.randn(num_tokens, SIZE, dtype=torch.float64, requires_grad=True)
    windows = torch.randint(num_tokens, (11, WINDOW))
    g = torch.randn(11, HIDDEN, dtype=torch.float64)
    found = layer(embedded, windows)
    leaves = [layer.places.weight, layer.places.bias, embedded]
    wanted, gradients = reference(*(t.detach().numpy() for t in (*leaves, windows, g)))
    torch.testing.assert_close(found.detach(), torch.from_numpy(wanted), atol=1e-10, rtol=0)
    for one, name in zip(torch.autograd.grad(found, leaves, g), ("h", "d", "c"), strict=True):
        torch.testing.assert_close(one, torch.from_numpy(gradients[name]), atol=1e-10, rtol=0)


def test_each_place_has_a_matrix_of_its_own() -> None:
    layer = WindowLayer(SIZE, HIDDEN, WINDOW)
    embedded = torch.randn(6, SIZE)
    found = layer(embedded, torch.tensor([[0, 1, 2], [1, 0, 2], [2, 1, 0]]))
    assert len(found.detach().unique(dim=0)) == 3
