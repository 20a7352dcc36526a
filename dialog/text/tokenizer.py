"""Text to tokens and back: SentencePiece (Kudo & Richardson 2018) with byte fallback.

Laws, for any text and any tokens:

- `decode(encode(text)) == normalise(text)`, with a lone surrogate read as U+FFFD; so `</s>`, `<unk>`, `<0x41>`
  and U+2581 (SentencePiece's own space mark) in a user's text are text and come back as text;
- `encode` yields none of the control tokens pad, bos, eos, and never unk (unknown characters become bytes);
- `encode(a + " " + b) == encode(a) + encode(b)`: a text's tokens are those of its words, so that a corpus is
  encoded a *different* word at a time (`dialog.corpus.encoding`);
- `"".join(stream.push(token) for token in tokens) + stream.finish() == decode(tokens)`.

U+2581 cannot stand in SentencePiece's input, where it means a space: the noncharacter U+10FFFF takes its place
inside. U+10FFFF itself is no text (Unicode keeps it for such uses) and reads as U+FFFD.
"""

import codecs
import hashlib
import io
import random
import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import chain, islice
from pathlib import Path
from typing import Literal

import sentencepiece

from dialog.errors import CorpusError, DialogError, UsageError
from dialog.text.normalise import normalise

__all__ = ["Kind", "StreamDecoder", "Tokenizer", "to_model_text", "train_tokenizer", "without_surrogates"]

Kind = Literal["unigram", "bpe"]

_SPACE_MARK = "\u2581"
_STAND_IN = "\U0010ffff"
_REPLACEMENT = "\ufffd"
_SURROGATES = dict.fromkeys(range(0xD800, 0xE000), _REPLACEMENT)
_SMALLEST_VOCABULARY = 261
_LONGEST_SAMPLE_TEXT = 4_000  # characters of one utterance that the tokenizer is trained on
_TRAINING_THREADS = 4  # fixed: the sums of the training, and so the model, follow the number of threads
_TO_MODEL = {**_SURROGATES, ord(_STAND_IN): _REPLACEMENT}


class Tokenizer:
    """A trained SentencePiece model; made by `load`, `from_bytes` or `train_tokenizer`.

    Attributes:
        model_bytes: the model file, as it is saved.
        num_tokens: the vocabulary size, control tokens and bytes included.
        pad_id, unk_id, bos_id, eos_id: the tokens that are no text.
    """

    def __init__(self, model_bytes: bytes) -> None:
        processor = sentencepiece.SentencePieceProcessor()
        try:
            loaded = processor.LoadFromSerializedProto(model_bytes)
        except RuntimeError:
            loaded = False
        if not loaded:
            raise CorpusError("the tokenizer's model is damaged: take a copy that is whole, or prepare again")
        self._processor = processor
        self.model_bytes = model_bytes
        self.num_tokens = int(processor.get_piece_size())
        self.pad_id = int(processor.pad_id())
        self.unk_id = int(processor.unk_id())
        self.bos_id = int(processor.bos_id())
        self.eos_id = int(processor.eos_id())

    @classmethod
    def load(cls, path: str | Path) -> "Tokenizer":
        """Loads a tokenizer from a model file.

        Raises:
            CorpusError: the file cannot be read or is no SentencePiece model.
        """
        try:
            model_bytes = Path(path).read_bytes()
        except OSError as error:
            raise CorpusError(f"the tokenizer {path} cannot be read: {error.strerror}") from error
        try:
            return cls(model_bytes)
        except CorpusError as error:
            raise CorpusError(f"{path}: {error}") from error

    @classmethod
    def from_bytes(cls, data: bytes) -> "Tokenizer":
        """Makes a tokenizer from the bytes of a model file."""
        return cls(data)

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the model, hexadecimal."""
        return hashlib.sha256(self.model_bytes).hexdigest()

    def encode(self, text: str) -> list[int]:
        """Returns the tokens of `text` after `normalise`; empty for a text of white space alone."""
        return self.encode_all([text])[0]

    def encode_all(self, texts: Sequence[str]) -> list[list[int]]:
        """Returns the tokens of each text, on one core."""
        inputs = [to_model_text(text) for text in texts]
        if not self.is_by_words:
            return self.encode_words(inputs)
        words = [text.split(" ") for text in inputs]
        tokens = iter(self.encode_words(list(chain.from_iterable(words))))
        return [list(chain.from_iterable(islice(tokens, len(each)))) for each in words]

    def encode_words(self, words: Sequence[str]) -> list[list[int]]:
        """Returns the tokens of each word, or of each text where the tokenizer is not by words.

        Args:
            words: parts between spaces of what `to_model_text` returns.
        """
        tokens: list[list[int]] = self._processor.encode(words, out_type=int, num_threads=1)
        return tokens

    @cached_property
    def pieces(self) -> tuple[str, ...]:
        """SentencePiece's name of each token: no two alike, none with white space, a leading space as U+2581."""
        return tuple(self._processor.id_to_piece(token) for token in range(self.num_tokens))

    @cached_property
    def is_by_words(self) -> bool:
        """Whether no piece crosses a space, as in all that `train_tokenizer` makes; others are taken as well."""
        begins: list[str] = self._processor.encode(["a"], out_type=str)[0]
        return begins[0].startswith(_SPACE_MARK) and not any(
            _SPACE_MARK in piece[1:] for piece in self.pieces
        )

    def decode(self, tokens: Sequence[int]) -> str:
        """Returns the text of `tokens`.

        Control tokens are left out; unk and byte runs that are no UTF-8 read as U+FFFD.
        """
        known = self.token_bytes
        text = b"".join([known[token] for token in tokens]).decode("utf-8", errors="replace")
        return text.lstrip(" ").replace(
            _STAND_IN, _SPACE_MARK
        )  # SentencePiece begins every text with a space

    @cached_property
    def token_bytes(self) -> tuple[bytes, ...]:
        """What each token adds to the text, as UTF-8; a word's leading space included."""
        return tuple(self._bytes_of(token) for token in range(self.num_tokens))

    def _bytes_of(self, token: int) -> bytes:
        if self._processor.is_control(token) or self._processor.is_unused(token):
            return b""
        if self._processor.is_unknown(token):
            return _REPLACEMENT.encode()
        piece: str = self._processor.id_to_piece(token)
        if self._processor.is_byte(token):
            return bytes([int(piece[3:-1], 16)])
        return piece.replace(_SPACE_MARK, " ").encode()

    def __reduce__(self) -> tuple[type["Tokenizer"], tuple[bytes]]:
        return (Tokenizer, (self.model_bytes,))


class StreamDecoder:
    """Turns tokens into text as they come; each `push` costs the same however long the reply is.

    A character whose bytes are not all there yet is held back until they are.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._token_bytes = tokenizer.token_bytes
        self._utf8 = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._at_start = True

    def push(self, token: int) -> str:
        """Returns the text that is final with this token, "" while a character is incomplete."""
        return self._text(self._utf8.decode(self._token_bytes[token]))

    def finish(self) -> str:
        """Returns what was held back, as U+FFFD where its bytes never became a character."""
        return self._text(self._utf8.decode(b"", final=True))

    def _text(self, text: str) -> str:
        if self._at_start:
            text = text.lstrip(" ")  # SentencePiece begins every text with a space
            self._at_start = not text
        return text.replace(_STAND_IN, _SPACE_MARK)


def to_model_text(text: str) -> str:
    """Returns `text` as SentencePiece is to see it: normalised, without what it cannot take."""
    if text.isascii():
        return normalise(text)
    return normalise(text.translate(_TO_MODEL)).replace(_SPACE_MARK, _STAND_IN)


def without_surrogates(text: str) -> str:
    """Returns `text` with each lone surrogate as U+FFFD, so that it can be written as UTF-8."""
    return text if text.isascii() else text.translate(_SURROGATES)


def train_tokenizer(
    texts: Iterable[str],
    vocabulary_size: int,
    kind: Kind = "unigram",
    seed: int = 1,
    sample_size: int = 200_000,
    whole: Sequence[str] = (),
) -> bytes:
    """Trains a SentencePiece model; the same texts and arguments give the same bytes.

    Args:
        texts: the utterances; read once, never held all at once.
        vocabulary_size: tokens at most, control tokens and the 256 bytes included. A corpus with less
            in it gets fewer.
        kind: `unigram` (Kudo 2018) or `bpe` (Sennrich et al. 2016).
        seed: of the sample.
        sample_size: utterances to train on, drawn with equal chances; all where there are fewer.
        whole: texts without white space that are one piece each wherever they stand, such as placeholders.

    Returns:
        The model file.

    Raises:
        UsageError: an argument is out of its range, or the vocabulary cannot hold the sample's characters.
        CorpusError: there is no text.
    """
    if kind not in ("unigram", "bpe"):
        raise UsageError(f"the tokenizer's kind is {kind!r}, but must be 'unigram' or 'bpe'")
    if sample_size < 1:
        raise UsageError(f"the tokenizer's sample is {sample_size} utterances, but must be 1 or more")
    if vocabulary_size < _SMALLEST_VOCABULARY:
        raise UsageError(
            f"the vocabulary size is {vocabulary_size}, but 4 control tokens and 256 bytes stand in every "
            f"vocabulary: choose {_SMALLEST_VOCABULARY} or more"
        )
    sample = [to_model_text(text)[:_LONGEST_SAMPLE_TEXT] for text in _draw(texts, sample_size, seed)]
    sample = [text for text in sample if text]
    if not sample:
        raise CorpusError(
            "there is no text to train a tokenizer on: give logs with at least one conversation"
        )
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(sample),
            model_writer=model,
            vocab_size=vocabulary_size,
            hard_vocab_limit=False,
            model_type=kind,
            normalization_rule_name="identity",
            byte_fallback=True,
            user_defined_symbols=list(whole),
            pad_id=0,
            unk_id=1,
            bos_id=2,
            eos_id=3,
            max_sentence_length=4 * _LONGEST_SAMPLE_TEXT,  # bytes, where a longer text would be left out
            num_threads=_TRAINING_THREADS,
            minloglevel=3,
        )
    except RuntimeError as error:
        raise _training_error(str(error), vocabulary_size) from error
    return model.getvalue()


def _draw(texts: Iterable[str], size: int, seed: int) -> list[str]:
    """A sample without replacement, in one pass (Vitter 1985, algorithm R), in the order of `texts`."""
    generator = random.Random(seed)
    sample: list[tuple[int, str]] = []
    for position, text in enumerate(texts):
        if position < size:
            sample.append((position, text))
        elif (place := generator.randrange(position + 1)) < size:
            sample[place] = (position, text)
    return [text for _, text in sorted(sample, key=lambda drawn: drawn[0])]


def _training_error(message: str, vocabulary_size: int) -> DialogError:
    needed = re.search(r"smaller than required_chars\. \d+ vs (\d+)", message)
    if needed:
        return UsageError(
            f"the vocabulary size is {vocabulary_size}, but the characters of these texts alone need "
            f"{needed[1]}: choose that or more"
        )
    return CorpusError(
        f"SentencePiece cannot train a vocabulary of {vocabulary_size} on these texts ({message}): "
        "give more text or a smaller --vocabulary-size"
    )
