"""Sums a conversation give sacrebleu's corpus figures, for the whole and for any part or multiple of it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics import BLEU, CHRF

from dialog.errors import UsageError
from dialog.evaluation.overlap import CHRF_FIGURE, OVERLAP_FIGURES, bleu_figure, measure_overlap

WORDS = "a b c cat . , the".split()
TEXTS = st.lists(st.sampled_from(WORDS), max_size=9).map(" ".join)
PAIRS = st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=8)


def measured(pairs, **options):
    conversations = np.arange(len(pairs)) // 2
    ids = [str(number) for number in range(conversations.max() + 1)]
    replies, references = zip(*pairs, strict=True)
    return measure_overlap(replies, references, conversations, ids, **options)


def wanted(pairs) -> list[float]:
    replies, references = map(list, zip(*pairs, strict=True))
    scores = [BLEU(max_ngram_order=order).corpus_score(replies, [references]).score for order in range(1, 5)]
    return [*scores, CHRF().corpus_score(replies, [references]).score]


@settings(max_examples=40, deadline=None)
@given(PAIRS)
def test_figures_are_sacrebleus_also_of_a_part_and_of_a_multiple(pairs) -> None:
    sums = measured(pairs).sums
    assert [figure.of(sums) for figure in OVERLAP_FIGURES] == pytest.approx(wanted(pairs), abs=1e-9)
    first = [figure.of(sums.select(["0"])) for figure in OVERLAP_FIGURES]
    assert first == pytest.approx(wanted(pairs[:2]), abs=1e-9)
    for figure in OVERLAP_FIGURES:
        totals = sums.matrix(figure.columns)
        counts = np.array([2, *[1] * (len(totals) - 1)])
        drawn = wanted([*pairs, *pairs[:2]])[OVERLAP_FIGURES.index(figure)]
        assert figure.of_totals(counts @ totals) == pytest.approx(drawn, abs=1e-9)


def test_a_case_by_hand() -> None:
    """Equally long; shared are 5 of 6 words, 3 of 5 pairs, 2 of 4 triples, 1 of 3 of four words."""
    precisions = [5 / 6, 3 / 5, 2 / 4, 1 / 3]
    sums = measured([("the cat sat on a mat", "the cat sat on the mat")]).sums
    for order in range(1, 5):
        assert bleu_figure(order).of(sums) == pytest.approx(100 * np.prod(precisions[:order]) ** (1 / order))
    # Shorter, 3 for 6; shared are 3 of 3 words, 1 of 2 pairs, and of 1 triple none, which counts a half.
    missing = measured([("sat the cat", "the cat sat on the mat")]).sums
    brevity = np.exp(1 - 6 / 3)
    assert bleu_figure(1).of(missing) == pytest.approx(100 * brevity)
    assert bleu_figure(2).of(missing) == pytest.approx(100 * brevity * (1 * 1 / 2) ** 0.5)
    assert bleu_figure(3).of(missing) == pytest.approx(100 * brevity * (1 * 1 / 2 * 1 / 2) ** (1 / 3))


def test_the_same_words_score_100_and_others_0() -> None:
    same = measured([("I see the cat .", "I see the cat .")] * 3).sums
    assert [figure.of(same) for figure in OVERLAP_FIGURES] == pytest.approx([100] * 5)
    other = measured([("x y z u", "I see the cat .")]).sums
    assert [figure.of(other) for figure in OVERLAP_FIGURES] == [0] * 5


def test_empty_texts_are_defined() -> None:
    for pair in (("", "I see"), ("I see", ""), ("", "")):
        assert [figure.of(measured([pair]).sums) for figure in OVERLAP_FIGURES] == [0] * 5


def test_the_signature_says_how_it_was_counted() -> None:
    found = measured([("a", "a")])
    assert found.bleu_signature.startswith("nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:")
    assert found.chrf_signature.startswith("nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:")
    assert "case:lc" in measured([("A", "a")], lowercase=True).bleu_signature
    assert bleu_figure(1).of(measured([("A", "a")], lowercase=True).sums) == 100
    assert bleu_figure(1).of(measured([("A", "a")]).sums) == 0


def test_japanese_is_cut_by_character_or_by_mecab() -> None:
    pair = ("猫が好きです。", "猫は好きです。")
    by_character = measured([pair], words="characters")
    assert bleu_figure(1).of(by_character.sums) == pytest.approx(100 * 6 / 7)
    by_mecab = measured([pair], words="mecab")
    assert bleu_figure(1).of(by_mecab.sums) == pytest.approx(100 * 4 / 5)
    assert "tok:char" in by_character.bleu_signature and "tok:ja-mecab" in by_mecab.bleu_signature
    assert CHRF_FIGURE.of(by_mecab.sums) == CHRF_FIGURE.of(by_character.sums)


def test_bad_input_is_told_in_a_sentence() -> None:
    with pytest.raises(UsageError, match="2 replies, 1 references"):
        measure_overlap(["a", "b"], ["a"], np.zeros(2, np.int64), ["x"])
    with pytest.raises(UsageError, match="no reply"):
        measure_overlap([], [], np.zeros(0, np.int64), ["x"])
