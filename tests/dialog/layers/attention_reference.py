"""Attention in NumPy, each kind from its paper's equations, with gradients derived by hand.

Every kind is run on one query and the real places of its row at a time, in the papers' own notation:
q is the query, s (place, size) what is attended over. A kind returns its scores and how gradients of them
go back; `reference` does what all kinds have in common.
"""

from collections import defaultdict
from collections.abc import Callable

import numpy as np

Gradients = dict[str, np.ndarray]
Scored = tuple[np.ndarray, Callable[[np.ndarray], Gradients]]
"""Scores (place,), and a function from their gradients to those of "query", "values" and the parameters."""


def softmax(energies: np.ndarray) -> np.ndarray:
    shares = np.exp(energies - energies.max())
    return shares / shares.sum()


def softmax_back(weights: np.ndarray, of_weights: np.ndarray) -> np.ndarray:
    """d e_j = a_j (d a_j - sum_k a_k d a_k)."""
    return weights * (of_weights - weights @ of_weights)


def dot(_: Gradients, q: np.ndarray, s: np.ndarray) -> Scored:
    """Luong et al. 2015, equation 8, first row: q^T s."""
    return s @ q, lambda e: {"query": e @ s, "values": np.outer(e, q)}


def general(p: Gradients, q: np.ndarray, s: np.ndarray) -> Scored:
    """The same, second row: q^T W_a s."""
    w = p["key.weight"]
    return s @ w.T @ q, lambda e: {
        "query": w @ (e @ s),
        "values": np.outer(e, w.T @ q),
        "key.weight": np.outer(q, e @ s),
    }


def additive(p: Gradients, q: np.ndarray, s: np.ndarray) -> Scored:
    """Bahdanau et al. 2015, appendix A.1.2: v^T tanh(W q + U s)."""
    w, u, v = p["query.weight"], p["key.weight"], p["score"]
    hidden = np.tanh(w @ q + s @ u.T)  # (place, hidden)

    def back(e: np.ndarray) -> Gradients:
        inner = np.outer(e, v) * (1 - hidden**2)
        return {
            "query": w.T @ inner.sum(0),
            "values": inner @ u,
            "query.weight": np.outer(inner.sum(0), q),
            "key.weight": inner.T @ s,
            "score": e @ hidden,
        }

    return hidden @ v, back


def of_one_query(
    score: Callable[..., Scored], p: Gradients, q: np.ndarray, s: np.ndarray, g: np.ndarray, h: np.ndarray
) -> tuple[np.ndarray, np.ndarray, Gradients]:
    """c = sum_j a_j s_j of one query; g and h are the gradients of c and of the weights."""
    energies, back = score(p, q, s)
    weights = softmax(energies)
    gradients = back(softmax_back(weights, s @ g + h))
    gradients["values"] = gradients["values"] + np.outer(weights, g)
    return weights @ s, weights, gradients


def multihead(
    p: Gradients, q: np.ndarray, s: np.ndarray, g: np.ndarray, h: np.ndarray, heads: int = 2
) -> tuple[np.ndarray, np.ndarray, Gradients]:
    """Vaswani et al. 2017, section 3.2.2, of one query; arguments as in `of_one_query`."""
    w_q, w_k, w_v, w_o = (p[f"{name}.weight"] for name in ("query", "key", "value", "output"))
    projected, keys, values = w_q @ q, s @ w_k.T, s @ w_v.T
    size = len(projected) // heads
    of_heads = w_o.T @ g
    weights, concatenated = np.zeros(len(s)), np.zeros(len(projected))
    of_projected, of_keys, of_values = (np.zeros_like(array) for array in (projected, keys, values))
    for head in range(heads):
        own = slice(head * size, (head + 1) * size)
        shares = softmax(keys[:, own] @ projected[own] / np.sqrt(size))
        concatenated[own] = shares @ values[:, own]
        weights += shares / heads
        energies = softmax_back(shares, values[:, own] @ of_heads[own] + h / heads) / np.sqrt(size)
        of_projected[own] = energies @ keys[:, own]
        of_keys[:, own] = np.outer(energies, projected[own])
        of_values[:, own] = np.outer(shares, of_heads[own])
    return (
        w_o @ concatenated,
        weights,
        {
            "query": w_q.T @ of_projected,
            "values": of_keys @ w_k + of_values @ w_v,
            "query.weight": np.outer(of_projected, q),
            "key.weight": of_keys.T @ s,
            "value.weight": of_values.T @ s,
            "output.weight": np.outer(g, concatenated),
        },
    )


SOFT: dict[str, Callable[..., tuple[np.ndarray, np.ndarray, Gradients]]] = {
    name: (lambda *rest, score=score: of_one_query(score, *rest))
    for name, score in {"additive": additive, "dot": dot, "general": general}.items()
} | {"multihead": multihead}


def reference(
    kind: str,
    parameters: Gradients,
    query: np.ndarray,
    values: np.ndarray,
    mask: np.ndarray,
    of_summary: np.ndarray,
    of_weights: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, Gradients]:
    """Runs a kind over a batch, query by query, over the real places alone.

    Args:
        kind: a name in `SOFT`.
        parameters: of the layer, by name.
        query: (row, target_time, size).
        values: (row, source_time, size).
        mask: (row, source_time).
        of_summary: gradient that arrives at the summary, of its shape.
        of_weights: gradient that arrives at the weights, of their shape.

    Returns:
        Summary, weights, and the gradients of "query", "values" and each parameter.
    """
    summary, weights = np.zeros_like(of_summary), np.zeros_like(of_weights)
    gradients: Gradients = defaultdict(lambda: np.zeros(()))
    gradients |= {"query": np.zeros_like(query), "values": np.zeros_like(values)}
    for row, time in np.ndindex(*query.shape[:2]):
        real = mask[row]
        if not real.any():
            continue
        summary[row, time], weights[row, time, real], of = SOFT[kind](
            parameters,
            query[row, time],
            values[row, real],
            of_summary[row, time],
            of_weights[row, time, real],
        )
        gradients["query"][row, time] += of.pop("query")
        gradients["values"][row, real] += of.pop("values")
        for name, gradient in of.items():
            gradients[name] = gradients[name] + gradient
    return summary, weights, gradients
