"""LINE's exported talk, a text file in Japanese or English.

    [LINE] 花子とのトーク履歴                 [LINE] Chat history with Hanako
    保存日時：2020/12/31 23:59                Saved on: 12/31/2020, 23:59

    2020/12/31(木)                            Thu, 12/31/2020
    23:58	太郎	こんばんは                11:58 PM	Taro	Good evening
    23:59	花子	"二行の
    文"

A day has a line of its own; time, name and text are parted by tabs, a text of several lines stands in quotes with
those inside doubled. LINE for computers parts them by spaces, so that there a name ends at its first space unless it is
the one in the title.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import islice

from dialog.corpus.chats.dates import DateOrder, find_order, hour_of, seconds_of, to_date
from dialog.corpus.chats.message import Item, LeftOut, Message, decode_text
from dialog.corpus.records import Line, LogFile, RawRecord, too_long

__all__ = ["LineTalk", "find_line", "is_day", "is_title"]

_DAY = re.compile(
    r"(?:[^\W\d]{2,9}\.?, ?)?(\d{1,4})[./年-] ?(\d{1,2})[./月-] ?(\d{1,4})(?:日|\.)?"
    r"(?: ?\([^()\d]{1,9}\)| [^\W\d]{1,9})?\s*"
)
_TIME = re.compile(
    r"(?:(午前|午後|[AP]M) ?)?(\d{1,2}):(\d{2})(?: ?([AaPp]\.?[Mm]\.?))?([\t ])(.*)", re.DOTALL
)
_TITLE = re.compile(
    r"\ufeff?\[LINE\] ?(?:Chat history (?:with|in) (.*)|(.*?)(?:との|の)トーク履歴.*|.*)", re.DOTALL
)
_SAVED = re.compile(r"(?:Saved on|保存日時)\s?[:：]")
_MEDIA = re.compile(
    r"\[(?:スタンプ|写真|動画|ファイル|ボイスメッセージ|アルバム|ノート|位置情報|連絡先|プレゼント|画像"
    r"|Stickers?|Photos?|Videos?|Files?|Voice message|Albums?|Notes?|Location|Contacts?|Gift)\]"
)
_UNSENT = re.compile(r"メッセージの送信を取り消しました|unsent a message")
_CALL = re.compile(r"☎")
_SAMPLE_LINES = 50_000


@dataclass(frozen=True, slots=True)
class LineTalk:
    """The format `line`.

    Attributes:
        order: of the dates' numbers.
        partner: the name in the title, where names are not parted by tabs.
        details: what was found out.
    """

    order: str
    partner: str = ""
    details: tuple[str, ...] = ()
    name: str = "line"
    roles: bool = False

    def names(self, file: LogFile) -> Iterator[str]:
        """The name in the title."""
        if self.partner:
            yield self.partner

    def read(self, file: LogFile, lines: Iterator[Line]) -> Iterator[Item]:
        """Yields the messages of all days."""
        talk = _Talk(self.order, self.partner)
        for line in lines:
            if line.content is None:
                yield RawRecord(line.number, None, 0, too_long(file.max_line_bytes))
            else:
                yield from talk.add(line.number, decode_text(line.content), file.max_line_bytes)
        yield from talk.end()


class _Talk:
    """Where the reader stands: the day, and the message whose last line is not read yet."""

    def __init__(self, order: str, partner: str) -> None:
        self._order, self._partner = order, partner
        self._day: date | None = None
        self._line, self._time, self._speaker = 0, 0.0, ""
        self._parts: list[str] = []
        self._size = self._num_quotes = 0
        self._is_begun = self._is_open = False

    def add(self, number: int, text: str, most_bytes: int) -> Iterator[Item]:
        """Takes a line; yields what has ended."""
        day = self._find_day(text)
        if day is not None:
            yield from self.end()
            self._day, self._is_begun = day, True
            return
        found = _TIME.match(text)
        hour = None if found is None else hour_of(int(found[2]), found[1] or found[4] or "")
        if found is not None and hour is not None and int(found[3]) < 60 and self._day is not None:
            yield from self.end()
            time = seconds_of(self._day, hour, int(found[3]))
            yield from self._begin(number, time, found[6], has_tabs=found[5] == "\t")
        elif self._is_open:
            if self._is_blank_end(text):
                return
            if self._size > most_bytes:
                speaker, time = self._speaker, self._time
                yield from self.end()
                self._open(number, time, speaker, "")
            self._parts.append(text)
            self._size += len(text) + 1
            self._num_quotes += text.count('"')
        elif text.strip() and not is_title(text) and not _SAVED.match(text):
            yield LeftOut("system line" if self._is_begun else "line before the first message")

    def end(self) -> Iterator[Item]:
        """Yields the open message."""
        if not self._is_open:
            return
        self._is_open = False
        text = "\n".join(self._parts)
        if len(self._parts) > 1 and text.startswith('"') and text.rstrip().endswith('"'):
            text = text.rstrip()[1:-1].replace('""', '"')
        text = text.strip()
        if _MEDIA.fullmatch(text):
            yield Message(self._line, self._time, self._speaker, "", media=True)
        elif _UNSENT.search(text, 0, 100) and len(text) < 100:
            yield LeftOut("deleted message")
        elif _CALL.match(text):
            yield LeftOut("call")
        else:
            yield Message(self._line, self._time, self._speaker, text)

    def _find_day(self, text: str) -> date | None:
        found = _DAY.fullmatch(text)
        return None if found is None else to_date((int(found[1]), int(found[2]), int(found[3])), self._order)

    def _begin(self, number: int, time: float, rest: str, has_tabs: bool) -> Iterator[Item]:
        speaker, _, text = rest.partition("\t" if has_tabs else " ")
        if not has_tabs and self._partner and rest.startswith(f"{self._partner} "):
            speaker, text = self._partner, rest[len(self._partner) + 1 :]
        if not speaker.strip() or (not text and "\t" not in rest):
            yield LeftOut("deleted message" if _UNSENT.search(rest) else "system line")
        else:
            self._open(number, time, speaker.strip(), text)

    def _open(self, number: int, time: float, speaker: str, text: str) -> None:
        self._line, self._time, self._speaker = number, time, speaker
        self._parts = [text] if text else []
        self._size, self._num_quotes = len(text), text.count('"')
        self._is_open = True

    def _is_blank_end(self, text: str) -> bool:
        """A blank line ends a day, unless a quote is open."""
        return not text.strip() and not (
            self._parts and self._parts[0].startswith('"') and self._num_quotes % 2
        )


def is_title(line: str) -> bool:
    """Whether a line is the title of LINE's export."""
    return line.removeprefix("\ufeff").startswith("[LINE]")


def is_day(line: str) -> bool:
    """Whether a line is that of a day."""
    return _DAY.fullmatch(line) is not None


def find_line(file: LogFile, order: str | None) -> LineTalk:
    """Finds out the layout of a file from its beginning.

    Args:
        file: the log.
        order: of the dates' numbers, one of `dates.ORDERS`, where it is known.
    """
    dates: list[tuple[int, int, int]] = []
    separators: set[str] = set()
    clocks: set[str] = set()
    partner = ""
    for line in islice(file.lines(), _SAMPLE_LINES):
        text = decode_text(line.content or b"")
        if line.number == 1 and (title := _TITLE.fullmatch(text)):
            partner = (title[1] or title[2] or "").strip()
        if found := _DAY.fullmatch(text):
            dates.append((int(found[1]), int(found[2]), int(found[3])))
        elif dates and (found := _TIME.match(text)):
            separators.add("tabs" if found[5] == "\t" else "spaces")
            clocks.add("12-hour clock" if found[1] or found[4] else "24-hour clock")
    found_order = find_order(dates, "12-hour clock" in clocks) if order is None else DateOrder(order, True)
    has_spaces = "spaces" in separators and "tabs" not in separators
    details = [found_order.said, *sorted(clocks)] if dates else ["no day in LINE's layout"]
    if has_spaces:
        details.append("names parted by spaces: a name ends at its first space")
    return LineTalk(found_order.order, partner, tuple(details))
