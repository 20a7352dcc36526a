"""Checkpoints: all that training needs to go on, in `state/<update>/` of a run folder.

    state/<update>/model.safetensors   weights as they are (not the best ones)
    state/<update>/optimizer.pt        AdamW's state, loaded as tensors only (`weights_only=True`)
    state/<update>/progress.json       update, place in the data, best bound, patience
    state/latest.json                  which of these folders is the last good one
    state/job.json                     the model, its settings, how it is trained: what a resume goes on with

A checkpoint is written into a new folder, flushed to disk, and only then named in `latest.json`; the last
two are kept. Whenever a process dies, the checkpoint that `latest.json` names is whole.
"""

import contextlib
import io
import json
import os
import pickle
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import nn
from torch.optim import Optimizer

from dialog.errors import RunFolderError
from dialog.run_folder import write_atomically

__all__ = [
    "Progress",
    "has_checkpoint",
    "load_checkpoint",
    "load_job_settings",
    "load_progress",
    "save_checkpoint",
    "save_job_settings",
]

_JOB_KEYS = {"model", "settings", "training", "seed", "tokenizer_hash"}
_ADDED_LATER: dict[str, Any] = {"interval": {}, "log_bytes": None, "conditions": {}}
"""What checkpoints of earlier versions do not have."""
_DAMAGE = OSError, ValueError, KeyError, TypeError, RuntimeError, EOFError, pickle.UnpicklingError


@dataclass(slots=True)
class Progress:
    """Where training stands.

    Attributes:
        update: updates done.
        epoch: the epoch that is under way, from 0.
        batch: batches of it that are done.
        best: the best validation bound, nats per token; None before the first that counts.
        best_update: when it was reached.
        worse: validations since then.
        last_validation: the update of the last validation.
        interval: sums since the last line of the log; see `metrics.IntervalSums`.
        log_bytes: of the log that belong to this checkpoint; None if that is not known.
        conditions: that its last bits depend on; see `reproducibility.conditions`.
        minutes: spent in training so far, over all starts.
    """

    update: int = 0
    epoch: int = 0
    batch: int = 0
    best: float | None = None
    best_update: int = 0
    worse: int = 0
    last_validation: int = 0
    interval: dict[str, float] = field(default_factory=dict)
    log_bytes: int | None = None
    conditions: dict[str, str | int] = field(default_factory=dict)
    minutes: float = 0.0


def has_checkpoint(folder: Path) -> bool:
    """Whether a run folder has a checkpoint to go on from."""
    return (folder / "state" / "latest.json").exists()


def save_job_settings(folder: Path, settings: Mapping[str, Any]) -> None:
    """Notes what a resume needs to know before there are weights: plain JSON values."""
    (folder / "state").mkdir(parents=True, exist_ok=True)
    write_atomically(folder / "state" / "job.json", json.dumps(settings, indent=2).encode())


def load_job_settings(folder: Path) -> dict[str, Any]:
    """Returns what `save_job_settings` noted.

    Raises:
        RunFolderError: the folder has no training that can go on.
    """
    try:
        settings: dict[str, Any] = json.loads((folder / "state" / "job.json").read_bytes())
        if not isinstance(settings, dict) or not settings.keys() >= _JOB_KEYS:
            raise ValueError("not what was written")
    except (OSError, ValueError) as error:
        raise RunFolderError(
            f"{folder} has no training that can go on; leave out --resume to start anew"
        ) from error
    return settings


def save_checkpoint(folder: Path, model: nn.Module, optimizer: Optimizer, progress: Progress) -> None:
    """Writes a checkpoint.

    Raises:
        OSError: it cannot be written; the last one still loads.
    """
    state = folder / "state"
    place = state / str(progress.update)
    beside = state / f".{progress.update}.{os.getpid()}.new"
    if _latest(folder) == progress.update:
        return  # it stands already, and replacing it would leave a moment without a good one
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    try:
        weights = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
        write_atomically(beside / "model.safetensors", safetensors.torch.save(weights))
        memory = io.BytesIO()  # by itself torch.save says nothing of a full disk
        torch.save(optimizer.state_dict(), memory)
        write_atomically(beside / "optimizer.pt", memory.getbuffer())
        write_atomically(beside / "progress.json", json.dumps(asdict(progress)).encode())
        _flush_folder(beside)
        shutil.rmtree(place, ignore_errors=True)
        beside.rename(place)
        _flush_folder(state)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    write_atomically(state / "latest.json", json.dumps({"update": progress.update}).encode())
    _flush_folder(state)
    _remove_old(folder, progress.update)


def load_checkpoint(folder: Path, model: nn.Module, optimizer: Optimizer) -> Progress:
    """Loads the last good checkpoint into `model` and `optimizer`.

    Raises:
        RunFolderError: there is none, or it is damaged or of another model.
    """
    with _reading(folder) as place:
        model.load_state_dict(safetensors.torch.load_file(place / "model.safetensors"))
        optimizer.load_state_dict(torch.load(place / "optimizer.pt", weights_only=True))
    return load_progress(folder)


def load_progress(folder: Path) -> Progress:
    """Returns where the last good checkpoint stands.

    Raises:
        RunFolderError: as `load_checkpoint`.
    """
    with _reading(folder) as place:
        values: dict[str, Any] = json.loads((place / "progress.json").read_bytes())
        values = {"last_validation": values["update"], **_ADDED_LATER, **values}
        return Progress(**{each.name: values[each.name] for each in fields(Progress)})


@contextlib.contextmanager
def _reading(folder: Path) -> Iterator[Path]:
    """Gives the last good checkpoint's place, and makes a sentence of what goes wrong with it."""
    if not has_checkpoint(folder):
        raise RunFolderError(f"{folder} has no checkpoint to resume from; leave out --resume to start anew")
    try:
        yield folder / "state" / str(_latest(folder))
    except (*_DAMAGE, safetensors.SafetensorError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise RunFolderError(
            f"the checkpoint of {folder} cannot be loaded ({reason}); train into a new folder with "
            "--init-from this one"
        ) from error


def _latest(folder: Path) -> int | None:
    if not has_checkpoint(folder):
        return None
    try:
        return int(json.loads((folder / "state" / "latest.json").read_bytes())["update"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # it is damaged: as good as none


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_old(folder: Path, latest: int) -> None:
    """Keeps the last two checkpoints, and nothing that a killed process left half written."""
    state = folder / "state"
    updates = sorted(int(place.name) for place in state.iterdir() if place.name.isdigit())
    for update in [update for update in updates if update != latest][:-1]:
        shutil.rmtree(state / str(update), ignore_errors=True)
    for leftover in (*state.glob(".*.new"), *folder.glob(".*.new")):
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)
