"""The log formats, and how the format of a file is found out by its content."""

from dataclasses import dataclass
from pathlib import Path

from dialog.corpus.jsonl import JsonLines
from dialog.corpus.records import LogFile, LogFormat
from dialog.errors import LogFormatError

__all__ = ["FORMATS", "FormatOptions", "find_format", "is_known_file"]

FORMATS = ("jsonl", "csv", "tsv", "plain", "dailydialog")
_SUFFIXES = {".jsonl", ".ndjson", ".csv", ".tsv", ".txt", ".log"}
_SAMPLE_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class FormatOptions:
    """What the user said about the formats.

    Attributes:
        name: one of FORMATS, or None to find out.
    """

    name: str | None = None


def is_known_file(path: Path) -> bool:
    """Whether a file in a folder is looked at: by its ending, `.gz` or not."""
    return _suffix(path) in _SUFFIXES


def _suffix(path: Path) -> str:
    name = path.name.lower().removesuffix(".gz")
    return Path(name).suffix


def find_format(file: LogFile, options: FormatOptions) -> LogFormat | None:
    """Returns the format of a file; None for an empty one."""
    sample = file.sample(_SAMPLE_BYTES)
    if not sample.strip():
        return None
    if sample.lstrip().startswith(b"{"):
        return JsonLines()
    raise LogFormatError(f"{file.path} is in no known format: name it with --format ({', '.join(FORMATS)})")
