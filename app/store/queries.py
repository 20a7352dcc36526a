"""The statements of the store; each runs in a transaction that its caller has begun."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NoReturn, cast

from sqlalchemy import (
    JSON,
    ColumnElement,
    CursorResult,
    Row,
    Select,
    Text,
    and_,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy import (
    cast as sql_cast,
)
from sqlalchemy.orm import Session as Transaction

from app.store.records import Kind, Role, StoredSession
from app.store.search_text import PIECE_SIZE, SEPARATOR, search_form
from app.store.tables import BattleRow, FeedbackRow, MessageRow, OwnerRow, SearchRow, SessionRow
from dialog.errors import StoreError

__all__ = [
    "all_of",
    "check_room",
    "children_of",
    "delete_sessions",
    "insert_message",
    "is_id",
    "known_message",
    "leaf_of",
    "message_of",
    "new_id",
    "now",
    "owner_of",
    "path_to",
    "session_of",
    "sessions_of",
]

Message = Row[*tuple[Any, ...]]

_COLUMNS = MessageRow.__table__.c
SAID = (_COLUMNS.id, _COLUMNS.parent_id, _COLUMNS.role, _COLUMNS.text)
"""What a model reads of a message."""

MESSAGE: tuple[ColumnElement[Any], ...] = (
    *SAID[:2],
    *(
        # As it is written, for most replies of a chat have the same settings, which need not be read each time.
        sql_cast(column, Text).label(column.name) if isinstance(column.type, JSON) else column
        for column in _COLUMNS
        if column.name not in ("id", "parent_id")
    ),
)
"""All of a message, as `records.message_record` takes it."""


def now() -> datetime:
    """Returns the time, in UTC."""
    return datetime.now(UTC)


def new_id() -> str:
    """Returns an id that nobody can guess."""
    return str(uuid.uuid4())


def session_of(transaction: Transaction, owner: str, session_id: str, *, lock: bool = False) -> SessionRow:
    """Returns a session of this owner.

    Args:
        lock: whether others who write to the session wait for this transaction (PostgreSQL;
            in SQLite whoever writes has the whole database).

    Raises:
        StoreError: there is no such session, or it is somebody else's: the same sentence.
    """
    statement = select(SessionRow).where(SessionRow.id == session_id, SessionRow.owner_id == owner)
    if not (is_id(owner) and is_id(session_id)):
        unknown_session(session_id)
    row = transaction.scalar(statement.with_for_update() if lock else statement)
    return unknown_session(session_id) if row is None else row


def unknown_session(session_id: str) -> NoReturn:
    """Raises the one sentence for a session that is not there or not this owner's."""
    raise StoreError(f"there is no chat {session_id[:40]!r} of yours in the store; choose one from your list")


def owner_of(transaction: Transaction, owner: str) -> OwnerRow:
    """Returns an owner.

    Raises:
        StoreError: the store knows no such one.
    """
    row = transaction.get(OwnerRow, owner) if is_id(owner) else None
    if row is None:
        raise StoreError("nobody is known by this cookie; reload the page to get a new one")
    return row


def sessions_of(
    transaction: Transaction, owner: str, limit: int, before: StoredSession | None, kind: Kind | None
) -> Sequence[SessionRow]:
    """Returns an owner's sessions, the newest first; those that come after `before` in that order."""
    if not is_id(owner):
        return []
    statement = select(SessionRow).where(SessionRow.owner_id == owner)
    if kind is not None:
        statement = statement.where(SessionRow.kind == kind)
    if before is not None:
        older = SessionRow.updated_at < before.updated_at
        same_time = and_(SessionRow.updated_at == before.updated_at, SessionRow.id < before.id)
        statement = statement.where(or_(older, same_time))
    newest_first = statement.order_by(SessionRow.updated_at.desc(), SessionRow.id.desc())
    return transaction.scalars(newest_first.limit(limit)).all()


def message_of(
    transaction: Transaction, session_id: str, message_id: str, *, by_client: bool = False
) -> Message | None:
    """Returns a message of a session by its id or, `by_client`, by the id that the client made for it."""
    if not by_client and not is_id(message_id):
        return None
    name = MessageRow.client_id if by_client else MessageRow.id
    statement = _messages().where(MessageRow.session_id == session_id, name == message_id)
    return transaction.execute(statement).first()


def known_message(transaction: Transaction, session_id: str, message_id: str) -> Message:
    """Returns a message of a session by its id.

    Raises:
        StoreError: there is none in this session.
    """
    row = message_of(transaction, session_id, message_id)
    if row is None:
        raise StoreError(f"there is no message {message_id[:40]!r} in this chat; reload the chat")
    return row


def leaf_of(transaction: Transaction, owner: str, session_id: str, leaf: str | None) -> str | None:
    """Returns the leaf that is asked for, once its owner is seen; the active one when None."""
    session = session_of(transaction, owner, session_id)
    return session.active_leaf_id if leaf is None else str(known_message(transaction, session_id, leaf).id)


def children_of(transaction: Transaction, session_id: str, parent_id: str | None) -> Sequence[Message]:
    """Returns the messages that follow one, or that begin the session, in the order in which they came."""
    parent: ColumnElement[bool] = MessageRow.parent_id == parent_id  # becomes IS NULL for None
    statement = _messages().where(MessageRow.session_id == session_id, parent)
    return transaction.execute(statement.order_by(MessageRow.position)).all()


def all_of(transaction: Transaction, session_id: str) -> Sequence[Message]:
    """Returns all messages of a session, on all its branches, in the order in which they came."""
    statement = _messages().where(MessageRow.session_id == session_id)
    return transaction.execute(statement.order_by(MessageRow.position)).all()


def delete_sessions(transaction: Transaction, session_ids: Sequence[str]) -> int:
    """Deletes sessions with all that belongs to them; returns how many there were."""
    # By hand, for the cascade would go message by message; votes go with their battles.
    for table in (FeedbackRow, BattleRow, SearchRow, MessageRow):
        transaction.execute(delete(table).where(table.session_id.in_(session_ids)))
    gone = transaction.execute(delete(SessionRow).where(SessionRow.id.in_(session_ids)))
    return cast("CursorResult[Any]", gone).rowcount


def path_to(
    transaction: Transaction, session_id: str, leaf_id: str, columns: Sequence[ColumnElement[Any]] = MESSAGE
) -> Sequence[Message]:
    """Returns the messages from the first one down to a leaf.

    Args:
        transaction: any.
        session_id: where the leaf stands.
        leaf_id: the last message.
        columns: what is wanted of each, `id` and `parent_id` first.
    """
    # All branches are read, for they lie side by side: to look for the parent of each message takes twice as long.
    statement = (
        select(*columns).where(MessageRow.session_id == session_id).order_by(MessageRow.position.desc())
    )
    path: list[Message] = []
    wanted: str | None = leaf_id
    # By the connection: the ORM would look at each row, and there is nothing of its own in them.
    for row in transaction.connection().execute(statement).all():
        if row[0] == wanted:  # a parent's position is below its child's
            path.append(row)
            wanted = row[1]
    return path[::-1]


def insert_message(
    transaction: Transaction,
    session: SessionRow,
    parent_id: str | None,
    role: Role,
    client_id: str,
    columns: Mapping[str, Any],
) -> Message:
    """Inserts a message after the last one of its session, which the caller has locked; returns it.

    Args:
        transaction: one that writes.
        session: where it goes.
        parent_id: the message that it follows.
        role: who said it.
        client_id: the client's id for it.
        columns: its text, and the columns of its reply; `id` and `created_at` when they are known already.
    """
    last = transaction.scalar(
        select(func.max(MessageRow.position)).where(MessageRow.session_id == session.id)
    )
    position = 0 if last is None else last + 1
    values = {
        "id": new_id(),
        "session_id": session.id,
        "parent_id": parent_id,
        "position": position,
        "role": role,
        "created_at": now(),
        "client_id": client_id,
        **columns,
    }
    transaction.execute(insert(MessageRow).values(**values))
    _make_findable(transaction, session, position, values["created_at"], values["text"])
    inserted = message_of(transaction, session.id, values["id"])
    assert inserted is not None  # it was inserted in this transaction
    return inserted


def _make_findable(
    transaction: Transaction, session: SessionRow, position: int, created_at: datetime, text: str
) -> None:
    """Adds a message's text to the last piece of its session, or begins a new piece with it."""
    words = search_form(text)
    piece = None
    if position:
        columns = (SearchRow.first_position, SearchRow.newest_at, func.length(SearchRow.text))
        last_one = select(*columns).where(SearchRow.session_id == session.id)
        piece = transaction.execute(last_one.order_by(SearchRow.first_position.desc()).limit(1)).first()
    if piece is not None and piece[2] + 1 + len(words) <= PIECE_SIZE:
        same = and_(SearchRow.session_id == session.id, SearchRow.first_position == piece[0])
        longer = {"text": SearchRow.text.concat(SEPARATOR + words), "newest_at": max(piece[1], created_at)}
        statement = update(SearchRow).where(same).values(**longer)
        transaction.execute(statement, execution_options={"synchronize_session": False})
        return
    row = {"session_id": session.id, "owner_id": session.owner_id, "first_position": position}
    transaction.execute(insert(SearchRow).values(**row, newest_at=created_at, text=words))


def _messages() -> Select[Any]:
    return select(*MESSAGE)


def is_id(value: str) -> bool:
    """Returns whether a string could be an id of ours, so that no odd one reaches the driver."""
    return len(value) == 36 and value.isascii() and value.isprintable()


def check_room(transaction: Transaction, owner: str, most: int) -> None:
    """Checks that an owner may begin one more session.

    Raises:
        StoreError: there are so many already.
    """
    of_owner = select(SessionRow.id).where(SessionRow.owner_id == owner).limit(most).subquery()
    count = transaction.scalar(select(func.count()).select_from(of_owner)) or 0
    if count >= most:
        raise StoreError(
            f"you have {count:,} chats, and no more can be begun; delete some that you do not need"
        )
