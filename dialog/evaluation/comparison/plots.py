"""Pictures of a comparison, as SVG that can stand inside a page: equal results give equal bytes."""

import math
import re
from collections.abc import Sequence
from io import StringIO
from typing import TYPE_CHECKING, Any

from dialog.evaluation.bootstrap import Estimate
from dialog.evaluation.comparison.results import Part
from dialog.evaluation.comparison.run_tables import turn_of
from dialog.evaluation.comparison.statistics import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_context", "draw_grid", "draw_turns"]

_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f3c8d", "#666666")
"""Okabe and Ito's, which most colour-blind people tell apart."""
_MARKERS = "osD^vP*X"
_PROLOGUE = re.compile(r"^.*?(?=<svg )|<metadata>.*?</metadata>\s*", re.DOTALL)


def draw_turns(part: Part) -> str:
    """Draws nats by turn, a line a model with its interval, and beside it each model's less those of the first."""
    names = list(part.rows)
    unit = "token" if "token" in part.shown()[0] else "character"

    def line(
        axes: "Axes", name: str, points: Sequence[tuple[int, float, float | None, float | None]]
    ) -> None:
        style = _style(names.index(name))
        turns, values = [point[0] for point in points], [point[1] for point in points]
        axes.plot(turns, values, markersize=4, label=name, **style)
        ends = [(turn, low, high) for turn, _, low, high in points if low is not None and high is not None]
        if ends:
            at, low, high = zip(*ends, strict=True)
            axes.fill_between(at, low, high, color=style["color"], alpha=0.15, linewidth=0)

    def draw(axes: "Axes", beside: "Axes | None" = None) -> None:
        for name, figures in part.rows.items():
            found = [(turn_of(key), each.value, each.low, each.high) for key, each in figures.items()]
            line(axes, name, [point for point in found if math.isfinite(point[1])])
        axes.set_ylabel(f"nats a {unit}")
        axes.legend(fontsize=8)
        for each in (axes, beside) if beside is not None else (axes,):
            each.set_xticks([turn_of(key) for key in part.shown()])
            each.set_xlabel("turn (the last one holds all later ones)")
        if beside is not None:
            draw_beside(beside)

    def draw_beside(axes: "Axes") -> None:
        for name in names[1:]:
            pairs = [
                (turn_of(key), pair)
                for key, some in part.differences.items()
                for pair in some
                if (pair.one, pair.other) == (names[0], name) and math.isfinite(pair.value)
            ]
            less = [
                (
                    turn,
                    -pair.value,
                    None if pair.high is None else -pair.high,
                    None if pair.low is None else -pair.low,
                )
                for turn, pair in pairs
            ]
            line(axes, name, less)
        axes.axhline(0, color=_style(0)["color"], linewidth=1)
        axes.set_ylabel(f"nats a {unit}, less those of {names[0]}")

    return _drawn("turns", draw, 2 if len(names) > 1 else 1)


def draw_context(part: Part) -> str:
    """Draws by how much the loss rises for each change of the context, a group of bars a change."""

    def draw(axes: "Axes") -> None:
        names = part.shown()
        labels = [column.label for column in part.table.columns if column.figure.name in names]
        width = 0.8 / len(part.rows)
        for place, (name, figures) in enumerate(part.rows.items()):
            at = [number + width * (place + 0.5) - 0.4 for number in range(len(names))]
            found = [figures[key] for key in names]
            axes.bar(
                at,
                [each.value for each in found],
                width * 0.92,
                yerr=_errors(found),
                color=_COLOURS[place % len(_COLOURS)],
                label=name,
                error_kw={"elinewidth": 1, "capsize": 2},
            )
        axes.axhline(0, color="black", linewidth=0.8)
        axes.set_xticks(range(len(names)), labels)
        axes.set_ylabel("rise of the loss, nats")
        axes.legend(fontsize=8)

    return _drawn("context", draw)


def draw_grid(overlap: Part, variety: Part, rows: Sequence[Row]) -> str:
    """Draws distinct-2 over BLEU-2, a point a model and decoder: up and to the right is better."""
    runs = list(dict.fromkeys(row.run for row in rows if row.kind == "replies"))
    decoders = list(dict.fromkeys(row.decoder for row in rows if row.kind == "replies"))
    # The true reply has a BLEU of 100, beside which all others would be one point.
    shown = [
        row
        for row in rows
        if row.name in overlap.rows and row.name in variety.rows and row.facts.get("shown", True)
    ]

    def draw(axes: "Axes") -> None:
        for row in shown:
            x, y = overlap.rows[row.name]["bleu_2"], variety.rows[row.name]["distinct_2"]
            colour = _COLOURS[runs.index(row.run) % len(_COLOURS)] if row.run is not None else "black"
            marker = _MARKERS[decoders.index(row.decoder) % len(_MARKERS)] if row.run is not None else "x"
            axes.errorbar(
                x.value,
                y.value,
                xerr=_errors([x]),
                yerr=_errors([y]),
                color=colour,
                marker=marker,
                markersize=6,
                elinewidth=0.7,
                linestyle="none",
            )
            if row.run is None:
                axes.annotate(
                    row.name, (x.value, y.value), xytext=(5, 4), textcoords="offset points", fontsize=8
                )
        for run in runs:
            axes.plot([], [], color=_COLOURS[runs.index(run) % len(_COLOURS)], linewidth=4, label=run)
        for decoder in decoders:
            mark = _MARKERS[decoders.index(decoder) % len(_MARKERS)]
            axes.plot([], [], color="grey", marker=mark, linestyle="none", label=decoder)
        axes.set_xlabel("BLEU-2")
        axes.set_ylabel("distinct-2")
        axes.legend(fontsize=8, ncols=2)

    return _drawn("grid", draw)


def _style(place: int) -> dict[str, Any]:
    return {"color": _COLOURS[place % len(_COLOURS)], "marker": _MARKERS[place % len(_MARKERS)]}


def _errors(found: Sequence[Estimate]) -> list[list[float]] | None:
    """Returns how far intervals reach below and above, or None where one has none."""
    if any(each.low is None or each.high is None for each in found):
        return None
    below = [max(0.0, each.value - (each.low or 0.0)) for each in found]
    above = [max(0.0, (each.high or 0.0) - each.value) for each in found]
    return [below, above]


def _drawn(name: str, draw: Any, panels: int = 1) -> str:
    """Returns what `draw` draws into so many axes side by side."""
    import matplotlib
    from matplotlib.figure import Figure  # no screen, and no state of pyplot's

    text = StringIO()
    with matplotlib.rc_context({"svg.hashsalt": name, "svg.fonttype": "none", "font.family": "sans-serif"}):
        figure = Figure(figsize=(5.5 * panels + (2 if panels == 1 else 0), 4.2), layout="constrained")
        all_axes = figure.subplots(1, panels, squeeze=False)[0]
        draw(*all_axes)
        for axes in all_axes:
            axes.grid(alpha=0.25)
            axes.spines[["top", "right"]].set_visible(False)
        figure.savefig(text, format="svg", metadata={"Date": None})
    return _PROLOGUE.sub("", text.getvalue()).strip()
