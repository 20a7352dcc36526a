"""What `hred stats` counts: sums that add up, repetition and leaks that were put there, languages, words."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialog.corpus.formats import FormatOptions
from dialog.corpus.languages import guess_language
from dialog.corpus.statistics import CorpusStatistics, Row, words_of
from dialog.corpus.statistics_rows import LogCounts, is_prepared, rows_of_corpus, rows_of_logs
from tests.dialog.corpus.conftest import conversation_of, jsonl_at, prepare_into


def counted(*rows: Row, most: int = 20) -> dict:
    statistics = CorpusStatistics()
    for row in rows:
        statistics.add(row)
    return statistics.to_json(most)


def row(
    split: str, *texts: str, speakers: list[int] | None = None, num_tokens: list[int] | None = None
) -> Row:
    numbers = speakers or [place % 2 for place in range(len(texts))]
    return Row(split, numbers, texts, [place > 0 for place in range(len(texts))], num_tokens)


CONVERSATIONS = st.lists(
    st.tuples(
        st.sampled_from(["train", "valid", "test"]),
        st.lists(st.text(min_size=1, max_size=12), min_size=2, max_size=5),
    ),
    max_size=12,
)


@settings(max_examples=40)
@given(drawn=CONVERSATIONS)
def test_sums_add_up_whatever_is_counted(drawn) -> None:
    rows = [row(split, *texts, num_tokens=[len(text) for text in texts]) for split, texts in drawn]
    figures = counted(*rows)
    for split, sizes in figures["splits"].items():
        mine = [texts for name, texts in drawn if name == split]
        assert sizes["conversations"] == len(mine)
        assert sizes["turns"] == sum(map(len, mine)) and sizes["replies"] == sizes["turns"] - len(mine)
        assert (sizes["tokens"] or 0) == sum(len(text) for texts in mine for text in texts)
        for key, number in (("turns_a_conversation", len(mine)), ("words_a_turn", sizes["turns"])):
            lengths = sizes[key]
            assert (lengths is None) == (not mine)
            if lengths is not None:
                assert sum(times for _, times in lengths["histogram"]) == number
                assert lengths["median"] <= lengths["percentile_95"] <= lengths["largest"]
                assert lengths["mean"] == pytest.approx(sum(v * n for v, n in lengths["histogram"]) / number)
    turns = sum(sizes["turns"] for sizes in figures["splits"].values())
    words = sum(sizes["words"] for sizes in figures["splits"].values())
    assert sum(figures["languages"].values()) == turns
    assert figures["vocabulary"]["words"] == words
    if words:
        assert figures["vocabulary"]["coverage"][-1] == [figures["vocabulary"]["distinct"], 1.0]


def test_speakers_and_frequent_replies_are_counted() -> None:
    figures = counted(
        row("train", "hi", "yes", "no", speakers=[0, 1, 2]),
        row("train", "so", "yes"),
        row("test", "so", "yes", num_tokens=[1, 2]),
        most=1,
    )
    assert figures["frequent_replies"] == [{"text": "yes", "times": 3, "share": 0.75}]
    assert figures["splits"]["train"]["speakers_a_conversation"]["histogram"] == [[2, 1], [3, 1]]
    assert figures["splits"]["test"]["tokens_a_turn"]["mean"] == 1.5
    assert figures["vocabulary"]["most_frequent"] == [["yes", 3]]


def test_repetition_and_leaks_are_found_but_for_case_and_punctuation() -> None:
    figures = counted(
        row("train", "How are you?", "Fine, thanks."),
        row("train", "how are you", "fine thanks"),
        row("train", "Well?", "How are you?", "Fine, thanks."),
        row("valid", "How are YOU", "Fine. Thanks!"),
        row("test", "Oh.", "How are you?", "fine thanks"),
        row("test", "Oh.", "Bad."),
    )
    assert figures["duplicates"]["train"] == {"conversations": 1, "turns": 4, "pairs": 2}
    assert figures["duplicates"]["test"] == {"conversations": 0, "turns": 1, "pairs": 0}
    assert figures["leaks"]["valid_in_train"] == {"conversations": 1, "pairs": 1, "of_pairs": 1}
    assert figures["leaks"]["test_in_train"] == {"conversations": 0, "pairs": 1, "of_pairs": 3}
    assert figures["leaks"]["test_in_valid"] == {"conversations": 0, "pairs": 1, "of_pairs": 3}
    assert figures["words_that_train_lacks"]["test"] == {"words": 3, "share": 3 / 8}


def test_signs_alone_are_no_repetition_of_one_another() -> None:
    assert counted(row("train", "...", "???"))["duplicates"]["train"]["turns"] == 0


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("What do you think of it?", "English"),
        ("Ich weiß nicht, was das ist.", "German"),
        ("Je ne sais pas pourquoi.", "French"),
        ("¿Cómo está usted? Muy bien.", "Spanish"),
        ("今日は寒いですね。", "Japanese"),
        ("カタカナ", "Japanese"),
        ("漢字", "Chinese characters alone"),
        ("안녕하세요", "Korean"),
        ("Привет", "Cyrillic letters"),
        ("Hm", "Latin letters"),
        ("12 !!", "no letters"),
        ("", "no letters"),
    ],
)
def test_languages_are_guessed_from_letters_and_small_words(text, language) -> None:
    assert guess_language(text) == language


@given(text=st.text())
def test_any_text_has_a_language_and_words_without_spaces(text) -> None:
    assert guess_language(text)
    assert all(word and not word.isspace() for word in words_of(text))


def test_words_are_runs_of_letters_and_in_japanese_of_a_script() -> None:
    assert words_of("Don't—say 'that' 3x, Ünal!") == ["don't", "say", "that", "3x", "ünal"]
    assert words_of("東京タワーへ行くね") == ["東京", "タワー", "へ", "行", "くね"]


def test_a_prepared_corpus_and_its_logs_tell_the_same(tmp_path) -> None:
    items = [conversation_of(number) for number in range(40)]
    items[3] = {**items[2], "id": "again"}
    log = jsonl_at(
        tmp_path / "log.jsonl", [*items, "{broken", {"turns": [{"speaker": "A", "text": "alone"}]}]
    )
    corpus = prepare_into(tmp_path / "corpus", log, max_bad=0.5)
    assert is_prepared(tmp_path / "corpus") and not is_prepared(log)
    counts = LogCounts()
    of_logs = list(rows_of_logs([log], FormatOptions(), counts))
    of_corpus = list(rows_of_corpus(corpus))
    assert counts.figures["bad"] == 1 and "log.jsonl:41: no JSON" in counts.figures["first_bad"]
    assert counts.figures["dropped"] == {"fewer than two turns after cleaning": 1}
    said = Counter(tuple(each.texts) for each in of_corpus)
    assert {*said} == {tuple(each.texts) for each in of_logs}
    assert (said.total(), len(of_logs)) == (39, 40)  # preparing leaves the duplicate out, logs tell of it
    assert sum(each["conversations"] for each in counted(*of_logs)["duplicates"].values()) == 1
    assert all(each.num_tokens is not None and min(each.num_tokens) > 0 for each in of_corpus)
