"""`curves.png`: how a training went, drawn from its `metrics.jsonl`.

Nothing of a training depends on the picture. It is drawn at validations, seldom enough to cost nothing, and
where it cannot be drawn a sentence says so and training goes on.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dialog.run_folder import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from dialog.text.loader import BatchLoader
    from dialog.training.checkpoints import Progress

__all__ = ["Curves", "draw_curves"]

WIDTH, HEIGHT, DOTS_PER_INCH = 12.0, 6.5, 100
_SECONDS_BETWEEN = 60.0

Lines = Sequence[Mapping[str, Any]]


class Curves:
    """Keeps the `curves.png` of a run folder up to date; a `Listener` of the training.

    Args:
        folder: the run folder.
        say: is told in a sentence why there is no picture.
    """

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self._folder, self._say = folder, say
        self._drawn = time.monotonic()

    def started(self, loader: "BatchLoader", progress: "Progress") -> None:
        """See `Listener`."""

    def updated(self, progress: "Progress", metrics: Mapping[str, Any] | None) -> None:
        """See `Listener`."""

    def validated(self, metrics: Mapping[str, Any]) -> None:
        """Draws, but not within a minute of the last time."""
        if time.monotonic() - self._drawn >= _SECONDS_BETWEEN:
            self.draw()

    def close(self) -> None:
        """Draws at the end."""
        self.draw()

    def draw(self) -> None:
        """Draws what `metrics.jsonl` holds."""
        try:
            draw_curves(self._folder / "metrics.jsonl", self._folder / "curves.png")
        except Exception as error:  # whatever a drawing library raises: the training matters more
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            self._say(f"curves.png was not drawn ({reason}); metrics.jsonl holds all figures")
        self._drawn = time.monotonic()


def draw_curves(metrics: Path, picture: Path) -> None:
    """Draws the figures of a `metrics.jsonl` over the updates.

    Args:
        metrics: the file; figures that it lacks, such as the KL of a model without one, are left out.
        picture: the PNG to write, 1200 by 650 pixels.

    Raises:
        OSError: a file cannot be read or written.
        ImportError: matplotlib is not installed.
    """
    from io import BytesIO

    from matplotlib.figure import Figure  # no screen, and no state of pyplot's

    lines = [json.loads(line) for line in metrics.read_bytes().splitlines()]
    train, valid = ([line for line in lines if line["split"] == split] for split in ("train", "valid"))
    figure = Figure(figsize=(WIDTH, HEIGHT), dpi=DOTS_PER_INCH, layout="constrained")
    axes = figure.subplots(2, 3).flatten()
    for panel, draw in zip(axes, _PANELS, strict=True):
        draw(panel, train, valid)
        panel.set_xlabel("updates")
        panel.grid(alpha=0.3)
        if panel.get_legend_handles_labels()[0]:
            panel.legend()
    drawn = BytesIO()
    figure.savefig(drawn, format="png")
    write_atomically(picture, drawn.getvalue())


def _plot(panel: "Axes", lines: Lines, *names: str, **style: Any) -> None:
    """Plots a figure, `names` its place in each line, where there is one; single points are dots."""
    points = []
    for line in lines:
        value: Any = line
        for name in names:
            value = None if value is None else value.get(name)
        if value is not None:
            points.append((line["update"], value))
    if points:
        updates, values = zip(*points, strict=True)
        panel.plot(updates, values, marker="o" if len(points) < 30 else "", markersize=3, **style)


def _nats(panel: "Axes", train: Lines, valid: Lines) -> None:
    panel.set_title("nats per token")
    _plot(panel, train, "nats_per_token", label="training", linewidth=1, alpha=0.7)
    _plot(panel, valid, "nats_per_token", label="validation")


def _kl(panel: "Axes", train: Lines, valid: Lines) -> None:
    if not any(line.get("kl_per_reply") is not None for line in (*train, *valid)):
        panel.set_title("KL: the model has no latent variable")
        return
    panel.set_title("KL a reply, nats")
    _plot(panel, train, "kl_per_reply", label="training", linewidth=1, alpha=0.7)
    _plot(panel, valid, "kl_per_reply", label="validation")
    shared = "conversation_kl_per_conversation"
    if any(line.get(shared) is not None for line in (*train, *valid)):
        panel.set_title("KL a reply, and a conversation's own, nats")
        _plot(panel, valid, shared, label="conversation's, validation", linestyle="--")
    weight = panel.twinx()
    weight.set_ylabel("KL weight (dotted)")
    weight.set_ylim(-0.05, 1.05)
    _plot(weight, train, "kl_weight", color="grey", linestyle=":")


def _rate(panel: "Axes", train: Lines, valid: Lines) -> None:
    panel.set_title("learning rate")
    _plot(panel, train, "learning_rate")


def _distinct(panel: "Axes", train: Lines, valid: Lines) -> None:
    panel.set_title("distinct-1, distinct-2 of replies")
    for size, color in ((1, "tab:blue"), (2, "tab:orange")):
        _plot(panel, valid, "replies", f"distinct_{size}", label=f"distinct-{size}", color=color)
        _plot(
            panel, valid, "people_replies", f"distinct_{size}", label="people's", color=color, linestyle=":"
        )


def _most_frequent(panel: "Axes", train: Lines, valid: Lines) -> None:
    if any(line.get("said_again_exactly") is not None for line in valid):
        panel.set_title("share of utterances said again word for word")
        _plot(panel, valid, "said_again_exactly", label="validation")
        return
    panel.set_title("share of the most frequent reply")
    _plot(panel, valid, "replies", "top_share", label="model's")
    _plot(panel, valid, "people_replies", "top_share", label="people's", color="tab:blue", linestyle=":")


def _speed(panel: "Axes", train: Lines, valid: Lines) -> None:
    panel.set_title("target tokens a second")
    _plot(panel, train, "tokens_per_second")


_PANELS: tuple[Callable[["Axes", Lines, Lines], None], ...] = (
    _nats,
    _kl,
    _rate,
    _distinct,
    _most_frequent,
    _speed,
)
