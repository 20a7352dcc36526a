"""The split that models are compared on: as texts for metrics, and as tokens for each run.

A run with the corpus's tokenizer is scored on the corpus's own tokens. One with another tokenizer is scored on the
same texts, encoded by its own: what it is asked is the same, in other units.
"""

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dialog.errors import CorpusError, UsageError
from dialog.evaluation.costs import LAST_TURN, count_texts
from dialog.evaluation.sums import Sums
from dialog.evaluation.talks import Talk, talks_of
from dialog.evaluation.words import WordRule, word_rule
from dialog.text.loader import EncodedConversation, EncodedSplit
from dialog.text.tokenizer import Tokenizer

__all__ = ["Context", "Material", "SomeOf", "default_rules", "needs_no_spaces", "unique_ids"]

_COUNTED = ("words", "whitespace", "wordpunct", "treebank", "zoo", "characters")
"""Rules by which the words of the references are always counted, for perplexities a word."""
_CJK = re.compile("[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")


@dataclass(frozen=True, slots=True)
class Context:
    """A target and what was said before it.

    Attributes:
        conversation: its place in the material.
        turn: of the target.
        texts: of the turns before.
        reference: what was said.
    """

    conversation: int
    turn: int
    texts: tuple[str, ...]
    reference: str


class Material:
    """The conversations that are scored.

    Args:
        split: as the corpus's tokens.
        ids: of its conversations.
        tokenizer: the corpus's.
        corpus_hash: of the corpus.
        name: of the split.
        max_conversations: the first so many only; None for all.

    Raises:
        CorpusError: there is no reply to score.
    """

    def __init__(
        self,
        split: EncodedSplit,
        ids: Sequence[str],
        tokenizer: Tokenizer,
        corpus_hash: str,
        name: str = "test",
        max_conversations: int | None = None,
    ) -> None:
        count = len(ids) if max_conversations is None else min(max_conversations, len(ids))
        self.split: EncodedSplit = SomeOf(split, 0, count)
        self.ids = tuple(ids[:count])
        self.tokenizer, self.name = tokenizer, name
        self.whole_key = {"corpus": corpus_hash, "split": name}
        """What tells the split from others."""
        self.key = {**self.whole_key, "conversations": count}
        """What results on these conversations depend on."""
        if not self.split.targets.any():
            raise CorpusError(
                f"the split {name} has no reply to score; choose another --split, or prepare more logs"
            )

    @cached_property
    def talks(self) -> list[Talk]:
        """The conversations as texts."""
        return list(talks_of(self.split, self.ids, self.tokenizer.decode))

    @cached_property
    def contexts(self) -> list[Context]:
        """All targets with what was said before, conversation by conversation."""
        return [
            Context(number, turn, talk.texts[:turn], talk.texts[turn])
            for number, talk in enumerate(self.talks)
            for turn in np.flatnonzero(talk.targets).tolist()
        ]

    @cached_property
    def conversations(self) -> NDArray[np.int64]:
        """(target,) the conversation that each target is of."""
        return np.array([context.conversation for context in self.contexts], np.int64)

    @cached_property
    def text_hash(self) -> str:
        """The first digits of a SHA-256 of all texts: the same for the same split, whatever its tokens are."""
        whole = hashlib.sha256()
        for talk in self.talks:
            for text, is_target in zip(talk.texts, talk.targets, strict=True):
                whole.update(f"{len(text)} {int(is_target)} {text}".encode())
            whole.update(b";")
        return whole.hexdigest()[:20]

    def counts(self, rules: Sequence[str]) -> Sums:
        """Returns of each conversation its replies, characters and words, and the characters by turn."""
        names = [*rules, *(name for name in _COUNTED if name not in rules)]
        sums = count_texts(self.talks, [word_rule(name) for name in names])
        turns = np.minimum([context.turn for context in self.contexts], LAST_TURN)
        characters = np.array([len(context.reference) + 1 for context in self.contexts], np.float64)
        columns = {
            f"characters_turn_{turn}": np.where(turns == turn, characters, 0.0)
            for turn in range(1, LAST_TURN + 1)
        }
        return sums.join(Sums.over(self.ids, self.conversations, columns))

    def words(self, rule: WordRule) -> list[list[str]]:
        """Returns the words of each reference."""
        return [rule.cut(context.reference) for context in self.contexts]

    def for_tokenizer(self, tokenizer: Tokenizer) -> EncodedSplit:
        """Returns the same conversations as tokens of a run."""
        if tokenizer.hash == self.tokenizer.hash:
            return self.split
        return _Encoded(self.talks, tokenizer.encode_all)


@dataclass(frozen=True, slots=True)
class _Conversation:
    utterances: Sequence[NDArray[np.int32]]
    targets: NDArray[np.bool_]


class SomeOf:
    """Neighbouring conversations of a split; an `EncodedSplit`.

    Args:
        split: the whole.
        start: the first of them.
        end: the first that is none of them.
    """

    def __init__(self, split: EncodedSplit, start: int, end: int) -> None:
        self._split, self._start = split, start
        turns = slice(int(split.offsets[start]), int(split.offsets[end]))
        self.lengths: NDArray[np.int32] = split.lengths[turns]
        self.targets: NDArray[np.bool_] = split.targets[turns]
        self.offsets: NDArray[np.int64] = split.offsets[start : end + 1] - split.offsets[start]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> EncodedConversation:
        return self._split[self._start + index]


class _Encoded:
    """Conversations as another tokenizer's tokens; an `EncodedSplit`."""

    def __init__(self, talks: Sequence[Talk], encode_all: Callable[[Sequence[str]], list[list[int]]]) -> None:
        self._conversations = [
            _Conversation([np.array(tokens, np.int32) for tokens in encode_all(talk.texts)], talk.targets)
            for talk in talks
        ]
        turns = [len(one.utterances) for one in self._conversations]
        self.offsets: NDArray[np.int64] = np.cumsum([0, *turns], dtype=np.int64)
        self.lengths: NDArray[np.int32] = np.array(
            [len(tokens) for one in self._conversations for tokens in one.utterances], np.int32
        )
        self.targets: NDArray[np.bool_] = np.concatenate([one.targets for one in self._conversations])

    def __len__(self) -> int:
        return len(self._conversations)

    def __getitem__(self, index: int) -> EncodedConversation:
        return self._conversations[index]


def needs_no_spaces(texts: Sequence[str]) -> bool:
    """Tells texts whose words are not set apart by spaces: a third of their characters are kana or kanji."""
    joined = "".join(texts)
    return 3 * len(_CJK.findall(joined)) > len(joined) > 0


def default_rules(texts: Sequence[str]) -> tuple[str, ...]:
    """Returns the rules that texts are cut by unless others are named: words, or characters and MeCab's words.

    MeCab's are left out where it is not installed.
    """
    if not needs_no_spaces(texts):
        return ("words",)
    try:
        word_rule("mecab")
    except UsageError:
        return ("characters",)
    return ("characters", "mecab")


def unique_ids(ids: Sequence[str]) -> tuple[str, ...]:
    """Returns the ids, one that stood before with a number behind it: logs may name two conversations alike."""
    seen: dict[str, int] = {}
    found = []
    for name in ids:
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return tuple(found)
