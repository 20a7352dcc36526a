"""Plain text: a turn a line, a blank line between conversations, optionally `Name: ` before each turn.

Without names two people speak in turn, A and B. With names a line without one goes on with the turn before it.
Whether a file has names is found out over its beginning (`uses_names`): only where they are used throughout,
so that a URL or a line such as `Note: …` among lines without names is text.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dialog.conversation import Conversation, Turn
from dialog.corpus.records import BadRecord, Line, LogFile, Parsed, RawRecord, decode_line, too_long

__all__ = ["PlainText", "uses_names"]

# A name is short, has no colon, and white space or the line's end follows its colon (so no URL and no time).
_NAMED = re.compile(r"\s*([^\s:](?:[^:]{0,38}[^\s:])?)\s*:(?:\s+|$)(.*)", re.DOTALL)
_MOST_WORDS = 4
_LEAST_SHARE = 0.8


@dataclass(frozen=True, slots=True)
class PlainText:
    """The format `plain`.

    Attributes:
        names: whether turns begin with `Name: `.
    """

    names: bool
    name: str = "plain"

    def records(self, file: LogFile, lines: Iterator[Line]) -> Iterator[RawRecord]:
        """Yields a record a block of lines; a block may not be longer than a line may."""
        block: list[bytes] = []
        start = size = 0
        error: str | None = None
        for line in lines:
            if line.content is not None and not line.content.strip():
                if size:
                    yield RawRecord(start, block, size, error)
                block, size, error = [], 0, None
                continue
            start = start if size else line.number
            content = line.content
            size += 1 if content is None else len(content)
            if content is None or size > file.max_line_bytes:
                block = []
                error = error or too_long(
                    file.max_line_bytes, "the line" if content is None else "the conversation"
                )
            elif error is None:
                block.append(content)
        if size:
            yield RawRecord(start, block, size, error)

    def parse(self, record: RawRecord, name: str) -> Parsed:
        """Makes a conversation of a block of lines."""
        assert isinstance(record.payload, list)
        lines = []
        for place, content in enumerate(record.payload):
            try:
                lines.append(decode_line(content))
            except BadRecord as error:
                raise BadRecord(str(error).replace("the line", f"line {record.line + place}")) from error
        return Parsed(Conversation(name, tuple(_named(lines) if self.names else _alternating(lines))))


def _alternating(lines: Sequence[str]) -> list[Turn]:
    return [Turn("AB"[place % 2], line) for place, line in enumerate(lines)]


def _named(lines: Sequence[str]) -> list[Turn]:
    turns: list[Turn] = []
    for line in lines:
        found = _split_name(line)
        if found is not None:
            turns.append(Turn(*found))
        elif turns:
            turns[-1] = Turn(turns[-1].speaker, f"{turns[-1].text} {line}")
        else:
            raise BadRecord("the conversation's first line has no 'Name: ', as the file's other lines have")
    return turns


def _split_name(line: str) -> tuple[str, str] | None:
    match = _NAMED.match(line)
    if match is None or len(match[1].split()) > _MOST_WORDS:
        return None
    return match[1], match[2]


def uses_names(lines: Sequence[str]) -> bool:
    """Whether four lines in five begin with `Name: `, a conversation's first line nearly always, and names recur.

    Args:
        lines: of the beginning of a file; blank ones between conversations.
    """
    firsts: list[bool] = []
    names: list[str] = []
    num_lines = 0
    before = ""
    for line in lines:
        if line.strip():
            num_lines += 1
            found = _split_name(line)
            if found is not None:
                names.append(found[0])
            if not before.strip():
                firsts.append(found is not None)
        before = line
    if not names or len(names) < _LEAST_SHARE * num_lines:
        return False
    recurring = len(set(names)) < len(names) or num_lines <= 2
    return recurring and sum(firsts) >= 0.95 * len(firsts)
