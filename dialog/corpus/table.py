"""CSV and TSV: a turn a row, with the columns conversation, speaker, text and optionally time.

The first row names the columns; usual names are found, others are given. A conversation's rows stand together;
with a time column they are sorted by it within the conversation. Rows of a conversation that comes back after
another began are a bad record: sorting them in silently would need all of the file in memory, leaving them out
silently would be worse. Quotes are as spreadsheets write them, in TSV too.
"""

import csv
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite

from dialog.conversation import Conversation, Turn
from dialog.corpus.records import BadRecord, Line, LogFile, Parsed, RawRecord, too_long
from dialog.errors import LogFormatError

__all__ = ["Columns", "Table", "find_delimiter"]

_USUAL = {
    "conversation": (
        "conversation",
        "conversation_id",
        "dialogue",
        "dialogue_id",
        "dialog",
        "dialog_id",
        "session",
        "session_id",
        "thread",
        "thread_id",
        "chat_id",
    ),
    "speaker": ("speaker", "author", "user", "name", "from", "sender", "role"),
    "text": ("text", "message", "content", "utterance", "body"),
    "time": ("time", "timestamp", "date", "datetime", "created_at"),
}
_DELIMITERS = ("\t", ",", ";")


def find_delimiter(first_line: str) -> str | None:
    """Returns what most often parts the header: tab, comma or semicolon; None where there is none."""
    best = max(_DELIMITERS, key=first_line.count)
    return best if best in first_line else None


@dataclass(frozen=True, slots=True)
class Columns:
    """The names of the columns; None where the usual names are looked for."""

    conversation: str | None = None
    speaker: str | None = None
    text: str | None = None
    time: str | None = None

    def fits(self, header_line: str, delimiter: str) -> bool:
        """Whether a line is a header with all columns that are needed."""
        try:
            header = next(csv.reader([header_line], delimiter=delimiter))
        except (csv.Error, StopIteration):
            return False
        return None not in list(self.places(header).values())[:3]

    def places(self, header: Sequence[str]) -> dict[str, int | None]:
        """Returns the place of each column in the header, None where it is not there."""
        plain = [name.strip().casefold() for name in header]
        places: dict[str, int | None] = {}
        for column, usual in _USUAL.items():
            named: str | None = getattr(self, column)
            wanted = (named.strip().casefold(),) if named is not None else usual
            places[column] = next((plain.index(name) for name in wanted if name in plain), None)
        return places


@dataclass(frozen=True, slots=True)
class Table:
    """The formats `csv` and `tsv`.

    Attributes:
        name: `csv` or `tsv`.
        delimiter: what parts the fields.
        columns: their names.
    """

    name: str
    delimiter: str
    columns: Columns

    def records(self, file: LogFile, lines: Iterator[Line]) -> Iterator[RawRecord]:
        """Yields a record a conversation, and one for each row that cannot be read.

        Raises:
            LogFormatError: the header lacks a column.
        """
        rows = _rows(lines, self.delimiter, file.max_line_bytes)
        header = next(rows, None)
        if header is None or isinstance(header, RawRecord):
            raise LogFormatError(f"{file.shown}: the first row, which names the columns, cannot be read")
        layout = self._layout(file, header.fields)
        closed: set[bytes] = set()  # a digest for each conversation that ended
        group = _Group("", 0)
        for row in rows:
            if isinstance(row, RawRecord):
                yield row
            elif len(row.fields) != layout.num_columns:
                reason = f"the row has {len(row.fields)} fields, but the header {layout.num_columns}"
                yield RawRecord(row.line, None, 0, reason)
            else:
                conversation = row.fields[layout.conversation]
                if group.rows and conversation != group.conversation:
                    yield group.record(layout, closed, file.max_line_bytes)
                    group = _Group(conversation, row.line)
                elif not group.rows:
                    group = _Group(conversation, row.line)
                group.add(row, layout, file.max_line_bytes)
        if group.rows:
            yield group.record(layout, closed, file.max_line_bytes)

    def _layout(self, file: LogFile, header: Sequence[str]) -> "_Layout":
        places = self.columns.places(header)
        for column in ("conversation", "speaker", "text", "time"):
            wanted = getattr(self.columns, column)
            if places[column] is None and (wanted is not None or column != "time"):
                raise LogFormatError(
                    f"{file.shown} has no column {wanted or column!r}, only {', '.join(map(repr, header))}: "
                    f"name it with --column-{column}"
                )
        conversation, speaker, text, time = (
            places[name] for name in ("conversation", "speaker", "text", "time")
        )
        assert conversation is not None and speaker is not None and text is not None
        roles = header[speaker].strip().casefold() == "role"
        return _Layout(len(header), conversation, speaker, text, time, roles)

    def parse(self, record: RawRecord, name: str) -> Parsed:
        """Makes a conversation of its rows."""
        assert isinstance(record.payload, _Group)
        rows, roles = record.payload.rows, record.payload.roles
        if any(row.time is not None for row in rows):
            rows = sorted(rows, key=_time)
        return Parsed(
            Conversation(
                record.payload.conversation or name, tuple(Turn(row.speaker, row.text) for row in rows)
            ),
            roles,
        )


@dataclass(frozen=True, slots=True)
class _Layout:
    """How many columns there are, where those that are read stand, and whether speakers are roles."""

    num_columns: int
    conversation: int
    speaker: int
    text: int
    time: int | None
    roles: bool


@dataclass(frozen=True, slots=True)
class _Fields:
    line: int
    fields: list[str]


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    speaker: str
    text: str
    time: str | None


class _Group:
    """The rows of one conversation."""

    def __init__(self, conversation: str, line: int) -> None:
        self.conversation = conversation
        self.line = line
        self.rows: list[_Row] = []
        self.roles = False
        self._size = 0
        self._too_long = False

    def add(self, row: _Fields, layout: _Layout, max_bytes: int) -> None:
        """Adds a row; once the conversation is too long, only the first stays."""
        self._size += sum(map(len, row.fields))
        self._too_long = self._too_long or self._size > max_bytes
        if not self._too_long or not self.rows:
            time = row.fields[layout.time] if layout.time is not None else None
            self.rows.append(_Row(row.line, row.fields[layout.speaker], row.fields[layout.text], time))

    def record(self, layout: _Layout, closed: set[bytes], max_bytes: int) -> RawRecord:
        """The record of the whole conversation."""
        self.roles = layout.roles
        digest = hashlib.blake2b(self.conversation.encode("utf-8", "replace"), digest_size=16).digest()
        if digest in closed:
            reason = (
                f"the conversation {self.conversation!r} goes on here after others came between: "
                "sort the rows by conversation"
            )
            return RawRecord(self.line, None, 0, reason)
        closed.add(digest)
        if self._too_long:
            return RawRecord(self.line, None, 0, too_long(max_bytes, "the conversation"))
        return RawRecord(self.line, self, self._size)


def _rows(lines: Iterator[Line], delimiter: str, max_bytes: int) -> Iterator[_Fields | RawRecord]:
    """The rows of a table; a RawRecord with its error for one that cannot be read."""
    skipped: list[int] = []
    csv.field_size_limit(max_bytes)
    reader = csv.reader(_texts(lines, skipped), delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            fields = None
        except csv.Error as error:
            yield RawRecord(line, None, 0, f"no row of {'TSV' if delimiter == chr(9) else 'CSV'}: {error}")
            continue
        while skipped:
            yield RawRecord(skipped.pop(), None, 0, too_long(max_bytes))
        if fields is None:
            return
        byte = next(
            (character for field in fields for character in field if "\udc80" <= character <= "\udcff"), None
        )
        if byte is not None:
            yield RawRecord(line, None, 0, f"not UTF-8: byte 0x{ord(byte) - 0xDC00:02X} in the row")
        elif fields:
            yield _Fields(line, fields)


def _texts(lines: Iterator[Line], skipped: list[int]) -> Iterator[str]:
    for line in lines:
        if line.content is None:
            skipped.append(line.number)
            yield "\n"
        else:
            yield line.content.decode("utf-8", "surrogateescape") + "\n"


def _time(row: _Row) -> float:
    """Seconds, of a number or a date and time in ISO 8601 (UTC where it does not say)."""
    text = (row.time or "").strip()
    try:
        seconds = float(text)
        if isfinite(seconds):
            return seconds
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as error:
        raise BadRecord(
            f"the time {text!r} in line {row.line} is neither a number nor in ISO 8601"
        ) from error
