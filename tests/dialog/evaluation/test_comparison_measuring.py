"""Metrics of a row: the true reply gets what it must, an empty one too, and the clean part is measured anew."""

import numpy as np
import pytest

from dialog.evaluation.comparison.answering import Answer
from dialog.evaluation.comparison.measuring import (
    BEST,
    WHOLE_COLUMNS,
    RowSums,
    answers_hash,
    measure_row,
    sample_rule,
    words_of,
)
from dialog.evaluation.comparison.reply_tables import reply_tables
from dialog.evaluation.vectors import WordVectors
from dialog.evaluation.words import word_rule
from tests.dialog.evaluation.comparison_cases import make_material, make_tokenizer

MATERIAL = make_material(make_tokenizer())
JAPANESE = make_material(
    make_tokenizer(),
    [
        ["お元気ですか。", "はい、元気です。", "それはよかったです。"],
        ["何を食べますか。", "パンを食べます。"],
    ],
)
JAPANESE_ANSWERS = [
    Answer(JAPANESE.ids[c.conversation], c.turn, (c.reference,), {}) for c in JAPANESE.contexts
]
RULE = word_rule("words")
WORDS = sorted({word for words in MATERIAL.words(RULE) for word in words})
VECTORS = WordVectors({word: row for row, word in enumerate(WORDS)}, np.eye(len(WORDS), dtype=np.float32))


def answers(*replies: str) -> list[Answer]:
    """Returns the same replies to all contexts, or what was said."""
    return [
        Answer(MATERIAL.ids[c.conversation], c.turn, replies or (c.reference,), {}) for c in MATERIAL.contexts
    ]


def measured(row, clean=MATERIAL.ids, known=()) -> RowSums:
    return measure_row(row, MATERIAL, RULE, clean, set(known), VECTORS)


def value(row: RowSums, name: str) -> float:
    figures = {c.figure.name: c.figure for table in reply_tables("words", "", 1) for c in table.columns}
    return figures[name].of(row.whole)


def test_the_true_reply_gets_the_most() -> None:
    row = measured(answers(), known=["i am well"])
    assert [value(row, f"bleu_{order}") for order in (1, 2)] == pytest.approx([100, 100])
    assert value(row, "chrf") == pytest.approx(100)
    assert value(row, "sample_bleu_precision_nltk_3_6") == value(row, "sample_bleu_recall_nltk_3_6") > 0.85
    assert value(row, "embedding_average") == pytest.approx(1)
    assert value(row, f"{BEST}embedding_greedy") == pytest.approx(1)
    assert value(row, "recited") == pytest.approx(1 / len(MATERIAL.contexts))
    assert "tok:13a" in row.signatures["BLEU"]


def test_an_empty_reply_shares_nothing_and_is_counted() -> None:
    row = measured(answers(""))
    for name in ("bleu_1", "bleu_4", "chrf", "sample_bleu_f1_nltk_3_6", "embedding_average", "recited"):
        assert value(row, name) == 0
    assert value(row, "empty") == 1
    assert np.isnan(value(row, "distinct_1"))  # of no words at all


def test_single_replies_are_judged_by_the_first_and_samples_by_all() -> None:
    one, two = measured(answers("soup is good")), measured(answers("soup is good", "hello you"))
    for name in ("bleu_1", "chrf", "distinct_1", "length", "embedding_average"):
        assert value(one, name) == value(two, name)
    assert value(two, "different_samples") == 1
    assert value(two, "sample_bleu_recall_nltk_3_6") > value(one, "sample_bleu_recall_nltk_3_6")
    assert value(two, f"{BEST}embedding_average") > value(two, "embedding_average")


def test_the_clean_part_is_measured_as_if_it_were_all() -> None:
    row = measured(answers(), clean=MATERIAL.ids[:2])
    alone = make_material(make_tokenizer(), max_conversations=2)
    few = measure_row(answers()[: len(alone.contexts)], alone, RULE, alone.ids, set(), VECTORS)
    assert row.clean.ids == alone.ids and set(row.clean.columns) == set(WHOLE_COLUMNS)
    for name in WHOLE_COLUMNS:
        assert row.clean.column(name) == pytest.approx(few.whole.column(name))
    assert measured(answers()).clean is None and measured(answers(), clean=()).clean is None


def test_sums_come_back_from_json() -> None:
    row = measured(answers(), clean=MATERIAL.ids[:3])
    back = RowSums.from_json(row.to_json())
    assert back.whole.columns == row.whole.columns and back.clean.ids == row.clean.ids
    assert np.array_equal(back.whole.values, row.whole.values, equal_nan=True)


def test_a_hash_tells_replies_apart() -> None:
    rows = [answers("a", "b"), answers("b", "a"), answers("ab"), answers("a", "b")[:-1], answers("a b")]
    assert len({answers_hash(row) for row in rows}) == len(rows)
    assert answers_hash(answers("a", "b")) == answers_hash(rows[0])


def test_rules_and_words() -> None:
    assert (sample_rule("words"), sample_rule("mecab")) == ("wordpunct", "mecab")
    assert words_of(answers("Hello you", "you!"), RULE) == {"hello", "you", "!"}


@pytest.mark.parametrize("name", ["characters", "mecab"])
def test_texts_without_spaces_are_measured_by_characters_and_morphemes(name) -> None:
    if name == "mecab":
        pytest.importorskip("MeCab")
    rule = word_rule(name)
    row = measure_row(JAPANESE_ANSWERS, JAPANESE, rule, JAPANESE.ids, {"は い"}, None)
    assert value(row, "bleu_4") == pytest.approx(100)
    assert value(row, "distinct_1") < 1
    words = sum(len(rule.cut(context.reference)) for context in JAPANESE.contexts)
    assert value(row, "length") == pytest.approx(words / len(JAPANESE.contexts))
    assert ("tok:char" if name == "characters" else "tok:ja-mecab") in row.signatures["BLEU"]
