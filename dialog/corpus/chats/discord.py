"""A channel of Discord as DiscordChatExporter writes it in JSON.

`{"guild", "channel", "messages": [{"id", "type", "timestamp", "content", "author", "reference", …}]}`. A reply
names the message that it answers in `reference.messageId`. Types are names, in other tools
numbers.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dialog.corpus.chats.message import Item, LeftOut, Message, Met, load_json
from dialog.corpus.chats.values import as_id, as_text, dicts, get_dict, get_list, iso_seconds
from dialog.corpus.records import Line, LogFile
from dialog.errors import LogFormatError

__all__ = ["Discord"]

_SAID = {
    "Default",
    "Reply",
    "ChatInputCommand",
    "ContextMenuCommand",
    "ThreadStarterMessage",
    "0",
    "19",
    "20",
    "23",
}
_MEDIA = ("attachments", "stickers")
_MENTION = re.compile(r"<@!?(\d{1,20})>")
_EMOJI = re.compile(r"<a?(:\w{1,64}:)\d{1,20}>")


@dataclass(frozen=True, slots=True)
class Discord:
    """The format `discord`."""

    details: tuple[str, ...] = ()
    name: str = "discord"
    roles: bool = False

    def read(self, file: LogFile, lines: Iterator[Line]) -> Iterator[Item]:
        """Yields the channel's messages."""
        for place, value in enumerate(_messages(file), 1):
            if not isinstance(value, dict):
                yield LeftOut("damaged message")
                continue
            if str(value.get("type", "Default")) not in _SAID:
                yield LeftOut("system line")
                continue
            author = get_dict(value, "author")
            speaker = _name(author) or as_id(author.get("id"))
            if speaker is None:
                yield LeftOut("damaged message")
                continue
            if author.get("isBot") is True:
                yield Met("message of a bot")
            people = {as_id(each.get("id")): _name(each) for each in dicts(get_list(value, "mentions"))}
            text = _text(as_text(value.get("content")), people)
            # An embed beside a text is the preview of a link in it.
            shows = any(get_list(value, key) for key in _MEDIA) or (
                not text and bool(get_list(value, "embeds"))
            )
            yield Message(
                place,
                iso_seconds(value.get("timestamp")),
                speaker,
                text,
                id=as_id(value.get("id")),
                reply_to=as_id(get_dict(value, "reference").get("messageId")),
                media=shows,
            )

    def names(self, file: LogFile) -> Iterable[str]:
        """Both names of those who speak or are mentioned."""
        for message in dicts(_messages(file)):
            for person in (get_dict(message, "author"), *dicts(get_list(message, "mentions"))):
                yield as_text(person.get("name"))
                yield as_text(person.get("nickname"))


def _messages(file: LogFile) -> list[object]:
    value = load_json(file)
    messages = value.get("messages") if isinstance(value, dict) else None
    if not isinstance(messages, list):
        raise LogFormatError(
            f"{file.shown} has no list 'messages', as a channel exported by DiscordChatExporter has: "
            "export it as JSON"
        )
    return messages


def _name(person: dict[str, object]) -> str:
    return as_text(person.get("nickname")) or as_text(person.get("name"))


def _text(content: str, people: dict[str | None, str]) -> str:
    """The content with mentions and emoji as they are shown; DiscordChatExporter mostly did that already."""
    if "<" not in content:
        return content
    named = _MENTION.sub(lambda found: f"@{people.get(found[1]) or found[1]}", content)
    return _EMOJI.sub(r"\1", named)
