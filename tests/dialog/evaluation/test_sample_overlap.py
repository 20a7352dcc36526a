"""Sentence BLEU is NLTK's, of now and of 2019; precision and recall of samples are Zhao's."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nltk.translate.bleu_score import SmoothingFunction
from nltk.translate.bleu_score import sentence_bleu as nltk_bleu

from dialog.errors import UsageError
from dialog.evaluation.sample_overlap import (
    SAMPLE_FIGURES,
    UP_TO_3,
    UP_TO_4,
    SampleOverlap,
    measure_samples,
    sample_overlap,
    sentence_bleu,
)

WORDS = st.lists(st.sampled_from("abcde"), max_size=9)
WEIGHTS = [(1.0,), (0.5, 0.5), UP_TO_3, UP_TO_4, (0, 1, 0, 0)]


@settings(max_examples=150, deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=3), WORDS, st.sampled_from(WEIGHTS))
def test_it_is_nltks(references, reply, weights) -> None:
    smoothing = SmoothingFunction().method7
    wanted = nltk_bleu(references, reply, weights=weights, smoothing_function=smoothing)
    assert sentence_bleu(references, reply, weights) == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize(
    ("reference", "reply", "up_to_3", "up_to_4", "second_alone"),
    [
        ("the cat sat on the mat", "the dog sat on a mat", 0.4191948621, 0.3424543069, 0.4177295355),
        ("i do not know", "i do not know", 1.0139783634, 1.0106296634, 1.1111111111),
        ("yes i think so .", "yes .", 0.0954152704, 0.0696664128, 0.0945232565),
        ("a b c d e f", "x a b y c z d e", 0.4425730556, 0.3631850935, 0.4526644446),
        ("well", "well", 0.0, 0.0, 0.0),  # NLTK divided by ln(1)
    ],
)
def test_nltk_of_2019_gave_these_figures(reference, reply, up_to_3, up_to_4, second_alone) -> None:
    """Printed by the modules of NLTK 3.2.5 and 3.4.5, which agree."""
    found = [
        sentence_bleu([reference.split()], reply.split(), weights, "nltk-3.4")
        for weights in (UP_TO_3, UP_TO_4, (0, 1, 0, 0))
    ]
    assert found == pytest.approx([up_to_3, up_to_4, second_alone], abs=1e-9)


def test_a_case_by_hand() -> None:
    """One shared word of two, no pair, no triple: ln(2) / 10 and, of no triple, ln(2) / 20 over 1."""
    first, second, third = 1 / 2, math.log(2) / 10, math.log(2) / 20
    one = (first + 1 + first + second) / 3
    two = (one + second + third) / 3
    three = (two + third + 0) / 3
    wanted = math.exp(1 - 3 / 2) * (one * two * three) ** (1 / 3)
    assert sentence_bleu([["a", "b", "c"]], ["a", "x"]) == pytest.approx(wanted)
    old = [first, 1 / (1 + 5 / math.log(2)), 1 / (2 + 5 / math.log(2))]
    one = (first + 1 + first + old[1]) / 3
    two = (one + old[1] + old[2]) / 3
    three = (two + old[2] + 0) / 3
    wanted = math.exp(1 - 3 / 2) * (one * two * three) ** (1 / 3)
    assert sentence_bleu([["a", "b", "c"]], ["a", "x"], smoothing="nltk-3.4") == pytest.approx(wanted)


def test_precision_is_a_mean_over_samples_recall_over_references() -> None:
    references, samples = [["a", "b"], ["c", "d", "e"]], [["a", "b"], ["a", "x"], ["a", "x"]]
    each = np.array([[sentence_bleu([one], sample) for one in references] for sample in samples])
    found = sample_overlap(references, samples)
    assert found.precision == pytest.approx(each.max(1).mean())
    assert found.recall == pytest.approx(each.max(0).mean())
    assert found.recall < found.precision


@given(WORDS, st.lists(WORDS, min_size=1, max_size=5))
def test_one_reference_has_recall_no_lower_and_equal_samples_none_to_choose(reference, samples) -> None:
    found = sample_overlap([reference], samples)
    assert found.recall >= found.precision - 1e-12
    same = sample_overlap([reference], samples[:1] * 4)
    assert same.recall == pytest.approx(same.precision)


def test_contexts_are_averaged_and_f1_is_of_the_averages() -> None:
    samples = [[["a", "b"], ["x"]], [["c"], []], [["d", "e"], ["d", "e"]]]
    references = [["a", "b"], [], ["d", "x"]]
    sums = measure_samples(samples, references, np.array([0, 0, 1]), ["one", "two"])
    for smoothing in ("nltk-3.6", "nltk-3.4"):
        each = [
            sample_overlap([reference], some, smoothing=smoothing)
            for some, reference in zip(samples, references, strict=True)
        ]
        precision, recall = np.mean([[one.precision, one.recall] for one in each], axis=0)
        name = smoothing.replace("-", "_").replace(".", "_")
        found = {figure.name: figure.of(sums) for figure in SAMPLE_FIGURES if name in figure.name}
        assert list(found.values()) == pytest.approx(
            [precision, recall, 2 * precision * recall / (precision + recall)]
        )
        assert sums.column(f"sample_bleu_recall_{name}")[1] == pytest.approx(each[2].recall)


def test_empty_texts_score_0_and_missing_ones_are_told() -> None:
    assert sentence_bleu([["a"]], []) == 0
    assert sentence_bleu([[]], ["a"]) == 0
    assert sample_overlap([[]], [[]]) == SampleOverlap(0.0, 0.0)
    for references, samples in (([], [["a"]]), ([["a"]], [])):
        with pytest.raises(UsageError, match="without a sample or without a reference"):
            sample_overlap(references, samples)
    with pytest.raises(UsageError, match="1 to 4 weights"):
        sentence_bleu([["a"]], ["a"], [0.2] * 5)
