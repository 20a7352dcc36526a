"""`metrics.jsonl`: an object a line, each update of a split once, whatever was interrupted in between."""

import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from dialog.models.base import LossParts
from dialog.run_folder import write_atomically

__all__ = ["IntervalSums", "MetricsLog"]


class MetricsLog:
    """Appends to the `metrics.jsonl` of a run folder.

    Args:
        folder: the run folder.
        resume_from: updates after this one are dropped from the file first; None begins a new file.
    """

    def __init__(self, folder: Path, resume_from: int | None) -> None:
        self._path = folder / "metrics.jsonl"
        kept = b""
        if resume_from is not None and self._path.exists():
            kept = b"".join(
                line + b"\n"
                for line in self._path.read_bytes().splitlines()
                if (update := _update_of(line)) is not None and update <= resume_from
            )
        write_atomically(self._path, kept)

    def write(self, metrics: Mapping[str, Any]) -> None:
        """Appends one object."""
        finite = {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in metrics.items()
        }
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(finite, ensure_ascii=False) + "\n")


def _update_of(line: bytes) -> int | None:
    try:
        return int(json.loads(line)["update"])
    except (ValueError, KeyError, TypeError):
        return None  # a line that was cut off by a kill


class IntervalSums:
    """Sums over the updates since the last line of the log, weighted by tokens."""

    def __init__(self) -> None:
        self._since = time.perf_counter()
        self._nll = self._kl = 0.0
        self._replies = self._tokens = 0
        self._has_kl = False

    def add(self, parts: LossParts) -> None:
        """Adds the parts of one update."""
        with torch.no_grad():
            self._nll += float(parts.nll.sum())
            if parts.kl is not None:
                self._has_kl = True
                self._kl += float(parts.kl.sum())
        self._replies += len(parts.nll)
        self._tokens += int(parts.num_tokens.sum())

    def pause(self, seconds: float) -> None:
        """Leaves out some time, such as a validation's, from the speed."""
        self._since += seconds

    def metrics(self) -> dict[str, float | None]:
        """Returns nats a token (raw KL included), KL a reply, and target tokens a second."""
        seconds = max(time.perf_counter() - self._since, 1e-9)
        return {
            "nats_per_token": (self._nll + self._kl) / self._tokens,
            "kl_per_reply": self._kl / self._replies if self._has_kl else None,
            "tokens_per_second": self._tokens / seconds,
        }
