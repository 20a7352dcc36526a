"""What readers of published corpora share: the files, what is found in them, and what is lost on the way."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from dialog.conversation import Conversation, Turn
from dialog.corpus.opening import UNPACKING_ERRORS, unpacked
from dialog.corpus.splits import split_by_name
from dialog.errors import LogError, LogFormatError

__all__ = [
    "Found",
    "Material",
    "Reader",
    "Tally",
    "as_list",
    "as_text",
    "missing",
    "read_json",
    "text_lines",
    "turns_of",
]

_MOST_EXAMPLES = 5
_LONGEST_LINE = 16 << 20
_LARGEST_JSON = 2 << 30


class Found(NamedTuple):
    """A conversation of a published corpus.

    Attributes:
        split: `train`, `valid` or `test` as published; None where the corpus has no splits.
        conversation: its turns as published.
    """

    split: str | None
    conversation: Conversation


@dataclass(slots=True)
class Tally:
    """Counts so that nothing is lost unseen: turns found = turns of conversations + turns lost.

    Attributes:
        found: turns that stand in the published files.
        lost: turns that are in no conversation, by reason.
        notes: what else was met (lines of personas, records that cannot be read), by what it is.
        examples: where the first ones of a reason or note stand.
    """

    found: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def lose(self, reason: str, where: str, turns: int = 1) -> None:
        """Counts turns that were found and stay in no conversation."""
        self.lost[reason] += turns
        self._remember(reason, where)

    def note(self, what: str, where: str, times: int = 1) -> None:
        """Counts what is no turn."""
        self.notes[what] += times
        self._remember(what, where)

    def _remember(self, key: str, where: str) -> None:
        places = self.examples.setdefault(key, [])
        if len(places) < _MOST_EXAMPLES:
            places.append(where)


@dataclass(frozen=True, slots=True)
class Material:
    """The files of a published corpus.

    Attributes:
        root: the folder that they stand in.
        files: all of them, sorted; folders below `root` included.
    """

    root: Path
    files: tuple[Path, ...]

    @classmethod
    def of(cls, path: Path) -> "Material":
        """Takes a folder with all that is in it, or one file.

        Raises:
            LogError: there is nothing.
        """
        if path.is_file():
            return cls(path.parent, (path,))
        if not path.is_dir():
            raise LogError(f"{path} does not exist: check the path")
        files = tuple(sorted(file for file in path.rglob("*") if file.is_file()))
        if not files:
            raise LogError(f"the folder {path} is empty: give the folder that the corpus was unpacked into")
        return cls(path, files)

    def named(self, *patterns: str) -> list[Path]:
        """Returns the files whose name, without regard to case, matches one of these patterns (`*.csv`)."""
        return [file for file in self.files if any(_lower(file).match(pattern) for pattern in patterns)]

    def one(self, *patterns: str) -> Path | None:
        """Returns the first such file; None where there is none."""
        return next(iter(self.named(*patterns)), None)

    def shown(self, file: Path) -> str:
        """A file's path as messages have it."""
        return str(file.relative_to(self.root))

    def split_of(self, file: Path) -> str | None:
        """Returns the split that a file's name or folder gives."""
        return split_by_name(file, self.root)


Reader = Callable[[Material, Tally], Iterator[Found]]
"""Yields the conversations of a corpus; raises LogFormatError where the files are not in its layout."""


def _lower(file: Path) -> Path:
    return Path(*(part.lower() for part in file.parts))


@contextmanager
def _reading(material: Material, file: Path) -> Iterator[None]:
    try:
        yield
    except UNPACKING_ERRORS as error:
        raise LogError(f"{material.shown(file)} is damaged or cut off ({error}): take it anew") from error
    except OSError as error:
        raise LogError(f"{material.shown(file)} cannot be read: {error.strerror or error}") from error


def text_lines(
    material: Material, file: Path, tally: Tally, encoding: str = "utf-8"
) -> Iterator[tuple[int, str]]:
    """Yields number, from 1, and text of each line; one that is not in the encoding has U+FFFD there, and is noted."""
    with _reading(material, file), file.open("rb") as packed, unpacked(packed) as stream:
        number = 0
        while content := stream.readline(_LONGEST_LINE):
            number += 1
            if number == 1 and encoding == "utf-8":
                content = content.removeprefix(b"\xef\xbb\xbf")
            try:
                text = content.decode(encoding)
            except UnicodeDecodeError:
                text = content.decode(encoding, errors="replace")
                tally.note(
                    f"lines that are not {encoding.upper()}, read with �", f"{material.shown(file)}:{number}"
                )
            yield number, text.rstrip("\r\n")


def read_json(material: Material, file: Path) -> Any:
    """Returns what a JSON file holds.

    Raises:
        LogFormatError: it is no JSON.
        LogError: it cannot be read, or is larger than 2 GiB.
    """
    with _reading(material, file), file.open("rb") as packed, unpacked(packed) as stream:
        content = stream.read(_LARGEST_JSON + 1)
    shown = material.shown(file)
    if len(content) > _LARGEST_JSON:
        raise LogError(f"{shown} is larger than 2 GiB, more than is read at once: give the files one by one")
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        pass  # Python's reader takes a little more, such as lone surrogates
    try:
        return json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise LogFormatError(f"{shown} is no JSON ({error}): take it anew") from error


def as_list(value: Any) -> list[Any]:
    """Returns a list as it is, and anything else as an empty one."""
    return value if isinstance(value, list) else []


def as_text(value: Any) -> str | None:
    """Returns a text as it is, a whole number as its digits, and None for anything else."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def turns_of(items: Any, speaker: str, text: str, tally: Tally, where: str) -> tuple[Turn, ...]:
    """Makes turns of a list of JSON objects; those without speaker or text are lost, and counted.

    Args:
        items: the list.
        speaker: the key of the speaker.
        text: the key of the text.
        tally: is added to.
        where: for its examples.
    """
    turns = []
    for place, item in enumerate(as_list(items)):
        tally.found += 1
        values = item if isinstance(item, dict) else {}
        who, said = as_text(values.get(speaker)), values.get(text)
        if who is None or not isinstance(said, str):
            tally.lose(f"no {speaker} or no {text}", f"{where}, turn {place + 1}")
        else:
            turns.append(Turn(who, said))
    return tuple(turns)


def missing(corpus: str, wanted: Sequence[str], material: Material) -> LogFormatError:
    """The error for files that are not there."""
    return LogFormatError(
        f"{material.root} has no {' and no '.join(wanted)}, as {corpus} is published: give the folder or the archive "
        "as it was downloaded"
    )
