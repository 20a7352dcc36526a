"""Tables of `hred probe`, in Markdown, so that they read the same on a terminal and in the docs."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["corpus_table", "course_tables", "memory_table"]

_SET_TITLES = {
    "equal": "Four courses of a quarter each",
    "unequal": "Four courses of one half, a quarter, 0.15 and 0.1",
    "safe": "Four courses of a quarter each, one of them always worded alike (the safe one)",
}


def memory_table(found: Mapping[str, Any]) -> str:
    """Returns the share of right replies of each model by distance."""
    rows = found["rows"].values()
    distances = list(next(iter(rows))["figures"][0]["right"]) if found["rows"] else []
    header = ["right replies", *(f"{distance} back" for distance in distances), "updates", "minutes"]
    lines = [
        [
            row["title"],
            *(_spread([one["right"][distance] for one in row["figures"]]) for distance in distances),
            f"{row['updates']:,}",
            _mean(row["minutes"], ".1f"),
        ]
        for row in rows
    ]
    lines.append(["chance", *[f"{found['chance']:.3f}"] * len(distances), "", ""])
    under = f"Greedy replies to {found['questions']} questions at each distance; {_seeds(found)}."
    return f"{_table(header, lines)}\n\n{under}"


def course_tables(found: Mapping[str, Any]) -> str:
    """Returns what courses replies take, a table for each set of contexts."""
    parts = [_course_table(name, title, found) for name, title in _SET_TITLES.items()]
    minutes = "; ".join(
        f"{row['title']} {row['updates']:,} updates, {_mean(row['minutes'], '.1f')} minutes"
        for row in found["rows"].values()
    )
    under = (
        f"{found['replies']} replies to each context in each manner; {_seeds(found)}. Training: {minutes}."
    )
    return "\n\n".join([*parts, under])


def _course_table(name: str, title: str, found: Mapping[str, Any]) -> str:
    names = ["taken", "total_variation", "agreement", "wrong"] + (["safe"] if name == "safe" else [])
    shown = {
        "taken": "courses taken of 4",
        "total_variation": "total variation from the true shares",
        "agreement": "agreement of redrawn words",
        "wrong": "wrong course",
        "safe": "safe replies",
    }
    lines = []
    for row in found["rows"].values():
        for manner in row["figures"][0][name]:
            figures = [one[name][manner] for one in row["figures"]]
            cells = [_spread([one[figure] for one in figures]) for figure in names]
            lines.append([f"{row['title']}, {manner}", *cells])
    lines += [
        [f"perfect model, {manner}", *(_spread([figures[figure]]) for figure in names)]
        for manner, figures in found["ideal"][name].items()
    ]
    return f"**{title}**\n\n{_table(['replies', *(shown[figure] for figure in names)], lines)}"


def corpus_table(found: Mapping[str, Any]) -> str:
    """Returns the variety of the replies of people and models."""
    header = ["", "mean length in words", "distinct-2", "most frequent reply's share", "it is"]
    lines = [
        [
            row["name"],
            *(_interval(row["figures"][figure]) for figure in ("length", "distinct_2", "top_share")),
            row["top_reply"],
        ]
        for row in found["rows"]
    ]
    under = (
        f"{found['replies']} replies to the same contexts of {found['conversations']} conversations of "
        f"{found['split']}, a row; in brackets 95 % of draws of the conversations."
    )
    return f"{_table(header, lines)}\n\n{under}"


def _interval(figure: Mapping[str, float | None]) -> str:
    value, low, high = figure["value"], figure["low"], figure["high"]
    shown = "–" if value is None else f"{value:.3f}"
    return shown if low is None or high is None else f"{shown} [{low:.3f}, {high:.3f}]"


def _spread(values: Sequence[float | None]) -> str:
    """Returns the mean of some seeds, and from two seeds on their standard deviation."""
    known = [value for value in values if value is not None]
    if not known:
        return "–"
    shown = f"{statistics.mean(known):.3f}"
    return f"{shown} ± {statistics.stdev(known):.3f}" if len(known) > 1 else shown


def _mean(values: Sequence[float], form: str) -> str:
    return format(statistics.mean(values), form)


def _seeds(found: Mapping[str, Any]) -> str:
    return "one seed" if found["seeds"] == 1 else f"mean ± standard deviation of {found['seeds']} seeds"


def _table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Returns a table in Markdown with columns of one width each."""
    cells = [[cell.replace("|", "\\|") for cell in line] for line in (header, *lines)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    rows = ["| " + " | ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) + " |" for line in cells]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([rows[0], rule, *rows[1:]])
