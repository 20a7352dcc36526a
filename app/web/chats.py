"""What the page does, without its looks: sends messages, stores replies, lists chats.

Everything is read from the store at each call; the browser sends ids only, and each id is checked
against the owner that `app.access` found by its cookie. The one thing kept in memory is which replies are
being decoded, so that they can be stopped.
"""

import contextlib
import secrets
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from app.access import owner_of
from app.bots import Bots
from app.store import Store, StoredMessage, StoredSession
from dialog.decoding.replies import Reply, Sampling
from dialog.errors import DialogError, StoreError, UsageError

__all__ = ["MAX_CHARACTERS", "Chats", "Partial"]

MAX_CHARACTERS = 20_000
_PIECE_SECONDS = 0.1
"""Pieces of a streamed reply are shown at this pace, for each costs the server an update of the page."""
_MAX_BEGUN = 1000


@dataclass(frozen=True, slots=True)
class Partial:
    """A reply while it is decoded.

    Attributes:
        model: the bot's name.
        text: what there is of it.
    """

    model: str
    text: str


class Chats:
    """The chats of all owners.

    Args:
        bots: who replies.
        store: where chats are kept.
    """

    def __init__(self, bots: Bots, store: Store) -> None:
        self.bots = bots
        self._store = store
        self._running: dict[tuple[str, str], threading.Event] = {}
        self._begun: dict[tuple[str, str], str] = {}  # chats by owner and the id of their first message
        self._begins = threading.Lock()

    def owner(self, request: Any) -> str:
        """Returns whose chats an event of the page means; `app.access` has found it out.

        Raises:
            StoreError: the browser sends no cookie.
        """
        owner = owner_of(request)
        if owner is None:
            raise StoreError("the browser sent no cookie, by which chats are told apart; allow it and reload")
        return owner

    def sessions(self, owner: str) -> Sequence[StoredSession]:
        """Returns the owner's chats, the latest first."""
        return self._store.sessions(owner, limit=100)

    def path(self, owner: str, session_id: str) -> Sequence[StoredMessage]:
        """Returns the messages of the shown branch."""
        return self._store.messages(owner, session_id)

    def delete(self, owner: str, session_id: str) -> None:
        """Deletes a chat for good, and what the bots keep of it."""
        said = tuple(self._store.conversations(owner, session_id))
        self.stop(owner, session_id)
        self._store.delete_session(owner, session_id)
        self.bots.forget(said)

    def say(self, owner: str, session_id: str, text: str, client_id: str, kind: str) -> StoredMessage:
        """Stores a user's message in a chat, or in a new one if `session_id` is empty.

        Args:
            owner: whose chat.
            session_id: of the chat.
            text: the message.
            client_id: made by the browser for this message; the same one again is the same message.
            kind: what a new chat is noted as: a model's name, or `compare`.

        Raises:
            UsageError: the message is too long.
            StoreError: there is no such chat of this owner's.
        """
        if len(text) > MAX_CHARACTERS:
            raise UsageError(
                f"the message has {len(text):,} characters, but at most {MAX_CHARACTERS:,} can be sent; "
                "shorten it"
            )
        client_id = client_id or secrets.token_hex(16)
        session_id = session_id or self._begin(owner, client_id, kind)
        leaf = self._store.session(owner, session_id).active_leaf_id
        return self._store.add_user_message(owner, session_id, leaf, text, client_id)

    def _begin(self, owner: str, client_id: str, kind: str) -> str:
        """Makes a chat, or returns the one that the same first message has made: it may be sent twice."""
        with self._begins:
            if (owner, client_id) not in self._begun:
                self._begun[owner, client_id] = self._store.create_session(owner, model_name=kind).id
                if len(self._begun) > _MAX_BEGUN:
                    del self._begun[next(iter(self._begun))]
            return self._begun[owner, client_id]

    def answer(
        self, owner: str, session_id: str, parent: str, model: str, sampling: Sampling, seed: int
    ) -> Generator[Partial | StoredMessage, None, None]:
        """Streams a reply to the message `parent`, then stores it; stored, too, if its reader goes away.

        Yields:
            What there is of the reply about ten times a second, and at last the stored message, unless the
            reply was stopped before its first token.
        """
        conversation = self._store.conversation(owner, session_id, leaf=parent)
        engine = self.bots.engine(model)
        stop = threading.Event()
        self._running[owner, session_id] = stop
        stream = engine.stream(conversation, sampling, seed, stop=stop.is_set)
        text, shown, reply, stored = "", 0.0, None, None
        try:
            for piece in stream:
                if isinstance(piece, Reply):
                    reply = piece
                    continue
                text += piece
                if time.monotonic() - shown >= _PIECE_SECONDS:
                    shown = time.monotonic()
                    yield Partial(model, text)
        finally:
            has_gone = reply is None
            if has_gone:  # the reader went: end at the next token, and keep what there is
                stop.set()
                with contextlib.suppress(Exception):
                    reply = next((piece for piece in stream if isinstance(piece, Reply)), None)
            if self._running.get((owner, session_id)) is stop:
                del self._running[owner, session_id]
            with contextlib.suppress(DialogError) if has_gone else contextlib.nullcontext():
                stored = self._keep(owner, session_id, parent, model, reply)
        if stored is not None:
            yield stored

    def stop(self, owner: str, session_id: str) -> None:
        """Stops the reply that is being decoded in a chat, if one is."""
        running = self._running.get((owner, session_id))
        if running is not None:
            running.set()

    def to_answer(self, owner: str, session_id: str) -> StoredMessage | None:
        """Returns the user's message at the end of the shown branch: what a further reply would answer."""
        path = self.path(owner, session_id)
        return next((message for message in reversed(path) if message.role == "user"), None)

    def next_version(self, owner: str, session_id: str) -> None:
        """Shows the next of the replies that stand beside the last one."""
        path = self.path(owner, session_id)
        if path and path[-1].role == "bot":
            versions = self._store.siblings(owner, session_id, path[-1].id)
            place = [message.id for message in versions].index(path[-1].id)
            self._store.set_active_leaf(owner, session_id, versions[(place + 1) % len(versions)].id)

    def version(self, owner: str, session_id: str) -> tuple[int, int]:
        """Returns the place of the last reply among those beside it, from 1, and how many there are."""
        path = self.path(owner, session_id)
        if not path or path[-1].role != "bot":
            return 0, 0
        versions = self._store.siblings(owner, session_id, path[-1].id)
        return [message.id for message in versions].index(path[-1].id) + 1, len(versions)

    def choose(self, owner: str, session_id: str, message_id: str) -> None:
        """Makes the conversation go on from a message."""
        self._store.set_active_leaf(owner, session_id, message_id)

    def candidates(
        self, owner: str, session_id: str, parent: str, sampling: Sampling, num_replies: int, seed: int
    ) -> Iterator[tuple[str, list[StoredMessage] | str]]:
        """Lets every bot reply to the message `parent`; yields its name, and its replies or why it has none."""
        conversation = self._store.conversation(owner, session_id, leaf=parent)
        for model in self.bots.names:
            try:
                replies = self.bots.engine(model).reply(conversation, sampling, num_replies, seed)
            except DialogError as error:
                yield model, str(error)
                continue
            kept = [self._keep(owner, session_id, parent, model, r, activate=False) for r in replies]
            yield model, [message for message in kept if message is not None]

    def _keep(
        self,
        owner: str,
        session_id: str,
        parent: str,
        model: str,
        reply: Reply | None,
        activate: bool = True,
    ) -> StoredMessage | None:
        if reply is None or not reply.text:
            return None
        return self._store.add_reply(
            owner, session_id, parent, reply, model, secrets.token_hex(16), activate=activate
        )
