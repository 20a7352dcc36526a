"""`hred train --tracker tensorboard`: every figure of `metrics.jsonl` as a curve in TensorBoard.

A run that goes on writes a further file of events; what an earlier one holds of updates after the checkpoint
is shown no more.
"""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dialog.errors import UsageError
from dialog.training.listeners import sample_lines

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

    from dialog.text.loader import BatchLoader
    from dialog.training.checkpoints import Progress

__all__ = ["TensorBoard", "require_tensorboard"]


def require_tensorboard() -> None:
    """Checks that TensorBoard can be written for.

    Raises:
        UsageError: it is not installed.
    """
    if find_spec("tensorboard") is None:
        raise UsageError(
            "--tracker tensorboard needs TensorBoard, which is not installed; install it: pip install tensorboard"
        )


class TensorBoard:
    """Writes events into the folder `tensorboard` of a run; a `Listener` of the training.

    Args:
        folder: the run folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "tensorboard"
        self._writer: SummaryWriter | None = None

    def started(self, loader: "BatchLoader", progress: "Progress") -> None:
        """Opens a file of events."""
        from torch.utils.tensorboard import SummaryWriter

        purged = progress.update + 1 if progress.update else None
        self._writer = SummaryWriter(self._folder, purge_step=purged)

    def updated(self, progress: "Progress", metrics: Mapping[str, Any] | None) -> None:
        """Writes what was logged of the training."""
        if metrics is not None:
            self._write(metrics)

    def validated(self, metrics: Mapping[str, Any]) -> None:
        """Writes the figures of a validation, and its sample replies and warnings as text."""
        self._write(metrics)
        assert self._writer is not None
        replies = ["\n".join(sample_lines(sample)) for sample in metrics["samples"]]
        for name, texts in (("replies", replies), ("warnings", metrics["warnings"])):
            if texts:  # indented, so that it is shown as it is and not as Markdown
                text = "\n\n".join(texts).replace("\n", "\n    ")
                self._writer.add_text(f"valid/{name}", f"    {text}", metrics["update"])

    def close(self) -> None:
        """Writes what is held back."""
        if self._writer is not None:
            self._writer.close()

    def _write(self, metrics: Mapping[str, Any]) -> None:
        assert self._writer is not None
        for name, value in _figures(metrics):
            if name not in ("update", "best"):
                self._writer.add_scalar(f"{metrics['split']}/{name}", value, metrics["update"])
        self._writer.flush()


def _figures(metrics: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Returns all numbers, those of nested objects by both names."""
    found: list[tuple[str, float]] = []
    for name, value in metrics.items():
        if isinstance(value, Mapping):
            found += [(f"{name}/{inner}", number) for inner, number in _figures(value)]
        elif isinstance(value, int | float):
            found.append((name, float(value)))
    return found
