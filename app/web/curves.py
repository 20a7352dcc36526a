"""Curves of a training as SVG of our own: no script, no outside host, colours of the page."""

import math
from collections.abc import Sequence

from app.runs import Curve
from app.web.drawing import escape
from app.web.words import say

__all__ = ["curve_svg"]

_WIDTH, _HEIGHT = 560, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 10, 10, 26
_MOST_POINTS = 150
_MOST_DOTS = 30

Points = Sequence[tuple[float, float]]


def curve_svg(curve: Curve, language: str) -> str:
    """Returns nats per token against updates, training and validation; a sentence where there are none yet."""
    train, valid = _fewer(curve.train), _fewer(curve.valid)
    if not train and not valid:
        return f'<p class="empty">{escape(say("models.no_curve", language))}</p>'
    every = [*train, *valid]
    last = max(max(x for x, _ in every), 1)
    low, high, step = _range([y for _, y in every])

    def at(point: tuple[float, float]) -> tuple[float, float]:
        x = _LEFT + (_WIDTH - _LEFT - _RIGHT) * point[0] / last
        y = _TOP + (_HEIGHT - _TOP - _BOTTOM) * (high - point[1]) / (high - low)
        return round(x, 1), round(y, 1)

    parts = [_grid(low, high, step, last, at)]
    for name, points in (("train", train), ("valid", valid)):
        places = [at(point) for point in points]
        if len(places) > 1:
            path = " ".join(f"{x},{y}" for x, y in places)
            parts.append(f'<polyline class="{name}" points="{path}"/>')
        if len(places) == 1 or (name == "valid" and len(places) <= _MOST_DOTS):
            parts += [f'<circle class="{name}" cx="{x}" cy="{y}" r="3"/>' for x, y in places]
    said = escape(_told(curve, language))
    legend = " ".join(
        f'<span class="{name}">{escape(say(f"models.{name}", language))}</span>'
        for name in ("train", "valid")
    )
    axes = escape(say("models.axes", language))
    return (
        f'<figure class="curve"><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{said}">'
        f"<title>{said}</title>{''.join(parts)}</svg><figcaption>{axes} {legend}</figcaption></figure>"
    )


def _told(curve: Curve, language: str) -> str:
    """Returns in words what the picture shows."""
    parts = [say("models.curve", language, update=f"{curve.update:,}")]
    if curve.train:
        parts.append(f"{say('models.train', language)} {curve.train[-1][1]:.3f}")
    if curve.best:
        parts.append(f"{say('models.valid', language)} {curve.valid[-1][1]:.3f}")
    return ", ".join(parts)


def _grid(low: float, high: float, step: float, last: float, at: object) -> str:
    assert callable(at)
    lines = []
    digits = max(0, -math.floor(math.log10(step)))
    value = low
    while value <= high + step / 1000:
        x, y = at((0, value))
        lines.append(f'<line class="grid" x1="{x}" y1="{y}" x2="{_WIDTH - _RIGHT}" y2="{y}"/>')
        lines.append(f'<text x="{x - 6}" y="{y + 4}" text-anchor="end">{value:.{digits}f}</text>')
        value += step
    marks = ((0.0, "start"), (0.5, "middle"), (1.0, "end"))
    for share, anchor in marks if last > 3 else marks[::2]:
        x, _ = at((last * share, low))
        lines.append(f'<text x="{x}" y="{_HEIGHT - 8}" text-anchor="{anchor}">{round(last * share):,}</text>')
    return "".join(lines)


def _range(values: Sequence[float]) -> tuple[float, float, float]:
    """Returns where the axis begins and ends, and the step of its marks: 1, 2 or 5 times a power of ten."""
    low, high = min(values), max(values)
    span = max(high - low, abs(high) * 0.02, 1e-3)
    rough = span / 3
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    first, end = math.floor(low / step) * step, math.ceil(high / step) * step
    return (first, end, step) if end > first else (first, first + step, step)


def _fewer(points: Points) -> Points:
    """Returns points as they are, or the means of neighbours where there are very many."""
    if len(points) <= _MOST_POINTS:
        return points
    size = math.ceil(len(points) / _MOST_POINTS)
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    return [
        (sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group)) for group in groups
    ]
