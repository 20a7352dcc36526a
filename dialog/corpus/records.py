"""What readers of logs share: a log file as numbered lines, a raw record, a parsed record.

Reading has two halves. `records` cuts a file into raw records: cheap, in one process, in the file's order.
`parse` makes a conversation of one: costly, in any process. A record that cannot be parsed is bad: named,
counted and skipped. A file that cannot be read on (a cut-off gzip file) stops everything, since nobody
knows how much is lost.
"""

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple, Protocol

from dialog.conversation import Conversation
from dialog.corpus.archives import member_size, open_member
from dialog.corpus.opening import PACKED, UNPACKING_ERRORS, open_remote, remote_info, unpacked
from dialog.errors import LogError
from dialog.text.tokenizer import without_surrogates

__all__ = [
    "BadRecord",
    "Line",
    "LogFile",
    "LogFormat",
    "Parsed",
    "RawRecord",
    "decode_line",
    "one_a_line",
    "too_long",
]

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class BadRecord(Exception):
    """A record that is skipped; its message is the reason. Never leaves this package."""


class Line(NamedTuple):
    """A line without its end; `content` is None where it is longer than allowed.

    Attributes:
        number: from 1.
    """

    number: int
    content: bytes | None


class RawRecord(NamedTuple):
    """What becomes one conversation.

    Attributes:
        line: where it starts, from 1.
        payload: what the format's `parse` takes.
        num_bytes: about its size.
        error: why it is bad already; None where it is not.
    """

    line: int
    payload: object
    num_bytes: int
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Parsed:
    """A conversation as its log says it.

    Attributes:
        conversation: not cleaned.
        roles: its speakers are the roles of a role/content log (user, assistant, system).
        counts: what else the report adds up, by name; a conversation with counts and no turns is none.
    """

    conversation: Conversation
    roles: bool = False
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LogFile:
    """One file of conversations, packed or not.

    Attributes:
        path: as it is opened; of an address, its path there.
        max_line_bytes: the longest line, and the longest conversation of several lines.
        url: its address, where it is not on this machine.
        member: its name in the ZIP file `path`, where it is in one.
    """

    path: Path
    max_line_bytes: int
    url: str | None = None
    member: str | None = None

    @property
    def num_bytes(self) -> int:
        """Its size, as it lies on disk; of a folder that is one log, the size of all its files."""
        if self.url is not None:
            return remote_info(self.url)[0]
        if self.member is not None:
            return member_size(self.path, self.member)
        return sum(path.stat().st_size for path in self._files())

    @property
    def version(self) -> str:
        """What tells that the file was changed."""
        if self.url is not None:
            return remote_info(self.url)[1]
        return str(max((path.stat().st_mtime_ns for path in self._files()), default=0))

    def _files(self) -> list[Path]:
        is_folder = self.path.is_dir()
        return [path for path in self.path.rglob("*") if path.is_file()] if is_folder else [self.path]

    @property
    def is_packed(self) -> bool:
        """Whether its name says that it is compressed."""
        return self.file_name.lower().endswith(PACKED)

    @property
    def is_tree(self) -> bool:
        """Whether many files are one log: a folder, or a ZIP file as a whole."""
        if self.url is not None or self.member is not None:
            return False
        return self.path.is_dir() or self.path.suffix.lower() == ".zip"

    @property
    def file_name(self) -> str:
        """Its name without the folder, also of one in a ZIP file."""
        return self.path.name if self.member is None else PurePosixPath(self.member).name

    @property
    def name(self) -> str:
        """Its name without the folder and without the ending of packed files."""
        name = without_surrogates(self.file_name)
        return name[: -len(Path(name).suffix)] if self.is_packed else name

    @property
    def shown(self) -> str:
        """The path as messages and the report have it; a name that is no UTF-8 can still be printed."""
        inner = "" if self.member is None else f"/{self.member}"
        return without_surrogates((self.url or str(self.path)) + inner)

    def lines(self, progress: Callable[[int], None] | None = None) -> Iterator[Line]:
        """Yields the lines; memory stays within `max_line_bytes`.

        Args:
            progress: is told now and then how many bytes of the file (as it lies on disk) are read.

        Raises:
            LogError: the file cannot be opened, or is a damaged gzip file.
        """
        number = 0
        try:
            with self._open() as (stream, position):
                while content := stream.readline(self.max_line_bytes + 1):
                    number += 1
                    if progress is not None and number % 256 == 0:
                        progress(position())
                    yield self._line(number, content, stream)
                if progress is not None:
                    progress(position())
        except UNPACKING_ERRORS as error:
            raise LogError(
                f"{self.shown} is damaged or cut off after line {number} (unpacking: {error}): "
                "take a copy that is whole"
            ) from error
        except OSError as error:
            raise LogError(f"{self.shown} cannot be read: {error.strerror or error}") from error

    def sample(self, num_bytes: int) -> bytes:
        """Returns the file's first bytes, all for -1; unpacked, without a byte order mark.

        Raises:
            LogError: as `lines`.
        """
        try:
            with self._open() as (stream, _):
                return stream.read(num_bytes).removeprefix(_BYTE_ORDER_MARK)
        except UNPACKING_ERRORS as error:
            raise LogError(
                f"{self.shown} is damaged or cut off (unpacking: {error}): take a copy that is whole"
            ) from error
        except OSError as error:
            raise LogError(f"{self.shown} cannot be read: {error.strerror or error}") from error

    def content(self) -> bytes:
        """Returns all of the file, unpacked, without a byte order mark: for formats that are one value.

        Raises:
            LogError: as `lines`.
        """
        return self.sample(-1)

    def _line(self, number: int, content: bytes, stream: BinaryIO) -> Line:
        too_long = len(content) > self.max_line_bytes and not content.endswith(b"\n")
        if too_long:
            while content and not content.endswith(b"\n"):
                content = stream.readline(1 << 20)
            return Line(number, None)
        if number == 1:
            content = content.removeprefix(_BYTE_ORDER_MARK)
        return Line(number, content.rstrip(b"\r\n"))

    @contextmanager
    def _open(self) -> Iterator[tuple[BinaryIO, Callable[[], int]]]:
        with self._raw() as file, unpacked(file) as stream:
            yield stream, file.tell

    def _raw(self) -> AbstractContextManager[io.BufferedReader]:
        if self.member is not None:
            return open_member(self.path, self.member)
        return self.path.open("rb") if self.url is None else open_remote(self.url)


class LogFormat(Protocol):
    """A log format with its options; small and picklable, for `parse` runs in other processes."""

    @property
    def name(self) -> str:
        """The word that `--format` takes."""

    def records(self, file: LogFile, lines: Iterator[Line]) -> Iterator[RawRecord]:
        """Cuts a file into records, in its order.

        Raises:
            LogFormatError: the file as a whole is not in this format.
        """

    def parse(self, record: RawRecord, name: str) -> Parsed:
        """Makes a conversation of a record; `name` is its id where the log gives none.

        Raises:
            BadRecord: it is none; the message is the reason.
        """


def decode_line(content: bytes) -> str:
    """Returns the text of a line.

    Raises:
        BadRecord: it is not UTF-8.
    """
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        byte = content[error.start]
        raise BadRecord(f"not UTF-8: byte 0x{byte:02X} at offset {error.start} of the line") from error


def too_long(max_line_bytes: int, what: str = "the line") -> str:
    """The reason for a record that is longer than allowed."""
    return f"{what} is longer than {max_line_bytes:,} bytes (--max-line-mib)"


def one_a_line(file: LogFile, lines: Iterator[Line]) -> Iterator[RawRecord]:
    """Yields a record a line; blank lines are none."""
    for line in lines:
        if line.content is None:
            yield RawRecord(line.number, None, 0, too_long(file.max_line_bytes))
        elif line.content.strip():
            yield RawRecord(line.number, line.content, len(line.content))
