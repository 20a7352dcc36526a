"""Finds a reply of somebody's, the model that wrote it, and what there is to tell of it; the looks are elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.bots import Bots
from app.store import StoredMessage, StoredSession
from app.web.chats import MAX_CHARACTERS, TALKS, Chats
from dialog.conversation import Conversation, Turn
from dialog.errors import DialogError, StoreError, UsageError

if TYPE_CHECKING:
    from dialog.decoding.replier import Replier
    from dialog.evaluation.why.records import Explanation

__all__ = ["NUM_OTHERS", "Choices", "Why", "Whys"]

NUM_OTHERS = 5
"""Most probable other tokens that are shown of each step."""
_MOST_CHATS = 100
_MOST_REPLIES = 200
_MOST_READ = 1_000
"""Turns that are read before a reply: they are read one after another."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What can be chosen.

    Attributes:
        sessions: the owner's chats.
        session_id: of the chosen one, or "".
        replies: of that chat, the earliest first.
        message_id: of the chosen reply, or "".
    """

    sessions: tuple[StoredSession, ...]
    session_id: str = ""
    replies: tuple[StoredMessage, ...] = ()
    message_id: str = ""


@dataclass(frozen=True, slots=True)
class Why:
    """What there is to tell of a reply.

    Attributes:
        explanation: the figures.
        model: the bot's name.
        text: of the reply.
        message: the stored reply; None for one that was typed.
        is_same_context: whether the model read the same turns when it wrote the reply.
    """

    explanation: "Explanation"
    model: str
    text: str
    message: StoredMessage | None = None
    is_same_context: bool = True


class Whys:
    """Explains replies.

    Args:
        bots: whose replies.
        chats: where they stand.
    """

    def __init__(self, bots: Bots, chats: Chats) -> None:
        self._bots, self._chats = bots, chats

    def choices(self, owner: str, session_id: str = "", message_id: str = "") -> Choices:
        """Returns the owner's chats, and the replies of one; of the latest without `session_id`.

        Raises:
            StoreError: there is no such chat or reply of this owner's.
        """
        sessions = self._chats.talks(owner, _MOST_CHATS)
        if not session_id:
            if not sessions:
                return Choices(())
            session_id = sessions[0].id
        chosen = self._session(owner, session_id)
        if all(session.id != chosen.id for session in sessions):
            sessions.append(chosen)  # older than those of the list
        store = self._chats.store_of(session_id)
        path = store.messages(owner, session_id)
        if message_id and all(message.id != message_id for message in path):
            path = store.messages(owner, session_id, message_id)
        if path and path[-1].role == "user":  # a comparison that awaits its choice
            path += store.children(owner, session_id, path[-1].id)
        replies = [message for message in path if message.reply is not None]
        return Choices(tuple(sessions), session_id, tuple(replies[-_MOST_REPLIES:]), message_id)

    def of_reply(self, owner: str, session_id: str, message_id: str) -> Why:
        """Explains a stored reply.

        Raises:
            StoreError: there is no such chat or reply of this owner's.
            UsageError: the model that wrote it is not loaded, or too much stands before it.
        """
        self._session(owner, session_id)
        store = self._chats.store_of(session_id)
        message = store.message(owner, session_id, message_id)
        if message.reply is None or message.parent_id is None:
            raise StoreError(f"there is no reply {message_id!r} in this chat; choose one from the list")
        reply = message.reply
        conversation = store.conversation(owner, session_id, message.parent_id)
        model, replier = self._maker(message)
        why = _explain(replier, conversation, reply.tokens, message)
        is_same = _context_hash(conversation) == reply.context_hash
        return Why(why, model, message.text, message, is_same)

    def of_typed(self, model: str, context: str, reply: str) -> Why:
        """Explains a reply that nobody gave: how probable a model finds it, and why.

        Args:
            model: the bot's name.
            context: a turn a line, said by two in turn; the last one is answered.
            reply: its text.

        Raises:
            UsageError: nothing was written, or too much.
            RunFolderError: there is no such model.
        """
        from dialog.text.batches import EOS

        for text in (context, reply):
            if len(text) > MAX_CHARACTERS:
                raise UsageError(
                    f"the message has {len(text):,} characters, but at most {MAX_CHARACTERS:,} can be sent; "
                    "shorten it"
                )
        lines = [line for line in context.splitlines() if line.strip()]
        if not lines:
            raise UsageError("the context has no words; write what the reply answers")
        said = [Turn(("user", "bot")[(len(lines) - 1 - place) % 2], line) for place, line in enumerate(lines)]
        replier = self._bots.engine(model).replier
        tokens = replier.tokenizer.encode(reply)
        if not tokens:
            raise UsageError("the reply has no words; write one")
        return Why(_explain(replier, Conversation("", tuple(said)), [*tokens, EOS]), model, reply.strip())

    def _session(self, owner: str, session_id: str) -> StoredSession:
        session = self._chats.store_of(session_id).session(owner, session_id)
        if session.kind not in TALKS:
            raise StoreError(
                f"there is no chat {session_id!r} of yours in the store; choose one from your list"
            )
        return session

    def _maker(self, message: StoredMessage) -> "tuple[str, Replier]":
        """Returns the bot whose weights wrote a reply, also where it now has another name."""
        assert message.reply is not None
        name, wanted = message.model_name or "", message.reply.model_hash
        own = [name] if name in self._bots.names else []
        for candidate in dict.fromkeys([*own, *self._bots.loaded()]):
            try:
                replier = self._bots.engine(candidate).replier
            except DialogError:
                continue  # it is told where one chats with it
            if replier.model_hash == wanted:
                return candidate, replier
        raise UsageError(
            f"this reply was written by {name or 'a model'} with the weights {wanted[:12]}, which are not loaded here; "
            "start the server with the folder of that run (hred serve FOLDER), or let a model of today answer anew "
            "and look at that reply"
        )


def _explain(
    replier: "Replier",
    conversation: Conversation,
    tokens: Sequence[int],
    message: StoredMessage | None = None,
) -> "Explanation":
    from dialog.evaluation.why.explaining import explain

    if len(conversation.turns) > _MOST_READ:
        raise UsageError(
            f"{len(conversation.turns):,} turns stand before this reply, but at most {_MOST_READ:,} are read here; "
            "choose an earlier reply"
        )
    reply = message.reply if message else None
    return explain(
        replier.model,
        replier.tokenizer,
        conversation,
        tokens,
        sampling=reply.sampling if reply else None,
        latent=reply.latent if reply else None,
        num_others=NUM_OTHERS,
    )


def _context_hash(conversation: Conversation) -> str:
    from dialog.decoding.context_cache import prefix_hashes
    from dialog.decoding.reading import joined_texts

    return prefix_hashes(joined_texts(conversation))[-1]
