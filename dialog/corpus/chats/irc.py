"""Logs of IRC clients: irssi, WeeChat, ZNC, HexChat and XChat, mIRC, and what is close to them.

    12:01 <@ann> hello                          irssi
    2020-12-31 12:01:02	@ann	hello           WeeChat
    [12:01:02] <ann> hello                      ZNC, mIRC
    Dec 31 12:01:02 <ann>	hello           HexChat

A line `* ann waves` is said by ann: "waves". Joins, parts, modes, topics and notices are system lines. The day comes
from the line, from the lines in which clients tell it, or from the file's name; where the clock goes back, a day has
passed. Lines that are no UTF-8 are read as Windows-1252, as many clients wrote it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from dialog.corpus.chats.dates import hour_of, seconds_of
from dialog.corpus.chats.message import Item, LeftOut, Message, Met
from dialog.corpus.records import Line, LogFile, RawRecord, too_long

__all__ = ["Irc", "find_irc", "share_of_lines"]

_MONTHS = {
    name: number for number, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)
}
_STAMP = re.compile(
    r"\[?(?:(\d{4})[-/.](\d{2})[-/.](\d{2})[T ]{1,2}|([A-Z][a-z]{2}) ([ \d]\d) (?:(\d{4}) )?)?"
    r"(\d{1,2}):(\d{2})(?::(\d{2}))?(?:[.,]\d{1,6})?(?:Z|[+-]\d{2}:?\d{2})?(?: ?([AaPp][Mm]))?\]?(?=[\t <*=-])"
)
_SAID = re.compile(r" ?<[ ~&@%+!]{0,3}([^\s<>][^<>\t]{0,63})>[ \t]?(.*)", re.DOTALL)
_ACTION = re.compile(r" {0,2}\*[ \t]{1,2}([^\s*][^\s]{0,63})[ \t](.*)", re.DOTALL)
_EVENT = re.compile(
    r"(?:\([^()]{0,200}\) )?(?:has (?:joined|left|quit|been kicked|changed|set)\b|sets? (?:mode|topic|channel)|"
    r"is now known as |was kicked|changes topic|Disconnected|gives? |removes? |has set the topic|Topic for|You are)",
    re.IGNORECASE,
)
_SYSTEM = re.compile(r" {0,2}(?:-!-|\*\*\*|===|---|-->|<--|--|=!=|!|-[^\s-][^-]{0,100}-)(?:[ \t]|$)")
_TAB_SAID = re.compile(r"\t[ ~&@%+!]{0,3}([^\s\t<>*][^\s\t]{0,63})\t(.*)", re.DOTALL)
_TAB_ACTION = re.compile(r"\t ?\*\t([^\s]{1,64}) (.*)", re.DOTALL)
_TAB_SYSTEM = re.compile(r"\t ?(?:-->|<--|--|=!=|)\t")
_DAY_LINE = re.compile(
    r"(?:--- (?:Log opened|Log closed|Day changed)|\*{4} (?:BEGIN|ENDING) LOGGING AT|"
    r"Session (?:Start|Time|Close|Ident):?|\[?--- )\s?(.{0,80})"
)
_DAY_WORDS = re.compile(
    r"(?:[A-Z][a-z]{2} )?([A-Z][a-z]{2}) {1,2}(\d{1,2})(?: (\d{1,2}:\d{2}(?::\d{2})?))? (\d{4})|(\d{4})-(\d{2})-(\d{2})"
)
_DAY_OF_NAME = re.compile(r"(?<!\d)(\d{4})[-_.]?(\d{2})[-_.]?(\d{2})(?!\d)")
_CODES = re.compile("\x03(?:\\d{1,2}(?:,\\d{1,2})?)?|[\x02\x04\x0f\x11\x16\x1d\x1e\x1f]")
_A_DAY = 86_400.0
_BACK = 3_600.0  # seconds that a clock may go back at the end of summer time


@dataclass(frozen=True, slots=True)
class Irc:
    """The format `irc`.

    Attributes:
        details: what was found out.
    """

    details: tuple[str, ...] = ()
    name: str = "irc"
    roles: bool = False

    def names(self, file: LogFile) -> Iterator[str]:
        """Nobody but those who speak is named."""
        return iter(())

    def read(self, file: LogFile, lines: Iterator[Line]) -> Iterator[Item]:
        """Yields the messages; what is in no layout is counted."""
        clock = _Clock(_day_of_name(file.name))
        for line in lines:
            if line.content is None:
                yield RawRecord(line.number, None, 0, too_long(file.max_line_bytes))
                continue
            if not line.content.strip():
                continue
            try:
                text = line.content.decode()
            except UnicodeDecodeError:
                text = line.content.decode("cp1252", "replace")
                yield Met("line of IRC that is no UTF-8: read as Windows-1252")
            yield _item(line.number, _CODES.sub("", text), clock)


class _Clock:
    """The time of the last line, over the days."""

    def __init__(self, day: date | None) -> None:
        self._day = day or date(1970, 1, 1)
        self._last: float | None = None

    def set_day(self, day: date) -> None:
        self._day, self._last = day, None

    def time(self, stamp: re.Match[str]) -> float | None:
        """Seconds of a line's stamp; None where there is no such time."""
        hour = hour_of(int(stamp[7]), stamp[10] or "")
        minute, second = int(stamp[8]), int(stamp[9] or 0)
        if hour is None or minute > 59 or second > 60:
            return None
        day = _day(stamp[1] or stamp[6] or self._day.year, stamp[2] or _month(stamp[4]), stamp[3] or stamp[5])
        if day is not None:
            self._day = day
        seconds = seconds_of(self._day, hour, minute, second)
        if day is None and self._last is not None and seconds < self._last - _BACK:
            self._day = self._day + timedelta(days=1) if self._day < date.max else self._day
            seconds += _A_DAY
        self._last = seconds
        return seconds


def _item(number: int, text: str, clock: _Clock) -> Item:
    changed = _DAY_LINE.match(text)
    if changed is not None:
        day = _day_of_words(changed[1])
        if day is not None:
            clock.set_day(day)
        return LeftOut("system line")
    stamp = _STAMP.match(text)
    time = None if stamp is None else clock.time(stamp)
    rest = text if stamp is None else text[stamp.end() :]
    if stamp is not None and rest.startswith("\t"):
        said, action = _TAB_SAID.match(rest), _TAB_ACTION.match(rest)
        if _TAB_SYSTEM.match(rest):
            return LeftOut("system line")
        if action is not None:
            return Message(number, time, action[1], action[2])
        if said is not None and not _is_sign(said[1]):
            return Message(number, time, said[1], said[2])
        rest = rest.lstrip("\t")
    rest = rest.lstrip(" ") if stamp is not None else rest
    said = _SAID.match(rest)
    if said is not None:
        return Message(number, time, said[1].strip(), said[2])
    action = _ACTION.match(rest)
    if action is not None and stamp is not None:
        if _EVENT.match(action[2]) or action[1] in ("Now", "Topic", "Disconnected", "Users"):
            return LeftOut("system line")
        return Message(number, time, action[1], action[2])
    return LeftOut("system line" if _SYSTEM.match(rest) else "line in no known layout")


def _is_sign(nick: str) -> bool:
    """Whether this stands where WeeChat has a nick, and is none."""
    return not any(letter.isalnum() for letter in nick) and set(nick) <= set("-<>=!*")


def _day(year: object, month: object, day: object) -> date | None:
    if not month or not day:
        return None
    try:
        return date(int(str(year)), int(str(month)), int(str(day)))
    except ValueError:
        return None


def _month(word: str | None) -> int | None:
    return _MONTHS.get((word or "").lower())


def _day_of_words(words: str) -> date | None:
    found = _DAY_WORDS.search(words)
    if found is None:
        return None
    if found[5]:
        return _day(found[5], found[6], found[7])
    return _day(found[4], _month(found[1]), found[2])


def _day_of_name(name: str) -> date | None:
    found = _DAY_OF_NAME.search(name)
    day = None if found is None else _day(found[1], found[2], found[3])
    return day if day is not None and 1985 < day.year <= datetime.max.year else None


def share_of_lines(lines: list[str]) -> float:
    """The share of lines that are in a layout of IRC; 0 where nobody speaks with a stamp."""
    clock = _Clock(None)
    known = spoken = total = 0
    for line in lines:
        if not line.strip():
            continue
        total += 1
        item = _item(0, _CODES.sub("", line), clock)
        spoken += isinstance(item, Message) and (item.time is not None or line.startswith("<"))
        known += isinstance(item, Message) or item == LeftOut("system line")
    return known / total if spoken else 0.0


def find_irc(file: LogFile) -> Irc:
    """The format of a file; its layout is found out line by line."""
    day = _day_of_name(file.name)
    return Irc(() if day is None else (f"day of the file's name: {day.isoformat()}",))
