"""Vectors by name, and word2vec's text format that they are kept in, which gensim and others read as well.

    3 2                 how many, and the numbers of each
    the 0.25 -1.5       a name and its numbers, the most frequent first
    cat 0.5 0.125
    sat -1 2

Names hold no white space. How ours were made stands beside the file, in one of the same name with `.json` behind it.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from dialog.errors import ConfigError

__all__ = ["WordVectors", "load_vectors", "save_vectors"]

_OTHERS = "give a file of word2vec's text format, such as `hred embed` makes"


@dataclass(frozen=True, slots=True)
class WordVectors:
    """Vectors by name.

    Attributes:
        names: of each, the most frequent first.
        matrix: (name, size) float32.
    """

    names: tuple[str, ...]
    matrix: NDArray[np.float32]

    def nearest(self, name: str, count: int) -> list[str]:
        """Returns the names whose vectors have the least angles to that of `name`, the least first."""
        place = self.names.index(name)
        lengths = np.linalg.norm(self.matrix, axis=1) + 1e-12
        cosines = self.matrix @ self.matrix[place] / lengths
        cosines[place] = -np.inf
        best = np.argsort(-cosines, kind="stable")[: min(count, len(self.names) - 1)]
        return [self.names[other] for other in best]


def save_vectors(path: Path, vectors: WordVectors, details: Mapping[str, Any]) -> None:
    """Writes vectors, and what is known of them to the file beside it.

    Args:
        path: of the vectors; its folder is made if it is not there.
        vectors: what is written; nine digits a number, which give the same float32 back.
        details: plain JSON values.

    Raises:
        OSError: the disk is full or the folder cannot be written to; `path` is then what it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    size = vectors.matrix.shape[1]
    line = " ".join(["%s", *["%.9g"] * size]) + "\n"
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with beside.open("w", encoding="utf-8", newline="\n") as stream:
            stream.write(f"{len(vectors.names)} {size}\n")
            for name, row in zip(vectors.names, vectors.matrix, strict=True):
                stream.write(line % (name, *row.tolist()))
            stream.flush()
            os.fsync(stream.fileno())
        text = json.dumps(details, indent=2, ensure_ascii=False) + "\n"
        path.with_name(f"{path.name}.json").write_text(text, encoding="utf-8")
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def load_vectors(path: Path) -> WordVectors:
    """Reads a file of vectors.

    Raises:
        ConfigError: it cannot be read, is of another format, or holds numbers that are not finite.
    """
    try:
        with path.open(encoding="utf-8") as stream:
            return _read(stream, path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}); {_OTHERS}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is no text in UTF-8; {_OTHERS}") from error


def _read(stream: TextIO, path: Path) -> WordVectors:
    head = stream.readline().split()
    if len(head) != 2 or not all(part.isdecimal() for part in head) or "0" in head:
        raise ConfigError(f"{path} does not begin with the number of vectors and their size; {_OTHERS}")
    count, size = map(int, head)
    names, rows = [], []
    for number, line in enumerate(stream, 2):
        name, *numbers = line.rstrip(" \r\n").split(" ")
        try:
            row = np.array(numbers, dtype=np.float32)
        except ValueError:
            row = np.zeros(0, np.float32)
        if len(row) != size or not np.isfinite(row).all():
            raise ConfigError(f"line {number} of {path} is no name with {size} numbers; {_OTHERS}")
        names.append(name)
        rows.append(row)
    if len(rows) != count:
        raise ConfigError(f"{path} has {len(rows)} vectors, but its first line says {count}; copy it again")
    return WordVectors(tuple(names), np.stack(rows))
