"""WhatsApp's exported chat, a text file (`_chat.txt` in a ZIP file on iOS).

    12/31/20, 11:59 PM - Anna: Happy new year!          Android
    [31.12.20, 23:59:59] Anna: Happy new year!          iOS

Dates and clock are those of the device: the order of day, month and year is found out from the file itself. A line
without a date goes on with the message before it. What begins with U+200E after the name was written by iOS itself;
lines without a name by Android.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from dialog.corpus.chats.dates import DateOrder, find_order, hour_of, seconds_of, to_date
from dialog.corpus.chats.message import Item, LeftOut, Message, Met, decode_text
from dialog.corpus.records import Line, LogFile, RawRecord, too_long

__all__ = ["WhatsApp", "find_whatsapp", "is_header"]

_MARKS = "\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
_NO_MARKS = str.maketrans("", "", _MARKS)
_HALF = r"([AaPp]\.?\s?[Mm]\.?|午前|午後|上午|下午|오전|오후|[صم]|[πμ]\.?μ\.?|SA|CH|ÖÖ|ÖS|पूर्वाह्न|अपराह्न)"
_HEADER = re.compile(
    rf"[{_MARKS}]*(\[?)(\d{{1,4}})\s?[./年-]\s?(\d{{1,2}})\s?[./月-]\s?(\d{{1,4}})[.日]?,?\s{{1,3}}"
    rf"(?:{_HALF}\s?)?(\d{{1,2}})[:.](\d{{2}})(?:[:.](\d{{2}}))?(?:\s?{_HALF})?(?:(\])\s?|\s[-–]\s|,\s)(.*)",
    re.DOTALL,
)
_ATTACHED = re.compile(r"<[^<>:\n]{2,30}:\s[^<>\n]{1,255}\.\w{1,5}>")
_FILE = re.compile(r"[^\n]{1,255}?\.\w{1,5} \([^()\n]{4,40}\)(?:\n|$)")
_FILE_MARK = re.compile(
    r"(?:IMG|VID|AUD|PTT|STK|DOC)-\d{8}-WA\d+\."
    r"|\((?:file attached|Datei angehängt|archivo adjunto|fichier joint|arquivo anexado|file allegato|"
    r"bestand bijgevoegd|添付ファイル|ファイル添付|文件附件|파일 첨부됨)\)"
)
_OMITTED = re.compile(
    r"(?:<(?=[^\W\d_])[^<>\n]{0,60}(?:[ ]|[^\x00-\x7f])[^<>\n]{0,60}>|null"
    r"|[^\n]{0,200}(?:image|video|audio|sticker|GIF|document|contact card|video note) omitted)",
    re.IGNORECASE,
)
_OMITTED_BY_IOS = re.compile(
    r"omit|weggelass|weggelat|omis|oculta|omess|省略|생략|пропущ|dışlan", re.IGNORECASE
)
_DELETED = re.compile(
    r"(?:This message was deleted|You deleted this message|Diese Nachricht wurde gelöscht"
    r"|Du hast diese Nachricht gelöscht|Se eliminó este mensaje|Eliminaste este mensaje"
    r"|Ce message a été supprimé|Vous avez supprimé ce message|Mensagem apagada|Questo messaggio è stato eliminato"
    r"|このメッセージは削除されました|メッセージを削除しました|此消息已被删除)[^\n]{0,40}"
)
_EDITED = re.compile(r"\s*<[^<>\n]{0,40}(?:edited|bearbeitet|editad|modifi|編集|编辑)[^<>\n]{0,40}>\s*\Z")
_LONGEST_NAME = 100
_SAMPLE_LINES = 50_000


@dataclass(frozen=True, slots=True)
class WhatsApp:
    """The format `whatsapp`.

    Attributes:
        order: of the dates' numbers.
        details: what was found out.
    """

    order: str
    details: tuple[str, ...] = ()
    name: str = "whatsapp"
    roles: bool = False

    def names(self, file: LogFile) -> Iterator[str]:
        """Nobody but those who speak is named."""
        return iter(())

    def read(self, file: LogFile, lines: Iterator[Line]) -> Iterator[Item]:
        """Yields the messages; a system line, and text before the first message, is left out."""
        open_message: _Open | None = None
        is_begun = False
        for line in lines:
            if line.content is None:
                yield RawRecord(line.number, None, 0, too_long(file.max_line_bytes))
                continue
            text = decode_text(line.content)
            found = match_header(text)
            time = None if found is None else self._time(found)
            if found is not None and time is not None:
                if open_message is not None:
                    yield from open_message.items()
                open_message, is_begun = None, True
                said = _split_name(found[11], is_ios=found[1] == "[")
                if said is None:
                    yield LeftOut("system line")
                else:
                    open_message = _Open(line.number, time, said[0], [said[1]])
            elif open_message is not None:
                if open_message.size > file.max_line_bytes:
                    yield from open_message.items()
                    open_message = _Open(line.number, open_message.time, open_message.speaker, [])
                open_message.add(text)
            elif text.strip():
                yield LeftOut("system line" if is_begun else "line before the first message")
        if open_message is not None:
            yield from open_message.items()

    def _time(self, found: re.Match[str]) -> float | None:
        day = to_date(_numbers(found), self.order)
        hour = hour_of(int(found[6]), found[5] or found[9] or "")
        minute, second = int(found[7]), int(found[8] or 0)
        if day is None or hour is None or minute > 59 or second > 60:
            return None
        return seconds_of(day, hour, minute, second)


class _Open:
    """A message whose last line is not read yet."""

    def __init__(self, line: int, time: float, speaker: str, parts: list[str]) -> None:
        self.line, self.time, self.speaker = line, time, speaker
        self.size = sum(map(len, parts))
        self._parts = parts

    def add(self, text: str) -> None:
        self.size += len(text) + 1
        self._parts.append(text)

    def items(self) -> Iterator[Item]:
        raw = "\n".join(self._parts)
        is_marked = raw.startswith("\u200e")
        text = raw.strip() if raw.isascii() else raw.translate(_NO_MARKS).strip()
        edited = _EDITED.search(text, max(0, len(text) - 100)) if text.endswith(">") else None
        if edited is not None:
            text = text[: edited.start()]
            yield Met("edit mark of WhatsApp taken off")
        media = False
        if "<" in text and _ATTACHED.search(text):
            text, media = _ATTACHED.sub(" ", text).strip(), True
        elif _OMITTED.fullmatch(text) or (is_marked and len(text) < 200 and _OMITTED_BY_IOS.search(text)):
            text, media = "", True
        elif "(" in text and (file := _FILE.match(text)) and _FILE_MARK.search(file[0]):
            text, media = text[file.end() :], True
        elif _DELETED.fullmatch(text):
            yield LeftOut("deleted message")
            return
        elif is_marked:
            yield LeftOut("system line")
            return
        yield Message(self.line, self.time, self.speaker, text, media=media)


def match_header(line: str) -> re.Match[str] | None:
    """The beginning of a message, matched: its date, its time and what follows; None for a line that goes on."""
    found = _HEADER.match(line)
    if found is None and not (start := line[:40]).isascii():
        bare = start.translate(_NO_MARKS)
        if bare != start:  # marks between the numbers
            found = _HEADER.match(bare + line[40:])
    return found if found is None or (found[1] == "[") == (found[10] == "]") else None


def is_header(line: str) -> bool:
    """Whether a line begins a message."""
    return match_header(line) is not None


def _numbers(found: re.Match[str]) -> tuple[int, int, int]:
    return int(found[2]), int(found[3]), int(found[4])


def _split_name(said: str, is_ios: bool) -> tuple[str, str] | None:
    """Speaker and text; None for a line of the program."""
    name, colon, text = said.partition(": ")
    if not colon and said.endswith(":"):
        name, colon = said[:-1], ":"
    if not colon and is_ios and ":" in said and "://" not in said:
        name, colon, text = said.partition(":")
    name = name.translate(_NO_MARKS).strip().removeprefix("~").strip()
    if not colon or not name or len(name) > _LONGEST_NAME or "\n" in name:
        return None
    if name.count('"') % 2 or name.count("“") != name.count("”"):  # a group's subject with a colon in it
        return None
    return name, text


def find_whatsapp(file: LogFile, order: str | None) -> WhatsApp:
    """Finds out the layout of a file from its beginning.

    Args:
        file: the log.
        order: of the dates' numbers, one of `dates.ORDERS`, where it is known.
    """
    halves: set[str] = set()
    layouts: set[str] = set()
    num_headers = 0

    def dates() -> Iterator[tuple[int, int, int]]:
        nonlocal num_headers
        for line in islice(file.lines(), _SAMPLE_LINES):
            found = match_header(decode_text(line.content)) if line.content else None
            if found is not None:
                num_headers += 1
                layouts.add("iOS" if found[1] else "Android")
                halves.add("12-hour clock" if found[5] or found[9] else "24-hour clock")
                yield _numbers(found)

    found_order = find_order(list(dates()), "12-hour clock" in halves)
    if order is not None:
        found_order = DateOrder(order, True)
    if not num_headers:
        return WhatsApp(found_order.order, ("no message in WhatsApp's layout",))
    return WhatsApp(found_order.order, (*sorted(layouts), found_order.said, *sorted(halves)))
