"""The memory probe: the right reply is a word that was said 1, 2, 4 or 8 turns before it, and nowhere since.

    ann   my name is badomi , my colour is teluka and my number is piroso
    ben   the baker waited for the rain today                           (small talk, at distances above 2)
    ann   bot , which colour was it ?
    bot   it was teluka

The distance is that of the turn which tells the three values to the reply; at distance 1 the same turn asks, so that
a model without memory shows there that it has understood the question. Small talk stands before, too.

In the test small talk and question are repeated, word for word, with every value of the kind that is asked for.
So each value is right after the same turns equally often, and whatever looks at nothing further back than these is
right in one of as many cases as there are values: this is chance, not on average but exactly.

Which values are told together differs between the splits, by the sum of their numbers: every value stands in
every split, no three together in two.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from dialog.conversation import Conversation, Turn
from dialog.errors import UsageError
from dialog.evaluation.probes.words import WORDS_OF_TALK, made_up_words, small_talk

__all__ = ["BOT", "KINDS", "MemoryProbe", "MemoryQuestion"]

BOT = "bot"
"""The speaker whose turns are trained on."""
KINDS = ("name", "colour", "number")
_LEADS = (1, 2, 3)  # turns of small talk before; with one at least, no two conversations are the same
_TELLING = (
    "my name is {} , my colour is {} and my number is {}",
    "i am called {} , i like the colour {} and i picked number {}",
    "{} is my name , {} is my colour , {} is my number",
)
_ASKING = ("bot , which {} was it ?", "now tell me the {} , bot", "bot , do you still know the {} ?")
_ANSWER = "it was {}"
_SPLIT_OF_SUM = {0: "test", 1: "valid"}  # of the sum of the values' numbers, modulo 5; train for the rest
_MODULUS = 5


@dataclass(frozen=True, slots=True)
class MemoryQuestion:
    """A conversation that ends in the question, and the right reply.

    Attributes:
        conversation: all turns but the reply; its id is unique.
        reply: the right one.
        value: the word that makes it right.
        kind: which of `KINDS` is asked for.
        distance: turns from the one that tells the value to the reply.
    """

    conversation: Conversation
    reply: str
    value: str
    kind: str
    distance: int

    @property
    def answered(self) -> Conversation:
        """The conversation with its reply."""
        turns = (*self.conversation.turns, Turn(BOT, self.reply))
        return Conversation(self.conversation.id, turns)


class MemoryProbe:
    """Makes the questions of the three splits.

    Args:
        seed: of everything; equal seeds give equal corpora.
        num_values: of each kind; a multiple of 5, so that all splits hold them equally often.
        distances: which there are, equally often.

    Raises:
        UsageError: the number of values or a distance cannot be.
    """

    def __init__(self, seed: int, num_values: int = 20, distances: Sequence[int] = (1, 2, 4, 8)) -> None:
        if num_values < _MODULUS or num_values % _MODULUS:
            raise UsageError(f"the probe has {num_values} values of a kind, but it must be a multiple of 5")
        if not distances or min(distances) < 1:
            raise UsageError(f"the distances are {list(distances)}, but each must be 1 turn or more")
        self._seed, self.distances = seed, tuple(distances)
        said = {word for text in (*_TELLING, *_ASKING, _ANSWER) for word in text.split()}
        words = made_up_words(len(KINDS) * num_values, Random(f"{seed}/words"), said | WORDS_OF_TALK)
        self.values = {kind: tuple(words[i :: len(KINDS)]) for i, kind in enumerate(KINDS)}
        """The words of each kind."""
        self._known = frozenset(words)

    @property
    def chance(self) -> float:
        """The share right without memory."""
        return 1 / len(self.values[KINDS[0]])

    def drawn(self, split: str, count: int) -> Iterator[MemoryQuestion]:
        """Yields `count` questions of `train` or `valid`, distances and kinds in turn, no two the same."""
        random = Random(f"{self._seed}/{split}")
        known: set[tuple[Turn, ...]] = set()
        while len(known) < count:
            distance = self.distances[len(known) % len(self.distances)]
            kind = KINDS[len(known) // len(self.distances) % len(KINDS)]
            values = self._values(split, random)
            question = self._question(f"{split}-{len(known)}", distance, kind, values, random)
            if question.conversation.turns not in known:
                known.add(question.conversation.turns)
                yield question

    def test(self, groups: int) -> Iterator[MemoryQuestion]:
        """Yields the test: for each distance and kind `groups` times a question with every value."""
        for distance in self.distances:
            for kind in KINDS:
                for group in range(groups):
                    yield from self._group(f"test-{distance}-{kind}-{group}", distance, kind)

    def num_questions(self, groups: int) -> int:
        """Returns how many questions the test has at each distance."""
        return groups * len(self._known)

    def named(self, text: str) -> list[str]:
        """Returns the values that a reply names, of any kind, in their order."""
        return [word for word in text.split() if word in self._known]

    def is_right(self, question: MemoryQuestion, reply: str) -> bool:
        """Whether a reply names the right value and no other."""
        return self.named(reply) == [question.value]

    def _group(self, name: str, distance: int, kind: str) -> Iterator[MemoryQuestion]:
        other = Random(f"{self._seed}/{name}")  # the values that are not asked for
        for number, value in enumerate(self.values[kind]):
            values = self._values("test", other, kind, value)
            same = Random(f"{self._seed}/{name}/talk")  # begins anew: the same talk for each value
            yield self._question(f"{name}-{number}", distance, kind, values, same)

    def _values(
        self, split: str, random: Random, kind: str | None = None, value: str | None = None
    ) -> list[str]:
        """Draws three values that are told together in a split; the value of one kind may be given."""
        while True:
            drawn = [value if name == kind and value else random.choice(self.values[name]) for name in KINDS]
            numbers = (self.values[name].index(word) for name, word in zip(KINDS, drawn, strict=True))
            if _SPLIT_OF_SUM.get(sum(numbers) % _MODULUS, "train") == split:
                return drawn

    def _question(
        self, name: str, distance: int, kind: str, values: Sequence[str], random: Random
    ) -> MemoryQuestion:
        before = [small_talk(random) for _ in range(random.choice(_LEADS))]
        telling = random.choice(_TELLING).format(*values)
        between = [small_talk(random) for _ in range(max(0, distance - 2))]
        asking = random.choice(_ASKING).format(kind)
        told = [f"{telling} . {asking}"] if distance == 1 else [telling, *between, asking]
        texts = [*before, *told]
        turns = tuple(Turn(("ann", "ben")[place % 2], text) for place, text in enumerate(texts))
        value = values[KINDS.index(kind)]
        return MemoryQuestion(Conversation(name, turns), _ANSWER.format(value), value, kind, distance)
