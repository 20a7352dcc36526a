"""Who is told how a training goes."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from dialog.text.loader import BatchLoader
    from dialog.training.checkpoints import Progress

__all__ = ["Listener", "Listeners", "sample_lines"]


def sample_lines(sample: Mapping[str, Any]) -> tuple[str, str]:
    """Returns what a sample of a validation answers or says again, and what the model says."""
    if "said_again" in sample:
        return sample["utterance"], f"said again: {sample['said_again']}"
    return sample["context"][-1], f"→ {sample['reply']}"


class Listener(Protocol):
    """Is told how training goes; the command draws a progress bar from it."""

    def started(self, loader: "BatchLoader", progress: "Progress") -> None:
        """Training starts or goes on."""

    def updated(self, progress: "Progress", metrics: Mapping[str, Any] | None) -> None:
        """An update is done; `metrics` is what was logged, if something was."""

    def validated(self, metrics: Mapping[str, Any]) -> None:
        """A validation is done."""


class Listeners:
    """Tells several.

    Args:
        listeners: in the order in which they are told.
    """

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self._listeners = listeners

    def started(self, loader: "BatchLoader", progress: "Progress") -> None:
        """See `Listener`."""
        for listener in self._listeners:
            listener.started(loader, progress)

    def updated(self, progress: "Progress", metrics: Mapping[str, Any] | None) -> None:
        """See `Listener`."""
        for listener in self._listeners:
            listener.updated(progress, metrics)

    def validated(self, metrics: Mapping[str, Any]) -> None:
        """See `Listener`."""
        for listener in self._listeners:
            listener.validated(metrics)
