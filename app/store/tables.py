"""The tables of the session store.

    store_schema   one row: the version of these tables
    users          people who log in: name, password's hash, administrator or not
    owners         whose chats these are: a user, or a browser without login (the SHA-256 of its cookie's token)
    logins         one row a login that has not ended: the SHA-256 of its cookie's token, and when it expires
    failed_logins  how often somebody has failed, by name or by address, so that the next try can be slowed
    api_keys       keys of the API, kept as hashes
    sessions       stored chats, each of one owner
    messages       a tree a session: each message knows its parent, none is ever changed
    search_texts   the texts of a session in the form in which they are searched (`app.store.search_text`)
    feedback       what an owner thinks of a message: like or dislike, and what the reply should have been
    battles        two models that answered one message, hidden until the vote
    votes          one a voter and battle
    settings       what the whole installation shares, by key

A message's parent stands in the same session: the database sees to it with a composite foreign key.
`sessions.active_leaf_id` is no foreign key (the two tables would name each other); it is set only in the
transaction that has just seen its message, and messages go only with their whole session.

What belongs to a session goes with it (ON DELETE CASCADE), and a row that may hold words of a chat has the
session's id among its first columns: by it traces of a deleted chat are found (`app.store.files.forget`).

Numbers that SQL types would bend are kept as text: a seed is any 64-bit number, signed or not. Ids and names
are compared byte by byte on every database, so that their order is the same.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    CheckConstraint,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    SmallInteger,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

__all__ = [
    "SCHEMA_VERSION",
    "ApiKeyRow",
    "Base",
    "BattleRow",
    "FailedLoginRow",
    "FeedbackRow",
    "LoginRow",
    "MessageRow",
    "OwnerRow",
    "SchemaRow",
    "SearchRow",
    "SessionRow",
    "SettingRow",
    "UserRow",
    "UtcTime",
    "VoteRow",
]

SCHEMA_VERSION = 3
"""The number of the newest file in `app/store/migrations/versions`."""


def _by_bytes(length: int | None = None) -> String:
    """Returns the type of a text that every database orders by its bytes."""
    return String(length).with_variant(String(length, collation="C"), "postgresql")


def _message_of_session(column: str, name: str) -> ForeignKeyConstraint:
    """Returns the rule that a column names a message of the row's own session, with which the row goes."""
    return ForeignKeyConstraint(
        ["session_id", column], ["messages.session_id", "messages.id"], name=name, ondelete="CASCADE"
    )


type_of_id = _by_bytes(36)
type_of_hash = String(64)


def _of_text(value: str | None) -> datetime | None:
    if value is None:
        return None
    return datetime.fromisoformat(value if value.endswith("+00:00") else f"{value}+00:00")


def _in_utc(value: datetime | None) -> datetime | None:
    return None if value is None else value.astimezone(UTC)


class UtcTime(TypeDecorator[datetime]):
    """A time in UTC that keeps its zone, also where the database (SQLite) has none."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Returns the time in UTC."""
        return None if value is None else value.astimezone(UTC)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None]:
        """Returns what gives a time of the database its zone."""
        # Not `process_result_value`, which comes after SQLAlchemy's own, and takes four times as long for both.
        return _of_text if dialect.name == "sqlite" else _in_utc


class Base(DeclarativeBase):
    """What every table belongs to."""


class SchemaRow(Base):
    """The version of the tables; migrations raise it."""

    __tablename__ = "store_schema"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    version: Mapped[int]


class UserRow(Base):
    """Somebody who can log in.

    `name_key` is the name in its searched form: two names that look alike are one. A user without
    `password_hash` (argon2's own string) cannot log in with a password.
    """

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(type_of_id, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    name_key: Mapped[str] = mapped_column(_by_bytes(), unique=True)
    password_hash: Mapped[str | None] = mapped_column(Text)
    is_admin: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(UtcTime)


class OwnerRow(Base):
    """Whose chats these are: a user, or somebody who holds a cookie; and what they chose.

    `settings` holds the choices of `app.store.records.OwnerSettings`; a guest has them, too.
    """

    __tablename__ = "owners"
    __table_args__ = (
        UniqueConstraint("token_hash", name="owners_by_token"),
        UniqueConstraint("user_id", name="owners_by_user"),
        ForeignKeyConstraint(["user_id"], ["users.id"], name="user_of_owner"),
        CheckConstraint("(token_hash IS NULL) <> (user_id IS NULL)", name="cookie_or_user"),
    )

    id: Mapped[str] = mapped_column(type_of_id, primary_key=True)
    token_hash: Mapped[str | None] = mapped_column(type_of_hash)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    user_id: Mapped[str | None] = mapped_column(type_of_id)
    settings: Mapped[dict[str, object] | None] = mapped_column(JSON(none_as_null=True))


class LoginRow(Base):
    """A login that has not been ended; the cookie's token itself is not kept."""

    __tablename__ = "logins"
    __table_args__ = (Index("logins_of_user", "user_id"),)

    token_hash: Mapped[str] = mapped_column(type_of_hash, primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    expires_at: Mapped[datetime] = mapped_column(UtcTime)


class FailedLoginRow(Base):
    """How often logging in has failed for one name or from one address, which is kept as a hash."""

    __tablename__ = "failed_logins"

    subject_hash: Mapped[str] = mapped_column(type_of_hash, primary_key=True)
    failures: Mapped[int]
    last_at: Mapped[datetime] = mapped_column(UtcTime)


class ApiKeyRow(Base):
    """A key of the API; only its hash is kept, and the first letters by which people know it."""

    __tablename__ = "api_keys"
    __table_args__ = (Index("api_keys_of_owner", "owner_id"),)

    id: Mapped[str] = mapped_column(type_of_id, primary_key=True)
    owner_id: Mapped[str] = mapped_column(ForeignKey("owners.id", ondelete="CASCADE"))
    key_hash: Mapped[str] = mapped_column(type_of_hash, unique=True)
    prefix: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcTime)


class SessionRow(Base):
    """A stored chat.

    `kind` says where it is shown; `source` is what it was imported from, so that the same file adds nothing
    when it comes again; `reviewed_at` says when somebody found it fit to learn from.
    """

    __tablename__ = "sessions"
    __table_args__ = (
        Index("sessions_of_owner", "owner_id", "updated_at", "id"),
        Index("sessions_by_source", "owner_id", "source", unique=True),
    )

    id: Mapped[str] = mapped_column(type_of_id, primary_key=True)
    owner_id: Mapped[str] = mapped_column(ForeignKey("owners.id"))
    title: Mapped[str] = mapped_column(Text)
    model_name: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    updated_at: Mapped[datetime] = mapped_column(UtcTime)
    active_leaf_id: Mapped[str | None] = mapped_column(type_of_id)
    kind: Mapped[str] = mapped_column(String(16), server_default="chat")
    source: Mapped[str | None] = mapped_column(_by_bytes(64))
    reviewed_at: Mapped[datetime | None] = mapped_column(UtcTime)


class MessageRow(Base):
    """A message; what follows `client_id` is set for a bot's message alone.

    `position` counts the messages of a session as they came: a parent's is always below its child's,
    and the order of candidates does not hang on a clock.
    """

    __tablename__ = "messages"
    __table_args__ = (
        UniqueConstraint("session_id", "id", name="messages_in_session"),
        UniqueConstraint("session_id", "client_id", name="messages_by_client_id"),
        UniqueConstraint("session_id", "position", name="messages_in_order"),
        ForeignKeyConstraint(
            ["session_id", "parent_id"],
            ["messages.session_id", "messages.id"],
            name="parent_in_same_session",
        ),
        CheckConstraint("role IN ('user', 'bot')", name="known_role"),
        Index("messages_of_parent", "session_id", "parent_id", "position"),
    )

    id: Mapped[str] = mapped_column(type_of_id, primary_key=True)
    session_id: Mapped[str] = mapped_column(ForeignKey("sessions.id"))
    parent_id: Mapped[str | None] = mapped_column(type_of_id)
    position: Mapped[int]
    role: Mapped[str] = mapped_column(String(8))
    text: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    client_id: Mapped[str] = mapped_column(Text)

    model_name: Mapped[str | None] = mapped_column(Text)
    model_hash: Mapped[str | None] = mapped_column(type_of_hash)
    context_hash: Mapped[str | None] = mapped_column(type_of_hash)
    seed: Mapped[str | None] = mapped_column(String(24))
    reply_index: Mapped[int | None]
    sampling: Mapped[dict[str, object] | None] = mapped_column(JSON(none_as_null=True))
    tokens: Mapped[list[int] | None] = mapped_column(JSON(none_as_null=True))
    ended: Mapped[str | None] = mapped_column(String(16))
    log_probability: Mapped[float | None] = mapped_column(Double)
    filtered_log_probability: Mapped[float | None] = mapped_column(Double)
    latent: Mapped[list[float | str] | None] = mapped_column(JSON(none_as_null=True))
    scores: Mapped[dict[str, float | str] | None] = mapped_column(JSON(none_as_null=True))


class SearchRow(Base):
    """A piece of a session's texts; `newest_at` is the time of the last message in it."""

    __tablename__ = "search_texts"
    __table_args__ = (
        Index("search_texts_of_owner", "owner_id", "newest_at", "session_id", "first_position"),
    )

    session_id: Mapped[str] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True)
    first_position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    owner_id: Mapped[str] = mapped_column(ForeignKey("owners.id"))
    newest_at: Mapped[datetime] = mapped_column(UtcTime)
    text: Mapped[str] = mapped_column(Text)


class FeedbackRow(Base):
    """What an owner thinks of a message; `value` is 1 (like), -1 (dislike) or NULL (a correction alone)."""

    __tablename__ = "feedback"
    __table_args__ = (
        _message_of_session("message_id", "message_of_feedback"),
        CheckConstraint("value IN (1, -1)", name="like_or_dislike"),
        Index("feedback_of_session", "session_id", "message_id"),
    )

    owner_id: Mapped[str] = mapped_column(ForeignKey("owners.id"), primary_key=True)
    message_id: Mapped[str] = mapped_column(type_of_id, primary_key=True)
    session_id: Mapped[str] = mapped_column(type_of_id)
    value: Mapped[int | None] = mapped_column(SmallInteger)
    correction: Mapped[str | None] = mapped_column(Text)
    updated_at: Mapped[datetime] = mapped_column(UtcTime)


class BattleRow(Base):
    """Two models that answer one message of a session; A is shown on the left.

    The replies are messages, too, children of the prompt.
    """

    __tablename__ = "battles"
    __table_args__ = (
        _message_of_session("prompt_id", "prompt_of_battle"),
        _message_of_session("reply_a_id", "reply_a_of_battle"),
        _message_of_session("reply_b_id", "reply_b_of_battle"),
        CheckConstraint("state IN ('open', 'voted', 'abandoned')", name="known_state"),
        Index("battles_of_owner", "owner_id", "created_at"),
        Index("battles_of_session", "session_id", "prompt_id"),
    )

    id: Mapped[str] = mapped_column(type_of_id, primary_key=True)
    session_id: Mapped[str] = mapped_column(type_of_id)
    owner_id: Mapped[str] = mapped_column(ForeignKey("owners.id"))
    prompt_id: Mapped[str] = mapped_column(type_of_id)
    model_a: Mapped[str] = mapped_column(Text)
    model_a_hash: Mapped[str] = mapped_column(type_of_hash)
    model_b: Mapped[str] = mapped_column(Text)
    model_b_hash: Mapped[str] = mapped_column(type_of_hash)
    reply_a_id: Mapped[str | None] = mapped_column(type_of_id)
    reply_b_id: Mapped[str | None] = mapped_column(type_of_id)
    state: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime] = mapped_column(UtcTime)


class VoteRow(Base):
    """What a voter chose in a battle; the key sees to it that nobody votes twice."""

    __tablename__ = "votes"
    __table_args__ = (CheckConstraint("choice IN ('a', 'b', 'tie', 'both_bad')", name="known_choice"),)

    battle_id: Mapped[str] = mapped_column(ForeignKey("battles.id", ondelete="CASCADE"), primary_key=True)
    voter_id: Mapped[str] = mapped_column(ForeignKey("owners.id"), primary_key=True)
    choice: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime] = mapped_column(UtcTime)


class SettingRow(Base):
    """A setting of the whole installation."""

    __tablename__ = "settings"

    key: Mapped[str] = mapped_column(_by_bytes(100), primary_key=True)
    value: Mapped[object] = mapped_column(JSON)
