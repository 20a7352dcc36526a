"""How a text is cut into words for a metric; a figure a word compares only under the same rule.

| rule | one word is | whose |
|---|---|---|
| `words` | letters and digits in a row, with inner apostrophes; else one sign; no case | ours |
| `whitespace` | what stands between white space | corpora published so |
| `wordpunct` | letters, digits and `_` in a row; else signs in a row; lower case | NLTK's WordPunct |
| `treebank` | the Penn Treebank's: `do n't`, `it 's`, signs apart; lower case | NLTK's `word_tokenize` |
| `zoo` | the same, `-` and `.` within a word taken apart before | MultiTurnDialogZoo |
| `characters` | one character that is no white space; no case | for Japanese, Chinese |
| `mecab` | a morpheme that MeCab finds with the dictionary IPA | sacrebleu's `ja-mecab` |

Zhao et al. 2017 and DialogWAE count by `wordpunct`. NLTK cuts a text into sentences before words; `treebank`
takes it as one sentence, which differs only where a full stop in the middle touches its word.
Every rule gives no word for a text of white space alone. A likelihood in nats a word counts one more a reply,
for its end, where the source did.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from dialog.errors import UsageError
from dialog.text.normalise import normalise

__all__ = ["WORD_RULES", "WordRule", "word_rule"]

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|\S")
_WORDPUNCT = re.compile(r"\w+|[^\w\s]+")


@dataclass(frozen=True, slots=True)
class WordRule:
    """One way to cut a text into words.

    Attributes:
        name: what an option calls it.
        sentence: what a report says of it.
        cut: the words of a text.
        sacrebleu: the tokenizer of sacrebleu that a BLEU by this rule is counted with.
    """

    name: str
    sentence: str
    cut: Callable[[str], list[str]]
    sacrebleu: str


def word_rule(name: str) -> WordRule:
    """Returns the rule of that name.

    Raises:
        UsageError: there is none, or what it needs is not installed.
    """
    if name not in WORD_RULES:
        raise UsageError(f"there is no word rule {name!r}: choose {', '.join(WORD_RULES)}")
    rule = WORD_RULES[name]
    rule.cut("")  # MeCab says now whether it is there
    return rule


def _words(text: str) -> list[str]:
    return _WORD.findall(normalise(text).casefold())


def _wordpunct(text: str) -> list[str]:
    return _WORDPUNCT.findall(text.lower())


def _characters(text: str) -> list[str]:
    return [character for character in normalise(text).casefold() if not character.isspace()]


_APART = re.compile(r"\.{2,}|--|''|`+|[\]\[(){}<>;@#$%&?!*\"«»“”‘’„\u2012-\u2015]")
_COLON = re.compile(r"[:,](?!\d)")
_LAST_STOP = re.compile(r"(?<=[^.\s])\.(?=[\])}>\"'»”’\s]*$)")
_CLITIC = re.compile(r"(?<=[^'\s])(n't|'(?:s|m|d|ll|re|ve))(?=\s|$)")
_QUOTE_BEFORE = re.compile(r"(?<!\w)'(?!(?:re|ve|ll|m|t|s|d|n)\b)(?=\w)")
_QUOTE_AFTER = re.compile(r"(?<=[^'\s])'(?=\s|$)")
_TWO_IN_ONE = re.compile(
    r"\b(?:(can)(not)|(d)('ye)|(gim)(me)|(gon)(na)|(got)(ta)|(lem)(me)|(more)('n)|(wan)(na))\b"
)


def _treebank(text: str) -> list[str]:
    """Cuts in the order in which signs bind: signs, the last full stop, clitics."""
    text = _QUOTE_BEFORE.sub("' ", text.lower())
    text = _LAST_STOP.sub(" . ", text)
    text = _COLON.sub(r" \g<0> ", text)
    text = _APART.sub(r" \g<0> ", text)
    text = _QUOTE_AFTER.sub(" '", text)
    text = _CLITIC.sub(r" \1", text)
    text = _TWO_IN_ONE.sub(lambda found: " ".join(part for part in found.groups() if part), text)
    return text.split()


_INNER_STOP = re.compile(r"(\w+)\.(\w+)")
_INNER_HYPHEN = re.compile(r"(\w+)-(\w+)")


def _zoo(text: str) -> list[str]:
    text = _INNER_STOP.sub(r"\1 . \2", text.strip().lower())
    text = _INNER_HYPHEN.sub(r"\1 \2", text).replace("。", ".").replace("...", ",")
    return _treebank(text.replace(" p . m . ", " pm ").replace(" a . m . ", " am "))


@cache
def _tagger() -> Callable[[str], str]:
    from sacrebleu.tokenizers.tokenizer_ja_mecab import TokenizerJaMecab

    try:
        tokenizer = TokenizerJaMecab()  # type: ignore[no-untyped-call]
    except RuntimeError as error:
        raise UsageError(
            "words by MeCab need mecab-python3 and ipadic, which are not installed: "
            "pip install 'dialog[ja]', or count by characters"
        ) from error
    cut: Callable[[str], str] = tokenizer
    return cut


def _mecab(text: str) -> list[str]:
    return _tagger()(normalise(text)).split()


WORD_RULES = {
    rule.name: rule
    for rule in (
        WordRule("words", "letters and digits in a row, every other sign by itself, no case", _words, "13a"),
        WordRule("whitespace", "what stands between white space", str.split, "none"),
        WordRule("wordpunct", "as NLTK's WordPunct tokenizer, lower case", _wordpunct, "13a"),
        WordRule("treebank", "as in the Penn Treebank, lower case", _treebank, "13a"),
        WordRule(
            "zoo", "as MultiTurnDialogZoo: hyphens apart, then the Penn Treebank's, lower case", _zoo, "13a"
        ),
        WordRule("characters", "one character, white space left out, no case", _characters, "char"),
        WordRule("mecab", "morphemes by MeCab with the dictionary IPA", _mecab, "ja-mecab"),
    )
}
"""All rules by name."""
