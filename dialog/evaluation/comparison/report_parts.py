"""Parts of a report that stand by themselves: what it comes to in short, the latent variable, numbers as text."""

import math
from collections.abc import Sequence
from typing import Any

from dialog.evaluation.bootstrap import Difference
from dialog.evaluation.comparison.anchor_rows import RANDOM
from dialog.evaluation.comparison.document import Block, Cell, Heading, Table, Text
from dialog.evaluation.comparison.results import Results

__all__ = ["in_short", "interval", "number", "use_of_latent"]

_OF_RANDOM = (
    ("overlap", "bleu_2", "BLEU-2"),
    ("overlap", "chrf", "chrF"),
    ("samples", "sample_bleu_f1_nltk_3_6", "F1 of several replies"),
    ("embedding", "embedding_average", "average of word vectors"),
)


def in_short(results: Results) -> list[Block]:
    """Returns what the comparison comes to: the order by likelihood, and what a random reply gets."""
    texts = [text for text in (_order(results), _random(results)) if text]
    return [Heading("In short"), *map(Text, texts)] if texts else []


def _order(results: Results) -> str:
    part = results.part("likelihood")
    if part is None:
        return ""
    column = part.table.columns[0]
    runs = [row.name for row in results.statistics.rows if row.kind == "run" and row.name in part.rows]
    values = {name: part.rows[name][column.figure.name].value for name in runs}
    known = sorted((name for name in runs if math.isfinite(values[name])), key=values.__getitem__)
    listed = ", ".join(f"{name} {number(values[name], column.decimals)}" for name in known)
    lost = [name for name in runs if name not in known]
    text = f"**Likelihood** ({column.label}, lower is better): {listed}."
    if lost:
        text += f" Not defined: {', '.join(lost)}."
    pairs = [pair for pair in part.differences[column.figure.name] if math.isfinite(pair.value)]
    return f"{text} {_verdict(pairs)}".rstrip()


def _verdict(pairs: Sequence[Difference]) -> str:
    if not pairs:
        return ""
    falling = [f"{pair.one} and {pair.other}" for pair in pairs if not pair.stands]
    if not falling:
        return "All differences stand." if len(pairs) > 1 else "The difference stands."
    if len(falling) == len(pairs):
        return "No difference stands: their intervals hold 0."
    return f"All differences stand but {'that' if len(falling) == 1 else 'those'} of {'; '.join(falling)}."


def _random(results: Results) -> str:
    found = []
    for key, name, label in _OF_RANDOM:
        part = results.part(key)
        for column in part.table.columns if part is not None and RANDOM in part.rows else ():
            if column.figure.name == name and part is not None and name in part.rows[RANDOM]:
                found.append(f"{label} {number(part.rows[RANDOM][name].value, column.decimals)}")
    if not found:
        return ""
    return f"**A random training reply** gets {', '.join(found)}: a figure near one of these shows nothing."


def use_of_latent(results: Results) -> Table:
    """Returns how latent variables are used, a row each."""
    rows = []
    for row in results.statistics.rows:
        use: dict[str, Any] | None = row.facts.get("latent_use")
        if use is not None:
            rows.append((row.name, _use_cells(use)))
            if use.get("conversation"):
                rows.append((f"{row.name}, the conversation's", _use_cells(use["conversation"])))
    head = ["", "dimensions", "active units", "given the context", "mutual information", "marginal KL"]
    return Table(head, rows)


def _use_cells(use: dict[str, Any]) -> Sequence[Cell]:
    error = use.get("mutual_information_error")
    return [
        Cell(str(use["dimensions"])),
        Cell(str(use["active_units"])),
        Cell(str(use["active_units_given_context"])),
        Cell(f"{use['mutual_information']:.2f}", f"± {error:.2f}" if error is not None else ""),
        Cell(f"{use['marginal_kl']:.2f}"),
    ]


def number(value: float, decimals: int) -> str:
    """Returns a number as text."""
    if abs(value) >= 1e7:
        return f"{value:.3g}"
    text = f"{value:,.{decimals}f}"
    return text.removeprefix("-") if not text.strip("-0.,") else text  # no minus before nothing


def interval(low: float | None, high: float | None, decimals: int) -> str:
    """Returns an interval as text, or nothing."""
    if low is None or high is None:
        return ""
    return f"[{number(low, decimals)}, {number(high, decimals)}]"
