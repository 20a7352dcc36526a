"""JSON Lines: a conversation a line.

Either `{"id": "…", "turns": [{"speaker": "…", "text": "…"}, …]}` or
`{"messages": [{"role": "user", "content": "…"}, …]}`; both lists take both kinds of items, an id is optional.
A content may be null (nothing was said) or a list of parts, of which those of type `text` are joined.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import orjson

from dialog.conversation import Conversation, Turn
from dialog.corpus.records import BadRecord, Line, LogFile, Parsed, RawRecord, decode_line, one_a_line

__all__ = ["JsonLines"]


@dataclass(frozen=True, slots=True)
class JsonLines:
    """The format `jsonl`; it has no options."""

    name: str = "jsonl"

    def records(self, file: LogFile, lines: Iterator[Line]) -> Iterator[RawRecord]:
        """Yields a record a line; blank lines are none."""
        return one_a_line(file, lines)

    def parse(self, record: RawRecord, name: str) -> Parsed:
        """Makes a conversation of a line."""
        assert isinstance(record.payload, bytes)
        try:
            value = orjson.loads(record.payload)
        except orjson.JSONDecodeError:  # also for what only Python's reader takes, such as a lone surrogate
            value = _read_slowly(record.payload)
        if isinstance(value, dict) and isinstance(value.get("id"), float):
            value = _read_slowly(record.payload)  # a whole number of more than 64 bits, perhaps
        return _conversation(value, name)


def _read_slowly(line: bytes) -> object:
    text = decode_line(line)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise BadRecord(f"no JSON: {error.msg} at character {error.pos + 1}") from error
    except (RecursionError, ValueError) as error:
        raise BadRecord("no JSON that can be read: nested too deeply or a number too long") from error


def _conversation(value: object, name: str) -> Parsed:
    if not isinstance(value, dict):
        raise BadRecord("expected a JSON object with 'turns' or 'messages'")
    key = "turns" if "turns" in value else "messages"
    items = value.get(key)
    if not isinstance(items, list):
        raise BadRecord("expected a list 'turns' or 'messages'")
    id_ = value.get("id", name)
    if isinstance(id_, bool) or not isinstance(id_, str | int):
        raise BadRecord("'id' is neither a text nor a whole number")
    turns = [_turn(item, f"{key}[{place}]") for place, item in enumerate(items)]
    return Parsed(
        Conversation(str(id_), tuple(turn for turn, _ in turns)),
        roles=bool(turns) and all(is_role for _, is_role in turns),
    )


def _turn(item: object, place: str) -> tuple[Turn, bool]:
    """The turn, and whether it is of the role/content kind."""
    if not isinstance(item, dict):
        raise BadRecord(f"{place} is no JSON object")
    is_role = "role" in item and "speaker" not in item
    speaker = item.get("role" if is_role else "speaker")
    if isinstance(speaker, bool) or not isinstance(speaker, str | int):
        raise BadRecord(f"{place} has no 'speaker' (or 'role') that is a text")
    if "text" in item:
        text = item["text"]
    elif "content" in item:
        text = _content(item["content"])
    else:
        raise BadRecord(f"{place} has no 'text' (or 'content')")
    if not isinstance(text, str):
        raise BadRecord(f"the text of {place} is no text")
    return Turn(str(speaker), text), is_role


def _content(content: object) -> object:
    if content is None:
        return ""
    if isinstance(content, list):
        texts = [
            part.get("text") for part in content if isinstance(part, dict) and part.get("type") == "text"
        ]
        return " ".join(text for text in texts if isinstance(text, str))
    return content
