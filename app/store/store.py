"""Store: every call on stored chats.

Each call names the owner, opens and closes its own transaction, and gives out frozen records; nothing is
held while a reply is decoded. Somebody else's chat and one that is not there are the same sentence.
"""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Engine, delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session as Transaction
from sqlalchemy.orm import sessionmaker

from app.settings import Settings
from app.store import queries
from app.store.database import forget, name_of, open_database, parse_url, writing
from app.store.failures import as_store_errors
from app.store.records import (
    Role,
    StoredMessage,
    StoredSession,
    checked_text,
    make_title,
    message_record,
    reply_columns,
    session_record,
)
from app.store.tables import MessageRow, OwnerRow, SessionRow
from dialog.conversation import Conversation, Turn
from dialog.decoding.replies import Reply
from dialog.errors import StoreError

__all__ = ["Store"]


class Store:
    """The session store; made with `Store.open`, used by any number of threads at once.

    `owner` is always an id from `owner_for`. Every call but `close` raises a StoreError when the database
    cannot do what is asked, or when a session or message is not there or not this owner's.
    """

    def __init__(self, engine: Engine, place: str) -> None:
        self._engine = engine
        self._writing_engine = writing(engine)
        self._place = place
        self._closed = False

    @classmethod
    def open(cls, url: str | None = None) -> Self:
        """Opens a store, and makes it where there is none.

        Args:
            url: a SQLAlchemy URL; the one of the settings when None.

        Raises:
            StoreError: it cannot be opened, is another program's or of a newer version.
        """
        parsed = parse_url(url or Settings.from_environment().database_url)
        return cls(open_database(parsed), name_of(parsed))

    def close(self) -> None:
        """Closes the store; closing it again does nothing."""
        self._closed = True
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def owner_for(self, cookie_token: str) -> str:
        """Returns the id of whoever holds a cookie's token, a new one at the first time.

        Only the token's SHA-256 is kept.
        """
        if not cookie_token:
            raise StoreError("the cookie is empty, but it names whose chats these are; reload the page")
        token_hash = hashlib.sha256(cookie_token.encode("utf-8", "surrogatepass")).hexdigest()
        known = select(OwnerRow.id).where(OwnerRow.token_hash == token_hash)
        with self._reads() as transaction:
            found = transaction.scalar(known)
        if found is not None:
            return found
        with self._writes() as transaction:
            try:
                with transaction.begin_nested():
                    owner = OwnerRow(id=queries.new_id(), token_hash=token_hash, created_at=queries.now())
                    transaction.add(owner)
            except IntegrityError:  # another call with the same cookie was first
                return transaction.scalars(known).one()
            return owner.id

    def create_session(self, owner: str, title: str = "", model_name: str = "") -> StoredSession:
        """Makes an empty session.

        Args:
            title: for the list of chats, cut to one short line; empty to take the first user message.
            model_name: the run or model it is meant for.
        """
        with self._writes() as transaction:
            queries.check_owner(transaction, owner)
            time = queries.now()
            row = SessionRow(
                id=queries.new_id(),
                owner_id=owner,
                title=make_title(checked_text(title, "title")),
                model_name=checked_text(model_name, "model's name"),
                created_at=time,
                updated_at=time,
                active_leaf_id=None,
            )
            transaction.add(row)
            transaction.flush()
            return session_record(row)

    def sessions(
        self, owner: str, limit: int = 50, before: StoredSession | None = None
    ) -> tuple[StoredSession, ...]:
        """Returns the owner's sessions, the one changed last first.

        Args:
            limit: at most so many, 1 or more.
            before: the last one of the page before this one.
        """
        if limit < 1:
            raise StoreError(f"the list was asked for {limit} chats, but a list has 1 or more")
        with self._reads() as transaction:
            return tuple(map(session_record, queries.sessions_of(transaction, owner, limit, before)))

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
            transaction.execute(delete(MessageRow).where(MessageRow.session_id == row.id))
            transaction.delete(row)
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
            columns = (MessageRow.__table__.c.role, MessageRow.__table__.c.text)
            rows = [] if leaf_id is None else queries.path_to(transaction, session_id, leaf_id, *columns)
        return Conversation(session_id, tuple(Turn(row["role"], row["text"]) for row in rows))

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
            parent_id = queries.known_message(transaction, session_id, message_id)["parent_id"]
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
        if not checked_text(client_id, "message's id"):
            raise StoreError("the message came without an id, by which a retry is known; reload the page")
        with self._writes() as transaction:
            session = queries.session_of(transaction, owner, session_id, lock=True)
            stored = queries.message_of(transaction, session_id, client_id, by_client=True)
            if stored is not None:
                if stored["role"] != role:
                    raise StoreError(
                        f"the message's id {client_id[:40]!r} stands for another message of this chat; "
                        "give each message an id of its own"
                    )
                return message_record(stored)
            if parent_id is not None:
                queries.known_message(transaction, session_id, parent_id)
            row = queries.insert_message(transaction, session_id, parent_id, role, client_id, columns)
            session.updated_at = row["created_at"]
            if activate:
                session.active_leaf_id = row["id"]
            if role == "user" and not session.title:
                session.title = make_title(row["text"])
            return message_record(row)

    @contextmanager
    def _reads(self) -> Iterator[Transaction]:
        with self._transaction(self._engine) as transaction:
            yield transaction

    @contextmanager
    def _writes(self) -> Iterator[Transaction]:
        with self._transaction(self._writing_engine) as transaction:
            yield transaction

    @contextmanager
    def _transaction(self, engine: Engine) -> Iterator[Transaction]:
        if self._closed:
            raise StoreError(f"{self._place} was closed; open it again")
        sessions = sessionmaker(engine, expire_on_commit=False)
        with as_store_errors(self._place), sessions.begin() as transaction:
            yield transaction
