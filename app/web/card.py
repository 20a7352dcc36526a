"""A model card as HTML: the little of Markdown that cards use. All else is shown as the letters that it is.

Nothing of a card's own HTML comes through: no element, no link, no picture. What is returned stands on one line.
"""

import re
from collections.abc import Iterator, Sequence

from app.web.drawing import escape

__all__ = ["card_html"]

_HEADING = re.compile(r"(#{1,6})\s+(.*)")
_ITEM = re.compile(r"[-*]\s+(.*)")
_RULE = re.compile(r"\|?[\s:|-]*-[\s:|-]*")
_INLINE = re.compile(r"`([^`]+)`|\*\*([^*]+)\*\*")


def card_html(markdown: str) -> str:
    """Returns headings, paragraphs, lists, tables and code of a card; its first heading is four levels down."""
    return "".join(_blocks(markdown.splitlines()))


def _blocks(lines: Sequence[str]) -> Iterator[str]:
    place = 0
    while place < len(lines):
        line = lines[place].strip()
        heading = _HEADING.fullmatch(line)
        if line.startswith("```"):
            end = _end(lines, place + 1, lambda each: not each.strip().startswith("```"))
            yield f"<pre>{escape(chr(10).join(lines[place + 1 : end]))}</pre>"
            place = end + 1
        elif heading:
            level = min(len(heading[1]) + 3, 6)
            yield f"<h{level}>{_inline(heading[2])}</h{level}>"
            place += 1
        elif line.startswith("|"):
            end = _end(lines, place, lambda each: each.strip().startswith("|"))
            yield _table(lines[place:end])
            place = end
        elif _ITEM.fullmatch(line):
            end = _end(lines, place, lambda each: bool(_ITEM.fullmatch(each.strip())))
            items = [_ITEM.fullmatch(each.strip()) for each in lines[place:end]]
            yield f"<ul>{''.join(f'<li>{_inline(item[1])}</li>' for item in items if item)}</ul>"
            place = end
        elif line:
            end = _end(lines, place, _is_text)
            end = max(end, place + 1)
            yield f"<p>{_inline(' '.join(each.strip() for each in lines[place:end]))}</p>"
            place = end
        else:
            place += 1


def _end(lines: Sequence[str], place: int, belongs: object) -> int:
    assert callable(belongs)
    while place < len(lines) and belongs(lines[place]):
        place += 1
    return place


def _is_text(line: str) -> bool:
    line = line.strip()
    return bool(line) and not (
        line.startswith(("|", "```")) or _HEADING.fullmatch(line) or _ITEM.fullmatch(line)
    )


def _table(lines: Sequence[str]) -> str:
    rows = [
        [cell.strip() for cell in line.strip().strip("|").split("|")]
        for line in lines
        if not _RULE.fullmatch(line.strip())
    ]
    if not rows:
        return ""
    head, *body = rows
    cells = "".join(f'<th scope="col">{_inline(cell)}</th>' for cell in head)
    drawn = "".join(f"<tr>{''.join(f'<td>{_inline(cell)}</td>' for cell in row)}</tr>" for row in body)
    return f'<div class="wide"><table><thead><tr>{cells}</tr></thead><tbody>{drawn}</tbody></table></div>'


def _inline(text: str) -> str:
    parts, place = [], 0
    for found in _INLINE.finditer(text):
        parts.append(escape(text[place : found.start()]))
        name, inside = ("code", found[1]) if found[1] is not None else ("strong", found[2])
        parts.append(f"<{name}>{escape(inside)}</{name}>")
        place = found.end()
    return "".join([*parts, escape(text[place:])])
