"""Pictures of the latent space as SVG within the page: the map of z, and the bars of KL a dimension.

They take the page's own colour for lines and letters, so that they are right in light and dark. A point carries its
words in `data-words`; the page's script writes those of the point that is pointed at below the map.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from app.web.drawing import escape
from app.web.words import say
from dialog.evaluation.sums import Floats

__all__ = ["KL_FLOOR", "bars_svg", "colours_of", "map_svg"]

KL_FLOOR = 0.01
"""Nats; dimensions above it are counted as used."""

_PALETTE = ("#0d9488", "#c2410c", "#7c3aed", "#be185d", "#2563eb", "#4d7c0f", "#b91c1c", "#a16207")
_OTHERS = "#64748b"
_LETTERS = 2  # of a text without spaces, such as Japanese

_WIDTH, _HEIGHT, _EDGE = 440, 300, 22
_BARS_HEIGHT, _BARS_TOP = 120, 10


def colours_of(texts: Sequence[str]) -> list[str]:
    """Returns a colour for each text: one that begins like another has the same, a beginning of its own is grey."""
    beginnings = [_beginning(text) for text in texts]
    counted = sorted(Counter(beginnings).items(), key=lambda one: (-one[1], one[0]))
    shared = [beginning for beginning, count in counted if count > 1]
    colours = dict(zip(shared, _PALETTE, strict=False))
    return [colours.get(beginning, _OTHERS) for beginning in beginnings]


def _beginning(text: str) -> str:
    words = text.lower().split()
    if len(words) > 1 or text.isascii():
        return words[0].strip(".,!?") if words else ""
    return text[:_LETTERS]


def map_svg(places: Floats, texts: Sequence[str], language: str, numbered: bool) -> str:
    """Returns a map, each point with its words.

    Args:
        places: (point, 2).
        texts: of the points.
        language: of the labels.
        numbered: whether points carry their numbers, from 1, and can be reached by the keyboard.
    """
    low, high = places.min(axis=0), places.max(axis=0)
    size = np.where(high - low > 1e-12, high - low, 1.0)
    inside = np.array([_WIDTH - 2 * _EDGE, _HEIGHT - 2 * _EDGE])
    at = _EDGE + np.where(high - low > 1e-12, (places - low) / size, 0.5) * inside
    points = []
    for number, (text, colour, (x, y)) in enumerate(
        zip(texts, colours_of(texts), at.tolist(), strict=True), 1
    ):
        words = escape(f"{number}. {text}" if numbered else text)
        y = _HEIGHT - y
        shape = (
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="10" fill="{colour}"/>'
            f'<text x="{x:.1f}" y="{y + 3.7:.1f}" text-anchor="middle" fill="#fff" font-size="11">{number}</text>'
            if numbered
            else f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="{colour}" fill-opacity=".8"/>'
        )
        reach = ' tabindex="0"' if numbered else ""
        points.append(
            f'<g class="point" role="img"{reach} aria-label="{words}" data-words="{words}" data-number="{number}">'
            f"{shape}</g>"
        )
    name = escape(say("latent.map", language))
    return (
        f'<svg class="map" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="group" aria-label="{name}">'
        f'<rect x=".5" y=".5" width="{_WIDTH - 1}" height="{_HEIGHT - 1}" rx="12" fill="none" stroke="currentColor" '
        f'stroke-opacity=".25"/>{"".join(points)}</svg>'
    )


def bars_svg(kl: Floats, title: str, language: str) -> str:
    """Returns the KL of each dimension as bars, the first dimension at the left.

    Args:
        kl: (latent,) nats.
        title: of the picture.
        language: of the labels.
    """
    highest = max(float(kl.max()), 1e-9)
    inside = _BARS_HEIGHT - _BARS_TOP
    step = _WIDTH / len(kl)
    bars = []
    for place, value in enumerate(kl.tolist()):
        height = max(value / highest * inside, 0.0)
        words = escape(say("latent.kl_bar", language, dimension=place + 1, nats=f"{value:.3f}"))
        bars.append(
            f'<rect x="{place * step + step * 0.1:.2f}" y="{_BARS_HEIGHT - height:.2f}" width="{step * 0.8:.2f}" '
            f'height="{height:.2f}" data-words="{words}"><title>{words}</title></rect>'
        )
    return (
        f'<svg class="bars" viewBox="0 0 {_WIDTH} {_BARS_HEIGHT + 16}" role="img" aria-label="{escape(title)}">'
        f"{''.join(bars)}"
        f'<line x1="0" y1="{_BARS_HEIGHT}" x2="{_WIDTH}" y2="{_BARS_HEIGHT}" stroke="currentColor" '
        'stroke-opacity=".4"/>'
        f'<text x="0" y="{_BARS_HEIGHT + 13}" font-size="10" fill="currentColor">1</text>'
        f'<text x="{_WIDTH}" y="{_BARS_HEIGHT + 13}" font-size="10" fill="currentColor" text-anchor="end">{len(kl)}'
        f'</text><text x="{_WIDTH}" y="9" font-size="10" fill="currentColor" text-anchor="end">{highest:.2f}</text>'
        "</svg>"
    )
