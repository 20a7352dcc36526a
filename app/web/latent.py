"""What the latent-space tab does, without its looks: reads the context, draws replies, walks, looks at chats.

Everything that it is given comes from the browser, and is checked here; all that is heavy has a limit.
What needs torch is imported when it is first asked for: the page is there before.
"""

import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from app.store import StoredSession
from app.web.chats import MAX_CHARACTERS, TALKS
from app.web.controls import PRESETS
from app.web.house import House
from dialog.conversation import Conversation, Turn, join_neighbours
from dialog.decoding.draws import Draw
from dialog.decoding.replies import Reply, Sampling
from dialog.errors import StoreError, UsageError

if TYPE_CHECKING:
    from dialog.decoding.replier import Replier
    from dialog.evaluation.latent_points import LatentPoints

__all__ = [
    "MANNERS",
    "MOST_DRAWS",
    "MOST_MESSAGES",
    "MOST_POINTS",
    "Asked",
    "Drawn",
    "Latents",
    "Taken",
    "Vary",
    "Walked",
]

MOST_DRAWS = 24
"""Replies that are drawn at once."""
MOST_POINTS = 12
"""Points of a walk."""
MOST_MESSAGES = 300
"""Messages of one's chats that are looked at."""
_SEEDS = 99_999
"""New seeds are short: they are read, compared and typed again."""
_MOST_TURNS = 60
_MOST_CHATS = 50

Vary = Literal["both", "z", "words"]
"""What is drawn anew for each reply."""

MANNERS = {
    "greedy": Sampling("greedy"),
    **{name: one for name, one in PRESETS.items() if one.method == "sample"},
}
"""How words are chosen, by the names of `words.controls`."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the controls of the tab say.

    Attributes:
        model: a bot's name.
        context: a turn a line.
        manner: one of `MANNERS`.
    """

    model: str
    context: str
    manner: str

    @property
    def sampling(self) -> Sampling:
        """How words are chosen.

        Raises:
            UsageError: there is no such manner.
        """
        if self.manner not in MANNERS:
            raise UsageError(f"there is no manner {str(self.manner)[:40]!r}; choose one from the list")
        return MANNERS[self.manner]

    @property
    def conversation(self) -> Conversation:
        """The context; its lines are by two speakers in turn, the last by the user.

        Raises:
            UsageError: it is too long.
        """
        text = self.context or ""
        lines = [line.strip() for line in re.split(r"[\r\n\x0b\x0c\x85\u2028\u2029]+", text) if line.strip()]
        if len(text) > MAX_CHARACTERS:
            raise UsageError(
                f"the context has {len(text):,} characters, but at most {MAX_CHARACTERS:,} are read; shorten it"
            )
        if len(lines) > _MOST_TURNS:
            raise UsageError(
                f"the context has {len(lines)} turns, but at most {_MOST_TURNS} are read; leave the first ones out"
            )
        speakers = ["user" if (len(lines) - place) % 2 else "bot" for place in range(len(lines))]
        return Conversation("", tuple(map(Turn, speakers, lines)))


@dataclass(frozen=True, slots=True)
class Drawn:
    """Replies to one context.

    Attributes:
        replies: the replies.
        latents: the draw of z of each.
        words: the draw of the words of each.
        points: what the posterior makes of those that have words; None if none has.
    """

    replies: list[Reply]
    latents: list[Draw]
    words: list[Draw]
    points: "LatentPoints | None"


@dataclass(frozen=True, slots=True)
class Walked:
    """Replies on the way from one z to another.

    Attributes:
        replies: at equal steps, the first and the last at the two z.
        start: names the first z.
        end: names the last z.
        words: of all.
    """

    replies: list[Reply]
    start: Draw
    end: Draw
    words: Draw


@dataclass(frozen=True, slots=True)
class Taken:
    """A chat as a context.

    Attributes:
        title: of the chat.
        context: a turn a line.
        num_turns: that it has.
        is_cut: whether earlier turns were left out.
    """

    title: str
    context: str
    num_turns: int
    is_cut: bool


class Latents:
    """Draws replies of the bots that have a latent variable.

    Args:
        house: bots and chats.
    """

    def __init__(self, house: House) -> None:
        self._house = house

    def draw(
        self, asked: Asked, vary: str, count: Any, latent: str, words: str, is_fresh: bool
    ) -> tuple[Drawn, Draw, Draw]:
        """Draws replies, and returns the first draws of z and of the words beside them.

        Args:
            asked: model, context and manner.
            vary: one of `Vary`.
            count: of replies.
            latent: names the draw of z, or the first of them.
            words: the same of the words.
            is_fresh: takes a new seed for what varies.

        Raises:
            UsageError: one of them cannot be.
            RunFolderError: there is no such bot.
        """
        from dialog.decoding.latents import LatentReplies
        from dialog.evaluation.latent_points import points_of_replies

        if vary not in get_args(Vary):
            raise UsageError(f"{str(vary)[:40]!r} cannot be drawn anew; choose z, the words, or both")
        number = _number(count, "replies", MOST_DRAWS)
        if vary == "words" and asked.sampling.method == "greedy":
            raise UsageError(
                "the most probable word is always taken, so words are not drawn; choose another manner"
            )
        of_z, of_words = _first_draws(cast(Vary, vary), latent, words, is_fresh)
        latents = of_z.following(number) if vary != "words" else [of_z] * number
        spoken = of_words.following(number) if vary != "z" else [of_words] * number
        replier, conversation = self._replier(asked.model), asked.conversation
        replies = LatentReplies(replier).draw(conversation, asked.sampling, latents, spoken)
        points = points_of_replies(replier, conversation, [reply.text for reply in replies])
        return Drawn(replies, latents, spoken, points), of_z, of_words

    def walk(self, asked: Asked, start: str, end: str, count: Any, words: str) -> Walked:
        """Walks from one z to another.

        Args:
            asked: model, context and manner.
            start: names the first z.
            end: names the last z.
            count: of points.
            words: names the draw of all words.

        Raises:
            UsageError: one of them cannot be.
            RunFolderError: there is no such bot.
        """
        from dialog.decoding.latents import LatentReplies

        number = _number(count, "points", MOST_POINTS, least=2)
        first, last, spoken = Draw.parse(start), Draw.parse(end), Draw.parse(words)
        replies = LatentReplies(self._replier(asked.model)).walk(
            asked.conversation, asked.sampling, first, last, number, spoken
        )
        return Walked(replies, first, last, spoken)

    def chats(self, owner: str) -> list[StoredSession]:
        """Returns the owner's chats and comparisons, the latest first."""
        return self._house.chats.talks(owner, _MOST_CHATS)

    def take(self, owner: str, session_id: str) -> Taken:
        """Returns one of the owner's chats as a context, up to the last thing that the user said.

        Raises:
            StoreError: there is no such chat of this owner's.
            UsageError: nothing was said in it.
        """
        view = self._house.chats.view(owner, session_id)
        if view.session is None or view.session.kind not in TALKS:
            raise StoreError(
                f"there is no chat {session_id!r} of yours in the store; choose one from your list"
            )
        said = [Turn(message.role, _line(message.text)) for message in view.path if message.text.strip()]
        while said and said[-1].speaker == "bot":
            said.pop()
        turns = join_neighbours(said)
        if not turns:
            raise UsageError("nothing was said in this chat that could be answered; choose another one")
        kept: list[str] = []
        for turn in turns[-_MOST_TURNS:][::-1]:
            if kept and sum(map(len, kept)) + len(kept) + len(turn.text) > MAX_CHARACTERS:
                break
            kept.insert(0, turn.text)
        return Taken(view.session.title, "\n".join(kept), len(kept), len(kept) < len(turns))

    def look(self, owner: str, model: str) -> "LatentPoints | None":
        """Looks at what was said in the owner's chats, the latest first; None if nothing was answered.

        Raises:
            RunFolderError: there is no such bot.
        """
        from dialog.evaluation.latent_points import points_of

        return points_of(self._replier(model), self._conversations(owner), MOST_MESSAGES)

    def _conversations(self, owner: str) -> Iterator[Conversation]:
        for session in self.chats(owner):
            view = self._house.chats.view(owner, session.id)
            yield Conversation(session.id, tuple(Turn(one.role, one.text) for one in view.path))

    def _replier(self, model: str) -> "Replier":
        return self._house.bots.replier(str(model))


def _first_draws(vary: Vary, latent: str, words: str, is_fresh: bool) -> tuple[Draw, Draw]:
    """Returns the first draws of z and of the words; a name that is not used need not be one."""
    fresh = Draw(1 + secrets.randbelow(_SEEDS)) if is_fresh else None
    of_z = fresh if fresh is not None and vary != "words" else Draw.parse(latent or "")
    of_words = fresh if fresh is not None and vary != "z" else Draw.parse(words or "")
    return of_z, of_words


def _number(value: Any, what: str, most: int, least: int = 1) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        number = 0
    if not least <= number <= most:
        raise UsageError(
            f"{number} {what} were asked for, but at once it can be {least} to {most}; choose another number"
        )
    return number


def _line(text: str) -> str:
    return " ".join(text.split())
