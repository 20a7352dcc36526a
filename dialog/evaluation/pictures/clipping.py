"""What clipping the gradient does: the same small training with and without, where gradients explode.

Pascanu, Mikolov and Bengio 2013, "On the difficulty of training recurrent neural networks", section 3.2,
algorithm 1:

    if |g| > threshold:  g = threshold g / |g|

The task is to remember: the first token of a sequence is one of four, as many others follow, drawn at random, and
behind the last one a linear layer has to tell the first. Cross-entropy, fresh sequences for each update, plain
gradient descent, which no running mean of squared gradients protects. What is not clipped may take one step that
is far too long, and end where all gradients vanish.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from dialog.evaluation.pictures.canvas import canvas
from dialog.evaluation.pictures.cells import CellSpec
from dialog.layers.packing import Packing

__all__ = ["Descent", "Race", "RecallOptions", "descend", "draw_races", "race"]

_CHOICES = 4


@dataclass(frozen=True, slots=True)
class RecallOptions:
    """The task and its training.

    Attributes:
        length: tokens of a sequence, the one to remember counted.
        hidden_size: of the state.
        batch: sequences of an update.
        updates: of a training.
        learning_rate: of gradient descent.
        clip: largest length of a gradient in the training that clips.
    """

    length: int = 40
    hidden_size: int = 32
    batch: int = 32
    updates: int = 300
    learning_rate: float = 0.1
    clip: float = 1.0


@dataclass(frozen=True, slots=True)
class Descent:
    """A training.

    Attributes:
        losses: nats a sequence, at each update; log 4 is guessing.
        norms: the gradient's length at each update, before it is clipped.
    """

    losses: tuple[float, ...]
    norms: tuple[float, ...]

    @property
    def end(self) -> float:
        """Mean loss of the last tenth of the updates."""
        last = self.losses[-max(1, len(self.losses) // 10) :]
        return sum(last) / len(last)


@dataclass(frozen=True, slots=True)
class Race:
    """Two trainings from the same weights on the same sequences.

    Attributes:
        seed: of both.
        free: nothing is clipped.
        clipped: gradients are.
    """

    seed: int
    free: Descent
    clipped: Descent


def descend(spec: CellSpec, options: RecallOptions, seed: int, clip: float) -> Descent:
    """Trains a cell on the task.

    Args:
        spec: the cell.
        options: of the task.
        seed: of weights and sequences.
        clip: largest length of a gradient; infinity clips nothing.
    """
    layer = spec.make(2 * _CHOICES, options.hidden_size, seed)
    generator = torch.Generator().manual_seed(seed)
    read_out = torch.randn(_CHOICES, options.hidden_size, generator=generator) / options.hidden_size**0.5
    weights = [*layer.parameters(), nn.Parameter(read_out)]
    packing = Packing.of(torch.full((options.batch,), options.length))
    losses, norms = [], []
    for _ in range(options.updates):
        tokens, first = _sequences(options, generator)
        outputs = packing.pad(layer(packing.pack(tokens), packing))
        loss = functional.cross_entropy(functional.linear(outputs[:, -1], weights[-1]), first)
        for weight in weights:
            weight.grad = None
        loss.backward()
        norms.append(float(nn.utils.clip_grad_norm_(weights, clip)))
        _step_down(weights, options.learning_rate)
        losses.append(float(loss.detach()))
    return Descent(tuple(losses), tuple(norms))


def race(spec: CellSpec, options: RecallOptions, seed: int) -> Race:
    """Trains a cell twice, without and with clipping."""
    free, clipped = (descend(spec, options, seed, clip) for clip in (math.inf, options.clip))
    return Race(seed, free, clipped)


def draw_races(races: Sequence[Race], options: RecallOptions, path: Path) -> None:
    """Draws the losses over the updates, a line each seed, and of the first the lengths of gradients.

    Raises:
        UsageError: see `canvas`.
    """
    with canvas(path, 10.8, 3.8) as figure:
        left, right = figure.subplots(1, 2)
        for number, one in enumerate(races):
            for descent, colour, name in (
                (one.free, "tab:red", "not clipped"),
                (one.clipped, "tab:blue", "clipped"),
            ):
                label = name if number == 0 else None
                left.plot(_smooth(descent.losses), label=label, color=colour, linewidth=1.0)
                if number == 0:
                    right.plot(descent.norms, label=label, color=colour, linewidth=0.8)
        left.axhline(math.log(_CHOICES), color="grey", linewidth=0.8, linestyle="--")
        left.set_title("loss, nats a sequence (mean of 10 updates; dashed: guessing)")
        right.axhline(options.clip, color="black", linewidth=0.8, linestyle="--")
        right.set_yscale("log", nonpositive="mask")
        right.set_title(
            f"gradient's length before clipping at {options.clip:g} (dashed), seed {races[0].seed}"
        )
        for panel in (left, right):
            panel.set_xlabel("updates")
            panel.minorticks_off()
            panel.grid(alpha=0.3)
            panel.legend()


@torch.no_grad()
def _step_down(weights: Sequence[Tensor], learning_rate: float) -> None:
    for weight in weights:
        assert weight.grad is not None
        weight -= learning_rate * weight.grad


def _sequences(options: RecallOptions, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draws one-hot tokens (sequence, time, token), and the first of each sequence (sequence,)."""
    shape = options.batch, options.length
    tokens = torch.randint(_CHOICES, 2 * _CHOICES, shape, generator=generator)
    tokens[:, 0] = torch.randint(_CHOICES, shape[:1], generator=generator)
    return functional.one_hot(tokens, 2 * _CHOICES).float(), tokens[:, 0]


def _smooth(values: Sequence[float], width: int = 10) -> list[float]:
    """Means of the last `width` values."""
    starts = range(1, len(values) + 1)
    return [sum(part) / len(part) for part in (values[max(0, end - width) : end] for end in starts)]
