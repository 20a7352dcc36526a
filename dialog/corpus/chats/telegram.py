"""Telegram Desktop's JSON export: `result.json` of one chat, or of all of an account's.

A chat is `{"name", "type", "id", "messages": […]}`; an account has them in `chats.list` and `left_chats.list`. A text
is a string or a list of strings and `{"type", "text"}`. Older versions have numbers as `from_id` and no
`date_unixtime`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dialog.corpus.chats.message import Item, LeftOut, Message, Met, load_json
from dialog.corpus.chats.values import as_id, as_text, dicts, get_dict, get_list, iso_seconds, number
from dialog.corpus.records import Line, LogFile
from dialog.errors import LogFormatError

__all__ = ["Telegram"]

_MEDIA = ("photo", "file", "media_type", "location_information", "contact_information", "poll", "game_title")


@dataclass(frozen=True, slots=True)
class Telegram:
    """The format `telegram`."""

    details: tuple[str, ...] = ()
    name: str = "telegram"
    roles: bool = False

    def read(self, file: LogFile, lines: Iterator[Line]) -> Iterator[Item]:
        """Yields the messages of all chats, one chat after the other."""
        place = 0
        for stream, chat in enumerate(_chats(load_json(file), file.shown)):
            messages = chat.get("messages")
            if not isinstance(messages, list):
                yield LeftOut("chat without messages")
                continue
            if as_text(chat.get("type")).endswith("_channel"):
                yield Met("channel of Telegram: one who speaks to many")
            for value in messages:
                place += 1
                yield from _items(value, place, str(stream))

    def names(self, file: LogFile) -> Iterable[str]:
        """The names of chats, contacts and people who are mentioned."""
        value = load_json(file)
        people = [
            get_dict(value, "personal_information"),
            *dicts(get_list(get_dict(value, "contacts"), "list")),
        ]
        for person in people:
            yield " ".join(as_text(person.get(key)) for key in ("first_name", "last_name")).strip()
        for chat in _chats(value, file.shown):
            if chat.get("type") in ("personal_chat", "bot_chat"):
                yield as_text(chat.get("name"))
            for message in dicts(get_list(chat, "messages")):
                yield as_text(message.get("forwarded_from"))
                for part in dicts(_parts(message.get("text"))):
                    if part.get("type") in ("mention", "mention_name"):
                        yield as_text(part.get("text")).removeprefix("@")


def _chats(value: object, shown: str) -> list[dict[str, object]]:
    if isinstance(value, dict) and "messages" in value:
        return [value]
    found = [
        chat for key in ("chats", "left_chats") for chat in dicts(get_list(get_dict(value, key), "list"))
    ]
    if not found:
        raise LogFormatError(
            f"{shown} has neither 'messages' nor 'chats', as Telegram's export has: export it as JSON, not as HTML"
        )
    return found


def _items(value: object, place: int, stream: str) -> Iterator[Item]:
    if not isinstance(value, dict):
        yield LeftOut("damaged message")
        return
    if value.get("type") == "service":
        yield LeftOut("system line")
        return
    if value.get("type", "message") != "message":
        yield LeftOut("message of an unknown type")
        return
    speaker = as_text(value.get("from")) or as_id(value.get("from_id"))
    if speaker is None:
        speaker = "deleted account"
        yield Met("message of a deleted account")
    if as_text(value.get("forwarded_from")):
        yield Met("forwarded message")
    time = number(value.get("date_unixtime"))
    yield Message(
        place,
        iso_seconds(value.get("date")) if time is None else time,
        speaker,
        _text(value.get("text")),
        stream,
        as_id(value.get("id")),
        as_id(value.get("reply_to_message_id")),
        media=any(value.get(key) is not None for key in _MEDIA),
    )


def _parts(text: object) -> list[object]:
    return text if isinstance(text, list) else [text]


def _text(text: object) -> str:
    return "".join(as_text(part.get("text") if isinstance(part, dict) else part) for part in _parts(text))
