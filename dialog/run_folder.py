"""Run folders: a trained model with all that it needs to answer.

    model.safetensors   weights (float32, or float16 to ship)
    config.json         the model's name and settings, how it was trained
    tokenizer.model     the SentencePiece model it was trained with
    manifest.json       SHA-256 of these three; a file that was changed does not load
    model_card.md       what it is, for people
    metrics.jsonl       an object a line, of its training
    state/              checkpoints to go on from; see `training.checkpoints`

Loading runs no code from the folder: weights are safetensors, the rest is JSON. A file is written beside
its place and moved there when it is whole. While weights are replaced the manifest names the old and the
new hash, so that a process that dies in between leaves a folder that loads.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch

from dialog import __version__
from dialog.errors import ConfigError, CorpusError, RunFolderError
from dialog.models.base import ReplyModel
from dialog.models.registry import build_model, model_name
from dialog.text.batches import BOS, EOS, PAD, UNK
from dialog.text.tokenizer import Tokenizer

__all__ = ["Run", "load_run", "load_weights", "save_run", "write_atomically"]

WEIGHTS, CONFIG, TOKENIZER, MANIFEST = "model.safetensors", "config.json", "tokenizer.model", "manifest.json"
_RENAMED = {"decoder.key.weight": "decoder.attention.key.weight"}
_FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class Run:
    """A loaded run folder.

    Attributes:
        folder: where it was loaded from.
        name: the model's name in the registry.
        model: in evaluation mode, float32, on the CPU.
        tokenizer: the model's own.
        model_hash: SHA-256 of the weights' file, hexadecimal.
        config: all of `config.json`.
    """

    folder: Path
    name: str
    model: ReplyModel
    tokenizer: Tokenizer
    model_hash: str
    config: dict[str, Any]

    @property
    def direction(self) -> str:
        """`forward`, or `backward` for a model that guesses the turn before a reply; see `text.backward`."""
        return str(self.config.get("training", {}).get("direction", "forward"))


def save_run(
    folder: Path,
    model: ReplyModel,
    tokenizer: Tokenizer,
    details: Mapping[str, Any],
    card: str,
    dtype: torch.dtype = torch.float32,
) -> str:
    """Writes a run folder, or renews the one that is there.

    Args:
        folder: is made if it is not there.
        model: its weights are saved as `dtype`.
        tokenizer: the model's own.
        details: further keys of `config.json`, plain JSON values, such as how it was trained.
        card: Markdown.
        dtype: float32, or float16 for half the size.

    Returns:
        The model hash.

    Raises:
        OSError: the disk is full or the folder cannot be written to; what was there still loads.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = safetensors.torch.save(
        {name: value.detach().to("cpu", dtype).contiguous() for name, value in model.state_dict().items()}
    )
    config = {
        "format_version": _FORMAT_VERSION,
        "dialog_version": __version__,
        "model": model_name(model),
        "settings": model.config.to_json(),
        **details,
    }
    contents = {WEIGHTS: weights, CONFIG: _json_bytes(config), TOKENIZER: tokenizer.model_bytes}
    new = {name: [_hash(data)] for name, data in contents.items()}
    old = _old_hashes(folder)
    _write_manifest(folder, {name: [*hashes, *old.get(name, [])] for name, hashes in new.items()})
    for name, data in contents.items():
        write_atomically(folder / name, data)
    write_atomically(folder / "model_card.md", card.encode())
    _write_manifest(folder, new)
    return new[WEIGHTS][0]


def load_run(folder: str | Path) -> Run:
    """Loads a run folder.

    Raises:
        RunFolderError: it is missing, a file of it is missing or changed, or it fits no model here.
    """
    folder = Path(folder)
    files, config = _read_verified(folder)
    try:
        tokenizer = Tokenizer.from_bytes(files[TOKENIZER])
    except CorpusError as error:
        raise RunFolderError(f"{folder / TOKENIZER} is no tokenizer; copy the run folder again") from error
    controls = (tokenizer.pad_id, tokenizer.unk_id, tokenizer.bos_id, tokenizer.eos_id)
    if controls != (PAD, UNK, BOS, EOS):
        raise RunFolderError(f"the tokenizer of {folder} has other control tokens than this project uses")
    try:
        model = build_model(config["model"], config["settings"])
        model.load_state_dict(_weights(files[WEIGHTS]))
    except (ConfigError, RuntimeError, TypeError, safetensors.SafetensorError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise RunFolderError(
            f"{folder} does not fit this version of dialog ({reason}); train it again, or load it with "
            f"version {config.get('dialog_version')}"
        ) from error
    if tokenizer.num_tokens != model.config.to_json()["vocab_size"]:
        raise RunFolderError(f"the tokenizer of {folder} has another vocabulary than its model")
    return Run(folder, config["model"], model.eval(), tokenizer, _hash(files[WEIGHTS]), config)


def load_weights(folder: str | Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Returns the weights (float32) and `config.json` of a run folder, to start another model from.

    Raises:
        RunFolderError: as `load_run`.
    """
    files, config = _read_verified(Path(folder))
    try:
        weights = _weights(files[WEIGHTS])
    except safetensors.SafetensorError as error:
        raise RunFolderError(f"{folder}/{WEIGHTS} holds no weights; copy the run folder again") from error
    return {name: value.float() for name, value in weights.items()}, config


def _weights(data: bytes) -> dict[str, torch.Tensor]:
    """Reads weights, those that had another name in earlier versions under today's."""
    return {_RENAMED.get(name, name): value for name, value in safetensors.torch.load(data).items()}


def write_atomically(path: Path, data: bytes | memoryview) -> None:
    """Writes a file beside its place, flushes it to disk and moves it there."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with beside.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _read_verified(folder: Path) -> tuple[dict[str, bytes], dict[str, Any]]:
    if not folder.is_dir():
        raise RunFolderError(
            f"{folder} is no folder; give the folder of a trained run (hred train … --out FOLDER)"
        )
    try:
        hashes = _read_manifest(folder)
        files = {name: (folder / name).read_bytes() for name in (WEIGHTS, CONFIG, TOKENIZER)}
    except FileNotFoundError as error:
        missing = Path(error.filename).name
        hint = "has it been trained up to its first validation?" if missing == MANIFEST else "copy it again"
        raise RunFolderError(f"{folder} has no {missing}; {hint}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise RunFolderError(f"{folder / MANIFEST} is damaged; copy the run folder again") from error
    except OSError as error:
        raise RunFolderError(f"{error.filename} cannot be read: {error.strerror}") from error
    for name, data in files.items():
        if _hash(data) not in hashes.get(name, []):
            raise RunFolderError(
                f"{folder / name} is not the file that was saved (its SHA-256 differs); copy it again"
            )
    try:
        config = json.loads(files[CONFIG])
        if config["format_version"] != _FORMAT_VERSION or not isinstance(config["settings"], dict):
            raise ValueError("another format")
        if not isinstance(config["model"], str):
            raise ValueError("no model's name")
    except (ValueError, KeyError, TypeError) as error:
        raise RunFolderError(f"{folder / CONFIG} is of no format that this version reads") from error
    return files, config


def _read_manifest(folder: Path) -> dict[str, list[str]]:
    files = json.loads((folder / MANIFEST).read_bytes())["files"]
    if not isinstance(files, dict) or not all(isinstance(hashes, list) for hashes in files.values()):
        raise ValueError("no lists of hashes")
    return files


def _old_hashes(folder: Path) -> dict[str, list[str]]:
    try:
        return _read_manifest(folder)
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _write_manifest(folder: Path, hashes: Mapping[str, list[str]]) -> None:
    write_atomically(folder / MANIFEST, _json_bytes({"files": hashes}))


def _json_bytes(value: Any) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
