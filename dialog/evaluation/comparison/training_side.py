"""What a comparison needs of the training split: what leaked from it, which replies it knows, pairs for anchors.

It is read as texts only when something is asked for that is not kept.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

from dialog.evaluation.anchors import Retrieval, most_frequent_reply, random_replies, retrieval_words
from dialog.evaluation.comparison.cache import Cache
from dialog.evaluation.comparison.material import Context, Material
from dialog.evaluation.leaks import Leaks, measure_leaks
from dialog.evaluation.talks import CONTEXT_TURNS, Pair, Talk, talks_of, training_pairs
from dialog.evaluation.variety import training_replies
from dialog.evaluation.words import WordRule
from dialog.text.loader import EncodedSplit

__all__ = ["TrainingSide"]


class TrainingSide:
    """The training split.

    Args:
        split: as the corpus's tokens.
        ids: of its conversations.
        decode: gives the text of tokens.
        seed: of the random replies, and of the pairs that are kept of very many.
        progress: is told of each conversation that was read as texts.
    """

    def __init__(
        self,
        split: EncodedSplit,
        ids: Sequence[str],
        decode: Callable[[Sequence[int]], str],
        seed: int,
        progress: Callable[[int], None] = lambda count: None,
    ) -> None:
        self.split, self._ids, self._decode = split, ids, decode
        self._seed, self._progress = seed, progress

    def leaks(self, material: Material, cache: Cache) -> Leaks:
        """Returns what of the scored split stands in the training split."""
        return Leaks(
            cache.sums("leaks", material.key, lambda: measure_leaks(material.talks, self._talks()).sums)
        )

    def known_replies(self, rule: WordRule) -> set[str]:
        """Returns all training replies, as `measure_variety` looks them up."""
        return training_replies(rule.cut(text) for talk in self._talks() for text in talk.replies)

    @cached_property
    def pairs(self) -> list[Pair]:
        """Replies with the last turns before them, of very many a sample."""
        return training_pairs(self._talks(), seed=self._seed)

    def random(self, count: int, index: int) -> list[str]:
        """Returns a random reply for each of `count` contexts; another `index` draws others."""
        return random_replies(self.pairs, count, seed=self._seed * 1_000 + index)

    def most_frequent(self) -> str:
        """Returns the reply that was given most often."""
        return most_frequent_reply(self.pairs)

    def retrieved(self, contexts: Sequence[Context], rule: WordRule) -> list[str]:
        """Returns the reply to the training context nearest to each context."""
        found = Retrieval.of(self.pairs, retrieval_words(rule))
        return found.answer([context.texts[-CONTEXT_TURNS:] for context in contexts])

    def _talks(self) -> Iterator[Talk]:
        for talk in talks_of(self.split, self._ids, self._decode):
            self._progress(1)
            yield talk
