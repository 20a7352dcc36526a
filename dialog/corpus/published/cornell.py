"""Cornell Movie-Dialogs (Danescu-Niculescu-Mizil and Lee 2011): lines in one file, conversations in another.

    movie_lines.txt           L194 +++$+++ u0 +++$+++ m0 +++$+++ BIANCA +++$+++ text
    movie_conversations.txt   u0 +++$+++ u2 +++$+++ m0 +++$+++ ['L194', 'L195']

In Latin-1. A conversation may name lines that are not there: it is cut at the gap, so that no line seems to answer one
that was said before it.
"""

import re
from collections.abc import Iterator

from dialog.conversation import Conversation, Turn
from dialog.corpus.published.material import Found, Material, Tally, missing, text_lines

__all__ = ["read_cornell"]

_BETWEEN = re.compile(r" ?\+\+\+\$\+\+\+ ?")
_NAME = re.compile(r"L\d+")


def read_cornell(material: Material, tally: Tally) -> Iterator[Found]:
    """Yields the conversations; see `Reader`."""
    lines_file, conversations_file = material.one("movie_lines.txt"), material.one("movie_conversations.txt")
    if lines_file is None or conversations_file is None:
        raise missing("Cornell Movie-Dialogs", ["movie_lines.txt", "movie_conversations.txt"], material)
    lines: dict[str, Turn] = {}
    for number, line in text_lines(material, lines_file, tally, "latin-1"):
        fields = _BETWEEN.split(line, maxsplit=4)
        if len(fields) == 5:
            lines[fields[0].strip()] = Turn(fields[1].strip(), fields[4])
        elif line.strip():
            tally.found += 1
            tally.lose("a line without five fields", f"{material.shown(lines_file)}:{number}")
    named: set[str] = set()
    for number, line in text_lines(material, conversations_file, tally, "latin-1"):
        where = f"{material.shown(conversations_file)}:{number}"
        fields = _BETWEEN.split(line, maxsplit=3)
        names = _NAME.findall(fields[-1]) if len(fields) == 4 else []
        if not names:
            if line.strip():
                tally.note("conversations without lines", where)
            continue
        named.update(names)
        yield from _cut(names, lines, tally, where)
    for name in sorted(lines.keys() - named):
        tally.found += 1
        tally.lose("a line that no conversation names", name)


def _cut(names: list[str], lines: dict[str, Turn], tally: Tally, where: str) -> Iterator[Found]:
    """Yields the stretches of a conversation between lines that are missing, each named by its first line."""
    stretch: list[str] = []
    for name in [*names, ""]:
        if name in lines:
            stretch.append(name)
            continue
        if name:
            tally.note("lines that a conversation names and that are missing", f"{name} ({where})")
        if stretch:
            tally.found += len(stretch)
            yield Found(None, Conversation(stretch[0], tuple(lines[each] for each in stretch)))
        stretch = []
