"""Trains one row of the DailyDialog benchmark for one seed, in processes of `hred train` that can be stopped.

OUT/plan.json                  what all runs here were trained with; other settings need another folder
OUT/ROW-seed1/                 the run
OUT/ROW-seed1-start/           the run that it starts from, of a row of two stages
OUT/ROW-seed1/benchmark.json   written when its last update is done: parameters, tokens, minutes
OUT/ROW-seed1.log              what `hred train` printed
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock
from typing import Any

from dailydialog_rows import Row, Stage, num_parameters, stage_settings, stage_training

from dialog.run_folder import write_atomically
from dialog.text.loader import BatchLoader, EncodedSplit
from dialog.training.checkpoints import has_checkpoint, load_progress
from dialog.training.config import TrainingConfig
from dialog.training.trainer import make_loader

__all__ = ["DONE_FILE", "Budget", "Job", "RowFailed", "Runner", "jobs_of"]

DONE_FILE = "benchmark.json"


class RowFailed(Exception):
    """A training ended with an error; the message says where to read it."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What each row sees.

    Attributes:
        target_tokens: in all stages together, the end tokens counted; a stage ends with the batch that reaches its
            share.
        loader: the batches, the same for all rows of a seed.
    """

    target_tokens: int
    loader: BatchLoader

    @staticmethod
    def of(target_tokens: int, split: EncodedSplit, training: Mapping[str, Any], seed: int) -> "Budget":
        """Takes the batches that a training with these settings makes."""
        return Budget(target_tokens, make_loader(split, TrainingConfig.from_json(training), seed))

    def updates(self, share: float) -> tuple[int, int]:
        """Returns the updates that reach a share of the tokens, and the tokens that these see."""
        wanted, seen, updates, epoch = share * self.target_tokens, 0, 0, 0
        while True:
            for indices in self.loader.epoch(epoch):
                seen += self.loader.num_scored(indices)
                updates += 1
                if seen >= wanted:
                    return updates, seen
            epoch += 1


@dataclass(frozen=True, slots=True)
class Job:
    """One stage of a row for one seed.

    Attributes:
        row: the row.
        stage: the stage.
        seed: of weights, order and dropout.
        settings: of the stage's model.
        training: how it is trained.
        updates: when it ends.
        tokens: target tokens that it sees until then.
        folder: where its run lies.
        starts_from: the run of the stage before, or None.
    """

    row: Row
    stage: Stage
    seed: int
    settings: Mapping[str, Any]
    training: Mapping[str, Any]
    updates: int
    tokens: int
    folder: Path
    starts_from: Path | None

    def command(self, corpus: Path, minutes: float | None) -> list[str]:
        """Returns the command that trains it, or goes on with it."""
        line = [sys.executable, "-m", "dialog", "train", str(corpus), "--out", str(self.folder)]
        line += ["--max-updates", str(self.updates)]
        if minutes is not None:
            line += ["--max-minutes", f"{minutes:.2f}"]
        if has_checkpoint(self.folder):
            return [*line, "--resume"]
        line += ["--model", self.stage.model, "--seed", str(self.seed)]
        if self.starts_from is not None:
            line += ["--init-from", str(self.starts_from)]
        for name, value in {**self.settings, **self.training}.items():
            line += ["--set", f"{name}={str(value).lower() if isinstance(value, bool) else value}"]
        return line

    @property
    def is_done(self) -> bool:
        """Whether its last update was made and its weights were chosen."""
        return (self.folder / DONE_FILE).exists()

    def reached_its_end(self) -> bool:
        """Whether a checkpoint of its last update stands."""
        return has_checkpoint(self.folder) and load_progress(self.folder).update >= self.updates

    def note_done(self) -> None:
        """Writes what the table needs to know."""
        chosen = json.loads((self.folder / "config.json").read_bytes())["chosen_by"]
        known = {
            "row": self.row.name,
            "seed": self.seed,
            "model": self.stage.model,
            "parameters": num_parameters(self.stage.model, self.settings),
            "updates": self.updates,
            "target_tokens": self.tokens,
            "minutes": load_progress(self.folder).minutes,
            "best_nats_per_token": chosen["nats_per_token"],
            "best_update": chosen["update"],
        }
        write_atomically(self.folder / DONE_FILE, json.dumps(known, indent=2).encode())


def jobs_of(
    row: Row, seed: int, settings: Mapping[str, Any], common: Mapping[str, Any], budget: Budget, out: Path
) -> list[Job]:
    """Returns the stages of a row for a seed, in their order."""
    jobs: list[Job] = []
    for number, stage in enumerate(row.stages, start=1):
        last = number == len(row.stages)
        updates, tokens = budget.updates(stage.share)
        jobs.append(
            Job(
                row,
                stage,
                seed,
                stage_settings(stage, settings),
                stage_training(stage, updates, common),
                updates,
                tokens,
                out / f"{row.name}-seed{seed}{'' if last else '-start'}",
                jobs[-1].folder if jobs else None,
            )
        )
    return jobs


class Runner:
    """Runs jobs, several rows at a time if asked; `stop` ends all of them with a checkpoint each.

    Args:
        corpus: that `hred prepare` wrote.
        deadline: of `time.monotonic()`, when trainings are to stop; None for no end.
        parallel: rows that are trained at a time, which share the cores; `hred train` shows its progress where
            there is one, else it goes to a log.
    """

    def __init__(self, corpus: Path, deadline: float | None, parallel: int) -> None:
        self._corpus, self._deadline, self._to_terminal = corpus, deadline, parallel == 1
        # Threads that wait for one another on too few cores make all of them many times slower.
        threads = {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // parallel))}
        self._environment = dict(os.environ) if parallel == 1 else {**threads, **os.environ}
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock, self._stopped = Lock(), Event()

    def stop(self) -> None:
        """Asks all trainings to write a checkpoint and end; no further one begins."""
        self._stopped.set()
        with self._lock:
            for process in self._running:
                process.terminate()

    def run(self, jobs: Sequence[Job]) -> bool:
        """Runs the stages of a row that are not done.

        Returns:
            Whether all of them are done now; False where the time was up.

        Raises:
            RowFailed: a training ended with an error.
        """
        return all(job.is_done or self._train(job) for job in jobs)  # up to the first that is not done

    def _train(self, job: Job) -> bool:
        minutes = None if self._deadline is None else (self._deadline - time.monotonic()) / 60
        if self._stopped.is_set() or (minutes is not None and minutes <= 0):
            return False
        log = job.folder.with_name(f"{job.folder.name}.log")
        status = self._call(job.command(self._corpus, minutes), log)
        if status and not self._stopped.is_set():
            where = "above" if self._to_terminal else f"at the end of {log}"
            raise RowFailed(
                f"{job.row.name}, seed {job.seed}: hred train ended with status {status}; {where} it says why"
            )
        if status or not job.reached_its_end():
            return False
        job.note_done()
        return True

    def _call(self, command: Sequence[str], log: Path) -> int:
        if self._to_terminal:
            return self._wait(subprocess.Popen(command))
        with log.open("ab") as stream:
            stream.write((" ".join(command) + "\n").encode())
            stream.flush()
            # A log shows no bars; without a terminal `hred train` prints lines.
            return self._wait(
                subprocess.Popen(
                    command, stdout=stream, stderr=stream, stdin=subprocess.DEVNULL, env=self._environment
                )
            )

    def _wait(self, process: "subprocess.Popen[bytes]") -> int:
        with self._lock:
            self._running.add(process)
            if self._stopped.is_set():
                process.terminate()
        try:
            return process.wait()
        finally:
            with self._lock:
                self._running.discard(process)
