"""word2vec: a seed fixes the vectors, units that stand alike come to lie near, and a model starts from them."""

import dataclasses
import sys
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from dialog.errors import ConfigError, CorpusError, UsageError
from dialog.evaluation.vectors import WordVectors
from dialog.evaluation.words import word_rule
from dialog.models.registry import MODELS, build_model, model_class
from dialog.text.batches import EOS, Window, collate
from dialog.text.tokenizer import Tokenizer, train_tokenizer
from dialog.training.word_vectors import (
    VectorSettings,
    nearest,
    require_gensim,
    start_embedding,
    train_vectors,
)

pytest.importorskip("gensim")
ANIMALS, COLOURS = ("cat", "dog", "cow", "hen"), ("red", "blue", "green", "pink")
TEXTS = [
    text
    for animal in ANIMALS
    for colour in COLOURS
    for text in (
        f"My {animal} likes to eat.",
        f"a {animal} likes to run",
        f"we paint it {colour} now",
        f"so {colour} now!",
    )
]
SMALL = VectorSettings(size=12, epochs=40, window=3)


class Split:
    """Conversations of one utterance each."""

    def __init__(self, tokenizer: Tokenizer, texts=TEXTS) -> None:
        self._rows = [np.array(ids, dtype=np.int32) for ids in tokenizer.encode_all(texts)]
        self.read = 0

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> SimpleNamespace:
        return SimpleNamespace(utterances=[self._rows[index]])


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer(train_tokenizer(TEXTS, 340))


def made(tokenizer: Tokenizer, **changes) -> WordVectors:
    return train_vectors(Split(tokenizer), tokenizer, dataclasses.replace(SMALL, **changes))


def same(one: WordVectors, other: WordVectors) -> bool:
    return one.rows == other.rows and np.array_equal(one.values, other.values)


@pytest.mark.parametrize("method", ["skipgram", "cbow"])
@pytest.mark.parametrize("unit", ["tokens", "words"])
def test_the_same_seed_gives_the_same_vectors_and_every_setting_matters(tokenizer, method, unit) -> None:
    first = made(tokenizer, method=method, unit=unit, epochs=3)
    assert same(first, made(tokenizer, method=method, unit=unit, epochs=3))
    for change in (
        {"seed": 2},
        {"window": 1},
        {"negative": 2},
        {"epochs": 4},
        {"size": 9},
        {"min_count": 18},
        {"subsampling": 0.0},
    ):
        other = made(tokenizer, **{"method": method, "unit": unit, "epochs": 3, **change})
        assert not same(first, other), change


def test_methods_and_units_differ(tokenizer) -> None:
    assert not same(made(tokenizer, epochs=2), made(tokenizer, epochs=2, method="cbow"))
    for rule in ("words", "characters"):
        words = {word for text in TEXTS for word in word_rule(rule).cut(text)}
        assert set(made(tokenizer, unit="words", word_rule=rule).rows) == words
    tokens = {tokenizer.pieces[token] for text in TEXTS for token in tokenizer.encode(text)}
    assert set(made(tokenizer).rows) == tokens | {"</s>"}


def test_the_most_frequent_come_first(tokenizer) -> None:
    counts = Counter(token for ids in tokenizer.encode_all(TEXTS) for token in (*ids, EOS))
    places = [counts[tokenizer.pieces.index(name)] for name in made(tokenizer).rows]
    assert places == sorted(places, reverse=True)


@pytest.mark.parametrize("method", ["skipgram", "cbow"])
def test_words_that_stand_alike_lie_near(tokenizer, method) -> None:
    vectors = made(tokenizer, unit="words", method=method, epochs=150, subsampling=0.0)
    for group in (ANIMALS, COLOURS):
        for word in group:
            assert set(nearest(vectors, word, 3)) == set(group) - {word}


def test_the_nearest_have_the_least_angles() -> None:
    values = np.array([[1, 0], [9, 1], [1, 1], [0, 1], [-1, 0]], np.float32)
    vectors = WordVectors({name: row for row, name in enumerate("abcde")}, values)
    assert nearest(vectors, "a", 3) == ["b", "c", "d"]
    assert nearest(vectors, "a", 99) == ["b", "c", "d", "e"]
    assert nearest(vectors, "e", 1) == ["d"]


def test_progress_counts_the_vocabulary_and_each_epoch(tokenizer) -> None:
    told = []
    train_vectors(Split(tokenizer), tokenizer, dataclasses.replace(SMALL, epochs=3), told.append)
    assert sum(told) == 4 * len(TEXTS)


def test_what_stands_too_seldom_is_one_sentence(tokenizer) -> None:
    with pytest.raises(CorpusError, match="no words stand in the split at least 99 times"):
        made(tokenizer, unit="words", min_count=99)


def test_settings_out_of_range_are_named() -> None:
    for wrong in (
        {"method": "glove"},
        {"unit": "bytes"},
        {"size": 0},
        {"negative": 0},
        {"word_rule": "treebank"},
    ):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            VectorSettings(**wrong)


def test_without_gensim_it_says_so(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "gensim", None)
    with pytest.raises(UsageError, match="gensim, which makes the vectors, is not installed"):
        require_gensim()


def small(name: str, tokenizer: Tokenizer):
    fields = model_class(name).config_class.__dataclass_fields__
    sizes = {size: 12 for size in ("embedding_size", "hidden_size", "context_size") if size in fields}
    torch.manual_seed(1)
    return build_model(name, {"vocab_size": tokenizer.num_tokens, **sizes}).eval()


@pytest.mark.parametrize("name", list(MODELS))
def test_a_model_starts_from_them_and_keeps_the_rest(name, tokenizer) -> None:
    vectors, plain, model = made(tokenizer), small(name, tokenizer), small(name, tokenizer)
    assert start_embedding(model, tokenizer, vectors) == len(vectors.rows)
    places = {piece: token for token, piece in enumerate(tokenizer.pieces)}
    tokens = [places[piece] for piece in vectors.rows]
    np.testing.assert_array_equal(model.table.weight.detach().numpy()[tokens], vectors.values)
    others = [token for token in range(tokenizer.num_tokens) if token not in tokens]
    assert others
    torch.testing.assert_close(model.table.weight[others], plain.table.weight[others], atol=0, rtol=0)
    for (weight_name, weight), same in zip(model.named_parameters(), plain.parameters(), strict=True):
        assert weight_name == "table.weight" or torch.equal(weight, same)
    words = [np.array(tokenizer.encode(text), np.int32) for text in TEXTS[:3]]
    batch = collate([Window(words, np.array([False, True, True]))])
    losses = [each.loss(batch, torch.Generator().manual_seed(1)).nll for each in (model, plain)]
    assert not torch.allclose(*losses)


def test_vectors_that_do_not_fit_are_one_sentence(tokenizer) -> None:
    model = small("lm", tokenizer)
    with pytest.raises(ConfigError, match="have 9 numbers .* 12; train with --set embedding_size=9"):
        start_embedding(model, tokenizer, made(tokenizer, size=9, epochs=1))
    strangers = WordVectors({"qqq": 0, "zzz": 1}, np.ones((2, 12), np.float32))
    with pytest.raises(ConfigError, match="no vector is of a token"):
        start_embedding(model, tokenizer, strangers)
