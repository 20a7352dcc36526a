"""A request that names a stored chat: the context is read from the store, message and replies go into it.

The client's id of the message makes a retry harmless: the message stands once, a reply that is stored is given
again, and one that is not is decoded again from the same seed, which follows from that id where none is named.
"""

import hashlib
import secrets
from typing import Any

from app.api.chat_requests import ChatAsked
from app.api.problems import Problem
from app.store import Store, StoredMessage, StoredSession
from dialog.conversation import Conversation
from dialog.decoding.replies import Reply
from dialog.errors import StoreError
from dialog.text.normalise import normalise

__all__ = ["SessionChat", "check_storable", "find_session"]


def find_session(store: Store, owner: str, session_id: str) -> StoredSession:
    """Returns a session.

    Raises:
        Problem: 404, it is not there or somebody else's.
        StoreError: the database failed.
    """
    try:
        return store.session(owner, session_id)
    except StoreError as error:
        if error.__cause__ is not None:  # the database's own trouble
            raise
        raise Problem(404, str(error), "session_id", "session_not_found") from None


def check_storable(text: str, param: str) -> None:
    """Checks that every database can keep a text.

    Raises:
        Problem: 400, it cannot.
    """
    if "\0" in text or any(0xD800 <= ord(character) < 0xE000 for character in text):
        raise Problem(
            400,
            f"{param} holds a NUL or half a character, which the store cannot keep; take it out",
            param,
            "invalid_value",
        )


class SessionChat:
    """One message to a stored chat; its calls wait for the database.

    Args:
        store: where the chat is.
        owner: whose it is.
        asked: the request, with a session.

    Attributes:
        conversation: what is answered; after `open`.
        seed: of the replies; after `open`.
    """

    conversation: Conversation
    seed: int

    def __init__(self, store: Store, owner: str, asked: ChatAsked) -> None:
        assert asked.session_id is not None
        self._store, self._owner, self._asked, self._session_id = store, owner, asked, asked.session_id

    def open(self) -> list[Reply] | None:
        """Stores the message, if it is not there yet.

        Returns:
            Its replies, if all that are asked for are stored.

        Raises:
            Problem: there is no such session, the message is no text, or its id stands for another one.
            StoreError: the database failed.
        """
        session = find_session(self._store, self._owner, self._session_id)
        text = self._asked.conversation.turns[-1].text
        if not normalise(text):
            raise Problem(
                400, "the message has no text to answer; send one with words", "messages", "invalid_value"
            )
        check_storable(text, "messages")
        self._message = self._unanswered(session, text) or self._add(session, text)
        if self._message.text != text:
            raise _conflict()
        self.conversation = self._store.conversation(self._owner, self._session_id, leaf=self._message.id)
        digest = hashlib.sha256(f"{self._session_id}/{self._message.client_id}".encode()).digest()
        self.seed = int.from_bytes(digest[:8], "big") >> 11 if self._asked.seed is None else self._asked.seed
        stored = self._stored()
        return None if stored is None else [message.reply for message in stored if message.reply is not None]

    def keep(self, replies: list[Reply]) -> list[Reply]:
        """Stores the replies that have words; the first is what the chat goes on from.

        Returns:
            The replies.

        Raises:
            Problem: under the id of this message other replies are stored.
            StoreError: the database failed.
        """
        for index, reply in enumerate(replies):
            if not reply.text:
                continue
            message = self._store.add_reply(
                self._owner,
                self._session_id,
                self._message.id,
                reply,
                self._asked.model,
                self._reply_id(index),
                activate=index == 0,
            )
            if message.reply is None or message.reply.tokens != reply.tokens:
                raise _conflict()
        return replies

    def told(self) -> dict[str, Any]:
        """Returns what the answer says of the chat."""
        return {"session_id": self._session_id, "message_id": self._message.id}

    def _unanswered(self, session: StoredSession, text: str) -> StoredMessage | None:
        """Returns the chat's last message, where it is this one and was never answered: a retry without an id."""
        if self._asked.client_id is not None or session.active_leaf_id is None:
            return None
        leaf = self._store.message(self._owner, self._session_id, session.active_leaf_id)
        return leaf if leaf.role == "user" and leaf.text == text else None

    def _add(self, session: StoredSession, text: str) -> StoredMessage:
        client_id = self._asked.client_id or secrets.token_hex(16)
        check_storable(client_id, "client_id")
        leaf = session.active_leaf_id
        try:
            return self._store.add_user_message(self._owner, self._session_id, leaf, text, client_id)
        except StoreError as error:
            if error.__cause__ is not None:
                raise
            raise _conflict() from None  # a reply of the chat has that id

    def _stored(self) -> list[StoredMessage] | None:
        if self._asked.num_top is not None:
            return None  # log-probabilities are not stored
        replies = self._store.children(self._owner, self._session_id, self._message.id)
        known = {message.client_id: message for message in replies}
        found = [known.get(self._reply_id(index)) for index in range(self._asked.num_replies)]
        whole = [message for message in found if message is not None]
        return whole if len(whole) == len(found) else None

    def _reply_id(self, index: int) -> str:
        return f"{self._message.client_id}/reply/{index}"


def _conflict() -> Problem:
    return Problem(
        409,
        "this client_id stands for another message of the chat; give each message an id of its own",
        "client_id",
        "conflict",
    )
