"""The recurrent cells in NumPy, one row and one step at a time, from the papers' equations, and back by hand.

Nothing here is shared with the layers but the names and the order of their weights.

    reference = Reference(cell, hidden, weights, skips, reverse, leak)
    outputs = reference.forward(inputs, start)
    of_inputs, of_start = reference.backward(of_outputs)      # and adds to reference.gradients

| cell | paper |
|---|---|
| `rnn_tanh`, `rnn_relu` | Elman 1990 |
| `lstm` | Hochreiter and Schmidhuber 1997; Gers et al. 2000 (forget gate) |
| `lstm_peephole` | Gers and Schmidhuber 2000 |
| `gru_reset_before`, `gru` | Cho et al. 2014, as published, and with the reset after the product |
| `leaky`, `esn` | Jaeger et al. 2007; Lukoševičius 2012 |
| skips | Lin et al. 1996 |
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


class Affine:
    """y = W x + b; `backward` adds to the gradients of W and b."""

    def __init__(self, weight: Array, bias: Array, of_weight: Array, of_bias: Array) -> None:
        self.weight, self.bias, self.of_weight, self.of_bias = weight, bias, of_weight, of_bias

    def forward(self, x: Array) -> Array:
        return self.weight @ x + self.bias

    def backward(self, x: Array, of_y: Array) -> Array:
        self.of_weight += np.outer(of_y, x)
        self.of_bias += of_y
        return self.weight.T @ of_y


class Cell:
    """One step: x_t, s_t = [h_{t-1}; h_{t-d}; …], h_{t-1}, c_{t-1} to h_t, c_t, and the gradients back."""

    num_gates = 1
    has_cell = False

    def __init__(self, hidden: int, weights: dict[str, Array], gradients: dict[str, Array], leak: float):
        self.hidden, self.weights, self.gradients, self.leak = hidden, weights, gradients, leak
        self.input, self.state = [], []
        for gate in range(self.num_gates):
            rows = slice(gate * hidden, (gate + 1) * hidden)
            for side, affines in (("input", self.input), ("hidden", self.state)):
                names = f"weight_{side}", f"bias_{side}"
                affines.append(Affine(*(w[n][rows] for w in (weights, gradients) for n in names)))

    def sums(self, x: Array, s: Array) -> list[Array]:
        """W_i x + b_i + W_h s + b_h of each gate."""
        return [i.forward(x) + h.forward(s) for i, h in zip(self.input, self.state, strict=True)]

    def sums_back(self, x: Array, s: Array, of_sums: Sequence[Array]) -> tuple[Array, Array]:
        of_x, of_s = np.zeros_like(x), np.zeros_like(s)
        for i, h, of_sum in zip(self.input, self.state, of_sums, strict=True):
            of_x += i.backward(x, of_sum)
            of_s += h.backward(s, of_sum)
        return of_x, of_s

    def forward(self, x: Array, s: Array, h: Array, c: Array) -> tuple[Array, Array, Any]:
        """Returns h_t, c_t and what `backward` needs."""
        raise NotImplementedError

    def backward(self, kept: Any, of_h: Array, of_c: Array) -> tuple[Array, Array, Array, Array]:
        """Returns the gradients of x_t, s_t, h_{t-1} (beside s_t) and c_{t-1}."""
        raise NotImplementedError


class Tanh(Cell):
    def forward(self, x, s, h, c):
        (a,) = self.sums(x, s)
        return np.tanh(a), c, (x, s, a)

    def backward(self, kept, of_h, of_c):
        x, s, a = kept
        of_x, of_s = self.sums_back(x, s, [of_h * (1 - np.tanh(a) ** 2)])
        return of_x, of_s, np.zeros_like(of_h), of_c


class Relu(Cell):
    def forward(self, x, s, h, c):
        (a,) = self.sums(x, s)
        return np.maximum(a, 0), c, (x, s, a)

    def backward(self, kept, of_h, of_c):
        x, s, a = kept
        of_x, of_s = self.sums_back(x, s, [np.where(a > 0, of_h, 0)])
        return of_x, of_s, np.zeros_like(of_h), of_c


class Leaky(Cell):
    def share(self) -> Array:
        logit = self.weights.get("leak_logit")
        return np.full(self.hidden, self.leak) if logit is None else sigmoid(logit)

    def forward(self, x, s, h, c):
        (a,) = self.sums(x, s)
        alpha = self.share()
        return (1 - alpha) * h + alpha * np.tanh(a), c, (x, s, h, a)

    def backward(self, kept, of_h, of_c):
        x, s, h, a = kept
        alpha = self.share()
        if "leak_logit" in self.gradients:
            self.gradients["leak_logit"] += of_h * (np.tanh(a) - h) * alpha * (1 - alpha)
        of_x, of_s = self.sums_back(x, s, [of_h * alpha * (1 - np.tanh(a) ** 2)])
        return of_x, of_s, (1 - alpha) * of_h, of_c


class LSTM(Cell):
    num_gates = 4
    has_cell = True

    def peepholes(self) -> tuple[Array, Array, Array]:
        zero = np.zeros(self.hidden)
        return tuple(self.weights.get("weight_peephole", (zero, zero, zero)))

    def forward(self, x, s, h, c):
        p_i, p_f, p_o = self.peepholes()
        a_i, a_f, a_g, a_o = self.sums(x, s)
        i, f, g = sigmoid(a_i + p_i * c), sigmoid(a_f + p_f * c), np.tanh(a_g)
        new = f * c + i * g
        o = sigmoid(a_o + p_o * new)
        return o * np.tanh(new), new, (x, s, c, i, f, g, o, new)

    def backward(self, kept, of_h, of_c):
        x, s, c, i, f, g, o, new = kept
        p_i, p_f, p_o = self.peepholes()
        of_o = of_h * np.tanh(new) * o * (1 - o)
        of_new = of_c + of_h * o * (1 - np.tanh(new) ** 2) + of_o * p_o
        of_i = of_new * g * i * (1 - i)
        of_f = of_new * c * f * (1 - f)
        of_g = of_new * i * (1 - g**2)
        if "weight_peephole" in self.gradients:
            self.gradients["weight_peephole"] += np.stack([of_i * c, of_f * c, of_o * new])
        of_x, of_s = self.sums_back(x, s, [of_i, of_f, of_g, of_o])
        return of_x, of_s, np.zeros_like(of_h), of_new * f + of_i * p_i + of_f * p_f


class GRU(Cell):
    num_gates = 3

    def forward(self, x, s, h, c):
        r, z = (
            sigmoid(i.forward(x) + w.forward(s)) for i, w in zip(self.input[:2], self.state[:2], strict=True)
        )
        inside = self.state[2].forward(s)
        n = np.tanh(self.input[2].forward(x) + r * inside)
        return (1 - z) * n + z * h, c, (x, s, h, r, z, n, inside)

    def backward(self, kept, of_h, of_c):
        x, s, h, r, z, n, inside = kept
        of_n = of_h * (1 - z) * (1 - n**2)
        of_z = of_h * (h - n) * z * (1 - z)
        of_r = of_n * inside * r * (1 - r)
        of_x = sum(gate.backward(x, of) for gate, of in zip(self.input, (of_r, of_z, of_n), strict=True))
        of_s = sum(gate.backward(s, of) for gate, of in zip(self.state, (of_r, of_z, of_n * r), strict=True))
        return of_x, of_s, z * of_h, of_c


class GRUResetBefore(Cell):
    num_gates = 3

    def forward(self, x, s, h, c):
        r, z = (
            sigmoid(i.forward(x) + w.forward(s)) for i, w in zip(self.input[:2], self.state[:2], strict=True)
        )
        reset = np.tile(r, len(s) // len(r)) * s
        n = np.tanh(self.input[2].forward(x) + self.state[2].forward(reset))
        return (1 - z) * n + z * h, c, (x, s, h, r, z, n, reset)

    def backward(self, kept, of_h, of_c):
        x, s, h, r, z, n, reset = kept
        of_n = of_h * (1 - z) * (1 - n**2)
        of_z = of_h * (h - n) * z * (1 - z)
        of_reset = self.state[2].backward(reset, of_n)
        of_r = (of_reset * s).reshape(-1, self.hidden).sum(0) * r * (1 - r)
        of_x = sum(gate.backward(x, of) for gate, of in zip(self.input, (of_r, of_z, of_n), strict=True))
        of_s = np.tile(r, len(s) // len(r)) * of_reset
        of_s = of_s + self.state[0].backward(s, of_r) + self.state[1].backward(s, of_z)
        return of_x, of_s, z * of_h, of_c


CELLS: dict[str, type[Cell]] = {
    "gru": GRU,
    "gru_reset_before": GRUResetBefore,
    "lstm": LSTM,
    "lstm_peephole": LSTM,
    "rnn_tanh": Tanh,
    "rnn_relu": Relu,
    "leaky": Leaky,
    "esn": Leaky,
}


class Reference:
    """One row through a cell and back.

    Args:
        cell: its name.
        hidden: size of h_t.
        weights: by the layer's names.
        skips: how many steps back further connections reach.
        reverse: whether time runs backwards.
        leak: of leaky units that do not learn it.
    """

    def __init__(
        self,
        cell: str,
        hidden: int,
        weights: dict[str, Array],
        skips: Sequence[int] = (),
        reverse: bool = False,
        leak: float = 0.5,
    ) -> None:
        self.gradients = {name: np.zeros_like(weight) for name, weight in weights.items()}
        self.cell = CELLS[cell](hidden, weights, self.gradients, leak)
        self.hidden, self.steps, self.reverse = hidden, (1, *skips), reverse

    def forward(self, inputs: Array, start: Array) -> Array:
        """Returns (time, hidden) for `inputs` (time, input) and `start`: h_0, c_0 if any, h_{-1}, …"""
        parts = list(start.reshape(-1, self.hidden))
        cell = parts.pop(1) if self.cell.has_cell else np.zeros(self.hidden)
        states = parts[::-1]  # h_{1-D}, …, h_0, and then those of the steps
        self.depth, self.kept = len(states), []
        for x in inputs[::-1] if self.reverse else inputs:
            seen = np.concatenate([states[-step] for step in self.steps])
            new, cell, kept = self.cell.forward(x, seen, states[-1], cell)
            states.append(new)
            self.kept.append(kept)
        outputs = states[self.depth :]
        return np.array(outputs[::-1] if self.reverse else outputs).reshape(len(inputs), self.hidden)

    def backward(self, of_outputs: Array) -> tuple[Array, Array]:
        """Returns the gradients of `inputs` and `start`."""
        arriving = of_outputs[::-1] if self.reverse else of_outputs
        of_states = [np.zeros(self.hidden) for _ in range(self.depth)] + [row.copy() for row in arriving]
        of_cell, of_inputs = np.zeros(self.hidden), []
        for time in reversed(range(len(self.kept))):
            place = self.depth + time
            of_x, of_seen, of_h, of_cell = self.cell.backward(self.kept[time], of_states[place], of_cell)
            of_states[place - 1] += of_h
            for step, of_state in zip(self.steps, of_seen.reshape(-1, self.hidden), strict=True):
                of_states[place - step] += of_state
            of_inputs.append(of_x)
        of_start = of_states[: self.depth][::-1]
        if self.cell.has_cell:
            of_start.insert(1, of_cell)
        if not self.reverse:
            of_inputs.reverse()
        return np.array(of_inputs), np.concatenate(of_start)
