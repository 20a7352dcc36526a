"""`metrics.jsonl`: an object a line, each update of a split once, whatever was interrupted in between."""

import json
import math
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dialog.run_folder import write_atomically
from dialog.training.checkpoints import Progress
from dialog.training.update import UpdateTotals

__all__ = ["IntervalSums", "MetricsLog"]


class MetricsLog:
    """Appends to the `metrics.jsonl` of a run folder.

    Args:
        folder: the run folder.
        resume_from: what was written after this checkpoint is dropped first; None begins a new file.
        writes: False in a process that leaves the file to another.
    """

    def __init__(self, folder: Path, resume_from: Progress | None, writes: bool = True) -> None:
        self._path, self._writes = folder / "metrics.jsonl", writes
        self._last: bytes | None = None  # that a process which leaves the file to another would have written
        if not writes:
            return
        kept = b""
        if resume_from is not None and self._path.exists():
            kept = b"".join(
                line + b"\n"
                for line in self._path.read_bytes()[: resume_from.log_bytes].splitlines()
                if _belongs(line, resume_from)
            )
        write_atomically(self._path, kept)

    def write(self, metrics: Mapping[str, Any]) -> None:
        """Appends one object."""
        finite = {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in metrics.items()
        }
        line = json.dumps(finite, ensure_ascii=False).encode() + b"\n"
        if not self._writes:
            self._last = line
            return
        with self._path.open("ab") as stream:
            stream.write(line)

    def take_over(self) -> None:
        """Writes the last line of the training, if the process that writes has died before it could."""
        if self._last is None:
            return
        lines = [
            line + b"\n" for line in self._path.read_bytes().splitlines() if _update_of(line) is not None
        ]
        update = _update_of(self._last)
        if not any(_update_of(line) == update and b'"split": "train"' in line for line in lines):
            write_atomically(self._path, b"".join([*lines, self._last]))

    def flush(self) -> int | None:
        """Brings what was written to disk and returns its bytes, for the checkpoint that it belongs to."""
        if not self._writes:
            return None
        with self._path.open("ab") as stream:
            os.fsync(stream.fileno())
            return stream.tell()


def _belongs(line: bytes, progress: Progress) -> bool:
    """Whether a line is of the run up to a checkpoint; a validation that it knows nothing of is made again."""
    update = _update_of(line)
    if update is None or update > progress.update:
        return False
    return update < progress.update or progress.last_validation == update or b'"split": "valid"' not in line


def _update_of(line: bytes) -> int | None:
    try:
        return int(json.loads(line)["update"])
    except (ValueError, KeyError, TypeError):
        return None  # a line that was cut off by a kill


class IntervalSums:
    """Sums over the updates since the last line of the log, weighted by tokens.

    Args:
        state: of sums to go on with, as `state` returned it; empty or None to begin.
    """

    def __init__(self, state: Mapping[str, float] | None = None) -> None:
        state = state or {}
        self._since = time.perf_counter() - state.get("seconds", 0.0)
        self._nll, self._kl = state.get("nll", 0.0), state.get("kl", 0.0)
        self._replies, self._tokens = int(state.get("replies", 0)), int(state.get("tokens", 0))
        self._has_kl = "kl" in state
        self._conversation_kl = state.get("conversation_kl", 0.0)
        self._conversations = int(state.get("conversations", 0))

    def add(self, totals: UpdateTotals) -> None:
        """Adds the sums of one update."""
        self._nll += totals.nll
        if totals.kl is not None:
            self._has_kl = True
            self._kl += totals.kl
        if totals.conversation_kl is not None:
            self._conversation_kl += totals.conversation_kl
            self._conversations += totals.num_conversations
        self._replies += totals.num_replies
        self._tokens += totals.num_tokens

    def pause(self, seconds: float) -> None:
        """Leaves out some time, such as a validation's, from the speed."""
        self._since += seconds

    def state(self) -> dict[str, float]:
        """Returns what is needed to go on with these sums: nats, counts and seconds."""
        sums = {"nll": self._nll, "replies": self._replies, "tokens": self._tokens}
        kl = {"kl": self._kl} if self._has_kl else {}
        if self._conversations:
            kl |= {"conversation_kl": self._conversation_kl, "conversations": self._conversations}
        return {**sums, **kl, "seconds": time.perf_counter() - self._since}

    def metrics(self) -> dict[str, float | None]:
        """Returns nats a token (raw KL included), KL a reply and a window, target tokens, and those a second."""
        seconds = max(time.perf_counter() - self._since, 1e-9)
        shared = self._conversation_kl / self._conversations if self._conversations else None
        return {
            "nats_per_token": (self._nll + self._kl + self._conversation_kl) / self._tokens,
            "kl_per_reply": self._kl / self._replies if self._has_kl else None,
            "conversation_kl_per_conversation": shared,
            "target_tokens": self._tokens,
            "tokens_per_second": self._tokens / seconds,
        }
