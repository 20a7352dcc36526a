"""Whether training ends in the same bits each time, and what the settings cost that make it so.

    python benchmarks/reproducible.py [--runs 20] [--updates 20] [--hidden 256] [--threads 0]

Each run is a fresh process that trains a new VHRED (bag-of-words loss, free bits) on the same made-up
conversations from the same seed. It runs beside a second one that trains without the settings of
`dialog.training.reproducibility`. The two take turns, update by update, so that each update with the settings
has one without them beside it; the cost is the ratio of their times. A run's end is the SHA-256 of its
weights, its optimiser's state and its losses; a run agrees if it ends as most do.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
from collections import Counter
from itertools import count
from pathlib import Path
from typing import Any

from figures import MadeUpSplit, Spread, print_result

from dialog.training.reproducibility import VARIABLES, conditions, exact_arithmetic, set_variables

_WARM_UP = 3
_VOCABULARY = 4000


def main() -> None:
    """Runs the benchmark, or one of its trainings."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=20, help="of each kind, 2 or more")
    parser.add_argument("--updates", type=int, default=20, help="of a run, 5 or more")
    parser.add_argument("--hidden", type=int, default=256, help="embedding, hidden and context size")
    parser.add_argument(
        "--threads", type=int, default=0, help="of each process; 0 for as many as torch takes"
    )
    parser.add_argument("--train", choices=["exact", "plain"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.train == "exact":
        set_variables()
        with exact_arithmetic():
            _train(arguments)
    elif arguments.train == "plain":
        _train(arguments)
    else:
        _compare(arguments)


def _compare(arguments: argparse.Namespace) -> None:
    ends: dict[str, list[str]] = {"exact": [], "plain": []}
    ratios, facts = [], {}
    for run in range(arguments.runs):
        pair = {kind: _Training(kind, arguments) for kind in ends}
        for update in range(arguments.updates):
            order = ("exact", "plain") if (run + update) % 2 else ("plain", "exact")
            taken = {kind: pair[kind].update() for kind in order}
            if update >= _WARM_UP:
                ratios.append(taken["exact"] / taken["plain"])
        for kind, training in pair.items():
            end = training.end()
            ends[kind].append(end["hash"])
            facts[kind] = end["conditions"]
        print(
            f"run {run + 1:3}: with the settings {ends['exact'][-1][:12]}, without {ends['plain'][-1][:12]}"
        )
    agreeing = {kind: Counter(hashes).most_common(1)[0][1] for kind, hashes in ends.items()}
    cost = Spread.of(ratios)
    print(f"VHRED, hidden {arguments.hidden}, {arguments.updates} updates; {_text(facts['exact'])}")
    for kind, title in (("exact", "with the settings"), ("plain", "without")):
        print(f"{title}: {agreeing[kind]} of {arguments.runs} runs end in the same bits")
    print(f"time of an update with the settings over one without: {cost.text()}")
    agreement = {"unit": "runs that end alike", "limit": arguments.runs}
    results: list[dict[str, Any]] = [
        {"name": f"{kind}: agreement", "value": agreeing[kind], **agreement} for kind in ends
    ]
    results.append({"name": "cost", "value": cost.median, "unit": "ratio of update times", **cost.to_json()})
    print_result("reproducible", {"value": arguments.runs, "unit": "runs"}, results)


def _text(facts: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in facts.items())


class _Training:
    """A process that trains, an update whenever it is told to."""

    def __init__(self, kind: str, arguments: argparse.Namespace) -> None:
        environment = {name: value for name, value in os.environ.items() if name not in VARIABLES}
        if arguments.threads:
            environment["OMP_NUM_THREADS"] = str(arguments.threads)
        # What lies where in memory differs from run to run, as between machines that have been up for a while.
        environment["PADDING"] = "x" * (1 + os.urandom(1)[0] * 16)
        sizes = ("--hidden", str(arguments.hidden), "--train", kind)
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__)), *sizes],
            env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def update(self) -> float:
        """Returns the seconds that an update took."""
        return float(self._ask("update"))

    def end(self) -> dict[str, Any]:
        """Returns how the run ended."""
        ended: dict[str, Any] = json.loads(self._ask("end"))
        self._process.communicate()
        return ended

    def _ask(self, what: str) -> str:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(what + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline()


def _train(arguments: argparse.Namespace) -> None:
    """Trains as told on standard input; torch is imported only now, when the settings are made."""
    import torch

    from dialog.models.registry import build_model
    from dialog.text.loader import BatchLoader
    from dialog.training.config import LatentTrainingConfig
    from dialog.training.memory import keep_freed_memory
    from dialog.training.objective import objective
    from dialog.training.optimizer import make_optimizer

    keep_freed_memory()
    torch.manual_seed(1)
    size = arguments.hidden
    sizes = {"embedding_size": size, "hidden_size": size, "context_size": size, "bag_of_words": True}
    model = build_model("vhred", {"vocab_size": _VOCABULARY, **sizes}).train()
    config = LatentTrainingConfig(free_bits=0.05)
    optimizer = make_optimizer(model, config)
    generator = torch.Generator().manual_seed(1)
    loader = BatchLoader(MadeUpSplit(500, _VOCABULARY), config.batch_tokens, 32, 8, 64, seed=1)
    batches = (loader.batch(indices) for epoch in count() for indices in loader.epoch(epoch))
    losses = []
    for line in sys.stdin:
        if line.strip() == "end":
            break
        batch = next(batches)
        start = time.perf_counter()
        value = objective(model(batch, generator), config, 0.5)
        optimizer.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.gradient_clip)
        optimizer.step()
        losses.append(float(value.detach()))
        print(time.perf_counter() - start, flush=True)
    end = hashlib.sha256(repr(losses).encode())
    for parameter in model.parameters():
        end.update(parameter.detach().numpy().tobytes())
        end.update(optimizer.state[parameter]["exp_avg_sq"].numpy().tobytes())
    print(json.dumps({"hash": end.hexdigest(), "conditions": conditions()}), flush=True)


if __name__ == "__main__":
    main()
