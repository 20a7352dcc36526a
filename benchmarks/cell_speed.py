"""What a layer of each cell costs in training on the CPU: tokens a second, forward and backward.

    python benchmarks/cell_speed.py [--hidden 512] [--rows 250] [--rounds 15] [--skips 2 5]

Rows are of 3 to 29 tokens; inputs are as wide as the state. All cells take turns, so that what else the machine
does meets all alike; torch's own kernels, with a gradient, stand beside the scan where torch has the cell. A
2,048 x 2,048 float32 product is timed before and after each; a cell's share is its operations a second over the
mean of these two. Only products count as operations: those of the input and of the state, forward, for the
gradient of what they multiply, and for that of their weights, which an echo state network has not. `times gru`
is a round's seconds over those of the GRU's scan in the same round.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch
from figures import Spread, print_result, seconds_of
from torch import Tensor

from dialog.layers.cells import CELLS, CellOptions, make_layer
from dialog.layers.fused import FusedLayer
from dialog.layers.packing import Packing
from dialog.layers.recurrent import RecurrentLayer
from dialog.training.memory import keep_freed_memory

_LIMIT_SIZE = 2048
_FACTORS = torch.randn(2, _LIMIT_SIZE, _LIMIT_SIZE)


@dataclass(frozen=True, slots=True)
class _Way:
    """A layer, and how it is run.

    Attributes:
        layer: the layer.
        run: from inputs to outputs.
        operations: of the products, for all tokens.
    """

    layer: RecurrentLayer
    run: Callable[[Tensor], Tensor]
    operations: int


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hidden", type=int, default=512, help="size of inputs and state")
    parser.add_argument("--rows", type=int, default=250)
    parser.add_argument("--rounds", type=int, default=15, help="that are timed, 2 or more")
    parser.add_argument("--skips", type=int, nargs="*", default=(2, 5), help="of a GRU beside the cells")
    arguments = parser.parse_args()
    torch.manual_seed(1)
    keep_freed_memory()
    packing = Packing.of(torch.randint(3, 30, (arguments.rows,)))
    ways = _ways(packing, arguments.hidden, tuple(arguments.skips))
    print(
        f"{arguments.rows} rows, {packing.num_tokens:,} tokens, hidden {arguments.hidden}, "
        f"{torch.get_num_threads()} threads"
    )
    inputs = torch.randn(packing.num_tokens, arguments.hidden, requires_grad=True)
    seconds, shares, limits = _measure(ways, inputs, arguments.rounds)
    limit = Spread.of(limits)
    results = [
        _result(name, way, packing.num_tokens, seconds, shares[name], limit.median)
        for name, way in ways.items()
    ]
    results += _over_torch(seconds)
    print(f"limit: {_LIMIT_SIZE}x{_LIMIT_SIZE} float32 product, {limit.text(1)} GFLOP/s")
    print_result("cell_speed", {"value": limit.median, "unit": "GFLOP/s", **limit.to_json()}, results)


def _ways(packing: Packing, hidden: int, skips: tuple[int, ...]) -> dict[str, _Way]:
    ways = {}
    options = {cell: CellOptions(cell) for cell in CELLS}
    if skips:
        options[f"gru, skips {' '.join(map(str, skips))}"] = CellOptions("gru", skips)
    for name, chosen in options.items():
        layer = make_layer(chosen, hidden, hidden)
        passes = 3 if any(True for _ in layer.parameters()) else 2
        weights = layer.weight_input.numel() + layer.weight_hidden.numel()
        operations = 2 * passes * weights * packing.num_tokens
        ways[name] = _Way(layer, lambda inputs, layer=layer: layer(inputs, packing), operations)
        if isinstance(layer, FusedLayer) and not layer.skips:
            ways[f"{name}, torch"] = _Way(
                layer, lambda inputs, layer=layer: _by_torch(layer, inputs, packing), operations
            )
    return ways


def _by_torch(layer: FusedLayer, inputs: Tensor, packing: Packing) -> Tensor:
    start = inputs.new_zeros(len(packing.lengths), layer.state_size)
    return layer._fused(inputs, packing, start, None)


def _measure(
    ways: dict[str, _Way], inputs: Tensor, rounds: int
) -> tuple[dict[str, list[float]], dict[str, list[float]], list[float]]:
    """Returns seconds and shares of the limit by round, and the limits."""
    for way in ways.values():
        _update(way, inputs)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    shares: dict[str, list[float]] = {name: [] for name in ways}
    limits = [_limit_rate(), _limit_rate()]
    for _ in range(rounds):
        for name, way in ways.items():
            taken = _update(way, inputs)
            limits.append(_limit_rate())
            seconds[name].append(taken)
            shares[name].append(way.operations / taken / 1e9 / ((limits[-2] + limits[-1]) / 2))
    return seconds, shares, limits


def _update(way: _Way, inputs: Tensor) -> float:
    """Returns the seconds of one pass forward and back."""
    for parameter in way.layer.parameters():
        parameter.grad = None
    inputs.grad = None
    start = time.perf_counter()
    outputs = way.run(inputs)
    outputs.backward(_ones(outputs))
    return time.perf_counter() - start


def _ones(outputs: Tensor) -> Tensor:
    return torch.ones((), dtype=outputs.dtype).expand_as(outputs)


def _result(
    name: str, way: _Way, tokens: int, seconds: dict[str, list[float]], shares: list[float], limit: float
) -> dict[str, Any]:
    rates = Spread.of([tokens / each for each in seconds[name]])
    times = Spread.of([each / gru for each, gru in zip(seconds[name], seconds["gru"], strict=True)])
    share = Spread.of(shares)
    print(
        f"{name:18} {rates.median:9,.0f} tokens/s  times gru {times.median:.2f} "
        f"(quartiles {times.lower:.2f} to {times.upper:.2f})  share of the limit {share.text(2)}"
    )
    return {
        "name": name,
        "value": rates.median,
        "unit": "tokens/s",
        "limit": limit * 1e9 / (way.operations / tokens),
        "times_gru": times.median,
        "share_of_limit": share.median,
        "share_spread": share.to_json(),
    }


def _over_torch(seconds: dict[str, list[float]]) -> list[dict[str, Any]]:
    """Returns the scan's speed over that of torch's kernel, by cell."""
    results = []
    for name in seconds:
        if f"{name}, torch" not in seconds:
            continue
        theirs = seconds[f"{name}, torch"]
        ratio = median(other / own for own, other in zip(seconds[name], theirs, strict=True))
        print(f"{name}: the scan's speed over torch's kernel {ratio:.2f}")
        results.append({"name": f"{name} over torch", "value": ratio, "unit": "ratio of tokens/s"})
    return results


def _limit_rate() -> float:
    """Returns what a large matrix product reaches now, 10^9 operations a second."""
    seconds = min(seconds_of(lambda: torch.mm(_FACTORS[0], _FACTORS[1])) for _ in range(2))
    return 2 * _LIMIT_SIZE**3 / seconds / 1e9


if __name__ == "__main__":
    main()
