"""What training will take on this machine, found by doing a little of it on a copy of the model.

A few updates are timed on batches of the corpus, spread over its length buckets, with the optimiser, the
precision and the loss that training has. Weights, optimiser and random states of the training itself are
not touched: a run is the same to the last bit whether it was estimated or not.
"""

import contextlib
import copy
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from dialog.models.base import ReplyModel
from dialog.text.loader import BatchLoader
from dialog.training.config import TrainingConfig
from dialog.training.memory import keep_freed_memory
from dialog.training.objective import objective
from dialog.training.optimizer import make_optimizer

__all__ = ["Estimate", "estimate_training"]

_TIMED_UPDATES = 12
_SECONDS = 4.0
"""No further update is timed once so much time has gone, but two are in any case."""
_OPTIMIZER_COPIES = 2
"""AdamW keeps two numbers for each weight."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What is known before training starts.

    Attributes:
        model: the name of its class.
        num_parameters: numbers that are trained.
        target_tokens: that are scored in an epoch, the end tokens counted.
        updates: of an epoch.
        timed_updates: how many were timed.
        seconds_per_epoch: the time of an epoch's updates; validations come on top.
        memory_bytes: weights, gradients, optimiser and activations; on the CPU of the whole process.
        memory_is_measured: whether that is a peak that was measured, or a sum without activations.
        device: `cpu` or `cuda`.
    """

    model: str
    num_parameters: int
    target_tokens: int
    updates: int
    timed_updates: int
    seconds_per_epoch: float
    memory_bytes: int
    memory_is_measured: bool
    device: Literal["cpu", "cuda"]


def estimate_training(
    model: ReplyModel, loader: BatchLoader, config: TrainingConfig, seconds: float = _SECONDS
) -> Estimate:
    """Times a few updates on a copy of `model`.

    Args:
        model: what will be trained; neither changed nor moved.
        loader: its batches.
        config: how it will be trained.
        seconds: about how long the timing may take.
    """
    keep_freed_memory()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    batches = loader.epoch(0)
    # The largest batch comes first: it warms up, untimed, and it makes the peak of memory.
    largest = max(batches, key=loader.num_tokens)
    with torch.random.fork_rng(devices=[torch.cuda.current_device()] if device.type == "cuda" else []):
        memory = _PeakMemory(device)
        trial = _Trial(copy.deepcopy(model).to(device), loader, config)
        trial.update(largest)
        timed_tokens = timed_updates = 0
        begun = time.perf_counter()
        for indices in _spread(batches, _TIMED_UPDATES):
            trial.update(indices)
            timed_tokens += loader.num_tokens(indices)
            timed_updates += 1
            elapsed = time.perf_counter() - begun
            if elapsed > seconds and timed_updates >= 2:
                break
        peak = memory.peak(model)
    del trial
    if device.type == "cuda":
        torch.cuda.empty_cache()
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    return Estimate(
        model=type(model).__name__,
        num_parameters=model.num_parameters,
        target_tokens=loader.num_target_tokens,
        updates=math.ceil(len(batches) / config.batches_per_update),
        timed_updates=timed_updates,
        seconds_per_epoch=elapsed * sum(map(loader.num_tokens, batches)) / timed_tokens,
        memory_bytes=(2 + _OPTIMIZER_COPIES) * weights if peak is None else peak,
        memory_is_measured=peak is not None,
        device="cuda" if device.type == "cuda" else "cpu",
    )


class _Trial:
    """Updates of a copy, as `Trainer` makes them."""

    def __init__(self, model: ReplyModel, loader: BatchLoader, config: TrainingConfig) -> None:
        self._model, self._loader, self._config = model.train(), loader, config
        self._device = next(model.parameters()).device
        self._optimizer = make_optimizer(model, config)
        self._generator = torch.Generator(device=self._device).manual_seed(0)

    def update(self, indices: Sequence[int]) -> None:
        """Makes one update and waits for its end."""
        batch = self._loader.batch(indices).to(self._device)
        half = self._device.type == "cuda" or self._config.bfloat16
        with torch.autocast(self._device.type, torch.bfloat16) if half else contextlib.nullcontext():
            parts = self._model(batch, self._generator)
        self._optimizer.zero_grad()
        value = objective(parts, self._config, weight=1.0)
        value.backward()
        torch.nn.utils.clip_grad_norm_(self._model.parameters(), self._config.gradient_clip or 1.0)
        self._optimizer.step()
        float(value.detach())  # an accelerator is waited for here, as training does


def _spread(batches: list[list[int]], count: int) -> list[list[int]]:
    """Returns `count` batches at even steps of length, so ordered that any first few are spread, too."""
    by_length = sorted(batches, key=len)
    count = min(count, len(batches))
    middles = [int((place + 0.5) * len(batches) / count) for place in range(count)]
    # Bit reversal: halves, then quarters, then eighths.
    width = max(1, (count - 1).bit_length())
    order = sorted(range(count), key=lambda place: int(f"{place:0{width}b}"[::-1], 2))
    return [by_length[middles[place]] for place in order]


class _PeakMemory:
    """The most memory that is held at once from now on.

    On the GPU what tensors take beyond those that are there now; on the CPU the resident set of the process,
    less the copy of the weights that training itself does without. Linux alone tells the latter.
    """

    _STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")

    def __init__(self, device: torch.device) -> None:
        self._on_gpu, self._before, self._can_tell = device.type == "cuda", 0, True
        if self._on_gpu:
            torch.cuda.reset_peak_memory_stats()
            self._before = torch.cuda.memory_allocated()
        elif sys.platform.startswith("linux"):
            with contextlib.suppress(OSError):  # not allowed: then it is the peak since the process began
                self._RESET.write_text("5")
        else:
            self._can_tell = False

    def peak(self, model: ReplyModel) -> int | None:
        """Returns bytes, or None where the system does not tell."""
        if self._on_gpu:
            return torch.cuda.max_memory_allocated() - self._before
        if not self._can_tell:
            return None
        for line in self._STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 - sum(
                    p.numel() * p.element_size() for p in model.parameters()
                )
        return None
