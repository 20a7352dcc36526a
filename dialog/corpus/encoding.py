"""Encodes many texts at once: every different word is encoded once, by SentencePiece, and then looked up.

A text's tokens are those of its words (`dialog.text.tokenizer`), and a few words make up most of a log (Zipf's
law), so looking up is several times as fast as encoding, and gives the same tokens.
"""

import itertools
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dialog.text.tokenizer import Tokenizer, to_model_text

__all__ = ["BatchEncoder"]

_MOST_WORDS = 200_000
_MOST_BYTES = 32 << 20  # of words that are kept


class BatchEncoder:
    """Encodes arrays of texts with one tokenizer, and remembers words."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._forget()

    def _forget(self) -> None:
        self._words = pa.array([], pa.string())  # that are known
        self._starts = self._lengths = np.zeros(0, np.int64)  # (word) where its tokens are in the pool
        self._pool = np.zeros(0, np.int32)

    @classmethod
    def load(cls, path: Path) -> "BatchEncoder":
        """Makes an encoder with the tokenizer in a file."""
        return cls(Tokenizer.load(path))

    def encode(self, texts: pa.StringArray) -> pa.ListArray:
        """Returns the tokens of each text: list<int32>, as `Tokenizer.encode` of each."""
        if not self._tokenizer.is_by_words:
            tokens = self._tokenizer.encode_all(texts.to_pylist())
            ends = np.cumsum([0, *map(len, tokens)], dtype=np.int32)
            flat = np.fromiter(itertools.chain.from_iterable(tokens), np.int32, int(ends[-1]))
            return pa.ListArray.from_arrays(pa.array(ends), pa.array(flat))
        words = pc.split_pattern(pa.array(_model_texts(texts), pa.string()), " ")
        coded = words.values.dictionary_encode()
        places = self._places(coded.dictionary)[coded.indices.to_numpy()]
        counts = self._lengths[places]  # (word)
        ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
        taken = np.repeat(self._starts[places] - ends[:-1], counts)
        taken += np.arange(len(taken))
        offsets = ends[words.offsets.to_numpy()].astype(np.int32)
        return pa.ListArray.from_arrays(pa.array(offsets), pa.array(self._pool[taken]))

    def _places(self, words: pa.StringArray) -> NDArray[np.int64]:
        """Where each of these different words stands among the known ones; new ones are encoded."""
        if len(self._words) > _MOST_WORDS or self._words.nbytes > _MOST_BYTES:
            self._forget()
        found = pc.index_in(words, value_set=self._words)
        places: NDArray[np.int64] = pc.fill_null(found, -1).to_numpy().astype(np.int64)
        if found.null_count:
            new = words.filter(found.is_null())
            places[places < 0] = np.arange(len(self._words), len(self._words) + len(new))
            tokens = self._tokenizer.encode_words(new.to_pylist())
            lengths = np.fromiter(map(len, tokens), np.int64, len(tokens))
            starts = len(self._pool) + np.cumsum(lengths) - lengths
            flat = np.fromiter(itertools.chain.from_iterable(tokens), np.int32, int(lengths.sum()))
            self._words = pa.concat_arrays([self._words, new])
            self._starts = np.concatenate([self._starts, starts])
            self._lengths = np.concatenate([self._lengths, lengths])
            self._pool = np.concatenate([self._pool, flat])
        return places


def _model_texts(texts: pa.StringArray) -> list[str] | pa.StringArray:
    if pc.all(pc.string_is_ascii(texts), min_count=0).as_py():
        return (
            texts  # clean texts are normalised, and ASCII holds nothing else that SentencePiece cannot take
        )
    return [to_model_text(text) for text in texts.to_pylist()]
