"""One stream of messages is cut into conversations: by silence, and by thread or reply where the log has them.

    thread            the messages of a thread are one conversation, whatever came between
    reply             an answer goes to the conversation of the message that it answers, however old that is
    everything else   goes on with the stream's conversation, or begins a new one after `silence` seconds without a
                      message

Where an old message is answered while others talk, only the answer goes back; where nobody talked, the stream goes
on there. Streams without ids hold one conversation at a time, so memory stays small however large the log is.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from dialog.conversation import Conversation, Turn
from dialog.corpus.chats.message import ChatReader, Item, LeftOut, Message, Met
from dialog.corpus.records import Line, LogFile, Parsed, RawRecord

__all__ = ["MEDIA", "ChatLog", "cut"]

MEDIA = "<media>"
"""What stands for a picture, a recording or a file where `--mask` asks for it."""

_LEFT_OUT, _MET = "messages_left_out/", "met/"


class Piece(NamedTuple):
    """The payload of a record: a conversation, and what was counted since the one before.

    Attributes:
        turns: speaker, text and whether media came with it.
        counts: by the names that the report reads.
    """

    turns: list[tuple[str, str, bool]]
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class ChatLog:
    """A log format made of a reader of messages.

    Attributes:
        reader: of the format.
        silence: seconds without a message that end a conversation.
        keeps_media: whether a message that is a picture or a file stays, as MEDIA.
    """

    reader: ChatReader
    silence: float
    keeps_media: bool = False

    @property
    def name(self) -> str:
        """The word that `--format` takes."""
        return self.reader.name

    @property
    def details(self) -> tuple[str, ...]:
        """What was found out about the file's layout."""
        return self.reader.details

    def records(self, file: LogFile, lines: Iterator[Line]) -> Iterator[RawRecord]:
        """Yields a record a conversation; the last may hold counts alone."""
        return cut(self.reader.read(file, lines), self.silence, file.max_line_bytes)

    def parse(self, record: RawRecord, name: str) -> Parsed:
        """Makes a conversation of its messages."""
        assert isinstance(record.payload, Piece)
        turns, counts = record.payload
        counts = dict(counts)
        said: list[Turn] = []
        for speaker, text, media in turns:
            if media and self.keeps_media:
                said.append(Turn(speaker, f"{text} {MEDIA}" if text.strip() else MEDIA))
            elif media and not text.strip():
                reason = f"{_LEFT_OUT}media without text"
                counts[reason] = counts.get(reason, 0) + 1
            else:
                said.append(Turn(speaker, text))
        left_out = sum(number for key, number in counts.items() if key.startswith(_LEFT_OUT))
        counts["messages_read"] = len(said) + left_out
        counts["messages_as_turns"] = len(said)
        return Parsed(Conversation(name, tuple(said)), self.reader.roles, counts)

    def names(self, file: LogFile) -> set[str]:
        """Names of all who speak in the file, and of others that it knows; reads it once."""
        speakers = {
            item.speaker for item in self.reader.read(file, file.lines()) if isinstance(item, Message)
        }
        return set() if self.reader.roles else speakers | set(self.reader.names(file))


@dataclass(slots=True)
class _Open:
    """A conversation that messages may still be added to."""

    line: int
    turns: list[tuple[str, str, bool]] = field(default_factory=list)
    size: int = 0

    def add(self, message: Message) -> None:
        self.turns.append((message.speaker, message.text, message.media))
        self.size += len(message.text) + len(message.speaker)


class _Stream:
    """The conversations of one chat or channel."""

    def __init__(self, name: str, silence: float, most_bytes: int) -> None:
        self.name = name
        self._silence = silence
        self._most_bytes = most_bytes
        self._all: list[_Open] = []
        self._current: _Open | None = None
        self._last: float | None = None  # when the current conversation was last added to
        self._of_id: dict[str, _Open] = {}
        self._of_thread: dict[str, _Open] = {}

    def add(self, message: Message) -> Iterator[_Open]:
        """Adds a message; yields conversations that have ended."""
        is_new = message.thread is None and self._is_after_silence(message)
        target = self._target(message, is_new)
        if target is None or target.size > self._most_bytes:
            if message.id is None and message.thread is None:
                yield from self.end()
            target = _Open(message.line)
            self._all.append(target)
            if message.thread is None:
                self._current = target
        elif is_new:
            self._current = target
        target.add(message)
        if message.id is not None:
            self._of_id[message.id] = target
        if message.thread is not None:
            self._of_thread[message.thread] = target
        elif target is self._current and message.time is not None:
            self._last = message.time

    def end(self) -> Iterator[_Open]:
        """Yields all conversations, in the order of their first messages."""
        yield from self._all
        self._all, self._current = [], None
        self._of_id, self._of_thread = {}, {}

    def _is_after_silence(self, message: Message) -> bool:
        if message.time is None or self._last is None:
            return False
        return abs(message.time - self._last) > self._silence

    def _target(self, message: Message, is_new: bool) -> _Open | None:
        if message.thread is not None and message.thread in self._of_thread:
            return self._of_thread[message.thread]
        if message.reply_to is not None and message.reply_to in self._of_id:
            return self._of_id[message.reply_to]
        return None if is_new or message.thread is not None else self._current


def cut(items: Iterable[Item], silence: float, most_bytes: int) -> Iterator[RawRecord]:
    """Cuts messages into conversations.

    Args:
        items: what a reader yields.
        silence: seconds without a message that end a conversation.
        most_bytes: about the size at which a conversation goes on as a new one.

    Yields:
        A record a conversation with a `Piece`; bad records as they come; at the end, where something is still to
        be counted, a record without turns.
    """
    counts: Counter[str] = Counter()
    stream = _Stream("", silence, most_bytes)
    for item in items:
        if isinstance(item, LeftOut):
            counts[_LEFT_OUT + item.reason] += item.number
        elif isinstance(item, Met):
            counts[_MET + item.what] += item.number
        elif isinstance(item, RawRecord):
            yield item
        else:
            if item.stream != stream.name:
                yield from _records(stream.end(), counts)
                stream = _Stream(item.stream, silence, most_bytes)
            yield from _records(stream.add(item), counts)
    yield from _records(stream.end(), counts)
    if counts:
        yield RawRecord(0, Piece([], dict(counts)), 0)


def _records(ended: Iterable[_Open], counts: Counter[str]) -> Iterator[RawRecord]:
    for each in ended:
        yield RawRecord(each.line, Piece(each.turns, dict(counts)), each.size)
        counts.clear()
