"""What `hred train` shows: one line of facts, a progress bar, a line a validation, sample replies."""

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from dialog.training.launch import num_processes, rank
from dialog.training.listeners import sample_lines

if TYPE_CHECKING:
    from dialog.text.loader import BatchLoader
    from dialog.training.checkpoints import Progress as Place
    from dialog.training.estimate import Estimate
    from dialog.training.trainer import TrainingJob

__all__ = ["TrainingDisplay", "say_conditions", "say_estimate", "stop_on_interrupt"]

_NO_CONTROLS = {code: "\ufffd" for code in (*range(32), *range(127, 160)) if code != ord("\n")}
"""A model at its beginning draws any byte, such as those that steer a terminal."""
_WISHES: list[threading.Event] = []
"""Those of the `stop_on_interrupt` that are entered, the outermost first."""


def say_estimate(estimate: "Estimate") -> None:
    """Prints what training will take, in one line."""
    on_gpu = " on the GPU" if estimate.device == "cuda" else ""
    how = "measured at its peak" if estimate.memory_is_measured else "estimated, activations left out"
    print(
        f"{estimate.model}: {estimate.num_parameters:,} parameters; an epoch is {estimate.target_tokens:,} target "
        f"tokens in {estimate.updates:,} updates and takes about {_duration(estimate.seconds_per_epoch)} on this "
        f"machine ({estimate.timed_updates} updates timed; validations come on top) and "
        f"{estimate.memory_bytes / 2**30:.1f} GiB of memory{on_gpu} ({how})",
        flush=True,
    )


def say_conditions(folder: Path, now: Mapping[str, str | int]) -> None:
    """Prints in one sentence what a run that goes on finds changed in its last bits' conditions, if anything."""
    from dialog.training.checkpoints import load_progress
    from dialog.training.reproducibility import changed_conditions

    changed = changed_conditions(load_progress(folder).conditions, now)
    if changed is not None:
        print(changed, flush=True)


def _duration(seconds: float) -> str:
    """Returns a time with two digits in the unit that people would say it in."""
    for unit, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * size:
            value = seconds / size
            return f"{value:.0f} {unit}" if value >= 10 else f"{value:.1f} {unit}"
    return f"{seconds:.0f} seconds" if seconds >= 10 else f"{seconds:.1f} seconds"


class TrainingDisplay:
    """Draws a progress bar on a terminal, and plain lines elsewhere; only process 0 of several says anything.

    Args:
        job: what is trained.
    """

    def __init__(self, job: "TrainingJob") -> None:
        self._job = job
        self._console = Console(highlight=False, soft_wrap=True, quiet=rank() > 0)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[facts]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            disable=self._console.quiet or not self._console.is_terminal,
        )
        self._task: TaskID | None = None
        self._started = time.monotonic()

    def __enter__(self) -> "TrainingDisplay":
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()
        if kind is None:
            self._console.print(f"run folder: {self._job.folder}", markup=False)

    def started(self, loader: "BatchLoader", progress: "Place") -> None:
        """See `dialog.training.listeners.Listener`."""
        if loader.num_windowed or loader.num_cut:
            self.say(
                f"{loader.num_windowed:,} conversations are longer than {self._job.config.window_turns} turns and "
                f"trained in windows; {loader.num_cut:,} utterances are longer than "
                f"{self._job.config.max_tokens} tokens and cut in training"
            )
        if num_processes() > 1:
            self.say(
                f"{num_processes()} processes share the {self._job.config.batches_per_update} batches of an update; "
                "the estimate above is for one"
            )
        if progress.update:
            self.say(f"going on after update {progress.update:,}")
        self._started = time.monotonic()
        self._task = self._bar.add_task(
            "training", total=self._job.max_updates, completed=progress.update, facts=""
        )

    def updated(self, progress: "Place", metrics: Mapping[str, Any] | None) -> None:
        """See `dialog.training.listeners.Listener`."""
        assert self._task is not None
        facts = {} if metrics is None else {"facts": _facts(metrics) + self._time_left()}
        self._bar.update(self._task, completed=progress.update, **facts)  # type: ignore[arg-type]
        if metrics is not None and not self._console.is_terminal:
            self.say(f"update {progress.update:,}  {_facts(metrics)}")

    def validated(self, metrics: Mapping[str, Any]) -> None:
        """See `dialog.training.listeners.Listener`."""
        kl, shared = metrics["kl_per_reply"], metrics["conversation_kl_per_conversation"]
        self.say(
            f"validation at update {metrics['update']:,}: {metrics['nats_per_token']:.4f} nats/token, "
            f"perplexity {metrics['perplexity']:.2f}"
            + ("" if kl is None else f", KL {kl:.3f} nats/reply")
            + ("" if shared is None else f" and {shared:.3f} nats/conversation")
            + (" (best so far)" if metrics["best"] else "")
        )
        if metrics["said_again_exactly"] is not None:
            self.say(
                f"  {metrics['said_again_exactly']:.1%} of the utterances looked at are said again word for word"
            )
        for said, answered in map(sample_lines, metrics["samples"]):
            self.say(f"  … {said}\n    {answered}")
        for warning in metrics["warnings"]:
            self.say(f"warning: {warning}")

    def _time_left(self) -> str:
        if self._job.max_minutes is None:
            return ""
        left = self._job.max_minutes - (time.monotonic() - self._started) / 60
        return f"  {max(left, 0):.0f} min left"

    def say(self, text: str) -> None:
        """Prints a line above the bar."""
        self._console.print(text.translate(_NO_CONTROLS), markup=False)


def _facts(metrics: Mapping[str, Any]) -> str:
    kl, shared = metrics["kl_per_reply"], metrics["conversation_kl_per_conversation"]
    return (
        f"{metrics['nats_per_token']:.4f} nats/token"
        + ("" if kl is None else f"  KL {kl:.3f} × {metrics['kl_weight']:.2f}")
        + ("" if shared is None else f" (a conversation's {shared:.3f})")
        + f"  {metrics['tokens_per_second']:,.0f} target tokens/s"
    )


@contextmanager
def stop_on_interrupt() -> Iterator[Callable[[], bool]]:
    """Makes the first Ctrl-C (or SIGTERM) a wish to stop, and the second one an interrupt.

    A launcher of several processes passes on what they have had from the terminal already; it kills them itself
    if they do not stop in time, so for them the second one is the same wish. Where one stands inside another, a wish
    is the outer one's, too, and what begins after it stops at once: none is lost between two trainings.
    """
    wish = threading.Event()
    if any(outer.is_set() for outer in _WISHES):
        wish.set()
    _WISHES.append(wish)

    def ask(number: int, frame: FrameType | None) -> None:
        if wish.is_set() and num_processes() == 1:
            raise KeyboardInterrupt
        for each in _WISHES:
            each.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield wish.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _WISHES.remove(wish)
