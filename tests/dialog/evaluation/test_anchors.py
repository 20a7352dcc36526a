"""Retrieval finds the nearest context by the definition of TF-IDF; the other anchors are what they are called."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialog.errors import UsageError
from dialog.evaluation import anchors
from dialog.evaluation.anchors import Retrieval, most_frequent_reply, random_replies, retrieval_words
from dialog.evaluation.talks import Pair
from dialog.evaluation.words import word_rule

TEXT = st.lists(st.sampled_from("abcdef"), max_size=5).map(" ".join)
CONTEXT = st.lists(TEXT, max_size=3).map(tuple)


def pairs(*contexts: tuple[str, ...]) -> list[Pair]:
    return [Pair(context, f"reply {number}") for number, context in enumerate(contexts)]


def cosines(context, contexts) -> list[float]:
    """The cosines of TF-IDF vectors, by dictionaries."""
    documents = [Counter(" ".join(each).split()) for each in contexts]
    weight = {
        word: math.log(len(documents) / sum(word in each for each in documents))
        for word in set().union(*documents)
    }

    def vector(counts):
        full = {word: count * weight[word] for word, count in counts.items() if weight.get(word)}
        length = math.sqrt(sum(value**2 for value in full.values()))
        return {word: value / length for word, value in full.items()}

    query = vector(Counter(" ".join(context).split()))
    return [sum(query.get(word, 0) * value for word, value in vector(each).items()) for each in documents]


@given(st.lists(CONTEXT, min_size=1, max_size=8), st.lists(CONTEXT, max_size=3))
def test_the_nearest_context_has_the_highest_cosine(contexts, asked) -> None:
    retrieval = Retrieval.of(pairs(*contexts), str.split)
    for context, answer in zip(asked, retrieval.answer(asked), strict=True):
        near = cosines(context, contexts)
        if max(near) < 1e-6:
            assert answer == "reply 0"  # of equally frequent ones the first
        else:
            assert near[int(answer.split()[1])] == pytest.approx(max(near), abs=1e-5)


def test_gensim_finds_the_same() -> None:
    corpora = pytest.importorskip("gensim.corpora")
    models = pytest.importorskip("gensim.models")
    similarities = pytest.importorskip("gensim.similarities")
    random = np.random.default_rng(0)
    contexts = [(" ".join(f"w{word}" for word in random.zipf(1.4, 12) % 60),) for _ in range(40)]
    dictionary = corpora.Dictionary([context[0].split() for context in contexts])
    bags = [dictionary.doc2bow(context[0].split()) for context in contexts]
    tfidf = models.TfidfModel(bags)
    index = similarities.SparseMatrixSimilarity(tfidf[bags], num_features=len(dictionary))
    asked = [(" ".join(f"w{word}" for word in random.zipf(1.4, 8) % 60),) for _ in range(30)]
    answers = Retrieval.of(pairs(*contexts), str.split).answer(asked)
    for context, answer in zip(asked, answers, strict=True):
        near = index[tfidf[dictionary.doc2bow(context[0].split())]]
        assert near[int(answer.split()[1])] == pytest.approx(near.max(), abs=1e-5)


def test_blocks_and_company_change_nothing_and_equal_contexts_give_the_first(monkeypatch) -> None:
    contexts = [("a b", "c"), ("d e",), ("a b", "c"), ("f",), ("d", "e")]
    retrieval = Retrieval.of(pairs(*contexts), str.split)
    asked = [("c", "b a"), ("e d",), ("f",), ("unknown",), ()] * 60
    answers = retrieval.answer(asked)
    assert answers[:5] == ["reply 0", "reply 1", "reply 3", "reply 0", "reply 0"]
    monkeypatch.setattr(anchors, "_BLOCK", 7)
    assert retrieval.answer(asked) == answers
    assert [retrieval.answer([one])[0] for one in asked[:5]] == answers[:5]
    assert retrieval.answer([]) == []


def test_words_of_very_many_contexts_are_left_out(monkeypatch) -> None:
    monkeypatch.setattr(anchors, "_MOST_CONTEXTS", 2)
    contexts = [("the cat",), ("the dog",), ("the cow",), ("a x y z",)]
    answers = Retrieval.of(pairs(*contexts), str.split).answer([("the the the",), ("the cow",)])
    assert answers == ["reply 0", "reply 2"]


def test_japanese_is_found_by_pairs_of_characters() -> None:
    cut = retrieval_words(word_rule("characters"))
    assert cut("猫が好き") == ["猫が", "が好", "好き"]
    assert cut("猫") == ["猫"]
    assert cut(" ") == []
    assert retrieval_words(word_rule("words")) is word_rule("words").cut


def test_the_most_frequent_reply_is_one_whatever_its_capitals() -> None:
    said = [Pair((), reply) for reply in ("No.", "I see.", "i SEE.", "no.", "I see.")]
    assert most_frequent_reply(said) == "I see."
    assert most_frequent_reply(said[:2]) == "No."


def test_random_replies_are_drawn_by_their_seed_from_all() -> None:
    said = [Pair((), reply) for reply in "aaab"]
    drawn = random_replies(said, 4000, seed=1)
    assert 0.72 < drawn.count("a") / 4000 < 0.78
    assert drawn == random_replies(said, 4000, seed=1)
    assert drawn != random_replies(said, 4000, seed=2)


def test_without_training_replies_there_is_a_sentence() -> None:
    for answer in (
        lambda: random_replies([], 1),
        lambda: most_frequent_reply([]),
        lambda: Retrieval.of([], str.split),
    ):
        with pytest.raises(UsageError, match="no training reply"):
            answer()
