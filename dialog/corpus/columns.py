"""JSON Lines a column at a time: what `clean_chunk` makes of them, several times as fast.

Nearly all conversations of a log have nothing that a rule of cleaning looks for: some turns, each with a speaker
and a text, no speaker twice in a row. These are cleaned by whole columns, here. All others are left to
`JsonLines.parse` and `clean`, record by record, and so is what must be said about them: both ways give the same
rows (`tests/dialog/corpus/test_columns.py`).

Each line is read by orjson: pyarrow's reader of JSON is faster, but crashed on some lines that are no JSON.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dialog.corpus.cleaning import Counts, clean_name
from dialog.corpus.records import RawRecord
from dialog.text.loose import loose_letters
from dialog.text.normalise import normalise

__all__ = ["Plain", "read_plain"]

_IRREGULAR = r"[^ -~]|  |^ | $"  # what `normalise` may change in a text
_MOST_TURNS = 65_535


@dataclass(frozen=True, slots=True)
class Plain:
    """The conversations of a chunk that have nothing special.

    Attributes:
        places: (row) which records they are, ascending.
        columns: id, speakers, texts, targets, exact, loose of each.
        others: the records that are to be parsed one by one.
    """

    places: NDArray[np.int64]
    columns: list[pa.Array]
    others: list[int]


def read_plain(
    records: Sequence[RawRecord], name: str, reply_as: str | None, counts: Counts, speakers: Counts
) -> Plain:
    """Reads and cleans the plain conversations among records of JSON Lines.

    Args:
        records: of one file.
        name: conversations without an id are called `name:line`.
        reply_as: see `clean`.
        counts: is added to.
        speakers: is added to.

    Returns:
        The plain ones, and which others there are.
    """
    found = _Found()
    for record in records:
        found.add(record, name)
    turns = _Turns(found, reply_as)
    is_odd = turns.is_odd
    places = np.flatnonzero(~is_odd)
    turns.count(~is_odd, counts, speakers)
    columns = [pa.array(found.ids, pa.string()).take(pa.array(places)), *turns.columns(~is_odd)]
    return Plain(places, columns, np.flatnonzero(is_odd).tolist())


class _Found:
    """What stands in the records, flat; of a record that is not as expected, nothing.

    Attributes:
        ids: (record).
        num_turns: (record).
        names, texts: (turn).
    """

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.num_turns: list[int] = []
        self.names: list[str] = []
        self.texts: list[str] = []

    def add(self, record: RawRecord, name: str) -> None:
        """Adds a record."""
        try:
            value = orjson.loads(record.payload)  # type: ignore[arg-type]
            turns = value["turns"]
            names = [turn["speaker"] for turn in turns]
            texts = [turn["text"] for turn in turns]
            id_ = value.get("id", f"{name}:{record.line}")
            if {*map(type, names), *map(type, texts), type(id_)} != {str}:
                raise TypeError
        except (TypeError, KeyError, IndexError, ValueError):
            id_, names, texts = "", [], []
        self.ids.append(id_)
        self.num_turns.append(len(texts))
        self.names += names
        self.texts += texts


class _Turns:
    """The turns of all conversations of a chunk.

    Attributes:
        is_odd: (conversation) a rule of cleaning may have something to do.
    """

    def __init__(self, found: _Found, reply_as: str | None) -> None:
        self._num_turns = np.array(found.num_turns, np.int64)
        self._offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(self._num_turns)])
        self._texts, self._is_changed = _clean_texts(pa.array(found.texts, pa.string()))
        is_odd_turn = pc.equal(pc.binary_length(self._texts), 0).to_numpy(zero_copy_only=False).copy()
        coded = pa.array(found.names, pa.string()).dictionary_encode()
        self._names = coded.dictionary.to_pylist()
        self._codes = coded.indices.to_numpy()
        codes_of: dict[str, int] = {}
        clean_codes = [codes_of.setdefault(clean_name(each), len(codes_of)) for each in self._names]
        self._speakers = np.array(clean_codes, np.int64)[self._codes]
        is_first = self._at_starts()
        is_odd_turn[1:] |= (self._speakers[1:] == self._speakers[:-1]) & ~is_first[1:]
        self._targets = ~is_first
        if reply_as is not None:
            self._targets &= self._speakers == codes_of.get(clean_name(reply_as), -1)
        self.is_odd = (
            (self._num_turns < 2)
            | (self._num_turns > _MOST_TURNS)
            | (self._sums(is_odd_turn) > 0)
            | (self._sums(self._targets) == 0)
        )

    def _at_starts(self) -> NDArray[np.bool_]:
        starts = np.zeros(len(self._texts) + 1, np.bool_)
        starts[self._offsets[:-1]] = True
        return starts[:-1]

    def _sums(self, of_turns: NDArray[Any]) -> NDArray[np.int64]:
        """(conversation) sums of what is given for each turn."""
        sums = np.concatenate([np.zeros(1, np.int64), np.cumsum(of_turns, dtype=np.int64)])
        of_each: NDArray[np.int64] = sums[self._offsets[1:]] - sums[self._offsets[:-1]]
        return of_each

    def count(self, is_taken: NDArray[np.bool_], counts: Counts, speakers: Counts) -> None:
        """Counts what `clean` would for these conversations."""
        of_turns = np.repeat(is_taken, self._num_turns)
        counts["conversations_read"] += int(is_taken.sum())
        counts["turns_read"] += int(of_turns.sum())
        counts["texts_normalised"] += int((self._is_changed & of_turns).sum())
        often = np.bincount(self._codes[of_turns], minlength=len(self._names))
        for name, number in zip(self._names, often.tolist(), strict=True):
            if number:
                speakers[name] += number

    def columns(self, is_taken: NDArray[np.bool_]) -> list[pa.Array]:
        """Returns speakers, texts, targets, exact and loose digests of these conversations."""
        of_turns = np.repeat(is_taken, self._num_turns)
        texts = self._texts if of_turns.all() else self._texts.filter(pa.array(of_turns))
        ends = np.cumsum(self._num_turns[is_taken])
        offsets = pa.array(np.concatenate([np.zeros(1, np.int64), ends]).astype(np.int32))
        numbers = pa.array(self._numbers()[of_turns].astype(np.uint16))
        numbered = pc.binary_join_element_wise(numbers.cast(pa.string()), texts, " ")
        lines = pc.binary_join(pa.ListArray.from_arrays(offsets, numbered), "\n")
        lists = pa.ListArray.from_arrays(offsets, texts)
        exact = [_digest(each) for each in lines.cast(pa.binary()).to_pylist()]
        loose = [
            _digest(loose_letters(each) or _lines(lists[row])) for row, each in enumerate(_joined(lists))
        ]
        return [
            pa.ListArray.from_arrays(offsets, numbers),
            lists,
            pa.ListArray.from_arrays(offsets, pa.array(self._targets[of_turns])),
            pa.array(exact, pa.binary(16)),
            pa.array(loose, pa.binary(16)),
        ]

    def _numbers(self) -> NDArray[np.int64]:
        """(turn) the number of its speaker, from 0 in order of appearance in the conversation."""
        conversations = np.repeat(np.arange(len(self._num_turns)), self._num_turns)
        keys = conversations * (len(self._names) + 1) + self._speakers
        _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
        order = np.argsort(first)  # those who speak, in order of appearance in the chunk
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(len(order))
        numbers = rank[inverse]
        before = np.zeros(len(self._num_turns), np.int64)
        has_turns = self._num_turns > 0
        before[has_turns] = numbers[self._offsets[:-1][has_turns]]
        return numbers - np.repeat(before, self._num_turns)


def _clean_texts(texts: pa.StringArray) -> tuple[pa.StringArray, NDArray[np.bool_]]:
    """The texts normalised, and which of them were changed."""
    irregular = pc.match_substring_regex(texts, _IRREGULAR)
    is_changed: NDArray[np.bool_] = irregular.to_numpy(zero_copy_only=False).copy()
    before = texts.filter(irregular).to_pylist()
    if not before:
        return texts, is_changed
    after = [normalise(text) for text in before]
    is_changed[is_changed] = [one != other for one, other in zip(before, after, strict=True)]
    return pc.replace_with_mask(texts, irregular, pa.array(after, pa.string())), is_changed


def _joined(lists: pa.ListArray) -> list[str]:
    joined: list[str] = pc.binary_join(lists, "").to_pylist()
    return joined


def _lines(texts: pa.ListScalar) -> bytes:
    return "\n".join(texts.as_py()).encode()


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()
