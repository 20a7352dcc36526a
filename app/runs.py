"""What the page tells of run folders, read from their files: no model is loaded for it, and nothing is executed."""

import json
import math
import struct
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Curve", "Facts", "curve_of", "facts_of", "is_run", "model_card_of", "run_folders"]

_LONGEST_HEADER = 64 * 2**20  # bytes of a safetensors file before its numbers
_LONGEST_CARD = 200_000  # bytes
_LONGEST_METRICS = 256 * 2**20  # bytes

Points = tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """What a run folder's files say of its model; what they do not say is None.

    Attributes:
        kind: the model's name in the registry.
        parameters: numbers in the file of weights.
        num_bytes: of that file.
        model_hash: SHA-256 of it, hexadecimal, by the manifest.
        target_tokens: that it was trained on, over all epochs.
        started_from: the name of the run that its weights started from.
    """

    kind: str | None = None
    parameters: int | None = None
    num_bytes: int | None = None
    model_hash: str | None = None
    target_tokens: int | None = None
    started_from: str | None = None


@dataclass(frozen=True, slots=True)
class Curve:
    """How a training went.

    Attributes:
        train: update and nats per token of each logged interval.
        valid: the same of each validation.
        target_tokens: trained on; None if the log does not say.
    """

    train: Points = ()
    valid: Points = ()
    target_tokens: int | None = None

    @property
    def update(self) -> int:
        """The last update that is logged; 0 before the first."""
        return max((update for update, _ in (*self.train[-1:], *self.valid[-1:])), default=0)

    @property
    def best(self) -> tuple[int, float] | None:
        """The validation with the fewest nats per token."""
        return min(self.valid, key=lambda point: point[1], default=None)


def is_run(folder: Path) -> bool:
    """Returns whether a folder holds a model, or a training that has none yet."""
    return any(
        (folder / name).is_file() for name in ("manifest.json", "metrics.jsonl", "learning/asked.json")
    )


def run_folders(folder: Path) -> list[Path]:
    """Returns the run folders in a folder, the one that was begun last first."""
    try:
        found = [each for each in folder.iterdir() if not each.name.startswith(".") and is_run(each)]
        return sorted(found, key=_begun_at, reverse=True)
    except OSError:
        return []


def _begun_at(folder: Path) -> tuple[float, str]:
    for name in ("learning/asked.json", "state/job.json", "config.json"):
        try:
            return (folder / name).stat().st_mtime, folder.name
        except OSError:
            continue
    return 0.0, folder.name


def facts_of(folder: Path) -> Facts:
    """Returns what the files of a run folder say."""
    weights = folder / "model.safetensors"
    config = _json(folder / "config.json")
    corpus = config.get("corpus")
    model_hash: str | None = None
    num_bytes: int | None = None
    with suppress(OSError, LookupError, TypeError):
        files = _json(folder / "manifest.json")["files"]
        num_bytes, model_hash = weights.stat().st_size, str(files["model.safetensors"][0])
    return Facts(
        kind=_text(config.get("model")) or _text(_json(folder / "state" / "job.json").get("model")),
        parameters=_parameters(weights),
        num_bytes=num_bytes,
        model_hash=model_hash,
        target_tokens=curve_of(folder).target_tokens,
        started_from=_text(corpus.get("started_from")) if isinstance(corpus, dict) else None,
    )


def model_card_of(folder: Path) -> str:
    """Returns the model card's Markdown, which must be escaped; "" if there is none."""
    try:
        with (folder / "model_card.md").open("rb") as card:
            return card.read(_LONGEST_CARD).decode("utf-8", "replace")
    except OSError:
        return ""


def curve_of(folder: Path) -> Curve:
    """Returns the curve that `metrics.jsonl` holds; a line that is cut off or strange is passed over."""
    path = folder / "metrics.jsonl"
    try:
        if path.stat().st_size > _LONGEST_METRICS:
            return Curve()
        lines = path.read_bytes().splitlines()
    except OSError:
        return Curve()
    points: dict[str, list[tuple[int, float]]] = {"train": [], "valid": []}
    tokens: list[int | None] = []
    for line in map(_parsed, lines):
        split, update, nats = line.get("split"), line.get("update"), line.get("nats_per_token")
        if split in points and isinstance(update, int) and isinstance(nats, float) and math.isfinite(nats):
            points[str(split)].append((update, nats))
        if split == "train":
            count = line.get("target_tokens")
            tokens.append(count if isinstance(count, int) else None)
    known = [count for count in tokens if count is not None]
    total = sum(known) if known and len(known) == len(tokens) else None
    return Curve(_in_order(points["train"]), _in_order(points["valid"]), total)


def _in_order(points: Iterable[tuple[int, float]]) -> Points:
    return tuple(sorted(points))


def _parsed(line: bytes) -> Mapping[str, Any]:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def _json(path: Path) -> Mapping[str, Any]:
    try:
        return _parsed(path.read_bytes())
    except OSError:
        return {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _parameters(weights: Path) -> int | None:
    """Returns the count of numbers in a safetensors file, by its header alone.

    The format: https://github.com/huggingface/safetensors, 8 bytes of length, then JSON.
    """
    try:
        with weights.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            if length > _LONGEST_HEADER:
                return None
            header = json.loads(stream.read(length))
        tensors = (entry for name, entry in header.items() if name != "__metadata__")
        return sum(int(math.prod(entry["shape"])) for entry in tensors)
    except (OSError, ValueError, TypeError, LookupError, AttributeError, struct.error):
        return None
