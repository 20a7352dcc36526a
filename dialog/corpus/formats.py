"""The log formats, and how the format of a file is found out: by its ending and its first 256 KiB."""

from dataclasses import dataclass
from pathlib import Path

import orjson

from dialog.corpus.chats.cutting import ChatLog
from dialog.corpus.chats.dates import ORDERS
from dialog.corpus.chats.recognise import CHATS, find_chat, find_reader
from dialog.corpus.chats.slack import is_slack_export
from dialog.corpus.dailydialog import END_OF_UTTERANCE, DailyDialog
from dialog.corpus.jsonl import JsonLines
from dialog.corpus.masking import Masked
from dialog.corpus.opening import PACKED
from dialog.corpus.plain import PlainText, uses_names
from dialog.corpus.records import LogFile, LogFormat
from dialog.corpus.table import Columns, Table, find_delimiter
from dialog.errors import LogFormatError, UsageError

__all__ = ["FORMATS", "FormatOptions", "find_format", "is_known_file"]

FORMATS = ("jsonl", "csv", "tsv", "plain", "dailydialog", *CHATS)
_BY_SUFFIX = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".tsv": "tsv"}
_KNOWN_SUFFIXES = {*_BY_SUFFIX, ".txt", ".log", ".json", ".mbox", ".weechatlog", ".zip"}
_SAMPLE_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class FormatOptions:
    """What the user said about the formats.

    Attributes:
        name: one of FORMATS, or None to find out.
        column_conversation, column_speaker, column_text, column_time: columns of CSV/TSV; None to find out.
        names: whether lines of plain text begin with `Name: `: `auto`, `yes` or `no`.
        silence: minutes without a message that end a conversation in exports of chat programs.
        dates: the order of the numbers of dates in them: `dmy`, `mdy`, `ymd`, or `auto` to find out.
        mask: whether what is private is replaced by placeholders, see `masking`.
    """

    name: str | None = None
    column_conversation: str | None = None
    column_speaker: str | None = None
    column_text: str | None = None
    column_time: str | None = None
    names: str = "auto"
    silence: float = 60.0
    dates: str = "auto"
    mask: bool = False

    def __post_init__(self) -> None:
        if not self.silence > 0:
            raise UsageError(f"--silence is {self.silence} minutes, but must be more than 0")
        if self.dates not in ("auto", *ORDERS):
            raise UsageError(f"--dates is {self.dates!r}, but must be auto, {', '.join(ORDERS)}")

    @property
    def columns(self) -> Columns:
        """The columns of CSV/TSV."""
        return Columns(self.column_conversation, self.column_speaker, self.column_text, self.column_time)


def is_known_file(path: Path) -> bool:
    """Whether a file in a folder is looked at: by its ending, packed or not."""
    return _suffix(path) in _KNOWN_SUFFIXES


def find_format(file: LogFile, options: FormatOptions) -> LogFormat | None:
    """Returns the format of a file, or of a folder that is one log; None for an empty one.

    Raises:
        LogFormatError: the file is binary or in no known format.
        LogError: it cannot be read.
    """
    found = _find(file, options)
    if found is None or not options.mask:
        return found
    return Masked(found, frozenset(found.names(file)) if isinstance(found, ChatLog) else frozenset())


def _find(file: LogFile, options: FormatOptions) -> LogFormat | None:
    if file.is_tree and (options.name == "slack" or is_slack_export(file)):
        return _chat_log("slack", file, options)
    if file.is_tree:
        raise LogFormatError(f"{file.shown} is no export of Slack: name the files in it")
    sample = file.sample(_SAMPLE_BYTES)
    if not sample.strip():
        return None
    chat = options.name if options.name in CHATS else None
    if options.name is None and _suffix(Path(file.file_name)) not in _BY_SUFFIX:
        chat = find_chat(sample, _lines(sample))
    if chat != "mbox":  # a mail may hold any byte
        _check_text(file.shown, sample)
    if chat is not None:
        return _chat_log(chat, file, options)
    name = (
        options.name
        or _BY_SUFFIX.get(_suffix(Path(file.file_name)))
        or _by_content(file.shown, sample, options)
    )
    if name == "jsonl":
        return JsonLines()
    if name == "dailydialog":
        return DailyDialog()
    if name == "plain":
        return PlainText(
            names=options.names == "yes" or (options.names == "auto" and uses_names(_lines(sample)))
        )
    if name == "csv":
        return Table("csv", find_delimiter(_first_line(sample)) or ",", options.columns)
    if name == "tsv":
        return Table("tsv", "\t", options.columns)
    raise LogFormatError(f"there is no format {name!r}: choose one of {', '.join(FORMATS)}")


def _chat_log(name: str, file: LogFile, options: FormatOptions) -> ChatLog:
    reader = find_reader(name, file, None if options.dates == "auto" else options.dates)
    return ChatLog(reader, options.silence * 60, keeps_media=options.mask)


def _by_content(path: str, sample: bytes, options: FormatOptions) -> str:
    first = _first_line(sample)
    if first.startswith("{"):
        if path.lower().endswith(".json") and not _is_json(first):
            raise LogFormatError(
                f"{path} holds one JSON value, in no known layout: make it JSON Lines, a conversation a line"
            )
        return "jsonl"
    if first.startswith("[") and first[1:].lstrip()[:1] in ("", "{", "[", '"', "]"):
        raise LogFormatError(
            f"{path} holds one JSON list, but JSON Lines are expected: write each conversation of the list "
            "on a line of its own"
        )
    lines = [line for line in _lines(sample) if line.strip()]
    if sum(END_OF_UTTERANCE in line for line in lines) * 2 >= len(lines):
        return "dailydialog"
    delimiter = find_delimiter(first)
    if delimiter is not None and options.columns.fits(first, delimiter):
        return "tsv" if delimiter == "\t" else "csv"
    return "plain"


def _is_json(line: str) -> bool:
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return True


def _suffix(path: Path) -> str:
    name = Path(path.name.lower())
    return (Path(name.stem) if name.suffix in PACKED else name).suffix


def _check_text(path: str, sample: bytes) -> None:
    if sample[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise LogFormatError(f"{path} is in UTF-16, but UTF-8 is expected: convert it first")
    if b"\0" in sample:
        raise LogFormatError(
            f"{path} is a binary file (a zero byte at offset {sample.index(0):,}), but text in UTF-8 is expected"
        )


def _lines(sample: bytes) -> list[str]:
    """The sample's lines; the last, which may be cut, is left out where there are others."""
    lines = sample.decode(errors="replace").split("\n")
    return [line.rstrip("\r") for line in (lines[:-1] if len(lines) > 1 else lines)]


def _first_line(sample: bytes) -> str:
    return next((line.strip() for line in _lines(sample) if line.strip()), "")
