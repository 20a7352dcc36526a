"""What the page does, without its looks: sends messages, begins replies, walks between branches, lists chats.

Everything is read from the store at each call; the browser sends ids only, and each id is checked against its
owner. What a tab shows is a leaf that the tab itself names: two tabs in one chat go on from what each of them
shows, and make two branches.
"""

import secrets
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.access import owner_of
from app.bots import Bots
from app.store import Feedback, Kind, Store, StoredMessage, StoredSession, Stores, TemporaryStore
from app.web.running import Answer, Replies
from dialog.decoding.replies import Sampling
from dialog.errors import StoreError, UsageError

__all__ = ["MAX_CHARACTERS", "TALKS", "Chats", "View", "new_request"]

MAX_CHARACTERS = 20_000
TALKS: tuple[Kind, ...] = ("chat", "compare")
"""What may be looked into. Not battles: why a model says something may tell which one it is."""
_MAX_BEGUN = 1000
_PATIENCE = 30.0
"""Seconds that are waited for a reply to end at its next token."""


@dataclass(frozen=True, slots=True)
class View:
    """A branch of a chat as a tab shows it.

    Attributes:
        session: the chat, None for one that is not stored yet.
        path: the messages from the first to the leaf.
        beside: for each message of the path, the ids of those that stand in its place, itself among them.
        candidates: replies that one can choose from at the leaf; the leaf is one of them, or their parent.
        feedback: what the owner thinks of replies, by message id.
    """

    session: StoredSession | None = None
    path: tuple[StoredMessage, ...] = ()
    beside: Mapping[str, tuple[str, ...]] | None = None
    candidates: tuple[StoredMessage, ...] = ()
    feedback: Mapping[str, Feedback] | None = None

    @property
    def session_id(self) -> str:
        """The chat's id, or "" for none."""
        return self.session.id if self.session else ""

    @property
    def leaf(self) -> str:
        """The last message's id, or "" for none."""
        return self.path[-1].id if self.path else ""


class Chats:
    """The chats of all owners.

    Args:
        bots: who replies.
        store: where chats are kept.
        temporary: where those of owners are who do not want them kept; all are kept without.
    """

    def __init__(self, bots: Bots, store: Store, temporary: TemporaryStore | None = None) -> None:
        self.bots = bots
        self._store, self._temporary = store, temporary
        self.replies = Replies(bots, self.store_of)
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

    def store_of(self, session_id: str) -> Store:
        """Returns where a chat stands: in the store, or in memory for an hour."""
        return self._store if self._temporary is None else Stores(self._store, self._temporary).of(session_id)

    def sessions(self, owner: str, kind: Kind = "chat", limit: int = 100) -> Sequence[StoredSession]:
        """Returns the owner's chats of a kind, the temporary ones before the others, the latest first."""
        kept = self._store.sessions(owner, limit=limit, kind=kind)
        if self._temporary is None or self._temporary.is_empty:
            return kept
        return (*self._temporary.sessions(owner, limit=limit, kind=kind), *kept)

    def talks(self, owner: str, limit: int) -> list[StoredSession]:
        """Returns the owner's chats of all `TALKS`, the latest first."""
        found = [session for kind in TALKS for session in self.sessions(owner, kind, limit)]
        return sorted(found, key=lambda session: session.updated_at, reverse=True)[:limit]

    def temporary(self, owner: str) -> frozenset[str]:
        """Returns the ids of the owner's temporary chats."""
        if self._temporary is None or self._temporary.is_empty:
            return frozenset()
        return frozenset(session.id for session in self._temporary.sessions(owner, limit=100))

    def view(self, owner: str, session_id: str, leaf: str | None = None) -> View:
        """Returns a branch of a chat, the active one when `leaf` is None; nothing without a chat.

        Raises:
            StoreError: there is no such chat or message of this owner's.
        """
        if not session_id:
            return View()
        session = self.store_of(session_id).session(owner, session_id)
        path = self.store_of(session_id).messages(owner, session_id, leaf)
        below: dict[str | None, list[str]] = {}
        for message_id, parent in self.store_of(session_id).branches(owner, session_id).items():
            below.setdefault(parent, []).append(message_id)
        beside = {message.id: tuple(below.get(message.parent_id, [message.id])) for message in path}
        feedback = self.store_of(session_id).feedback(owner, session_id)
        return View(session, path, beside, self._candidates(owner, session, path, beside), feedback)

    def _candidates(
        self,
        owner: str,
        session: StoredSession,
        path: Sequence[StoredMessage],
        beside: Mapping[str, tuple[str, ...]],
    ) -> tuple[StoredMessage, ...]:
        if not path:
            return ()
        last = path[-1]
        if last.role == "user":
            replies = (
                self.store_of(session.id).children(owner, session.id, last.id)
                if session.kind == "compare"
                else ()
            )
            return self._in_order(message for message in replies if message.role == "bot")
        if len(beside[last.id]) == 1:
            return ()
        replies = self.store_of(session.id).siblings(owner, session.id, last.id)
        if session.kind == "compare":
            return self._in_order(replies)
        request = _request_of(last)
        together = self._in_order(message for message in replies if _request_of(message) == request)
        return together if len(together) > 1 else ()

    def _in_order(self, replies: Iterable[StoredMessage]) -> tuple[StoredMessage, ...]:
        """Returns replies by model and index, not as they happened to be finished."""
        places = {name: place for place, name in enumerate(self.bots.names)}

        def place(message: StoredMessage) -> tuple[int, int]:
            last = len(places)
            return places.get(message.model_name or "", last), message.reply.index if message.reply else 0

        return tuple(sorted(replies, key=place))

    def say(
        self, owner: str, session_id: str, parent: str, text: str, client_id: str, kind: Kind = "chat"
    ) -> StoredMessage:
        """Stores a user's message in a chat, or in a new one if `session_id` is empty.

        Args:
            owner: whose chat.
            session_id: of the chat.
            parent: the message that it follows, "" for none: the one that the tab shows last.
            text: the message.
            client_id: made for this message; the same one again is the same message.
            kind: where a new chat is shown.

        Raises:
            UsageError: the message is empty or too long.
            StoreError: there is no such chat or message of this owner's.
        """
        self._check_length(text)
        session_id = session_id or self._begin(owner, client_id, kind)
        return self.store_of(session_id).add_user_message(owner, session_id, parent or None, text, client_id)

    def edit(self, owner: str, session_id: str, message_id: str, text: str, client_id: str) -> StoredMessage:
        """Stores another wording of a user's message beside it; what was said stays.

        Raises:
            UsageError: it is empty, too long, or a reply.
            StoreError: there is no such chat or message of this owner's.
        """
        self._check_length(text)
        earlier = self.store_of(session_id).message(owner, session_id, message_id)
        if earlier.role != "user":
            raise UsageError(
                "only your own messages can be edited; say what a reply should have been instead"
            )
        return self.store_of(session_id).add_user_message(
            owner, session_id, earlier.parent_id, text, client_id
        )

    @staticmethod
    def _check_length(text: str) -> None:
        if not text.strip():
            raise UsageError("the message is empty; write something")
        if len(text) > MAX_CHARACTERS:
            raise UsageError(
                f"the message has {len(text):,} characters, but at most {MAX_CHARACTERS:,} can be sent; "
                "shorten it"
            )

    def _begin(self, owner: str, client_id: str, kind: Kind) -> str:
        """Makes a chat, or returns the one that the same first message has made: it may be sent twice."""
        with self._begins:
            if (owner, client_id) not in self._begun:
                is_kept = self._temporary is None or self._store.owner_settings(owner).store
                store = self._store if is_kept else self._temporary
                assert store is not None
                self._begun[owner, client_id] = store.create_session(owner, kind=kind).id
                if len(self._begun) > _MAX_BEGUN:
                    del self._begun[next(iter(self._begun))]
            return self._begun[owner, client_id]

    def answer(
        self,
        owner: str,
        said: StoredMessage,
        models: Sequence[str],
        count: int,
        sampling: Sampling,
        seed: int,
        client_id: str,
    ) -> Answer | None:
        """Begins replies to a message; see `Replies.begin`.

        Raises:
            UsageError: no model is chosen.
            StoreError: there is no such chat of this owner's.
        """
        if not models:
            raise UsageError("no model is chosen; choose one or more")
        given = (models, count, sampling, seed, client_id)
        return self.replies.begin(owner, said.session_id, said.id, *given)

    def to_answer(self, owner: str, session_id: str, message_id: str) -> StoredMessage:
        """Returns the user's message that a further reply would answer: itself, or the one before a reply.

        Raises:
            StoreError: there is no such chat or message of this owner's.
        """
        message = self.store_of(session_id).message(owner, session_id, message_id)
        while message.role == "bot" and message.parent_id is not None:
            message = self.store_of(session_id).message(owner, session_id, message.parent_id)
        return message

    def after_stop(self, owner: str, session_id: str, leaf: str) -> str:
        """Stops what is decoded below the leaf that a tab shows, and returns what the tab then goes on from.

        It is the reply as far as it came, or the leaf itself.
        """
        kept = leaf
        for answer in self.replies.stop(owner, session_id, leaf) if leaf else ():
            answer.ended.wait(_PATIENCE)
            kept = answer.stored[0].id if answer.stored else kept
        return kept

    def walk(self, owner: str, session_id: str, message_id: str) -> str:
        """Shows the branch of a message, down to what was said last in it; returns that leaf.

        Raises:
            StoreError: there is no such chat or message of this owner's.
        """
        self.store_of(session_id).message(owner, session_id, message_id)
        leaf, branch = message_id, {message_id}
        for below, parent in self.store_of(session_id).branches(owner, session_id).items():
            if parent in branch:
                branch.add(below)
                leaf = below  # the last of all
        self.store_of(session_id).set_active_leaf(owner, session_id, leaf)
        return leaf

    def choose(self, owner: str, session_id: str, message_id: str) -> str:
        """Makes the conversation go on from a message, and returns its id.

        Raises:
            StoreError: there is no such chat or message of this owner's.
        """
        self.store_of(session_id).set_active_leaf(owner, session_id, message_id)
        return message_id

    def rate(self, owner: str, session_id: str, message_id: str, value: int | None) -> None:
        """Keeps a like (1), a dislike (-1) or neither of a reply; what it should have been stays as it is.

        Raises:
            StoreError: there is no such reply of this owner's.
        """
        before = self.store_of(session_id).feedback(owner, session_id).get(message_id)
        self.store_of(session_id).set_feedback(
            owner, session_id, message_id, value, before.correction if before else None
        )

    def correct(self, owner: str, session_id: str, message_id: str, text: str) -> None:
        """Keeps what a reply should have been; with nothing it is forgotten.

        Raises:
            UsageError: it is too long.
            StoreError: there is no such reply of this owner's.
        """
        if text.strip():
            self._check_length(text)
        before = self.store_of(session_id).feedback(owner, session_id).get(message_id)
        self.store_of(session_id).set_feedback(
            owner, session_id, message_id, before.value if before else None, text.strip() or None
        )

    def rename(self, owner: str, session_id: str, title: str) -> None:
        """Gives a chat another title; nothing changes with an empty one."""
        if title.strip():
            self.store_of(session_id).rename(owner, session_id, title)

    def delete(self, owner: str, session_id: str) -> None:
        """Deletes a chat for good, and what the bots keep of it; stops what is decoded in it."""
        for answer in self.replies.stop(owner, session_id):
            answer.ended.wait(_PATIENCE)
        said = tuple(self.store_of(session_id).conversations(owner, session_id))
        self.store_of(session_id).delete_session(owner, session_id)
        self.bots.forget(said)

    def keep_language(self, owner: str, chosen: str | None) -> str | None:
        """Keeps the language that was chosen in this browser, if one was; returns the one that is kept."""
        settings = self._store.owner_settings(owner)
        if chosen is None or chosen == settings.language:
            return settings.language
        self._store.set_owner_settings(owner, replace(settings, language=chosen))
        return chosen


def new_request() -> str:
    """Returns an id for a request."""
    return secrets.token_hex(16)


def _request_of(message: StoredMessage) -> str:
    """Returns the id of the request that a reply came of: several came of the same one."""
    return message.client_id.partition(":")[0]
