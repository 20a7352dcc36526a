"""Words are counted as the sources' tokenizers count them, and no rule finds a word where there is none."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nltk.tokenize import NLTKWordTokenizer, WordPunctTokenizer

from dialog.errors import UsageError
from dialog.evaluation import words
from dialog.evaluation.words import WORD_RULES, word_rule

ROOT = Path(__file__).resolve().parents[3]
CORPORA = ROOT.parent / "shared/corpora"
SENTENCES = [
    "I don't know , it's 3.50 or $1,200 -- isn't it?",
    "\"Well,\" he said, 'you can't ... we'll see!' (maybe)",
    "Cannot we gonna go? Gimme that; it's the dogs' dinner: 10:30, p.m.",
    "The so-called U.S. dollar is 50% off. Don't!",
    "‘Curly’ quotes — and “more” of them…",
    "use `sudo ls` in /etc/x.conf [1] <b>",
    "I've I'd I'll they're O'Neil ain't",
]


@pytest.mark.parametrize("text", SENTENCES)
def test_sources_rules_are_their_tokenizers(text) -> None:
    assert word_rule("wordpunct").cut(text) == WordPunctTokenizer().tokenize(text.lower())
    ours = word_rule("treebank").cut(text)
    theirs = NLTKWordTokenizer().tokenize(text.lower())
    assert len(ours) == len(theirs)
    assert [one for one, other in zip(ours, theirs, strict=True) if other not in ("``", "''")] == [
        other for other in theirs if other not in ("``", "''")
    ]  # but for straight quotes, which NLTK writes anew


@pytest.mark.skipif(not CORPORA.is_dir(), reason="the corpora are not here")
@pytest.mark.parametrize("name", ["dailydialog", "ubuntu_irc"])
def test_whole_corpora_have_as_many_words(name) -> None:
    nltk = NLTKWordTokenizer()
    with gzip.open(CORPORA / name / "test.jsonl.gz", "rt") as lines:
        texts = [turn["text"] for line in lines for turn in json.loads(line)["turns"]]
    for text in texts[::5]:
        assert len(word_rule("treebank").cut(text)) == len(nltk.tokenize(text.lower())), text
        assert word_rule("wordpunct").cut(text) == WordPunctTokenizer().tokenize(text.lower())


def test_our_own_rule_on_a_worked_case() -> None:
    assert word_rule("words").cut("Don’t  DO it , it's 5.30!") == [
        "don’t", "do", "it", ",", "it's", "5", ".", "30", "!",
    ]  # fmt: skip
    assert word_rule("whitespace").cut(" I don't . ") == ["I", "don't", "."]
    assert word_rule("zoo").cut("A well-known e-mail at 5 p.m. today...") == (
        "a well known e mail at 5 p . m. today ,".split()
    )


def test_japanese_by_character_and_by_morpheme() -> None:
    assert word_rule("characters").cut("猫が　好き。ＡＢ") == list("猫が好き。ab")
    assert word_rule("mecab").cut("猫が好きです。") == ["猫", "が", "好き", "です", "。"]


@given(st.text(max_size=30))
def test_words_hold_no_white_space_and_blank_texts_have_none(text) -> None:
    for rule in WORD_RULES.values():
        assert (
            all(word and not any(map(str.isspace, word)) for word in rule.cut(text)) or rule.name == "mecab"
        )
        assert (rule.cut(text) == []) == (rule.cut(f" {text}\t") == [])
        assert rule.cut(" \n ") == []


def test_what_is_not_there_is_told_in_a_sentence(monkeypatch) -> None:
    with pytest.raises(UsageError, match="no word rule 'spacy'.*whitespace"):
        word_rule("spacy")
    from sacrebleu.tokenizers import tokenizer_ja_mecab

    monkeypatch.setattr(tokenizer_ja_mecab, "MeCab", None)
    words._tagger.cache_clear()
    with pytest.raises(UsageError, match=r"pip install 'dialog\[ja\]'"):
        word_rule("mecab")
    monkeypatch.undo()
    assert word_rule("mecab").cut("猫") == ["猫"]


def test_rules_load_no_sacrebleu_before_mecab_is_asked_for() -> None:
    code = "import sys, dialog.evaluation.words; print('sacrebleu' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.stdout.strip() == "False", done.stderr
