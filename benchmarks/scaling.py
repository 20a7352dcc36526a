"""What several processes win on this machine: target tokens a second beside those of one process.

    python benchmarks/scaling.py [--processes 2] [--model hred] [--hidden 256] [--updates 8] [--rounds 3]

Three setups train on the same updates in turn, as many rounds as are asked for: one process with one thread, several
processes with one thread each (torchrun, gloo), and one process with as many threads. An update has as many
batches as there are processes. Before and after each update all processes multiply 2,048 x 2,048 float32 matrices
at the same time; the sum of their rates is the machine's own limit, and an update's share of it is what counts:
cores that share their caches, memory or clock win less than their number, whatever runs on them.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from typing import Any

import torch
from accelerate import Accelerator
from figures import MadeUpSplit, Spread, print_result, seconds_of

from dialog.models.registry import build_model
from dialog.text.loader import BatchLoader
from dialog.training.config import TrainingConfig, training_config_class
from dialog.training.distributed import Workers
from dialog.training.memory import keep_freed_memory
from dialog.training.optimizer import make_optimizer
from dialog.training.update import add_gradients, noise, parts_of

_LIMIT_SIZE = 2048
_WARM_UP = 3


def main() -> None:
    """Runs the benchmark, or one process of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--model", default="hred", choices=["seq2seq", "hred", "vhred"])
    parser.add_argument("--hidden", type=int, default=256, help="embedding, hidden and context size")
    parser.add_argument("--vocabulary", type=int, default=8000)
    parser.add_argument("--batch-tokens", type=int, default=4096)
    parser.add_argument("--updates", type=int, default=8, help="that are timed in a round, 2 or more")
    parser.add_argument("--rounds", type=int, default=3, help="2 or more")
    arguments = parser.parse_args()
    if "RANK" in os.environ:
        _Process(arguments).run()
    else:
        _compare(arguments)


def _compare(arguments: argparse.Namespace) -> None:
    count = arguments.processes
    setups = {
        "1 process, 1 thread": (1, 1),
        f"{count} processes, 1 thread each": (count, 1),
        f"1 process, {count} threads": (1, count),
    }
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in setups}
    for _ in range(arguments.rounds):
        for name, (processes, threads) in setups.items():
            found[name].append(_launched(processes, threads))
    base = found["1 process, 1 thread"]
    results = []
    for name, rounds in found.items():
        rate = Spread.of([each["tokens_per_second"] for each in rounds])
        limit = Spread.of([each["limit"] for each in rounds])
        gains = [
            each["tokens_per_second"] / one["tokens_per_second"]
            for each, one in zip(rounds, base, strict=True)
        ]
        possible = [each["limit"] / one["limit"] for each, one in zip(rounds, base, strict=True)]
        share = Spread.of([gain / most for gain, most in zip(gains, possible, strict=True)])
        print(
            f"{name:28} {rate.median:8,.0f} target tokens/s ({rate.least:,.0f} to {rate.most:,.0f}), "
            f"{statistics.median(gains):.2f} times one; products {limit.median:.0f} GFLOP/s, "
            f"{statistics.median(possible):.2f} times one; share {share.median:.2f}"
        )
        results.append(
            {
                "name": name,
                "value": rate.median,
                "unit": "target tokens/s",
                "gain": statistics.median(gains),
                "limit": statistics.median(possible),
                "limit_unit": "times one process's products",
                "share_of_limit": share.median,
                "share_spread": share.to_json(),
                "rounds": arguments.rounds,
            }
        )
    products = Spread.of([each["limit"] for each in base])
    print_result("scaling", {"value": products.median, "unit": "GFLOP/s", **products.to_json()}, results)


def _launched(processes: int, threads: int) -> dict[str, Any]:
    """Returns what one round of a setup found."""
    command = ["-m", "torch.distributed.run", "--nproc-per-node", str(processes), *sys.argv]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(
        [sys.executable, *command], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(done.stderr)
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


class _Process:
    """One process of a setup; the first prints what all found."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        keep_freed_memory()
        torch.manual_seed(1)
        self._arguments = arguments
        self._accelerator = Accelerator(cpu=True)
        self._workers = Workers.of(self._accelerator)
        sizes = {"embedding_size": arguments.hidden, "hidden_size": arguments.hidden}
        if arguments.model != "seq2seq":
            sizes["context_size"] = arguments.hidden
        model = build_model(arguments.model, {"vocab_size": arguments.vocabulary, **sizes}).train()
        self._config: TrainingConfig = training_config_class(model.is_latent)()
        optimizer = make_optimizer(model, self._config)
        self._model, self._optimizer = self._accelerator.prepare(model, optimizer)
        split = MadeUpSplit(5000, arguments.vocabulary)
        self._loader = BatchLoader(split, arguments.batch_tokens, 32, 8, 64, seed=1)

    def run(self) -> None:
        """Trains, and prints target tokens a second and the rate of the products between."""
        count, batches = self._arguments.processes, self._loader.epoch(0)
        tokens, seconds, around = 0, 0.0, []
        for update in range(_WARM_UP + self._arguments.updates):
            group = batches[update * count : (update + 1) * count]
            before = self._limit()
            self._workers.any(False)  # all begin at once
            taken = seconds_of(lambda group=group, update=update: self._update(group, update))  # type: ignore[misc]
            if update >= _WARM_UP:
                around.append((before + self._limit()) / 2)
                seconds += taken
                tokens += sum(map(self._loader.num_scored, group))
        if self._workers.is_first:
            print(json.dumps({"tokens_per_second": tokens / seconds, "limit": statistics.median(around)}))
        self._workers.close()

    def _update(self, group: list[list[int]], update: int) -> None:
        device = self._accelerator.device
        self._optimizer.zero_grad()
        add_gradients(
            self._model,
            [
                (self._loader.batch(group[part.place]), part)
                for part in parts_of(len(group), self._workers.rank, self._workers.count)
            ],
            lambda part: noise(1, update, part.place, device),
            sum(map(self._loader.num_scored, group)),
            self._config,
            1.0,
            self._accelerator,
            self._workers,
        )
        self._accelerator.clip_grad_norm_(self._model.parameters(), self._config.gradient_clip)
        self._optimizer.step()

    def _limit(self) -> float:
        """Returns the GFLOP/s of products that all processes make at the same time, their sum."""
        left, right = torch.rand(2, _LIMIT_SIZE, _LIMIT_SIZE)
        self._workers.any(False)
        start = time.perf_counter()
        left @ right
        rate = 2 * _LIMIT_SIZE**3 / (time.perf_counter() - start) / 1e9
        return float(self._workers.sum(torch.tensor([rate]))[0])


if __name__ == "__main__":
    main()
