"""Encodes many texts at once: every different word is encoded once, by SentencePiece, and then looked up.

A text's tokens are those of its words (`dialog.text.tokenizer`), and a few words make up most of a log (Zipf's
law), so looking up is several times as fast as encoding, and gives the same tokens.
"""

import itertools
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dialog.text.tokenizer import Tokenizer, to_model_text

__all__ = ["BatchEncoder"]

_MOST_WORDS = 200_000  # that are kept, about 40 MB
_LONGEST_KEPT = 64  # characters; longer "words" seldom come back


class BatchEncoder:
    """Encodes arrays of texts with one tokenizer, and remembers words."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._known: dict[str, bytes] = {}

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
        packed = self._packed(coded.dictionary.to_pylist())
        lengths = np.fromiter(map(len, packed), np.int64, len(packed)) // 4
        starts = np.cumsum(lengths) - lengths
        pool = np.frombuffer(b"".join(packed), np.int32)
        places = coded.indices.to_numpy()
        counts = lengths[places]  # (word)
        ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
        taken = np.repeat(starts[places] - ends[:-1], counts)
        taken += np.arange(len(taken))
        offsets = ends[words.offsets.to_numpy()].astype(np.int32)
        return pa.ListArray.from_arrays(pa.array(offsets), pa.array(pool[taken]))

    def _packed(self, words: list[str]) -> list[bytes]:
        """The tokens of each of these different words, as the bytes of an int32 array."""
        known = self._known
        packed = [known.get(word, b"") for word in words]
        new = [place for place, tokens in enumerate(packed) if not tokens]
        if len(known) + len(new) > _MOST_WORDS:
            known.clear()
        encoded = self._tokenizer.encode_words([words[place] for place in new])
        for place, tokens in zip(new, encoded, strict=True):
            packed[place] = np.array(tokens, np.int32).tobytes()
            if len(words[place]) <= _LONGEST_KEPT:
                known[words[place]] = packed[place]
        return packed


def _model_texts(texts: pa.StringArray) -> list[str] | pa.StringArray:
    if pc.all(pc.string_is_ascii(texts), min_count=0).as_py():
        return (
            texts  # clean texts are normalised, and ASCII holds nothing else that SentencePiece cannot take
        )
    return [to_model_text(text) for text in texts.to_pylist()]
