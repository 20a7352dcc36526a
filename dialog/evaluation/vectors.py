"""Word vectors from a text file: word2vec's, with a first line of two numbers, or GloVe's, without one.

One word a line, then its numbers, split by spaces. A word may hold spaces itself, as some of GloVe's do: the
numbers are counted from the end. `.gz` is read as it stands.
"""

import gzip
import hashlib
import zlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dialog.errors import UsageError

__all__ = ["WordVectors", "read_vectors"]


@dataclass(frozen=True, slots=True)
class WordVectors:
    """Words as vectors.

    Attributes:
        rows: the row of each word in `values`.
        values: (word, dimension) float32, all finite.
        sha256: of the file that they are from; empty for vectors that are from none.
    """

    rows: Mapping[str, int]
    values: NDArray[np.float32]
    sha256: str = ""

    def of(self, words: Collection[str]) -> NDArray[np.float64]:
        """Returns the vectors of those words that are known, (known, dimension), in order."""
        rows = [self.rows[word] for word in words if word in self.rows]
        return self.values[rows].astype(np.float64)


def read_vectors(path: str | Path, words: Collection[str] | None = None) -> WordVectors:
    """Reads a file of word vectors.

    Args:
        path: the file.
        words: keeps these alone, so that a file of gigabytes takes no such memory; None keeps all. Of a word
            that stands twice the first is kept.

    Raises:
        UsageError: the file cannot be read, or is no file of word vectors; the message says where.
    """
    path = Path(path)
    wanted = None if words is None else frozenset(words)
    rows: dict[str, int] = {}
    vectors: list[NDArray[np.float32]] = []
    size = promised = number = 0
    try:
        for number, line in enumerate(_lines(path), 1):
            parts = line.rstrip("\r\n ").split(" ")
            if number == 1 and len(parts) == 2 and all(map(str.isdecimal, parts)):
                promised, size = map(int, parts)
                continue
            size = size or len(parts) - 1
            word = " ".join(parts[:-size]) if size else ""
            if not word:
                raise _no_vector(path, number, f"{size} numbers behind a word" if size else "numbers")
            if word in rows or (wanted is not None and word not in wanted):
                continue
            rows[word] = len(vectors)
            vectors.append(_numbers(parts[-size:], path, number))
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(f"{path} cannot be read ({error}); give a text file of word vectors") from error
    if size == 0:
        raise UsageError(f"{path} is empty; give a text file of word vectors")
    if number - 1 < promised:
        raise UsageError(
            f"{path} ends after {number - 1} of the {promised} vectors that its first line tells of; copy it again"
        )
    values = np.stack(vectors) if vectors else np.zeros((0, size), np.float32)
    return WordVectors(rows, values, _sha256(path))


def _lines(path: Path) -> Iterator[str]:
    opened = gzip.open if path.suffix == ".gz" else open
    # A stray byte of one word of millions is no reason to refuse the rest.
    with opened(path, "rt", encoding="utf-8", errors="replace", newline="\n") as lines:
        yield from lines


def _numbers(parts: list[str], path: Path, number: int) -> NDArray[np.float32]:
    try:
        vector = np.array(parts, dtype=np.float32)
    except ValueError as error:
        raise _no_vector(path, number, f"{len(parts)} numbers behind a word") from error
    if not np.isfinite(vector).all():
        raise _no_vector(path, number, "finite numbers")
    return vector


def _no_vector(path: Path, number: int, expected: str) -> UsageError:
    return UsageError(
        f"line {number} of {path} is no word vector; expected {expected}: give word2vec's or GloVe's text"
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
