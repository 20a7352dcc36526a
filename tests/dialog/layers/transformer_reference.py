"""One attention block of a Transformer in NumPy, from the papers' equations, with gradients derived by hand."""

import numpy as np

Arrays = dict[str, np.ndarray]

EPSILON = 1e-5


def layer_norm(
    x: np.ndarray, gain: np.ndarray, bias: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ba et al. 2016, equation 4; returns also the normalised values and the deviations."""
    deviation = np.sqrt(((x - x.mean(1, keepdims=True)) ** 2).mean(1, keepdims=True) + EPSILON)
    normed = (x - x.mean(1, keepdims=True)) / deviation
    return gain * normed + bias, normed, deviation


def layer_norm_back(g: np.ndarray, gain: np.ndarray, normed: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """dx = (h - mean(h) - n mean(h n)) / deviation, with h = gain * g."""
    h = g * gain
    inner = h - h.mean(1, keepdims=True) - normed * (h * normed).mean(1, keepdims=True)
    return inner / deviation


def attention_block(
    p: Arrays, x: np.ndarray, heads: int, causal: bool, g: np.ndarray
) -> tuple[np.ndarray, Arrays]:
    """y = x + MultiHead(LayerNorm(x)) of one row.

    Args:
        p: `norm.weight`, `norm.bias`, and weight and bias of `query`, `key` (no bias), `value`, `output`.
        x: (time, size).
        heads: that share the size.
        causal: whether a time looks at the times up to it alone.
        g: gradient of y.

    Returns:
        y, and the gradients of x and of the parameters.
    """
    n, normed, deviation = layer_norm(x, p["norm.weight"], p["norm.bias"])
    q = n @ p["query.weight"].T + p["query.bias"]
    k = n @ p["key.weight"].T
    v = n @ p["value.weight"].T + p["value.bias"]
    size = x.shape[1] // heads
    seen = np.arange(len(x))[:, None] >= np.arange(len(x)) if causal else np.ones((len(x), len(x)), bool)
    joined = np.zeros_like(x)
    of_joined = g @ p["output.weight"]
    of_q, of_k, of_v = (np.zeros_like(x) for _ in range(3))
    for head in range(heads):
        own = slice(head * size, (head + 1) * size)
        energies = np.where(seen, q[:, own] @ k[:, own].T / np.sqrt(size), -np.inf)
        shares = np.exp(energies - energies.max(1, keepdims=True))
        shares /= shares.sum(1, keepdims=True)
        joined[:, own] = shares @ v[:, own]
        of_v[:, own] = shares.T @ of_joined[:, own]
        of_shares = of_joined[:, own] @ v[:, own].T
        of_energies = shares * (of_shares - (shares * of_shares).sum(1, keepdims=True)) / np.sqrt(size)
        of_q[:, own], of_k[:, own] = of_energies @ k[:, own], of_energies.T @ q[:, own]
    of_n = of_q @ p["query.weight"] + of_k @ p["key.weight"] + of_v @ p["value.weight"]
    return x + joined @ p["output.weight"].T + p["output.bias"], {
        "x": g + layer_norm_back(of_n, p["norm.weight"], normed, deviation),
        "norm.weight": (of_n * normed).sum(0),
        "norm.bias": of_n.sum(0),
        "query.weight": of_q.T @ n,
        "query.bias": of_q.sum(0),
        "key.weight": of_k.T @ n,
        "value.weight": of_v.T @ n,
        "value.bias": of_v.sum(0),
        "output.weight": g.T @ joined,
        "output.bias": g.sum(0),
    }


def sinusoid(place: int, size: int) -> np.ndarray:
    """Vaswani et al. 2017, section 3.5."""
    found = np.zeros(size)
    for i in range(size):
        angle = place / 10000 ** (2 * (i // 2) / size)
        found[i] = np.sin(angle) if i % 2 == 0 else np.cos(angle)
    return found
