"""The course probe: to one context several courses of the reply are right, each with a known share.

    ann   hello , i am badomi from teluka and this is about the garden
    ben   the baker waited for the rain today
    ann   what shall we do ?
    bot   well , bake the cake with plums                 (the course is `bake`)

A reply begins with words that all courses share and goes on with those of one course, drawn anew each time. No
word that belongs to a course stands in another or in the beginning, so that a reply's words say its course, and
the words of two courses in one reply that it has lost its own.

There are three sets of contexts. `equal`: four courses of a quarter each. `unequal`: one half, a quarter, 0.15, 0.1.
`safe`: four of a quarter each, but one of them always goes on with the same two words, as replies that are never
wrong do. These words are the most probable ones although their course is not.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random

from dialog.conversation import Conversation, Turn
from dialog.errors import UsageError
from dialog.evaluation.probes.words import WORDS_OF_TALK, made_up_words, small_talk

__all__ = [
    "BOT",
    "COURSES",
    "SAFE",
    "SETS",
    "CourseContext",
    "CourseProbe",
    "course_of",
    "word_by_word",
    "wording",
]

BOT = "bot"
"""The speaker whose turns are trained on."""
_BEGINNINGS = ("well ,", "oh ,", "i think", "let me see ,", "good , then")
SAFE = "safe"
"""The course, and the set of contexts, of replies that are never wrong."""
COURSES: Mapping[str, tuple[str, ...]] = {
    "bake": ("bake|mix|heat", "cake|pie|soup", "butter|honey|plums"),
    "walk": ("walk|hike|climb", "hill|river|forest", "boots|dogs|maps"),
    "play": ("play|sing|hum", "guitar|piano|drum", "friends|kids|grandpa"),
    "read": ("read|lend|open", "novel|poem|letter", "glasses|tea|patience"),
    "mend": ("mend|paint|nail", "fence|roof|chair", "hammers|brushes|glue"),
    "swim": ("swim|dive|row", "lake|pool|harbour", "towels|oars|goggles"),
    "plant": ("plant|water|dig", "roses|beans|trees", "spades|seeds|gloves"),
    "shop": ("buy|choose|order", "shoes|lamps|plates", "coupons|coins|baskets"),
    SAFE: ("that", "depends"),
}
"""For each course the words to choose from in each of its places."""
SETS: Mapping[str, tuple[float, ...]] = {
    "equal": (0.25, 0.25, 0.25, 0.25),
    "unequal": (0.5, 0.25, 0.15, 0.1),
    "safe": (0.25, 0.25, 0.25, 0.25),
}
"""The true shares of the courses in each set of contexts; that of the safe course comes first in its set."""
_TOPICS = {
    "equal": ("garden", "weekend", "party", "visit"),
    "unequal": ("evening", "birthday", "summer", "school"),
    "safe": ("money", "family", "city", "future"),
}
_OPENING = (
    "hello , i am {} from {} and this is about the {}",
    "this is {} in {} , let us talk about the {}",
    "good day , {} of {} asks about the {}",
)
_ASKING = ("what shall we do ?", "any ideas , bot ?", "now what do you say ?")
_COURSE_OF_WORD = {
    word: course for course, places in COURSES.items() for place in places for word in place.split("|")
}


@dataclass(frozen=True, slots=True)
class CourseContext:
    """What is asked, and how often each course is the answer.

    Attributes:
        topic: the word that settles the courses.
        name: of the set of contexts, one of `SETS`.
        shares: the true share of each course that can be the answer.
    """

    topic: str
    name: str
    shares: Mapping[str, float]


def course_of(text: str) -> str | None:
    """Returns the course of a reply by its words; None where they are of no course, or of several."""
    found = {_COURSE_OF_WORD[word] for word in text.split() if word in _COURSE_OF_WORD}
    return found.pop() if len(found) == 1 else None


def wording(course: str, random: Random) -> str:
    """Draws a reply of a course."""
    beginning = random.choice(_BEGINNINGS)
    words = [random.choice(place.split("|")) for place in COURSES[course]]
    return (
        " ".join([beginning, *words]) if course == SAFE else "{} {} the {} with {}".format(beginning, *words)
    )


def word_by_word(shares: Mapping[str, float], temperature: float) -> dict[str, float]:
    """Returns the shares of the courses where a perfect model of the words draws them at a temperature.

    What settles the course is the first word of its own. A course of share p with n such words gives each p / n,
    which temperature T raises to the power of 1 / T: the course gets n (p / n)^(1 / T), over the sum of all. At low
    temperature so not only a large share wins but also a course that can be worded in few ways.
    """
    ways = {course: len(COURSES[course][0].split("|")) for course in shares}
    weights = {
        course: ways[course] * (share / ways[course]) ** (1 / temperature) for course, share in shares.items()
    }
    return {course: weight / sum(weights.values()) for course, weight in weights.items()}


class CourseProbe:
    """Makes the conversations of the three splits.

    Args:
        seed: of everything; equal seeds give equal corpora.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        said = {word for text in (*_OPENING, *_ASKING, *_BEGINNINGS) for word in text.split()} | set(
            _COURSE_OF_WORD
        )
        names = made_up_words(80, Random(f"{seed}/words"), said | WORDS_OF_TALK)
        self._names, self._places = names[:40], names[40:]
        random = Random(f"{seed}/courses")
        self.contexts = tuple(
            CourseContext(topic, name, _with_shares(name, random)) for name in SETS for topic in _TOPICS[name]
        )
        """All contexts; which courses go with a topic is drawn."""

    def drawn(self, split: str, count: int) -> Iterator[Conversation]:
        """Yields `count` conversations with replies, in which each course has its exact share.

        Args:
            split: `train` or `valid`.
            count: a multiple of 240, so that all shares of all contexts are whole numbers.

        Raises:
            UsageError: it is no such multiple.
        """
        least = 20 * len(self.contexts)
        if count < 1 or count % least:
            raise UsageError(f"{count} conversations were asked for, but it must be a multiple of {least}")
        random = Random(f"{self._seed}/{split}")
        each = count // len(self.contexts)
        known: set[tuple[Turn, ...]] = set()
        for context in self.contexts:
            for course, share in context.shares.items():
                wanted = len(known) + round(share * each)
                while len(known) < wanted:
                    turns = self._turns(context, random)
                    turns = (*turns, Turn(BOT, wording(course, random)))
                    if turns not in known:
                        known.add(turns)
                        yield Conversation(f"{split}-{len(known)}", turns)

    def test(self, copies: int) -> Iterator[tuple[CourseContext, Conversation]]:
        """Yields each context `copies` times, with other names and other talk, without a reply."""
        random = Random(f"{self._seed}/test")
        for context in self.contexts:
            for copy in range(copies):
                yield context, Conversation(f"{context.topic}-{copy}", self._turns(context, random))

    def answered(self, context: CourseContext, conversation: Conversation) -> Conversation:
        """Returns a conversation of `test` with a reply, its course drawn by the true shares."""
        random = Random(f"{self._seed}/{conversation.id}")
        (course,) = random.choices(list(context.shares), list(context.shares.values()))
        turns = (*conversation.turns, Turn(BOT, wording(course, random)))
        return Conversation(conversation.id, turns)

    def _turns(self, context: CourseContext, random: Random) -> tuple[Turn, ...]:
        name, place = random.choice(self._names), random.choice(self._places)
        return (
            Turn("ann", random.choice(_OPENING).format(name, place, context.topic)),
            Turn("ben", small_talk(random)),
            Turn("ann", random.choice(_ASKING)),
        )


def _with_shares(name: str, random: Random) -> dict[str, float]:
    shares = SETS[name]
    others = [course for course in COURSES if course != SAFE]
    drawn = random.sample(others, len(shares) - (name == "safe"))
    courses = [SAFE, *drawn] if name == "safe" else drawn
    return dict(zip(courses, shares, strict=True))
