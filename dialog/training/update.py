"""The gradient of one update, over several batches and several processes.

The batches of an update are the same however many processes there are; they share them, a batch each a round.
The gradient is that of the objective over all of these batches at once, whoever computes which:

- A process scales its share by the number of processes, because DistributedDataParallel takes the mean.
- Noise is drawn for a batch by its place in the update, from (seed, update, place): the same batches give the
  same gradient on one process as on many, and each batch draws on its own.
- Free bits look at the mean KL of the whole update. With one round it is gathered between the forward and the
  backward pass. With several the first batches' backward pass is due before the last one is seen, so
  their KL is computed first, without decoding and without gradients, with the same noise.
- A process that has no batch left in the last round takes a copy of another's with weight 0.
"""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor

from dialog.models.base import LossParts, PosteriorKL, ReplyModel
from dialog.text.batches import Batch
from dialog.training.config import TrainingConfig
from dialog.training.distributed import Workers
from dialog.training.objective import Whole, needs_mean_kl, objective

__all__ = ["Part", "UpdateTotals", "add_gradients", "noise", "parts_of"]


@dataclass(frozen=True, slots=True)
class Part:
    """A batch of this process in an update.

    Attributes:
        place: of the batch among all batches of the update.
        counts: False for a copy that keeps this process busy while others have one more batch.
    """

    place: int
    counts: bool


@dataclass(frozen=True, slots=True)
class UpdateTotals:
    """Sums over the batches of an update, on all processes.

    Attributes:
        objective: what was minimised, nats per target token.
        nll: nats.
        kl: nats, raw, of the replies' latents; None for a model without a latent variable.
        num_replies: that were scored.
        num_tokens: of these, the end tokens counted.
        not_finite: the processes whose share of the objective is no number.
        conversation_kl: nats, raw, of the latents that windows share; None for a model without them.
        num_conversations: windows that `conversation_kl` is of.
    """

    objective: float
    nll: float
    kl: float | None
    num_replies: int
    num_tokens: int
    not_finite: tuple[int, ...] = ()
    conversation_kl: float | None = None
    num_conversations: int = 0


def parts_of(num_batches: int, rank: int, num_workers: int) -> list[Part]:
    """Returns which of an update's batches a process takes: one a round, the same number on each process."""
    rounds = -(-num_batches // num_workers)
    places = [round * num_workers + rank for round in range(rounds)]
    return [Part(min(place, num_batches - 1), place < num_batches) for place in places]


def noise(seed: int, update: int, place: int, device: torch.device) -> torch.Generator:
    """Returns the generator of a batch's dropout and posterior samples."""
    words = np.random.SeedSequence((seed, update, place)).generate_state(1, np.uint64)
    return torch.Generator(device=device).manual_seed(int(words[0]))


def add_gradients(
    model: torch.nn.Module,
    batches: Sequence[tuple[Batch, Part]],
    generator: Callable[[Part], torch.Generator],
    num_tokens: int,
    config: TrainingConfig,
    weight: float,
    accelerator: Accelerator,
    workers: Workers,
) -> UpdateTotals:
    """Adds this process's part of an update's gradient, exchanged with the others' when it returns.

    Args:
        model: as `accelerator` prepared it, its gradients zero.
        batches: of this process, on its device; as many on each process.
        generator: the noise of a batch, fresh at each call.
        num_tokens: target tokens of all batches on all processes.
        config: how training goes.
        weight: of the KL.
        accelerator: of this process.
        workers: all processes.

    Returns:
        The sums of all processes. Where `not_finite` names one, the gradient is not complete.

    Raises:
        WorkerLostError: another process has ended.
    """
    whole = Whole(num_tokens)
    if needs_mean_kl(config) and len(batches) > 1:
        with torch.no_grad(), accelerator.autocast():
            bare: ReplyModel = accelerator.unwrap_model(model)
            kl = [(bare.posterior_kl(batch, generator(part)), part.counts) for batch, part in batches]
        whole = _with_mean_kl(num_tokens, kl, workers)
    sums = _Sums()
    for number, (batch, part) in enumerate(batches, start=1):
        is_last = number == len(batches)
        with contextlib.nullcontext() if is_last else accelerator.no_sync(model):
            parts: LossParts = model(batch, generator(part))
            if needs_mean_kl(config) and len(batches) == 1 and parts.kl is not None:
                own = PosteriorKL(parts.kl, parts.conversation_kl)
                whole = _with_mean_kl(num_tokens, [(own, part.counts)], workers)
            value = objective(parts, config, weight, whole)
            if part.counts:
                sums.add(value, parts)
            if is_last:
                totals = sums.gathered(workers)
                if totals.not_finite:
                    return totals
            with workers.watch():
                accelerator.backward(value * (workers.count if part.counts else 0.0))
    return totals


def _with_mean_kl(num_tokens: int, kl: Sequence[tuple[PosteriorKL, bool]], workers: Workers) -> Whole:
    """Returns the figures of the update, its mean KL over the replies and windows of all processes."""
    means = [_mean([(values.reply, counts) for values, counts in kl], workers)]
    shared = [(values.conversation, counts) for values, counts in kl if values.conversation is not None]
    if shared:
        means.append(_mean(shared, workers))
    return Whole(num_tokens, *means)


def _mean(kl: Sequence[tuple[Tensor, bool]], workers: Workers) -> Tensor:
    """Returns the mean over the rows of all processes, (latent,), without gradient."""
    first = kl[0][0]
    sums = torch.zeros(first.shape[1] + 1, dtype=torch.float64)
    for values, counts in kl:
        if counts:
            sums[:-1] += values.detach().double().sum(0).cpu()
            sums[-1] += len(values)
    sums = workers.sum(sums)
    return (sums[:-1] / sums[-1]).to(first)


class _Sums:
    """Of this process: objective, nll, kl, conversation KL, tokens; replies, windows; which KL there is."""

    def __init__(self) -> None:
        self._values: Tensor = torch.zeros(9, dtype=torch.float64)

    def add(self, value: Tensor, parts: LossParts) -> None:
        kl, shared = parts.kl, parts.conversation_kl
        raw = [parts.nll.new_zeros(()) if one is None else one.detach().sum() for one in (kl, shared)]
        figures = [value.detach(), parts.nll.detach().sum(), *raw, parts.num_tokens.sum()]
        counts = [len(parts.nll), 0 if shared is None else len(shared), kl is not None, shared is not None]
        sums = torch.stack([figure.double() for figure in figures]).tolist()
        self._values += torch.tensor([*sums, *counts], dtype=torch.float64)

    def gathered(self, workers: Workers) -> UpdateTotals:
        """Returns the sums over all processes, added in the order of the processes on each."""
        rows = workers.gather(self._values)
        objective, nll, kl, shared, tokens, replies, windows, has_kl, has_shared = rows.sum(0).tolist()
        bad = tuple(torch.nonzero(~rows.isfinite().all(1)).flatten().tolist())
        return UpdateTotals(
            objective,
            nll,
            kl if has_kl else None,
            round(replies),
            round(tokens),
            bad,
            shared if has_shared else None,
            round(windows),
        )
