"""ChatGPT's data export: `conversations.json`, a list of conversations (or `conversations-000.json` and so on).

A conversation is a tree, for a message can be edited and an answer made anew: `mapping` has a node an id, each with
its `parent`, and `current_node` is the end of the path that was shown last. That path is the conversation; what
stands on other branches is counted and left out. Speakers are roles, so the assistant's turns are trained on.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dialog.corpus.chats.message import Item, LeftOut, Message, load_json
from dialog.corpus.chats.values import as_text, get_dict, get_list, number
from dialog.corpus.records import Line, LogFile
from dialog.errors import LogFormatError

__all__ = ["ChatGpt"]

_SAID = ("text", "multimodal_text")
_CITATION = re.compile(r"\ue200[^\ue200\ue201]{0,500}\ue201|【[^【】]{0,80}†[^【】]{0,80}】")


@dataclass(frozen=True, slots=True)
class ChatGpt:
    """The format `chatgpt`."""

    details: tuple[str, ...] = ()
    name: str = "chatgpt"
    roles: bool = True

    def read(self, file: LogFile, lines: Iterator[Line]) -> Iterator[Item]:
        """Yields the messages of each conversation's path, from its first to its last."""
        value = load_json(file)
        conversations = value if isinstance(value, list) else [value]
        if not any(isinstance(each, dict) and "mapping" in each for each in conversations):
            raise LogFormatError(
                f"{file.shown} has no conversation with a 'mapping', as ChatGPT's conversations.json has"
            )
        place = 0
        for number_, conversation in enumerate(conversations, 1):
            mapping = get_dict(conversation, "mapping")
            if not mapping:
                yield LeftOut("conversation without messages")
                continue
            path = _path(mapping, conversation.get("current_node"))
            others = sum(1 for key, node in mapping.items() if key not in path and _has_message(node))
            if others:
                yield LeftOut("message on another branch", others)
            for key in reversed(path):
                node = mapping[key]
                if _has_message(node):
                    place += 1
                    yield _item(get_dict(node, "message"), place, str(number_))

    def names(self, file: LogFile) -> Iterable[str]:
        """The log names nobody."""
        return ()


def _has_message(node: object) -> bool:
    return isinstance(node, dict) and isinstance(node.get("message"), dict)


def _path(mapping: dict[str, object], end: object) -> dict[str, None]:
    """The ids from the end of the shown path back to the root; a circle is followed once."""
    path: dict[str, None] = {}
    key: object = end if isinstance(end, str) and end in mapping else _last(mapping)
    while isinstance(key, str) and key in mapping and key not in path:
        path[key] = None
        node = mapping[key]
        key = node.get("parent") if isinstance(node, dict) else None
    return path


def _last(mapping: dict[str, object]) -> str:
    """The newest node that nothing follows, where the export does not say which path was shown."""

    def age(key: str) -> tuple[bool, float]:
        node = mapping[key]
        return not get_list(node, "children"), number(get_dict(node, "message").get("create_time")) or 0.0

    return max(mapping, key=age)


def _item(message: dict[str, object], place: int, stream: str) -> Item:
    role = as_text(get_dict(message, "author").get("role"))
    content = get_dict(message, "content")
    metadata = get_dict(message, "metadata")
    if not role:
        return LeftOut("damaged message")
    if metadata.get("is_visually_hidden_from_conversation") is True or number(message.get("weight")) == 0:
        return LeftOut("hidden message")
    if message.get("recipient", "all") not in ("all", None) or role == "tool":
        return LeftOut("message to or from a tool")
    if content.get("content_type", "text") not in _SAID:
        return LeftOut("code, thoughts or other content that is no text")
    parts = get_list(content, "parts") or [content.get("text")]
    texts = [_part(part) for part in parts]
    text = _CITATION.sub("", "\n".join(each for each in texts if each))
    media = any(isinstance(part, dict) and not _part(part) for part in parts)
    return Message(place, number(message.get("create_time")), role, text, stream, thread=stream, media=media)


def _part(part: object) -> str:
    """The text of a part: as it is, or of what was spoken."""
    return as_text(part.get("text") if isinstance(part, dict) else part)
