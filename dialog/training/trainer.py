"""The training loop: batches in, the best model by validation bound out, resumable at any checkpoint.

Device, precision and processes are Accelerate's; everything else is a function of the update, so that a
resumed run goes on as if it had not stopped. Several processes hold the same weights and the same progress and
share the batches of each update; process 0 validates, and alone writes files.
"""

import contextlib
import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import InitProcessGroupKwargs, set_seed

from dialog.errors import TrainingError, WorkerLostError
from dialog.evaluation.likelihood import Likelihood, evaluate_likelihood
from dialog.models.base import ReplyModel
from dialog.models.registry import MODELS, model_name
from dialog.run_folder import save_run
from dialog.text.backward import directed
from dialog.text.loader import BatchLoader, EncodedSplit
from dialog.text.tokenizer import Tokenizer
from dialog.training.card import model_card
from dialog.training.checkpoints import Progress, load_checkpoint, save_checkpoint
from dialog.training.config import TrainingConfig
from dialog.training.distributed import EXCHANGE_TIMEOUT, Workers
from dialog.training.listeners import Listener
from dialog.training.memory import keep_freed_memory
from dialog.training.metrics import IntervalSums, MetricsLog
from dialog.training.monitor import Monitor
from dialog.training.optimizer import make_optimizer
from dialog.training.schedules import annealing_is_over, kl_weight, learning_rate
from dialog.training.update import UpdateTotals, add_gradients, noise, parts_of

__all__ = ["Trainer", "TrainingJob", "make_loader"]


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """What is trained, on what, how, and until when.

    Attributes:
        folder: the run folder.
        model: with the weights to start from.
        tokenizer: the corpus's own.
        train: conversations to train on.
        valid: conversations to choose the best weights by.
        config: how.
        corpus: what the model card says of the corpus.
        seed: of the order of the data, dropout and posterior samples.
        max_updates: updates in all, those before a resume counted; None for no end.
        max_minutes: of this start; None for no end.
        log_every: updates between lines of the log.
        checkpoint_every: updates between checkpoints, beside those by time; None for none.
        resume: whether to go on from the folder's checkpoint.
        conditions: what its last bits depend on, noted with the run; see `reproducibility.conditions`.
        should_stop: asked after each update; when it says True, training writes a checkpoint and ends.
    """

    folder: Path
    model: ReplyModel
    tokenizer: Tokenizer
    train: EncodedSplit
    valid: EncodedSplit
    config: TrainingConfig
    corpus: Mapping[str, Any]
    seed: int = 1
    max_updates: int | None = None
    max_minutes: float | None = None
    log_every: int = 50
    checkpoint_every: int | None = None
    resume: bool = False
    conditions: Mapping[str, str | int] = field(default_factory=dict)
    should_stop: Callable[[], bool] = field(default=lambda: False)


def make_loader(split: EncodedSplit, config: TrainingConfig, seed: int) -> BatchLoader:
    """Returns the batches of a training.

    Raises:
        CorpusError: there is nothing to train on.
    """
    return BatchLoader(
        split, config.batch_tokens, config.window_turns, config.lead_turns, config.max_tokens, seed=seed
    )


def _directed(job: TrainingJob) -> TrainingJob:
    train, valid = (directed(split, job.config.direction) for split in (job.train, job.valid))
    return dataclasses.replace(job, train=train, valid=valid)


class _BrokenOff(Exception):
    """A validation ends before it has a result."""


class Trainer:
    """Runs a `TrainingJob`.

    Args:
        job: the job.
        listener: is told how it goes.

    Raises:
        RunFolderError: it shall resume, but the checkpoint cannot be loaded.
        CorpusError: there is nothing to train or to validate on.
        TrainingError: there are more processes than an update has batches.
    """

    def __init__(self, job: TrainingJob, listener: Listener) -> None:
        self._job = job = _directed(job)
        self._listener, config = listener, job.config
        on_gpu = torch.cuda.is_available()
        half = "bf16" if on_gpu or config.bfloat16 else "no"
        joining = InitProcessGroupKwargs(timeout=EXCHANGE_TIMEOUT)
        self._accelerator = Accelerator(mixed_precision=half, cpu=not on_gpu, kwargs_handlers=[joining])
        self._workers = Workers.of(self._accelerator)
        if config.batches_per_update < self._workers.count:
            raise TrainingError(
                f"{self._workers.count} processes cannot share updates of {config.batches_per_update} batches; "
                f"add --set batches_per_update={self._workers.count}, or a multiple of it"
            )
        if self._workers.is_first:
            job.folder.mkdir(parents=True, exist_ok=True)
        set_seed(job.seed)
        optimizer = make_optimizer(job.model, config)
        self._model, self._optimizer = self._accelerator.prepare(job.model, optimizer)
        self._progress = Progress()
        if job.resume:
            self._progress = load_checkpoint(job.folder, job.model, self._optimizer)
        self._loader = make_loader(job.train, config, job.seed)
        self._log = MetricsLog(
            job.folder, self._progress if job.resume else None, writes=self._workers.is_first
        )
        self._sums = IntervalSums(self._progress.interval)
        says_again = "reconstruct" in MODELS[model_name(job.model)].abilities
        self._monitor = Monitor(job.folder, job.tokenizer, job.valid, config, says_again)
        self._started = self._last_checkpoint = time.monotonic()
        self._minutes_before = self._progress.minutes

    def run(self) -> Progress:
        """Trains until something says stop; a checkpoint stands when it returns or raises.

        Returns:
            Where training stands.

        Raises:
            TrainingError: the loss is no longer a number.
            WorkerLostError: another process has ended.
            OSError: the run folder cannot be written to.
        """
        try:
            self._run()
            self._workers.close()
        except WorkerLostError as error:
            raise self._parting(error) from error
        except BaseException as error:
            self._workers.tell(error)
            raise
        return self._progress

    def _run(self) -> None:
        keep_freed_memory()
        self._listener.started(self._loader, self._progress)
        self._checkpoint()  # the first one stands before anything is done: a run can always go on
        if self._validation_is_due() and self._progress.last_validation < self._progress.update:
            self._validate()  # a stop broke it off
        for group in self._groups():
            totals, gradient_norm = self._update(group)
            self._sums.add(totals)
            metrics = None
            if self._progress.update % self._job.log_every == 0:
                metrics = self._log_interval(self._sums, gradient_norm)
                self._sums = IntervalSums()
            self._listener.updated(self._progress, metrics)
            if self._validation_is_due():
                before = time.perf_counter()
                self._validate()
                self._sums.pause(time.perf_counter() - before)
            self._checkpoint_when_due()
            if self._is_over():
                break
        self._checkpoint()
        # Only the end of this start brings this validation: the checkpoint, and so a resume, knows nothing of it.
        stopped = self._workers.any(self._job.should_stop())
        if self._progress.update > self._progress.last_validation and not stopped:
            self._validate()

    def _groups(self) -> Iterator[list[list[int]]]:
        """Yields the batches of each update from where the data stands, epoch after epoch."""
        if self._is_over():
            return
        while True:
            batches = self._loader.epoch(self._progress.epoch)
            while self._progress.batch < len(batches):
                start = self._progress.batch
                yield batches[start : start + self._job.config.batches_per_update]
            self._progress.epoch += 1
            self._progress.batch = 0

    def _update(self, indices: list[list[int]]) -> tuple[UpdateTotals, float]:
        config, update = self._job.config, self._progress.update + 1
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate(update, config)
        self._model.train()
        self._optimizer.zero_grad()
        device = self._accelerator.device
        parts = parts_of(len(indices), self._workers.rank, self._workers.count)
        totals = add_gradients(
            self._model,
            [(self._loader.batch(indices[part.place]).to(device), part) for part in parts],
            lambda part: noise(self._job.seed, update, part.place, device),
            sum(map(self._loader.num_scored, indices)),
            config,
            kl_weight(update, config),
            self._accelerator,
            self._workers,
        )
        if totals.not_finite:
            self._checkpoint()  # it names the batches that failed as the next ones
            raise TrainingError(
                f"the loss of update {update} is no number any more; go on from the last checkpoint with a "
                f"smaller step: --resume --set learning_rate={config.learning_rate / 3:.2g}"
            )
        limit = config.gradient_clip or math.inf
        norm = self._accelerator.clip_grad_norm_(self._model.parameters(), limit)
        self._optimizer.step()
        self._progress.update = update
        self._progress.batch += len(indices)
        return totals, float(norm)

    def _log_interval(self, sums: IntervalSums, gradient_norm: float) -> dict[str, Any]:
        update = self._progress.update
        metrics = {
            "update": update,
            "split": "train",
            "epoch": self._progress.epoch,
            **sums.metrics(),
            "kl_weight": kl_weight(update, self._job.config) if self._job.model.is_latent else None,
            "learning_rate": learning_rate(update, self._job.config),
            "gradient_norm": gradient_norm,
            "minutes": self._minutes(),
        }
        self._log.write(metrics)
        return metrics

    def _validate(self) -> None:
        """Scores and looks in process 0, and lets the others know what it means for the progress."""
        if self._workers.is_first:
            with contextlib.suppress(_BrokenOff):
                self._score_and_look()
        progress = self._progress
        best = math.nan if progress.best is None else progress.best
        known = [best, progress.best_update, progress.worse, progress.last_validation]
        best, *counts = self._workers.from_first(known)
        progress.best = None if math.isnan(best) else best
        progress.best_update, progress.worse, progress.last_validation = map(int, counts)

    def _validation_is_due(self) -> bool:
        return self._progress.update > 0 and self._progress.update % self._job.config.validate_every == 0

    def _break_off(self, num_scored: int) -> None:
        """Ends a validation when training is to stop: a launcher gives its processes half a minute for that."""
        if self._workers.count > 1 and self._job.should_stop():
            raise _BrokenOff

    def _score_and_look(self) -> None:
        job, update = self._job, self._progress.update
        limit = job.config.validate_conversations or None
        result = evaluate_likelihood(
            job.model, job.valid, seed=job.seed, max_conversations=limit, progress=self._break_off
        )
        metrics = {
            "update": update,
            "split": "valid",
            "epoch": self._progress.epoch,
            **result.to_json(),
            "minutes": self._minutes(),
            **self._monitor.look(job.model, update),
        }
        self._keep(result)
        self._progress.last_validation = update
        self._log.write(metrics)
        self._listener.validated({**metrics, "best": self._progress.best_update == update})

    def _keep(self, result: Likelihood) -> None:
        """Saves the weights that are the best so far, or all; "best" counts once the KL weight stays at 1."""
        progress = self._progress
        counts = annealing_is_over(progress.update, self._job.config)
        if counts and (progress.best is None or result.nats_per_token < progress.best):
            progress.best, progress.best_update, progress.worse = result.nats_per_token, progress.update, 0
        elif counts:
            progress.worse += 1
        if (
            progress.update == progress.best_update
            or progress.best is None
            or self._job.config.keep == "last"
        ):
            self._save_run(result)

    def _save_run(self, result: Likelihood) -> None:
        job, config = self._job, self._job.config
        figures = {"update": self._progress.update, **result.to_json()}
        details = {
            "training": config.to_json(),
            "seed": job.seed,
            "corpus": dict(job.corpus),
            "chosen_by": figures,
            "conditions": dict(job.conditions),
        }
        card = model_card(model_name(job.model), job.model, config, job.corpus, figures, job.seed)
        save_run(job.folder, job.model, job.tokenizer, details, card)

    def _is_over(self) -> bool:
        job, progress = self._job, self._progress
        return self._workers.any(
            job.should_stop()
            or (job.max_updates is not None and progress.update >= job.max_updates)
            or (job.max_minutes is not None and time.monotonic() - self._started >= 60 * job.max_minutes)
            or (job.config.patience > 0 and progress.worse >= job.config.patience)
        )

    def _minutes(self) -> float:
        return self._minutes_before + (time.monotonic() - self._started) / 60

    def _checkpoint_when_due(self) -> None:
        every, minutes = self._job.checkpoint_every, self._job.config.checkpoint_minutes
        by_update = every is not None and self._progress.update % every == 0
        if by_update or time.monotonic() - self._last_checkpoint >= 60 * minutes:
            self._checkpoint()

    def _checkpoint(self, by_any: bool = False) -> None:
        if not (self._workers.is_first or by_any):
            return
        self._progress.minutes = self._minutes()
        self._progress.interval = self._sums.state()
        self._progress.log_bytes = self._log.flush()
        self._progress.conditions = dict(self._job.conditions)
        progress = dataclasses.replace(self._progress)
        save_checkpoint(self._job.folder, self._job.model, self._optimizer, progress)
        self._last_checkpoint = time.monotonic()

    def _parting(self, error: WorkerLostError) -> WorkerLostError:
        """Writes a checkpoint of the last update that all made, if this process is to, and completes the sentence."""
        place = "last checkpoint"
        if error.writes and (self._job.folder / "state").is_dir():
            self._log.take_over()
            self._checkpoint(by_any=True)
            place = f"checkpoint of update {self._progress.update}"
        return WorkerLostError(
            f"{error}; go on from the {place} with --resume, with as many processes as you like",
            error.speaks,
            error.writes,
        )
