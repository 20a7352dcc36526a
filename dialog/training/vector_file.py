"""Writes vectors in word2vec's text format, which `evaluation.vectors`, gensim and most others read.

    3 2                 how many, and the numbers of each
    the 0.25 -1.5       a name and its numbers, the most frequent first
    cat 0.5 0.125
    sat -1 2

How they were made stands beside the file, in one of the same name with `.json` behind it.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dialog.evaluation.vectors import WordVectors
from dialog.run_folder import write_atomically

__all__ = ["save_vectors"]


def save_vectors(path: Path, vectors: WordVectors, details: Mapping[str, Any]) -> None:
    """Writes vectors, and what is known of them to the file beside it.

    Args:
        path: of the vectors; its folder is made if it is not there.
        vectors: by names without white space; nine digits a number give the same float32 back.
        details: plain JSON values.

    Raises:
        OSError: the disk is full or the folder cannot be written to; `path` is then what it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    size = vectors.values.shape[1]
    line = " ".join(["%s", *["%.9g"] * size]) + "\n"
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with beside.open("w", encoding="utf-8", newline="\n") as stream:
            stream.write(f"{len(vectors.rows)} {size}\n")
            for name, row in vectors.rows.items():
                stream.write(line % (name, *vectors.values[row].tolist()))
            stream.flush()
            os.fsync(stream.fileno())
        text = json.dumps(details, indent=2, ensure_ascii=False) + "\n"
        write_atomically(path.with_name(f"{path.name}.json"), text.encode())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
