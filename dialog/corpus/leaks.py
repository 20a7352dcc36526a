"""Finds conversations that stand in two splits."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa

__all__ = ["find_leaks"]

_PAIRS = (("valid", "train"), ("test", "train"), ("test", "valid"))


def find_leaks(texts: Mapping[str, Path], split_by: str) -> dict[str, list[str]]:
    """Finds conversations of one split that stand in another, but for case, space and punctuation.

    Args:
        texts: for each split its file of clean texts (see `texts.py`).
        split_by: splits drawn by `hash` share none, since equal digests fall into one split.

    Returns:
        For `valid_in_train`, `test_in_train`, `test_in_valid` the ids of the former's conversations.
    """
    if split_by == "hash":
        return {f"{one}_in_{other}": [] for one, other in _PAIRS}
    digests = {name: {digest for digest, _ in _rows(texts[name])} for name in ("valid", "test")}
    held = digests["valid"] | digests["test"]
    digests["train"] = {digest for digest, _ in _rows(texts["train"]) if digest in held}
    return {
        f"{one}_in_{other}": [id_ for digest, id_ in _rows(texts[one]) if digest in digests[other]]
        for one, other in _PAIRS
    }


def _rows(path: Path) -> Iterator[tuple[bytes, str]]:
    """Digest and id of each conversation; one record batch is held at a time."""
    reader = pa.ipc.open_file(pa.memory_map(str(path)))
    for number in range(reader.num_record_batches):
        batch = reader.get_batch(number)
        yield from zip(batch.column("loose").to_pylist(), batch.column("id").to_pylist(), strict=True)
