"""`BatchEncoder` gives the tokens of `Tokenizer.encode`, whatever it has seen before."""

import pyarrow as pa
import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st

from dialog.corpus import encoding
from dialog.corpus.encoding import BatchEncoder
from dialog.text.normalise import normalise
from dialog.text.tokenizer import Tokenizer, train_tokenizer

TOKENIZERS = [
    Tokenizer.from_bytes(train_tokenizer(["to be or not to be", "that is the question"] * 20, 300, kind))
    for kind in ("unigram", "bpe")
]
WORDS = st.one_of(st.sampled_from("to be or not that is the question.".split()), st.text(max_size=6))
TEXTS = st.lists(st.lists(WORDS, max_size=9).map(" ".join).map(normalise), max_size=8)


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
@settings(max_examples=60, deadline=None)
@given(parts=st.lists(TEXTS, max_size=4))
def test_tokens_are_those_of_each_text_alone(tokenizer, parts) -> None:
    encoder = BatchEncoder(tokenizer)
    for texts in parts:
        texts = [text for text in texts if text and text.isprintable()]
        encoded = encoder.encode(pa.array(texts, pa.string()))
        assert encoded.type == pa.list_(pa.int32())
        assert encoded.to_pylist() == [tokenizer.encode(text) for text in texts]


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
def test_the_tokens_of_a_text_are_those_of_its_words(tokenizer) -> None:
    one, other = "to be or not", "\u2581 café 😀 to-be"
    assert tokenizer.encode(f"{one} {other}") == tokenizer.encode(one) + tokenizer.encode(other)


def test_forgetting_words_changes_nothing(monkeypatch) -> None:
    monkeypatch.setattr(encoding, "_MOST_WORDS", 3)
    encoder = BatchEncoder(TOKENIZERS[0])
    for text in ("to be or not to be", "that is the question", "to be or not"):
        assert encoder.encode(pa.array([text])).to_pylist() == [TOKENIZERS[0].encode(text)]


def test_a_tokenizer_with_pieces_across_spaces_is_taken_as_well(tmp_path) -> None:
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["new york is new york", "to new york"] * 30),
        model_prefix=str(tmp_path / "across"),
        vocab_size=300,
        hard_vocab_limit=False,
        split_by_whitespace=False,
        byte_fallback=True,
        normalization_rule_name="identity",
        minloglevel=3,
    )
    tokenizer = Tokenizer.load(tmp_path / "across.model")
    assert not tokenizer.is_by_words
    texts = ["to new york", "new york is new york"]
    encoded = BatchEncoder(tokenizer).encode(pa.array(texts)).to_pylist()
    assert encoded == [tokenizer.encode(text) for text in texts]
    assert [tokenizer.decode(tokens) for tokens in encoded] == texts
