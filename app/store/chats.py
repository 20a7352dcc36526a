"""The store's calls on chats: sessions, and the tree of messages in each."""

from collections.abc import Mapping
from typing import Any

from app.store import queries
from app.store.base import StoreBase
from app.store.files import forget
from app.store.records import (
    Kind,
    Role,
    StoredMessage,
    StoredSession,
    checked_text,
    make_title,
    message_record,
    reply_columns,
    session_record,
)
from app.store.tables import SessionRow
from dialog.conversation import Conversation, Turn
from dialog.decoding.replies import Reply
from dialog.errors import StoreError

__all__ = ["ChatCalls"]

MAX_SESSIONS = 10_000
"""Chats that one owner may begin; what is imported is not counted."""

LONGEST_CLIENT_ID = 200  # characters; PostgreSQL cannot keep thousands of them in order


class ChatCalls(StoreBase):
    """Sessions and messages."""

    def create_session(
        self, owner: str, title: str = "", model_name: str = "", kind: Kind = "chat"
    ) -> StoredSession:
        """Makes an empty session.

        Args:
            title: for the list of chats, cut to one short line; empty to take the first user message.
            model_name: the run or model it is meant for.
            kind: where it is shown.

        Raises:
            StoreError: the owner has `MAX_SESSIONS` already.
        """
        with self._writes() as transaction:
            queries.owner_of(transaction, owner)
            queries.check_room(transaction, owner, MAX_SESSIONS)
            time = queries.now()
            row = SessionRow(
                id=queries.new_id(),
                owner_id=owner,
                title=make_title(checked_text(title, "title")),
                model_name=checked_text(model_name, "model's name"),
                created_at=time,
                updated_at=time,
                active_leaf_id=None,
                kind=kind,
            )
            transaction.add(row)
            transaction.flush()
            return session_record(row)

    def sessions(
        self,
        owner: str,
        limit: int = 50,
        before: StoredSession | None = None,
        kind: Kind | None = None,
    ) -> tuple[StoredSession, ...]:
        """Returns the owner's sessions, the one changed last first.

        Args:
            limit: at most so many, 1 or more.
            before: the last one of the page before this one.
            kind: of this kind alone; of all kinds when None.
        """
        if limit < 1:
            raise StoreError(f"the list was asked for {limit} chats, but a list has 1 or more")
        with self._reads() as transaction:
            return tuple(map(session_record, queries.sessions_of(transaction, owner, limit, before, kind)))

    def session(self, owner: str, session_id: str) -> StoredSession:
        """Returns one session."""
        with self._reads() as transaction:
            return session_record(queries.session_of(transaction, owner, session_id))

    def rename(self, owner: str, session_id: str, title: str) -> StoredSession:
        """Gives a session another title, cut to one short line."""
        with self._writes() as transaction:
            row = queries.session_of(transaction, owner, session_id, lock=True)
            row.title = make_title(checked_text(title, "title"))
            row.updated_at = queries.now()
            return session_record(row)

    def delete_session(self, owner: str, session_id: str) -> None:
        """Removes a session and all its messages; SQLite overwrites their bytes in its file and log."""
        with self._writes() as transaction:
            row = queries.session_of(transaction, owner, session_id, lock=True)
            queries.delete_sessions(transaction, [row.id])
        forget(self._engine, session_id)

    def add_user_message(
        self, owner: str, session_id: str, parent_id: str | None, text: str, client_id: str
    ) -> StoredMessage:
        """Adds what the user said, makes it the active leaf, and names an untitled session after it.

        Args:
            parent_id: the message it follows; None begins the session, or a second branch of it.
            client_id: made by the client for this message; the same one again returns the stored message
                and changes nothing.
        """
        columns = {"text": checked_text(text, "message")}
        return self._add(owner, session_id, parent_id, "user", client_id, columns, activate=True)

    def add_reply(
        self,
        owner: str,
        session_id: str,
        parent_id: str | None,
        reply: Reply,
        model_name: str,
        client_id: str,
        *,
        activate: bool = True,
    ) -> StoredMessage:
        """Adds what a model said; several replies to one parent are the candidates of a comparison.

        Args:
            parent_id: the message it follows.
            client_id: as in `add_user_message`.
            activate: whether it becomes the active leaf.
        """
        columns = reply_columns(reply, model_name)
        return self._add(owner, session_id, parent_id, "bot", client_id, columns, activate)

    def messages(self, owner: str, session_id: str, leaf: str | None = None) -> tuple[StoredMessage, ...]:
        """Returns the messages from the first one to `leaf`, or to the active leaf when None."""
        with self._reads() as transaction:
            leaf_id = queries.leaf_of(transaction, owner, session_id, leaf)
            rows = [] if leaf_id is None else queries.path_to(transaction, session_id, leaf_id)
        return tuple(map(message_record, rows))

    def conversation(self, owner: str, session_id: str, leaf: str | None = None) -> Conversation:
        """Returns the same path as what a model reads; the speakers are `user` and `bot`."""
        with self._reads() as transaction:
            leaf_id = queries.leaf_of(transaction, owner, session_id, leaf)
            rows = [] if leaf_id is None else queries.path_to(transaction, session_id, leaf_id, queries.SAID)
        return Conversation(session_id, tuple(Turn(role, text) for _, _, role, text in rows))

    def message(self, owner: str, session_id: str, message_id: str) -> StoredMessage:
        """Returns one message."""
        with self._reads() as transaction:
            queries.session_of(transaction, owner, session_id)
            return message_record(queries.known_message(transaction, session_id, message_id))

    def children(self, owner: str, session_id: str, parent_id: str | None) -> tuple[StoredMessage, ...]:
        """Returns the messages that follow one (None: that begin the session), as they came."""
        with self._reads() as transaction:
            queries.session_of(transaction, owner, session_id)
            if parent_id is not None:
                queries.known_message(transaction, session_id, parent_id)
            rows = queries.children_of(transaction, session_id, parent_id)
        return tuple(map(message_record, rows))

    def siblings(self, owner: str, session_id: str, message_id: str) -> tuple[StoredMessage, ...]:
        """Returns the messages with the same parent as this one, itself among them, as they came."""
        with self._reads() as transaction:
            queries.session_of(transaction, owner, session_id)
            parent_id = queries.known_message(transaction, session_id, message_id).parent_id
            rows = queries.children_of(transaction, session_id, parent_id)
        return tuple(map(message_record, rows))

    def set_active_leaf(self, owner: str, session_id: str, message_id: str | None) -> StoredSession:
        """Shows another branch: the one that ends in this message; None shows an empty chat."""
        with self._writes() as transaction:
            row = queries.session_of(transaction, owner, session_id, lock=True)
            if message_id is not None:
                queries.known_message(transaction, session_id, message_id)
            row.active_leaf_id = message_id
            return session_record(row)

    def _add(
        self,
        owner: str,
        session_id: str,
        parent_id: str | None,
        role: Role,
        client_id: str,
        columns: Mapping[str, Any],
        activate: bool,
    ) -> StoredMessage:
        if not 1 <= len(checked_text(client_id, "message's id")) <= LONGEST_CLIENT_ID:
            raise StoreError(
                f"the message came with an id of {len(client_id)} letters, by which a retry is known, "
                f"but 1 to {LONGEST_CLIENT_ID} are allowed; reload the page"
            )
        with self._writes() as transaction:
            session = queries.session_of(transaction, owner, session_id, lock=True)
            stored = queries.message_of(transaction, session_id, client_id, by_client=True)
            if stored is not None:
                if stored.role != role:
                    raise StoreError(
                        f"the message's id {client_id[:40]!r} stands for another message of this chat; "
                        "give each message an id of its own"
                    )
                return message_record(stored)
            if parent_id is not None:
                queries.known_message(transaction, session_id, parent_id)
            row = queries.insert_message(transaction, session, parent_id, role, client_id, columns)
            session.updated_at = row.created_at
            if activate:
                session.active_leaf_id = row.id
            if role == "user" and not session.title:
                session.title = make_title(row.text)
            return message_record(row)
