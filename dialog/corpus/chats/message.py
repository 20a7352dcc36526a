"""What the readers of chat exports share: a message, and what a reader says beside messages.

A reader yields, in the order of its file, each message once, and for everything that is none a reason:

    Message     what somebody said, when, and what it answers
    LeftOut     something that is not kept: a system line, a deleted message; counted under its reason
    Met         a detail worth telling that leaves nothing out: an encoding, an edit mark
    RawRecord   a bad record: a line that is too long, a file inside an archive that cannot be read
"""

import json
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

import orjson

from dialog.corpus.records import Line, LogFile, RawRecord
from dialog.errors import LogFormatError

__all__ = ["ChatReader", "Item", "LeftOut", "Message", "Met", "decode_text", "load_json", "parse_json"]


class Message(NamedTuple):
    """What somebody said.

    Attributes:
        line: where it begins, from 1; in JSON, the message's number.
        time: seconds since 1970, in the log's own time zone where it names none; None where it has no time.
        speaker: who.
        text: what, without marks of the program.
        stream: the chat or channel, where a file has several; the messages of one stand together.
        id: what others name it by when they answer it.
        reply_to: the id of the message that it answers.
        thread: the thread that it belongs to.
        media: a picture, a recording or a file came with it.
    """

    line: int
    time: float | None
    speaker: str
    text: str
    stream: str = ""
    id: str | None = None
    reply_to: str | None = None
    thread: str | None = None
    media: bool = False


class LeftOut(NamedTuple):
    """Something of the log that becomes no turn.

    Attributes:
        reason: what it is, as the report says it.
        number: how many.
    """

    reason: str
    number: int = 1


class Met(NamedTuple):
    """Something that the reader met and took.

    Attributes:
        what: as the report says it.
        number: how often.
    """

    what: str
    number: int = 1


Item = Message | LeftOut | Met | RawRecord


class ChatReader(Protocol):
    """Reads one format; small and picklable, its layout already found out."""

    @property
    def name(self) -> str:
        """The word that `--format` takes."""

    @property
    def details(self) -> tuple[str, ...]:
        """What was found out about this file's layout, to be told."""

    @property
    def roles(self) -> bool:
        """Whether speakers are the roles of an assistant's log."""

    def read(self, file: LogFile, lines: Iterator[Line]) -> Iterator[Item]:
        """Yields what the file holds; readers of whole files leave `lines` alone.

        Raises:
            LogFormatError: the file is not in this format.
        """

    def names(self, file: LogFile) -> Iterable[str]:
        """Names of people that the log knows beside those who speak."""


def load_json(file: LogFile) -> object:
    """Returns the JSON value of a whole file; it is held in memory.

    Raises:
        LogFormatError: it is none, or is cut off.
    """
    return parse_json(file.content(), file.shown)


def parse_json(content: bytes, shown: str) -> object:
    """Returns a JSON value.

    Raises:
        LogFormatError: it is none.
    """
    try:
        value: object = orjson.loads(content)
    except orjson.JSONDecodeError as first:
        try:  # also what only Python's reader takes, such as NaN and lone surrogates
            value = json.loads(content.decode("utf-8-sig", "surrogateescape"))
        except (ValueError, RecursionError):
            raise LogFormatError(
                f"{shown} is no JSON that can be read ({first.msg} at character {first.pos + 1}): "
                "export it anew if it was cut off"
            ) from first
    return value


def decode_text(content: bytes) -> str:
    """Returns a line's text; bytes that are no UTF-8 become lone surrogates, which cleaning counts as repaired."""
    return content.decode("utf-8", "surrogateescape")
