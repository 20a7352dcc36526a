"""The page of `hred stats`: one HTML file with its pictures inside, that asks no other host for anything."""

import tempfile
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dialog.evaluation.pictures.canvas import canvas
from dialog.text.tokenizer import without_surrogates

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["page"]

_STYLE = """
:root { color-scheme: light; } body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 62rem;
padding: 0 1rem; color: #1b1b1b; background: #fff; } h1 { font-size: 1.5rem; }
h2 { font-size: 1.1rem; margin: 2rem 0 .4rem; }
table { border-collapse: collapse; } th, td { padding: .2rem .8rem .2rem 0; text-align: right; vertical-align: top;
border-bottom: 1px solid #ddd; font-variant-numeric: tabular-nums; } th:first-child, td:first-child { text-align: left;
overflow-wrap: anywhere; } figure { margin: 1rem 0; } svg { max-width: 100%; height: auto; } figcaption { color: #555; }
.wide { overflow-x: auto; }
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_COLOURS = {"train": "#3b6ea8", "valid": "#d08a2e", "test": "#4f9a5b"}


def page(figures: dict[str, Any], tables: Sequence[tuple[str, list[str], list[list[str]]]]) -> str:
    """Returns the page.

    Args:
        figures: what `CorpusStatistics.to_json` tells, and `corpus`, its name.
        tables: title, header and rows of each table.
    """
    name = escape(str(figures["corpus"]))
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{name}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{name}</h1>",
        *(
            f"<figure>{svg}<figcaption>{escape(caption)}</figcaption></figure>"
            for caption, svg in _pictures(figures)
        ),
        *(_table(*table) for table in tables),
        "</body></html>",
    ]
    return without_surrogates("\n".join(parts)) + "\n"


def _table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f'<h2>{escape(title)}</h2><div class="wide"><table>']
    lines.append("<tr>" + "".join(f'<th scope="col">{escape(each)}</th>' for each in header) + "</tr>")
    lines += ["<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows]
    return "\n".join([*lines, "</table></div>"])


def _pictures(figures: dict[str, Any]) -> list[tuple[str, str]]:
    splits = {name: sizes for name, sizes in figures["splits"].items() if sizes["conversations"]}
    with tempfile.TemporaryDirectory() as folder:
        lengths, words = Path(folder) / "lengths.svg", Path(folder) / "words.svg"
        with canvas(lengths, 9.0, 3.0) as figure:
            left, right = figure.subplots(1, 2)
            _histogram(left, splits, "turns_a_conversation", "turns a conversation", "share of conversations")
            _histogram(right, splits, "words_a_turn", "words a turn", "share of turns")
        with canvas(words, 9.0, 3.0) as figure:
            left, right = figure.subplots(1, 2)
            _coverage(left, figures["vocabulary"]["coverage"])
            _languages(right, figures["languages"])
        return [
            (
                "How long conversations and turns are; the last bar takes all that are longer.",
                _inside(lengths),
            ),
            (
                "How much of the text the most frequent words make, and the languages as guessed.",
                _inside(words),
            ),
        ]


def _histogram(axes: "Axes", splits: dict[str, Any], key: str, label: str, of: str) -> None:
    """Bars of shares, a colour a split, beside one another; the rare long ones in the last bar."""
    most = max(sizes[key]["percentile_95"] for sizes in splits.values())
    width = max(1, -(-most // 20))
    num_bars = most // width + 2
    for place, (name, sizes) in enumerate(splits.items()):
        heights = [0.0] * num_bars
        total = sum(times for _, times in sizes[key]["histogram"])
        for value, times in sizes[key]["histogram"]:
            heights[min(value // width, num_bars - 1)] += times / total
        step = 0.8 / len(splits)
        positions = [bar + (place - (len(splits) - 1) / 2) * step for bar in range(num_bars)]
        axes.bar(positions, heights, step, label=name, color=_COLOURS[name])
    shown = list(range(0, num_bars, max(1, num_bars // 8)))
    names = [f"{bar * width}" if width == 1 else f"{bar * width}–{bar * width + width - 1}" for bar in shown]
    axes.set_xticks(shown, [*names[:-1], f"{names[-1]}+"] if shown[-1] == num_bars - 1 else names)
    axes.set(xlabel=label, ylabel=of)
    axes.legend(frameon=False)


def _coverage(axes: "Axes", coverage: Sequence[Sequence[float]]) -> None:
    if coverage:
        ranks, shares = zip(*coverage, strict=True)
        axes.plot(ranks, shares, marker=".", color=_COLOURS["train"])
    axes.set(xscale="log", ylim=(0, 1), xlabel="most frequent words", ylabel="share of running words")


def _languages(axes: "Axes", languages: dict[str, int]) -> None:
    most = list(languages.items())[:8]
    total = sum(languages.values())
    axes.barh([name for name, _ in most], [times / total for _, times in most], color=_COLOURS["train"])
    axes.invert_yaxis()
    axes.set(xlabel="share of turns", xlim=(0, 1))


def _inside(path: Path) -> str:
    """A picture as it can stand in a page: without what is said of the file."""
    drawn = path.read_text(encoding="utf-8")
    return drawn[drawn.index("<svg") :]
