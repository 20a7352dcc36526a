"""A report as blocks, and the same blocks as Markdown and as one HTML page that needs nothing beside it."""

import html
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Block", "Cell", "Folded", "Heading", "Picture", "Table", "Text", "to_html", "to_markdown"]


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading; level 1 is the title."""

    text: str
    level: int = 2


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph; `**bold**` and code between backticks are the only marks."""

    text: str


@dataclass(frozen=True, slots=True)
class Cell:
    """A figure with what stands small beside it.

    Attributes:
        text: the figure.
        small: its interval, or "".
        best: whether it is the best of its column.
    """

    text: str
    small: str = ""
    best: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table.

    Attributes:
        head: of each column; the first one names the rows.
        rows: the name of each, and its cells.
        faint: names of the rows that are no models.
    """

    head: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Cell]]]
    faint: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawing as SVG, and what it shows; Markdown has the sentence alone."""

    svg: str
    text: str


@dataclass(frozen=True, slots=True)
class Folded:
    """Blocks that a page shows when it is asked to."""

    title: str
    blocks: "Sequence[Block]"


Block = Heading | Text | Table | Picture | Folded


def to_markdown(blocks: Sequence[Block]) -> str:
    """Returns blocks as Markdown."""
    parts = []
    for block in blocks:
        match block:
            case Heading(text, level):
                parts.append(f"{'#' * level} {text}")
            case Text(text):
                parts.append(text)
            case Table():
                parts.append(_markdown_table(block))
            case Picture(_, text):
                parts.append(f"*{text} (drawn in report.html)*")
            case Folded(title, inner):
                parts.append(
                    f"<details>\n<summary>{html.escape(title)}</summary>\n\n{to_markdown(inner)}\n</details>"
                )
    return "\n\n".join(parts) + "\n"


def _markdown_table(table: Table) -> str:
    lines = [list(table.head), ["---", *("---:" for _ in table.head[1:])]]
    for name, cells in table.rows:
        label = f"*{name}*" if name in table.faint else name
        lines.append([label, *map(_markdown_cell, cells)])
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _markdown_cell(cell: Cell) -> str:
    text = f"**{cell.text}**" if cell.best else cell.text
    return f"{text} {cell.small}".rstrip()


_STYLE = """
:root { color-scheme: light dark; --line: #8884; --faint: #8889; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 92rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { margin-top: 2.2rem; border-bottom: 1px solid var(--line); }
p { max-width: 60rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .6rem 0; }
th, td { padding: .25rem .7rem; border-bottom: 1px solid var(--line); text-align: right; vertical-align: top; }
th:first-child, td:first-child { text-align: left; white-space: nowrap; }
thead th { border-bottom-width: 2px; }
td small { display: block; color: #777; white-space: nowrap; }
tr.faint td { font-style: italic; background: #8881; }
td.best { font-weight: 600; } td.best small { font-weight: 400; }
figure { margin: 1rem 0; background: #fff; color: #000; padding: .5rem; display: inline-block; }
figure svg { max-width: 100%; height: auto; } figcaption { color: #555; font-size: .9rem; max-width: 50rem; }
details { margin: .6rem 0; } summary { cursor: pointer; }
"""


def to_html(title: str, blocks: Sequence[Block]) -> str:
    """Returns blocks as one page; it asks for nothing from anywhere."""
    body = "\n".join(map(_html, blocks))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _html(block: Block) -> str:
    match block:
        case Heading(text, level):
            return f"<h{level}>{html.escape(text)}</h{level}>"
        case Text(text):
            return f"<p>{_marked(text)}</p>"
        case Table():
            return _html_table(block)
        case Picture(svg, text):
            return f"<figure>{svg}<figcaption>{html.escape(text)}</figcaption></figure>"
        case Folded(title, inner):
            return f"<details><summary>{html.escape(title)}</summary>{''.join(map(_html, inner))}</details>"


def _marked(text: str) -> str:
    parts = html.escape(text).split("**")
    bold = "".join(f"<strong>{part}</strong>" if place % 2 else part for place, part in enumerate(parts))
    parts = bold.split("`")
    return "".join(f"<code>{part}</code>" if place % 2 else part for place, part in enumerate(parts))


def _html_table(table: Table) -> str:
    head = "".join(f"<th>{html.escape(text)}</th>" for text in table.head)
    rows = []
    for name, cells in table.rows:
        mark = ' class="faint"' if name in table.faint else ""
        inner = "".join(map(_html_cell, cells))
        rows.append(f"<tr{mark}><td>{html.escape(name)}</td>{inner}</tr>")
    body = "\n".join(rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table></div>'


def _html_cell(cell: Cell) -> str:
    small = f"<small>{html.escape(cell.small)}</small>" if cell.small else ""
    mark = ' class="best"' if cell.best else ""
    return f"<td{mark}>{html.escape(cell.text)}{small}</td>"
